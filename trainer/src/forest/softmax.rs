//! Log-softmax of rows of logits on the CPU: log-probs, entropies and the gradient in three looks at a row that lies in the
//! cache, where tensor operations would fetch all rows from memory for each of ten.
//!
//! A float32 product of a hidden state and a row of the LM head is off by its rounding, some 1e-5 for logits of forty: more
//! than anything else adds to a log-prob. Where it matters, at the target and the few likeliest tokens, the products are
//! summed again in float64.

use std::sync::Mutex;

use crate::lanes::{LANES, exp, maximum, widest};
use crate::parallel;

/// Likeliest tokens that are computed again.
const AGAIN: usize = 8;
/// How far below the largest logit, after division by the temperature, they may lie.
const REACH: f32 = 4.0;
/// Numbers that are summed in f32; the sums are added in f64.
const CHUNK: usize = 1024;

/// What each row of a chunk is asked for.
pub(super) struct Rows<'a> {
    /// Logits divided by it are what the softmax is of.
    pub temperature: f64,
    /// The target of each row.
    pub ids: &'a [i64],
    /// Hidden states `[C, D]` and the head's weight `[V, D]`, both float32, where logits are to be exact.
    pub operands: Option<(&'a [f32], &'a [f32])>,
    /// The derivative of the loss by each log-prob, where the gradient is wanted.
    pub slopes: Option<&'a [f32]>,
}

/// The answer for one row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Answer {
    pub log_prob: f32,
    pub entropy: f32,
}

impl Rows<'_> {
    /// Reads `logits` `[C, V]` and leaves their gradient `slope · (onehot(id) − p) / τ` in their place, or, without slopes,
    /// nothing of use.
    pub fn read(&self, logits: &mut [f32]) -> Vec<Answer> {
        let mut answers = vec![Answer::default(); self.ids.len()];
        let vocabulary = (logits.len() / self.ids.len().max(1)).max(1);
        let rows: Vec<_> = logits.chunks_exact_mut(vocabulary).zip(&mut answers).map(Mutex::new).collect();
        parallel::for_each(rows.len(), &|row| {
            // Nobody else asks for this lock: a row is done once.
            if let Ok(mut place) = rows[row].lock() {
                let (logits, answer) = &mut *place;
                **answer = self.row(row, logits);
            }
        });
        drop(rows);
        answers
    }

    fn row(&self, row: usize, logits: &mut [f32]) -> Answer {
        let id = self.ids[row] as usize;
        let scale = 1.0 / self.temperature;
        let max = maximum(logits);
        // Each relative to the largest, divided by the temperature: as rounded, and exact.
        let again = |id: usize| {
            let rounded = (logits[id] - max) * scale as f32;
            let exact = match self.operands {
                Some((hidden, weight)) => {
                    let d = weight.len() / logits.len();
                    let exact = dot(&hidden[row * d..][..d], &weight[id * d..][..d]);
                    (exact - f64::from(max)) * scale
                }
                None => f64::from(rounded),
            };
            (rounded, exact)
        };
        let (_, target) = again(id);
        let mut likeliest = match self.operands {
            Some(_) => largest(logits, max - REACH * self.temperature as f32),
            None => Vec::new(),
        };
        if self.operands.is_some() && !likeliest.contains(&id) {
            likeliest.push(id);
        }
        let corrected: Vec<(f32, f64)> = likeliest.into_iter().map(again).collect();
        let (mut sum, mut weighted) = (0.0, 0.0);
        for chunk in logits.chunks_mut(CHUNK) {
            let [s, w] = exp_weighted(chunk, max, scale as f32);
            sum += f64::from(s);
            weighted += f64::from(w);
        }
        for (rounded, exact) in corrected {
            sum += exact.exp() - f64::from(exp(rounded));
            weighted += exact * exact.exp() - f64::from(rounded) * f64::from(exp(rounded));
        }
        if let Some(slopes) = self.slopes {
            let slope = f64::from(slopes[row]) * scale;
            scaled(logits, (-slope / sum) as f32);
            logits[id] += slope as f32;
        }
        Answer { log_prob: (target - sum.ln()) as f32, entropy: (sum.ln() - weighted / sum) as f32 }
    }
}

/// Where the largest numbers of a row are, [`AGAIN`] at most, and none below `floor`.
fn largest(row: &[f32], floor: f32) -> Vec<usize> {
    let mut best: Vec<usize> = Vec::with_capacity(AGAIN + 1);
    let mut floor = floor;
    for (number, block) in row.chunks(4 * LANES).enumerate() {
        if !reaches(block, floor) {
            continue;
        }
        for (i, &x) in block.iter().enumerate() {
            if x < floor {
                continue;
            }
            let place = best.iter().position(|&b| row[b] < x).unwrap_or(best.len());
            best.insert(place, number * 4 * LANES + i);
            if best.len() > AGAIN {
                best.pop();
                floor = floor.max(row[best[AGAIN - 1]]);
            }
        }
    }
    best
}

/// Σ a·b in f64.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0f64; LANES];
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f64::from(a) * f64::from(b);
        }
    }
    sums.iter().sum()
}

widest! {
    /// Whether some number is at least `floor`.
    fn reaches(block: &[f32], floor: f32) -> bool {
        let mut any = false;
        for &x in block {
            any |= x >= floor;
        }
        any
    }
}

widest! {
    /// Replaces each number by e to `x = (number − shift)·scale`, and returns Σ eˣ and Σ x·eˣ.
    fn exp_weighted(row: &mut [f32], shift: f32, scale: f32) -> [f32; 2] {
        let (mut sums, mut weighted) = ([0.0f32; LANES], [0.0f32; LANES]);
        let mut chunks = row.chunks_exact_mut(LANES);
        for chunk in &mut chunks {
            for i in 0..LANES {
                let x = (chunk[i] - shift) * scale;
                chunk[i] = exp(x);
                sums[i] += chunk[i];
                weighted[i] += x.max(-88.0) * chunk[i];
            }
        }
        for ((number, sum), weighted) in chunks.into_remainder().iter_mut().zip(&mut sums).zip(&mut weighted) {
            let x = (*number - shift) * scale;
            *number = exp(x);
            *sum += *number;
            *weighted += x.max(-88.0) * *number;
        }
        [sums.iter().sum(), weighted.iter().sum()]
    }
}

widest! {
    /// Multiplies each number by a factor.
    fn scaled(row: &mut [f32], factor: f32) {
        for x in row {
            *x *= factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Beside the formulas in f64, from the operands: log-probs are closer than float32 products would allow.
        #[test]
        fn equals_the_formulas(seed in 0u64..1000, vocabulary in 1usize..200, d in 1usize..70, temperature in 0.3f64..2.0, size in 0.1f32..4.0) {
            let number = |i: usize| (((i as u64 * 2_654_435_761 + seed * 97) % 10_007) as f32 / 10_007.0 - 0.5) * size;
            let rows = 3;
            let hidden: Vec<f32> = (0..rows * d).map(|i| number(i + 5)).collect();
            let weight: Vec<f32> = (0..vocabulary * d).map(|i| number(7 * i + 1)).collect();
            let exact = |row: usize, id: usize| dot(&hidden[row * d..][..d], &weight[id * d..][..d]);
            // As a product in float32 might have it.
            let mut logits: Vec<f32> = (0..rows * vocabulary).map(|i| {
                let z = exact(i / vocabulary, i % vocabulary);
                (z * (1.0 + 4e-7 * f64::from(number(i) / size))) as f32
            }).collect();
            let ids: Vec<i64> = (0..rows).map(|r| ((seed as usize + r * 31) % vocabulary) as i64).collect();
            let slopes: Vec<f32> = (0..rows).map(|r| r as f32 - 0.5).collect();
            let ask = Rows { temperature, ids: &ids, operands: Some((&hidden, &weight)), slopes: Some(&slopes) };
            let answers = ask.read(&mut logits);
            for (row, answer) in answers.iter().enumerate() {
                let z: Vec<f64> = (0..vocabulary).map(|id| exact(row, id) / temperature).collect();
                let max = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = z.iter().map(|z| (z - max).exp()).sum();
                let log_p = |id: usize| z[id] - max - total.ln();
                let entropy: f64 = (0..vocabulary).map(|id| -log_p(id) * log_p(id).exp()).sum();
                let id = ids[row] as usize;
                prop_assert!((f64::from(answer.log_prob) - log_p(id)).abs() < 1e-6 * (1.0 + log_p(id).abs()));
                prop_assert!((f64::from(answer.entropy) - entropy).abs() < 1e-5);
                for (other, d) in logits[row * vocabulary..][..vocabulary].iter().enumerate() {
                    let hit = if other == id { 1.0 } else { 0.0 };
                    let want = f64::from(slopes[row]) * (hit - log_p(other).exp()) / temperature;
                    prop_assert!((f64::from(*d) - want).abs() < 1e-4 * (1.0 + want.abs()), "{d} is not {want}");
                }
            }
        }

        #[test]
        fn the_largest_are_found(row in prop::collection::vec(-3f32..3.0, 1..300), floor in -4f32..3.0) {
            let mut want: Vec<usize> = (0..row.len()).filter(|&i| row[i] >= floor).collect();
            want.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
            want.truncate(AGAIN);
            let values = |of: &[usize]| of.iter().map(|&i| row[i]).collect::<Vec<_>>();
            prop_assert_eq!(values(&largest(&row, floor)), values(&want));
        }
    }

    #[test]
    fn a_diverged_model_is_seen() {
        let ask = Rows { temperature: 1.0, ids: &[0], operands: None, slopes: Some(&[1.0]) };
        for bad in [f32::NAN, f32::INFINITY] {
            let mut logits = [0.0, bad, 1.0];
            assert!(ask.read(&mut logits)[0].log_prob.is_nan() && logits[1].is_nan());
        }
    }
}
