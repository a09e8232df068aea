//! Random numbers for orders and choices, keyed by what they are for: a generator for each (seed, purpose, ids), so that nothing depends
//! on how many were drawn for anything else, and data that is added changes nothing for data that was there.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A generator for `purpose` and these ids.
pub(crate) fn keyed(seed: u64, purpose: &str, ids: &[&str]) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(key(seed, purpose, ids))
}

/// A number in 0..1 for `purpose` and these ids: the first 53 bits of their hash.
pub(crate) fn unit(seed: u64, purpose: &str, ids: &[&str]) -> f64 {
    let [a, b, c, d, e, f, g, h, ..] = key(seed, purpose, ids);
    (u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 11) as f64 / (1u64 << 53) as f64
}

fn key(seed: u64, purpose: &str, ids: &[&str]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    for part in std::iter::once(&purpose).chain(ids) {
        // The length first: ("ab", "c") is not ("a", "bc").
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// A number in `0..n`, each as likely as the others. `n` must not be 0.
pub(crate) fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    let n = n.max(1) as u64;
    // Draws from the last, incomplete run of n numbers are thrown away.
    let limit = u64::MAX - u64::MAX % n;
    loop {
        let draw = rng.next_u64();
        if draw < limit {
            return (draw % n) as usize;
        }
    }
}

/// Puts `items` in random order (Fisher and Yates, as in Knuth, TAOCP 2, algorithm P).
pub(crate) fn shuffle<T>(rng: &mut ChaCha8Rng, items: &mut [T]) {
    for i in (1..items.len()).rev() {
        items.swap(i, below(rng, i + 1));
    }
}

/// The numbers `0..n` in random order.
pub(crate) fn permutation(seed: u64, purpose: &str, round: u64, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    shuffle(&mut keyed(seed, purpose, &[&round.to_string()]), &mut order);
    order
}

/// A number that stands for these ids: the first 64 bits of their hash.
pub(crate) fn id(ids: &[&str]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = key(0, "id", ids);
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_apart() {
        let draw = |seed, ids: &[&str]| keyed(seed, "test", ids).next_u64();
        assert_eq!(draw(7, &["ab", "c"]), draw(7, &["ab", "c"]));
        assert_ne!(draw(7, &["ab", "c"]), draw(7, &["a", "bc"]));
        assert_ne!(draw(7, &["ab", "c"]), draw(8, &["ab", "c"]));
        assert_ne!(unit(7, "a", &["x"]), unit(7, "b", &["x"]));
    }

    #[test]
    fn units_are_spread_evenly() {
        let mut counts = [0; 10];
        for i in 0..10_000 {
            let u = unit(1, "test", &[&i.to_string()]);
            assert!((0.0..1.0).contains(&u));
            counts[(u * 10.0) as usize] += 1;
        }
        assert!(counts.iter().all(|c| (880..1120).contains(c)), "{counts:?}");
    }

    #[test]
    fn every_order_is_as_likely() {
        let mut counts = std::collections::HashMap::new();
        for i in 0..6000 {
            let mut items = [0, 1, 2];
            shuffle(&mut keyed(i, "shuffle", &[]), &mut items);
            *counts.entry(items).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|c| (880..1120).contains(c)), "{counts:?}");
    }
}
