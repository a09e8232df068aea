//! The soft length penalty of DAPO, as the published pipeline set it.

/// Penalty for a completion of `tokens` under a limit of `max_new_tokens`, in -1..=0.
///
/// `L = int(0.95 · limit)`, `C = int(0.10 · L)`; 0 up to `L - C` tokens, then linear down to -1 at `L`, -1 beyond.
/// For the published limit of 1024: `L` = 972, `C` = 97, so the ramp begins at 875. A limit of 0 means no limit and no
/// penalty. Source: published `GRPO.py:541-572`; Yu et al. 2025 (DAPO), "soft overlong punishment".
pub fn length_penalty(tokens: usize, max_new_tokens: usize) -> f64 {
    let longest = (0.95 * max_new_tokens as f64) as usize;
    let ramp = (0.10 * longest as f64) as usize;
    let free = longest - ramp;
    if max_new_tokens == 0 || tokens <= free {
        0.0
    } else if tokens <= longest {
        (free as f64 - tokens as f64) / ramp as f64
    } else {
        -1.0
    }
}

#[cfg(test)]
mod tests {
    use super::length_penalty;

    #[test]
    fn published_ramp() {
        assert_eq!(length_penalty(875, 1024), 0.0);
        assert_eq!(length_penalty(876, 1024), -1.0 / 97.0);
        assert_eq!(length_penalty(972, 1024), -1.0);
        assert_eq!(length_penalty(973, 1024), -1.0);
        assert_eq!(length_penalty(5000, 0), 0.0);
        for limit in 1..40 {
            for tokens in 0..50 {
                let penalty = length_penalty(tokens, limit);
                assert!((-1.0..=0.0).contains(&penalty), "{tokens} of {limit}: {penalty}");
                assert!(penalty >= length_penalty(tokens + 1, limit));
            }
        }
    }
}
