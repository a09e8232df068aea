//! How different several programs are from one another, and from those that were trained on.
//!
//! * [`self_bleu`]: each program against all others; lower is more diverse.
//! * [`distinct_share`]: how many different programs there are, by normal form.
//! * [`coverage`]: how many of the real students' programs turn up among the generated ones.
//! * [`memorised_share`]: how many generated programs are training programs, as text or as programs.

use std::collections::{HashMap, HashSet};

use crate::python::normal_form;

const ORDERS: usize = 4;

/// Corpus-level self-BLEU, in 0..=1: each text against all others, white-space tokens, the mean of cumulative BLEU-1 to BLEU-4, clipped by the
/// largest count in any other text, no smoothing (a count of 0 becomes the smallest positive float), brevity against the other text of the
/// nearest length (the shorter of two). `None` for fewer than two texts. Definition: Ross et al. 2025, arXiv:2510.05056, code release; Zhu et
/// al. 2018 (Texygen).
pub fn self_bleu(texts: &[&str]) -> Option<f64> {
    if texts.len() < 2 {
        return None;
    }
    let texts: Vec<Vec<&str>> = texts.iter().map(|text| text.split_whitespace().collect()).collect();
    let mut log = 0.0;
    let brevity = brevity(&texts);
    let mut sum = 0.0;
    for order in 1..=ORDERS {
        let (shared, all) = clipped(&texts, order);
        let share = shared as f64 / all as f64;
        log += (if share > 0.0 { share } else { f64::MIN_POSITIVE }).ln();
        sum += brevity * (log / order as f64).exp();
    }
    Some(sum / ORDERS as f64)
}

/// N-grams of all texts that another text has too, and all n-grams (1 at least for each text).
fn clipped(texts: &[Vec<&str>], order: usize) -> (usize, usize) {
    let counts: Vec<HashMap<&[&str], usize>> = texts
        .iter()
        .map(|text| {
            let mut counts = HashMap::new();
            for gram in text.windows(order) {
                *counts.entry(gram).or_default() += 1;
            }
            counts
        })
        .collect();
    // The largest count of each n-gram, whose it is, and the largest of the others.
    let mut top: HashMap<&[&str], (usize, usize, usize)> = HashMap::new();
    for (owner, counts) in counts.iter().enumerate() {
        for (gram, count) in counts {
            let entry = top.entry(gram).or_insert((0, owner, 0));
            *entry = if *count > entry.0 { (*count, owner, entry.0) } else { (entry.0, entry.1, entry.2.max(*count)) };
        }
    }
    let mut sums = (0, 0);
    for (owner, counts) in counts.iter().enumerate() {
        for (gram, count) in counts {
            let (most, whose, second) = top.get(gram).copied().unwrap_or_default();
            sums.0 += (*count).min(if whose == owner { second } else { most });
        }
        sums.1 += counts.values().sum::<usize>().max(1);
    }
    sums
}

fn brevity(texts: &[Vec<&str>]) -> f64 {
    let mut lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    let (mut ours, mut theirs) = (0, 0);
    for (at, length) in lengths.iter().enumerate() {
        // In sorted order the nearest other length stands beside it.
        let beside = [at.checked_sub(1).and_then(|before| lengths.get(before)), lengths.get(at + 1)];
        let nearest = beside.into_iter().flatten().min_by_key(|other| (other.abs_diff(*length), **other));
        ours += length;
        theirs += nearest.copied().unwrap_or(0);
    }
    match (ours, theirs) {
        (0, _) => 0.0,
        (ours, theirs) if ours > theirs => 1.0,
        (ours, theirs) => (1.0 - theirs as f64 / ours as f64).exp(),
    }
}

/// Different programs as a share of all, by normal form; `None` of nothing.
pub fn distinct_share<'a>(programs: impl IntoIterator<Item = &'a str>) -> Option<f64> {
    let (mut seen, mut all) = (HashSet::new(), 0_usize);
    for program in programs {
        seen.insert(normal_form(program));
        all += 1;
    }
    (all > 0).then(|| seen.len() as f64 / all as f64)
}

/// Share of the real programs, counted once each, that are among the generated ones by normal form; `None` without real ones.
pub fn coverage<'a>(
    real: impl IntoIterator<Item = &'a str>,
    generated: impl IntoIterator<Item = &'a str>,
) -> Option<f64> {
    let real: HashSet<_> = real.into_iter().map(normal_form).collect();
    let generated: HashSet<_> = generated.into_iter().map(normal_form).collect();
    (!real.is_empty()).then(|| real.intersection(&generated).count() as f64 / real.len() as f64)
}

/// Programs that were trained on, for one question: is this one of them?
#[derive(Debug, Default)]
pub struct Memory {
    texts: HashSet<String>,
    forms: HashSet<crate::python::NormalForm>,
}

impl Memory {
    /// Remembers programs.
    pub fn new<'a>(programs: impl IntoIterator<Item = &'a str>) -> Self {
        let mut memory = Memory::default();
        for program in programs {
            memory.texts.insert(program.trim().to_string());
            memory.forms.insert(normal_form(program));
        }
        memory
    }

    /// Whether it is one of them, white space at its ends aside.
    pub fn has_text(&self, program: &str) -> bool {
        self.texts.contains(program.trim())
    }

    /// Whether it is one of them by normal form.
    pub fn has_program(&self, program: &str) -> bool {
        self.forms.contains(&normal_form(program))
    }
}

/// Share of generated programs that were trained on, by normal form; `None` of nothing.
pub fn memorised_share<'a>(memory: &Memory, generated: impl IntoIterator<Item = &'a str>) -> Option<f64> {
    let (mut known, mut all) = (0_usize, 0_usize);
    for program in generated {
        known += usize::from(memory.has_program(program));
        all += 1;
    }
    (all > 0).then(|| known as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn self_bleu_by_hand() {
        let near = |texts: &[&str], value: f64| assert!((self_bleu(texts).unwrap() - value).abs() < 1e-12);
        near(&["a b c d", "a b c d"], 1.0);
        // Unigrams 3 of 4 each way, bigrams 2 of 3, trigrams 1 of 2, fourgrams 0 of 1.
        let tiny = f64::MIN_POSITIVE;
        let shares = [3.0 / 4.0, 2.0 / 3.0, 1.0 / 2.0, tiny];
        let cumulative = (1..=4).map(|k| (shares[..k].iter().map(|s: &f64| s.ln()).sum::<f64>() / k as f64).exp());
        near(&["a b c d", "a b c e"], cumulative.sum::<f64>() / 4.0);
        // Lengths 2 and 4: `a b` is in the other whole (2 of 2, 1 of 1), the other shares 2 of 4 and 1 of 3; no brevity penalty, for 6 tokens
        // stand against 6.
        let shares = [4.0 / 6.0, 2.0 / 4.0, tiny, tiny];
        let cumulative = (1..=4).map(|k| (shares[..k].iter().map(|s| s.ln()).sum::<f64>() / k as f64).exp());
        near(&["a b", "a b a a"], cumulative.sum::<f64>() / 4.0);
        assert_eq!(self_bleu(&["a"]), None);
    }

    #[test]
    fn shares() {
        assert_eq!(distinct_share(["x = 1", "x=1 # same", "x = 2"]), Some(2.0 / 3.0));
        assert_eq!(coverage(["x = 1", "x = 2"], ["x=1", "print(3)"]), Some(0.5));
        assert_eq!(coverage([], ["x=1"]), None);
        let memory = Memory::new(["x = 1\n"]);
        assert!(memory.has_text("x = 1") && !memory.has_text("x=1") && memory.has_program("y=1"));
        assert_eq!(memorised_share(&memory, ["x=1", "x=2"]), Some(0.5));
        assert_eq!(memorised_share(&memory, []), None);
    }

    proptest! {
        #[test]
        fn shares_see_programs_and_not_their_layout(picks in proptest::collection::vec(0..4_usize, 1..8)) {
            const TIDY: [&str; 4] = ["x = 1", "print(2)", "for i in y:\n    f(i)", "x = ("];
            const LOOSE: [&str; 4] = ["x=1  # one", "print( 2 )\n", "for i in y:\n  f( i )", "x = ("];
            let (tidy, loose): (Vec<&str>, Vec<&str>) = picks.iter().map(|at| (TIDY[*at], LOOSE[*at])).unzip();
            let (memory, ours, theirs) = (Memory::new(TIDY), || tidy.iter().copied(), || loose.iter().copied());
            let share = distinct_share(ours()).unwrap();
            prop_assert!(0.0 < share && share <= 1.0);
            prop_assert_eq!(distinct_share(theirs().rev()), Some(share));
            prop_assert_eq!((coverage(ours(), theirs()), memorised_share(&memory, theirs())), (Some(1.0), Some(1.0)));
            // More programs cover no less.
            let few = coverage(TIDY, ours().take(1)).unwrap();
            prop_assert!(few <= coverage(TIDY, theirs()).unwrap() && few > 0.0);
        }

        #[test]
        fn bounded_and_indifferent_to_order(mut texts in proptest::collection::vec("[ab ]{0,12}", 2..6)) {
            let of = |texts: &[String]| self_bleu(&texts.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
            let before = of(&texts);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&before));
            texts.reverse();
            prop_assert!((of(&texts) - before).abs() < 1e-12);
        }
    }
}
