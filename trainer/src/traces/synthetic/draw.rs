//! Random draws keyed by (seed, student, problem): ChaCha with 8 rounds, the key holding the three.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of draws that depends on its key alone.
pub(super) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of one student at one problem; the empty problem is the student's own stream.
    pub(super) fn new(seed: u64, student: usize, problem: &str) -> Self {
        let mut key = [0_u8; 32];
        let parts = [seed, student as u64, fnv1a(problem), u64::from_le_bytes(*b"learners")];
        for (chunk, part) in key.chunks_exact_mut(8).zip(parts) {
            chunk.copy_from_slice(&part.to_le_bytes());
        }
        Draw(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in 0..1, 53 bits.
    pub(super) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `rate`. Always draws, so that one answer does not shift the ones after it.
    pub(super) fn chance(&mut self, rate: f64) -> bool {
        self.unit() < rate
    }

    /// Uniform in `0..bound`; 0 for a bound of 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((self.unit() * bound as f64) as usize).min(bound.saturating_sub(1))
    }

    /// One item, uniformly; `None` of nothing.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// An index with probability proportional to its weight; `None` if no weight is positive.
    pub(super) fn weighted(&mut self, weights: &[f64]) -> Option<usize> {
        let total: f64 = weights.iter().sum();
        let mut left = self.unit() * total;
        let mut last = None;
        for (index, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            last = Some(index);
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        last
    }

    /// `count` different numbers below `bound` (all of them if there are fewer), in random order.
    pub(super) fn sample(&mut self, bound: usize, count: usize) -> Vec<usize> {
        let mut left: Vec<usize> = (0..bound).collect();
        (0..count.min(bound)).map(|_| left.swap_remove(self.below(left.len()))).collect()
    }
}

/// FNV-1a, 64 bits: a fixed hash, unlike the standard library's.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_fnv1a() {
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn streams_are_keyed() {
        let first = |seed, student, problem: &str| Draw::new(seed, student, problem).unit();
        assert_eq!(first(1, 2, "p"), first(1, 2, "p"));
        assert_ne!(first(1, 2, "p"), first(2, 2, "p"));
        assert_ne!(first(1, 2, "p"), first(1, 3, "p"));
        assert_ne!(first(1, 2, "p"), first(1, 2, "q"));
    }

    #[test]
    fn draws_stay_in_bounds() {
        let mut draw = Draw::new(7, 0, "");
        let mut counts = [0_usize; 3];
        for _ in 0..3000 {
            assert!(draw.below(5) < 5);
            counts[draw.weighted(&[1.0, 0.0, 2.0]).unwrap()] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((counts[0] as f64 / 1000.0 - 1.0).abs() < 0.15, "{counts:?}");
        assert_eq!(draw.weighted(&[0.0]), None);
        let mut all = draw.sample(6, 10);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
    }
}
