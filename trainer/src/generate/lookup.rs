//! [`Lookup`]: guesses at what a sequence says next, from what stands in it already.
//!
//! A learner repeats most of its last program, and a step of decoding takes hardly longer for a few rows than for one: it
//! waits for the weights. So the tokens that followed the last ones where they stood before are passed through the model
//! together with the pending one, and as many are kept as are drawn anyway ("inference with reference", Yang et al. 2023,
//! arXiv:2304.04487). A guess decides nothing: each token is drawn from its own logits with its own random number, and what
//! was computed behind a wrong guess is thrown away.

/// Tokens that must have stood there before, at least.
const SHORTEST: usize = 2;
/// More tokens than this make no place better.
const LONGEST: usize = 16;
/// Weight of the last guess in [`Lookup::trust`].
const NEWEST: f64 = 0.125;
/// What one more row adds to the time of a step, the time of the step without rows being 1. Measured: 0.03 to 0.1, by
/// `examples/decode_speed` with 1 to 16 slots.
const ROW: f64 = 0.1;

/// Follows one sequence while it is decoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lookup {
    /// Where the token stands that is expected next.
    source: Option<usize>,
    /// Estimate of how probable it is that a guess comes true.
    trust: f64,
}

impl Lookup {
    /// For a sequence that stands at `tokens`.
    pub fn new(tokens: &[u32]) -> Lookup {
        Lookup { source: place(tokens), trust: 0.5 }
    }

    /// The `n` tokens expected behind `tokens`, or nothing. Where the text repeats itself up to its end, so does the guess.
    pub fn guess(&self, tokens: &[u32], n: usize) -> Vec<u32> {
        match self.source {
            Some(source) => tokens[source..].iter().copied().cycle().take(n).collect(),
            None => Vec::new(),
        }
    }

    /// The last `drawn` of `tokens` were drawn.
    pub fn follow(&mut self, tokens: &[u32], drawn: usize) {
        for &token in &tokens[tokens.len() - drawn..] {
            if let Some(source) = self.source {
                let right = tokens[source] == token;
                self.trust += NEWEST * (f64::from(u8::from(right)) - self.trust);
                self.source = right.then_some(source + 1);
            }
        }
        if self.source.is_none() {
            self.source = place(tokens);
        }
    }
}

/// Where the token stands that followed the longest end of `tokens` that stood there before; the last such place.
fn place(tokens: &[u32]) -> Option<usize> {
    let (mut best, mut longest) = (None, SHORTEST - 1);
    for end in (SHORTEST..tokens.len()).rev() {
        let pairs = tokens[..end].iter().rev().zip(tokens.iter().rev());
        let len = pairs.take(LONGEST).take_while(|(a, b)| a == b).count();
        if len > longest {
            (best, longest) = (Some(end), len);
            if len == LONGEST {
                break;
            }
        }
    }
    best
}

/// How many tokens to guess for each of some sequences that are decoded together, in a step of `rows` rows at most.
/// `limits`: how many of each make sense. One is added as long as it is expected to make tokens faster.
pub(super) fn share(lookups: &[&Lookup], limits: &[usize], rows: usize) -> Vec<usize> {
    let mut counts = vec![0; lookups.len()];
    // The probability that a sequence's next guess and all before it come true.
    let mut next: Vec<f64> = lookups.iter().map(|l| if l.source.is_some() { l.trust } else { 0.0 }).collect();
    let mut tokens = lookups.len() as f64;
    for taken in lookups.len()..rows {
        let open = (0..counts.len()).filter(|&i| counts[i] < limits[i]);
        // The first among equals.
        let Some(best) = open.reduce(|a, b| if next[b] > next[a] { b } else { a }) else { break };
        if next[best] * (1.0 + ROW * taken as f64) <= ROW * tokens {
            break;
        }
        tokens += next[best];
        counts[best] += 1;
        next[best] *= lookups[best].trust;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_and_last_place_is_taken() {
        assert_eq!(place(&[1, 2, 3, 9, 2, 3, 8, 1, 2, 3]), Some(3), "three tokens are better than two");
        assert_eq!(place(&[2, 3, 9, 2, 3, 8, 2, 3]), Some(5), "the last of two places");
        assert_eq!(place(&[1, 2, 3, 4]), None);
        assert_eq!(place(&[3, 1, 3]), None, "one token is too little");
        assert_eq!(place(&[]), None);
    }

    #[test]
    fn a_text_that_repeats_itself_is_guessed_on() {
        let tokens = [7, 1, 2, 1, 2];
        let lookup = Lookup::new(&tokens);
        assert_eq!(lookup.guess(&tokens, 5), [1, 2, 1, 2, 1]);
        assert!(Lookup::new(&[1, 2, 3]).guess(&[1, 2, 3], 5).is_empty());
    }

    #[test]
    fn the_source_is_followed_and_trust_learnt() {
        let mut tokens = vec![1, 2, 3, 4, 5, 6, 1, 2];
        let mut lookup = Lookup::new(&tokens);
        tokens.extend([3, 4]);
        lookup.follow(&tokens, 2);
        assert_eq!(lookup.guess(&tokens, 2), [5, 6]);
        assert!((lookup.trust - (1.0 - 0.5 * 0.875 * 0.875)).abs() < 1e-12);
        let before = lookup.trust;
        tokens.push(9);
        lookup.follow(&tokens, 1);
        assert!((lookup.trust - 0.875 * before).abs() < 1e-12);
        assert!(lookup.guess(&tokens, 2).is_empty());
        // Found again as soon as two tokens have stood there before.
        for token in [2, 3] {
            tokens.push(token);
            lookup.follow(&tokens, 1);
        }
        assert_eq!(lookup.guess(&tokens, 3), [4, 9, 2]);
    }

    #[test]
    fn rows_go_where_they_are_worth_most() {
        let at = |trust| Lookup { source: Some(0), trust };
        let counts = |trusts: &[f64], limits: &[usize], rows| {
            let lookups: Vec<Lookup> = trusts.iter().map(|&t| at(t)).collect();
            share(&lookups.iter().collect::<Vec<_>>(), limits, rows)
        };
        assert_eq!(counts(&[0.99], &[7], 16), [7]);
        assert_eq!(counts(&[0.99], &[7], 4), [3]);
        assert_eq!(counts(&[0.99, 0.99], &[7, 2], 16), [7, 2]);
        assert_eq!(counts(&[0.05], &[7], 16), [0]);
        // 0.5 × 1.1 > 0.1, 0.25 × 1.2 > 0.1 × 1.5, 0.125 × 1.3 ≤ 0.1 × 1.75.
        assert_eq!(counts(&[0.5], &[7], 16), [2]);
        assert_eq!(counts(&[0.9, 0.1], &[7, 7], 5)[1], 0);
        assert_eq!(counts(&[0.9; 16], &[7; 16], 16), [0; 16]);
        assert_eq!(share(&[&Lookup::new(&[])], &[7], 16), [0]);
        assert!(share(&[], &[], 16).is_empty());
    }
}
