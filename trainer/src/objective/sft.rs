//! Supervised fine-tuning: `L = −(1/N) Σ log p(token)` over the target tokens, N of them in the whole step.
//!
//! The derivative does not depend on the log-probs, so a pass can be told its weights before it runs ([`sft_weights`]).

use super::{Metrics, Objective, check_normaliser, total};
use crate::error::Result;

/// The loss of these targets and its (constant) derivative, `−1/normaliser`.
///
/// `log_probs`: one vector a tree, nats. `normaliser`: target tokens of the whole step.
/// Metrics: `log_prob`, the mean over tokens (the perplexity is `exp(−log_prob)`).
///
/// # Errors
/// When `normaliser` is not a positive number.
pub fn sft(log_probs: &[Vec<f32>], normaliser: f64) -> Result<Objective> {
    check_normaliser(normaliser, "target tokens")?;
    let counts: Vec<usize> = log_probs.iter().map(Vec::len).collect();
    let sum: f64 = log_probs.iter().map(|row| total(row)).sum();
    let mut metrics = Metrics::default();
    metrics.mean("log_prob", sum, counts.iter().sum::<usize>() as f64);
    let weight = (-1.0 / normaliser) as f32;
    Ok(Objective { loss: -sum / normaliser, grad: counts.iter().map(|&n| vec![weight; n]).collect(), metrics })
}

/// The weights w of `L = −Σ w·log p` that make it [`sft`]'s loss: `1/normaliser` for each of the `counts[i]` targets of
/// tree i.
///
/// # Errors
/// When `normaliser` is not a positive number.
pub fn sft_weights(counts: &[usize], normaliser: f64) -> Result<Vec<Vec<f32>>> {
    check_normaliser(normaliser, "target tokens")?;
    Ok(counts.iter().map(|&n| vec![(1.0 / normaliser) as f32; n]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_computed() {
        let o = sft(&[vec![-1.0, -2.0], vec![], vec![-3.0]], 4.0).unwrap();
        assert_eq!(o.loss, 1.5);
        assert_eq!(o.grad, [vec![-0.25, -0.25], vec![], vec![-0.25]]);
        assert_eq!(o.metrics.get("log_prob"), Some(-2.0));
    }

    #[test]
    fn parts_add_up_to_the_batch() {
        let (a, b) = (vec![-0.5f32, -0.25], vec![-4.0f32]);
        let whole = sft(&[a.clone(), b.clone()], 3.0).unwrap();
        let (first, second) = (sft(&[a], 3.0).unwrap(), sft(&[b], 3.0).unwrap());
        assert!((first.loss + second.loss - whole.loss).abs() < 1e-15);
        assert_eq!([first.grad, second.grad].concat(), whole.grad);
    }

    #[test]
    fn weights_are_the_negative_gradient() {
        let grad = sft(&[vec![-1.0; 2], vec![-1.0]], 7.0).unwrap().grad;
        let weights = sft_weights(&[2, 1], 7.0).unwrap();
        assert_eq!(weights.concat(), grad.concat().iter().map(|g| -g).collect::<Vec<_>>());
    }

    #[test]
    fn an_empty_step_is_refused() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(sft(&[], bad).is_err());
            assert!(sft_weights(&[], bad).is_err());
        }
    }
}
