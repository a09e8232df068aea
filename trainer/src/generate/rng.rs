//! [`RngKey`]: random numbers that depend on what they are for and on nothing else.
//!
//! The key of a draw names the run's seed, the stage, the step, the learner, the sample and the turn: 256 bits, which
//! are the key of ChaCha8 (Bernstein 2008). The index of the token is the stream; the draw is the first 64 bits of that
//! stream. Two different draws have two different (key, stream) pairs, so neither the order of execution, nor the other
//! learners of a batch, nor the number of workers can change a number.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a series of draws is for. Every field is part of the key as it is: none is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RngKey {
    /// The run's seed.
    pub seed: u64,
    /// The learner: a trajectory or a start position, whatever the caller counts.
    pub learner: u64,
    /// The stage of the run; evaluation is one too.
    pub stage: u32,
    /// The optimiser step, or 0.
    pub step: u32,
    /// The sample of a group, from 0.
    pub sample: u32,
    /// The turn, from 0.
    pub turn: u32,
}

impl RngKey {
    /// The number for token `token` of the turn: uniform on [0, 1), a multiple of 2⁻⁵³.
    pub fn uniform(&self, token: u64) -> f64 {
        let mut rng = ChaCha8Rng::from_seed(self.bytes());
        rng.set_stream(token);
        (rng.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// The ChaCha key: the fields, little-endian, in the order of their declaration.
    fn bytes(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&self.learner.to_le_bytes());
        for (part, field) in key[16..].chunks_exact_mut(4).zip([self.stage, self.step, self.sample, self.turn]) {
            part.copy_from_slice(&field.to_le_bytes());
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_key_is_the_chacha8_keystream() {
        // First eight bytes of the ChaCha8 keystream for an all-zero key and nonce
        // (draft-strombergson-chacha-test-vectors, TC1): 3e 00 ef 2f 89 5f 40 d6.
        let word = u64::from_le_bytes([0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6]);
        assert_eq!(RngKey::default().uniform(0), (word >> 11) as f64 / (1u64 << 53) as f64);
    }

    #[test]
    fn every_field_and_every_token_makes_another_number() {
        let base = RngKey { seed: 1, learner: 2, stage: 3, step: 4, sample: 5, turn: 6 };
        let mut drawn = vec![base.uniform(0), base.uniform(1)];
        for other in [
            RngKey { seed: 9, ..base },
            RngKey { learner: 9, ..base },
            RngKey { stage: 9, ..base },
            RngKey { step: 9, ..base },
            RngKey { sample: 9, ..base },
            RngKey { turn: 9, ..base },
        ] {
            drawn.push(other.uniform(0));
        }
        drawn.sort_by(f64::total_cmp);
        drawn.dedup();
        assert_eq!(drawn.len(), 8);
        assert_eq!(base.uniform(1), base.uniform(1));
    }

    #[test]
    fn numbers_are_uniform() {
        let key = RngKey { seed: 7, ..RngKey::default() };
        let mut bins = [0usize; 10];
        for t in 0..10_000 {
            bins[(key.uniform(t) * 10.0) as usize] += 1;
        }
        // Five standard deviations of a binomial(10000, 0.1).
        assert!(bins.iter().all(|&b| b.abs_diff(1000) < 150), "{bins:?}");
    }
}
