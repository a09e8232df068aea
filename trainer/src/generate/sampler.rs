//! [`Sampler`]: one token from one row of logits.
//!
//! The number u, uniform on [0, 1), picks the token whose stretch of the cumulative distribution holds u. Without
//! filters the tokens stand in the order of their ids; with filters, in the order of their probability, the lowest id
//! first among equals. Nothing else is random.
//!
//! The log-prob that is recorded is the one under the *whole* softmax at the sampling temperature (1 for greedy), which
//! is what a forward pass over the finished text recomputes. With filters on, tokens are drawn from a narrower
//! distribution than that.

use crate::config::Sampling;
use crate::error::{Error, Result};
use crate::exact::{Correction, Operands};
use crate::lanes::{CHUNK, exp, exp_sum, maximum};

/// A drawn token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// Its id.
    pub token: u32,
    /// Its log-prob under the whole softmax at the sampling temperature (1 for greedy), nats.
    pub log_prob: f32,
}

/// Draws tokens by one rule; keeps its work space.
#[derive(Debug, Clone)]
pub struct Sampler {
    sampling: Sampling,
    /// Σ exp over each chunk of the row.
    sums: Vec<f64>,
    /// Tokens that the filters left: scaled logit relative to the maximum, id.
    kept: Vec<(f32, u32)>,
}

impl Sampler {
    /// # Errors
    /// When a setting is out of range.
    pub fn new(sampling: &Sampling) -> Result<Sampler> {
        sampling.check()?;
        Ok(Sampler { sampling: *sampling, sums: Vec::new(), kept: Vec::new() })
    }

    /// Draws from a row of logits, one for each token of the vocabulary, with the number `u`, uniform on 0..1, which
    /// greedy decoding ignores.
    ///
    /// # Errors
    /// When the row is empty, holds NaN, or has no finite maximum: the model has diverged.
    pub fn draw(&mut self, logits: &[f32], u: f64) -> Result<Draw> {
        self.draw_exactly(logits, u, None)
    }

    /// [`Sampler::draw`], with the log-prob as exact as `operands` allow.
    pub(crate) fn draw_exactly(&mut self, logits: &[f32], u: f64, operands: Option<Operands<'_>>) -> Result<Draw> {
        let max = maximum(logits);
        if !max.is_finite() {
            let message =
                format!("the model's logits have the maximum {max}: it has diverged, or its weights are broken");
            return Err(Error::Failed(message));
        }
        let s = self.sampling;
        let scale = (1.0 / s.log_prob_temperature()) as f32;
        self.sums.clear();
        self.sums.extend(logits.chunks(CHUNK).map(|chunk| f64::from(exp_sum(chunk, max, scale))));
        let total: f64 = self.sums.iter().sum();
        let token = if s.is_greedy() {
            logits.iter().position(|&x| x == max).unwrap_or(0)
        } else if s.top_k == 0 && s.top_p >= 1.0 && s.min_p <= 0.0 {
            self.pick(logits, max, scale, u * total)
        } else {
            self.pick_filtered(logits, max, scale, total, u)
        };
        let correction = Correction::of(logits, max, s.log_prob_temperature(), token, operands);
        let log_prob = correction.target - (total + correction.of_sum()).ln();
        Ok(Draw { token: token as u32, log_prob: log_prob as f32 })
    }

    /// The first token, by id, at which the cumulative sum exceeds `target`.
    fn pick(&self, logits: &[f32], max: f32, scale: f32, target: f64) -> usize {
        let (mut sum_so_far, mut below, mut chosen) = (0.0, 0.0, 0);
        for (chunk, &sum) in self.sums.iter().enumerate() {
            // The last chunk with any probability catches what rounding lets through.
            if sum > 0.0 {
                (chosen, below) = (chunk, sum_so_far);
                if below + sum > target {
                    break;
                }
            }
            sum_so_far += sum;
        }
        let start = chosen * CHUNK;
        let mut token = start;
        for (i, &x) in logits[start..].iter().take(CHUNK).enumerate() {
            let p = f64::from(exp((x - max) * scale));
            if p > 0.0 {
                token = start + i;
                below += p;
                if below > target {
                    break;
                }
            }
        }
        token
    }

    fn pick_filtered(&mut self, logits: &[f32], max: f32, scale: f32, total: f64, u: f64) -> usize {
        let Sampling { top_k, top_p, min_p, .. } = self.sampling;
        let lowest = if min_p > 0.0 { min_p.ln() as f32 } else { f32::NEG_INFINITY };
        // A nucleus needs few of the tokens: look among the likely ones first, and further down only if they have too
        // little mass.
        let mut floor = if top_k == 0 && top_p < 1.0 { lowest.max(-8.0) } else { lowest };
        let mut mass;
        loop {
            self.kept.clear();
            let scaled = logits.iter().zip(0u32..).map(|(&x, id)| ((x - max) * scale, id));
            self.kept.extend(scaled.filter(|&(x, _)| x >= floor && x > f32::NEG_INFINITY));
            mass = self.kept.iter().map(|&(x, _)| f64::from(exp(x))).sum();
            let of = if min_p > 0.0 { mass } else { total };
            if floor <= lowest || (min_p <= 0.0 && mass >= top_p * of) {
                break;
            }
            floor = if floor < -64.0 { lowest } else { lowest.max(floor * 2.0) };
        }
        let likeliest_first = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if top_k > 0 && top_k < self.kept.len() {
            self.kept.select_nth_unstable_by(top_k - 1, likeliest_first);
            self.kept.truncate(top_k);
            mass = self.kept.iter().map(|&(x, _)| f64::from(exp(x))).sum();
        } else if min_p <= 0.0 {
            mass = total;
        }
        self.kept.sort_unstable_by(likeliest_first);
        if top_p < 1.0 {
            let (mut sum, mut nucleus) = (0.0, 0);
            for &(x, _) in &self.kept {
                nucleus += 1;
                sum += f64::from(exp(x));
                if sum >= top_p * mass {
                    break;
                }
            }
            self.kept.truncate(nucleus);
            mass = sum;
        }
        let (target, mut below) = (u * mass, 0.0);
        let mut token = 0;
        for &(x, id) in &self.kept {
            let p = f64::from(exp(x));
            if p > 0.0 {
                token = id as usize;
                below += p;
                if below > target {
                    break;
                }
            }
        }
        token
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sampler(sampling: Sampling) -> Sampler {
        Sampler::new(&sampling).unwrap()
    }

    /// Softmax and filters as the documentation has them, in f64 and with full sorts: probability of each token.
    fn reference(logits: &[f32], s: &Sampling) -> Vec<f64> {
        let t = s.log_prob_temperature();
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut left: Vec<(f64, usize)> =
            logits.iter().enumerate().map(|(i, &x)| ((f64::from(x - max) / t).exp(), i)).collect();
        left.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        left.retain(|&(p, _)| p >= s.min_p);
        if s.top_k > 0 {
            left.truncate(s.top_k);
        }
        let mass: f64 = left.iter().map(|x| x.0).sum();
        let mut sum = 0.0;
        let nucleus = left
            .iter()
            .take_while(|x| {
                let before = sum;
                sum += x.0;
                before < s.top_p * mass
            })
            .count();
        left.truncate(nucleus);
        let mass: f64 = left.iter().map(|x| x.0).sum();
        let mut p = vec![0.0; logits.len()];
        left.iter().for_each(|&(x, i)| p[i] = x / mass);
        p
    }

    #[test]
    fn greedy_takes_the_lowest_id_among_equals() {
        let mut s = sampler(Sampling::GREEDY);
        let draw = s.draw(&[0.0, 2.0, 2.0, 1.0], 0.99).unwrap();
        assert_eq!(draw.token, 1);
        // At temperature 1: 2 − ln(1 + 2e² + e).
        let want = 2.0 - (1.0 + 2.0 * 2f64.exp() + 1f64.exp()).ln();
        assert!((f64::from(draw.log_prob) - want).abs() < 1e-6);
    }

    #[test]
    fn the_log_prob_is_of_the_whole_softmax_at_the_temperature() {
        let logits = [1.0f32, 3.0, -2.0];
        let draw = sampler(Sampling { temperature: 0.5, top_k: 1, ..Sampling::default() }).draw(&logits, 0.3).unwrap();
        let z: f64 = logits.iter().map(|&x| (2.0 * f64::from(x)).exp()).sum();
        assert_eq!(draw.token, 1);
        assert!((f64::from(draw.log_prob) - (6.0 - z.ln())).abs() < 1e-6);
    }

    #[test]
    fn the_ends_of_the_unit_interval_are_tokens_that_can_be_drawn() {
        // Only ids 1500 and 3000 have any probability; ids, chunks and rounding must not let another through.
        let mut logits = vec![f32::NEG_INFINITY; 5000];
        logits[1500] = 0.0;
        logits[3000] = 0.0;
        for filtered in [Sampling::default(), Sampling { top_p: 0.999, ..Sampling::default() }] {
            let mut s = sampler(filtered);
            for (u, token) in [(0.0, 1500), (0.499_999, 1500), (0.5, 3000), (1.0 - f64::EPSILON / 2.0, 3000)] {
                assert_eq!(s.draw(&logits, u).unwrap().token, token);
            }
        }
    }

    #[test]
    fn broken_logits_are_an_error() {
        let mut s = sampler(Sampling::default());
        for bad in [vec![], vec![0.0, f32::NAN], vec![f32::INFINITY, 0.0], vec![f32::NEG_INFINITY; 3]] {
            assert!(s.draw(&bad, 0.5).is_err());
        }
    }

    proptest! {
        #[test]
        fn shares_of_the_unit_interval_are_the_probabilities(
            logits in prop::collection::vec(-6.0f32..6.0, 1..40), temperature in 0.2f64..3.0,
            top_k in 0usize..12, top_p in prop::sample::select(vec![1.0, 0.95, 0.7, 0.3]),
            min_p in prop::sample::select(vec![0.0, 0.02, 0.1, 0.5]), padding in prop::sample::select(vec![0usize, 3000]),
        ) {
            let sampling = Sampling { temperature, top_k, top_p, min_p };
            let want = reference(&logits, &sampling);
            // Unlikely tokens in front shift the ids over several chunks and must change nothing else.
            let padded = [vec![-1e4; padding], logits].concat();
            let mut s = sampler(sampling);
            let n = 4000;
            let mut count = vec![0usize; want.len()];
            for i in 0..n {
                let token = s.draw(&padded, (i as f64 + 0.5) / n as f64).unwrap().token as usize;
                prop_assert!(token >= padding);
                count[token - padding] += 1;
            }
            for (&c, &p) in count.iter().zip(&want) {
                // A stretch of the interval holds its share of the grid to within one point at each end.
                prop_assert!((c as f64 - p * n as f64).abs() <= 1.5, "{c} of {n} for {p}");
                prop_assert!(p > 0.0 || c == 0);
            }
        }
    }
}
