//! Log-probs closer than float32 products allow.
//!
//! A float32 product of a hidden state and a row of the LM head is off by its rounding, some 1e-5 for logits of forty: more
//! than anything else adds to a log-prob, and another number for each order of summation. Where it matters, at the token
//! itself and the few likeliest ones, the products are summed again in float64.

use tch::{Kind, Tensor};

use crate::error::{Result, TensorResult};
use crate::lanes::{LANES, exp, widest};
use crate::numbers::{Numbers, plain};

/// Likeliest tokens that are computed again.
const AGAIN: usize = 8;
/// How far below the largest logit, after division by the temperature, they may lie.
const REACH: f32 = 4.0;

/// What rows of logits are the product of, where it is float32 on the CPU: other kinds are rounded so that there is nothing to
/// be exact about.
pub(crate) struct Factors {
    hidden: Numbers,
    weight: Numbers,
    width: usize,
}

impl Factors {
    /// Hidden states `[N, D]` and the head's weight `[V, D]`.
    pub fn of(hidden: &Tensor, weight: &Tensor) -> Result<Option<Factors>> {
        if !plain(hidden, Kind::Float) || !plain(weight, Kind::Float) {
            return Ok(None);
        }
        let width = weight.size2().op("head")?.1 as usize;
        Ok(Some(Factors { hidden: Numbers::of(hidden)?, weight: Numbers::of(weight)?, width }))
    }

    /// As slices, which threads can share.
    pub fn operands(&self) -> Operands<'_> {
        Operands { hidden: &self.hidden, weight: &self.weight, width: self.width }
    }
}

/// [`Factors`] as slices, of all rows of logits or of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operands<'a> {
    pub hidden: &'a [f32],
    pub weight: &'a [f32],
    /// D.
    pub width: usize,
}

impl<'a> Operands<'a> {
    /// Those of row `row` alone.
    pub fn row(&self, row: usize) -> Operands<'a> {
        Operands { hidden: &self.hidden[row * self.width..][..self.width], ..*self }
    }
}

/// What rounding did to a row of logits. Scores are logits relative to the largest one as it was rounded, divided by the
/// temperature.
#[derive(Debug)]
pub(crate) struct Correction {
    /// The exact score of the token that was asked for.
    pub target: f64,
    /// For this token and the likeliest: the score as rounded, and the exact one.
    scores: Vec<(f32, f64)>,
}

impl Correction {
    /// Of a row of `logits` with the maximum `max`, for token `id`; nothing is corrected without the row's operands.
    pub fn of(logits: &[f32], max: f32, temperature: f64, id: usize, operands: Option<Operands<'_>>) -> Correction {
        let scale = 1.0 / temperature;
        let rounded = |id: usize| (logits[id] - max) * scale as f32;
        let Some(Operands { hidden, weight, width }) = operands else {
            return Correction { target: f64::from(rounded(id)), scores: Vec::new() };
        };
        let exact = |id: usize| (dot(hidden, &weight[id * width..][..width]) - f64::from(max)) * scale;
        let mut tokens = largest(logits, max - REACH * temperature as f32);
        if !tokens.contains(&id) {
            tokens.push(id);
        }
        let scores = tokens.into_iter().map(|id| (rounded(id), exact(id))).collect();
        Correction { target: exact(id), scores }
    }

    /// What to add to the sum of eˣ over the rounded scores x.
    pub fn of_sum(&self) -> f64 {
        self.scores.iter().map(|&(rounded, exact)| exact.exp() - f64::from(exp(rounded))).sum()
    }

    /// What to add to the sum of x·eˣ over the rounded scores x.
    pub fn of_weighted(&self) -> f64 {
        let term = |&(rounded, exact): &(f32, f64)| exact * exact.exp() - f64::from(rounded) * f64::from(exp(rounded));
        self.scores.iter().map(term).sum()
    }
}

/// Where the largest numbers of a row are, [`AGAIN`] at most, and none below `floor`.
fn largest(row: &[f32], floor: f32) -> Vec<usize> {
    const BLOCK: usize = 4 * LANES;
    let mut best: Vec<usize> = Vec::with_capacity(AGAIN + 1);
    let mut floor = floor;
    for (number, block) in row.chunks(BLOCK).enumerate() {
        if !reaches(block, floor) {
            continue;
        }
        for (i, &x) in block.iter().enumerate() {
            if x < floor {
                continue;
            }
            let place = best.iter().position(|&b| row[b] < x).unwrap_or(best.len());
            best.insert(place, number * BLOCK + i);
            if best.len() > AGAIN {
                best.pop();
                floor = floor.max(row[best[AGAIN - 1]]);
            }
        }
    }
    best
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

/// Σ a·b in f64.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0f64; LANES];
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f64::from(a) * f64::from(b);
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
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
    fn sums_are_corrected_by_hand() {
        let (hidden, weight) = ([1.0, 2.0], [0.5, 0.25, 3.0, -1.0, 0.0, 0.0]);
        // Exact: 1, 1, 0; rounded too high, right, too low.
        let (logits, temperature) = ([1.5, 1.0, -0.25], 0.5);
        let operands = Some(Operands { hidden: &hidden, weight: &weight, width: 2 });
        let correction = Correction::of(&logits, 1.5, temperature, 1, operands);
        let rounded: Vec<f64> = logits.iter().map(|&x| (f64::from(x) - 1.5) / temperature).collect();
        let exact = [-1.0, -1.0, -3.0];
        let sum = |of: &[f64]| of.iter().map(|x| x.exp()).sum::<f64>();
        let weighted = |of: &[f64]| of.iter().map(|x| x * x.exp()).sum::<f64>();
        assert_eq!(correction.target, -1.0);
        assert!((sum(&rounded) + correction.of_sum() - sum(&exact)).abs() < 1e-6);
        assert!((weighted(&rounded) + correction.of_weighted() - weighted(&exact)).abs() < 1e-6);
        let none = Correction::of(&logits, 1.5, temperature, 1, None);
        assert_eq!((none.target, none.of_sum(), none.of_weighted()), (-1.0, 0.0, 0.0));
    }
}
