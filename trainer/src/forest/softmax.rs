//! Log-softmax of rows of logits on the CPU: log-probs, entropies and the gradient in three looks at a row that lies in the
//! cache, where tensor operations would fetch all rows from memory for each of ten.

use std::sync::Mutex;

use crate::exact::{Correction, Operands};
use crate::lanes::{CHUNK, exp_weighted_in_place, maximum, scale_in_place};
use crate::parallel;

/// What each row of a chunk is asked for.
pub(super) struct Rows<'a> {
    /// Logits divided by it are what the softmax is of.
    pub temperature: f64,
    /// The target of each row.
    pub ids: &'a [i64],
    /// What the logits are the product of, where log-probs are to be exact.
    pub operands: Option<Operands<'a>>,
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
        let operands = self.operands.map(|operands| operands.row(row));
        let correction = Correction::of(logits, max, self.temperature, id, operands);
        let (mut sum, mut weighted) = (correction.of_sum(), correction.of_weighted());
        for chunk in logits.chunks_mut(CHUNK) {
            let [s, w] = exp_weighted_in_place(chunk, max, scale as f32);
            sum += f64::from(s);
            weighted += f64::from(w);
        }
        if let Some(slopes) = self.slopes {
            let slope = f64::from(slopes[row]) * scale;
            scale_in_place(logits, (-slope / sum) as f32);
            logits[id] += slope as f32;
        }
        Answer { log_prob: (correction.target - sum.ln()) as f32, entropy: (sum.ln() - weighted / sum) as f32 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exact::dot;

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
            let ask = Rows { temperature, ids: &ids, operands: Some(Operands { hidden: &hidden, weight: &weight, width: d }), slopes: Some(&slopes) };
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
