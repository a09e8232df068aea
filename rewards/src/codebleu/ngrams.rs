//! The two n-gram parts of CodeBLEU.

use std::collections::HashMap;

/// The longest n-gram.
const ORDERS: usize = 4;
/// What a count of 0 is replaced by, above unigrams.
const SMOOTH: f64 = 0.1;
/// Weight of a token that is no keyword.
const PLAIN: f64 = 0.2;
/// The package's list: hard keywords, then soft ones.
const KEYWORDS: [&str; 38] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield", "match", "case", "type",
];

type Counts<'a> = HashMap<&'a [String], usize>;

fn counts(tokens: &[String], order: usize) -> Counts<'_> {
    let mut counts = Counts::new();
    for gram in tokens.windows(order) {
        *counts.entry(gram).or_default() += 1;
    }
    counts
}

fn weight(gram: &[String], weighted: bool) -> f64 {
    match gram {
        [token] if weighted && !KEYWORDS.contains(&token.as_str()) => PLAIN,
        _ => 1.0,
    }
}

/// The weights of the n-grams of `of`, and of the part of them that `other` has too.
fn mass(of: &Counts, other: &Counts, weighted: bool) -> (f64, f64) {
    // Sums of 1 and 0.2 are taken in whole numbers of each, so that their order does not matter.
    let (mut all, mut shared) = ([0_usize; 2], [0_usize; 2]);
    for (gram, count) in of {
        let class = usize::from(weight(gram, weighted) < 1.0);
        let common = (*count).min(other.get(gram).copied().unwrap_or(0));
        if let (Some(all), Some(shared)) = (all.get_mut(class), shared.get_mut(class)) {
            *all += count;
            *shared += common;
        }
    }
    let total = |[ones, plain]: [usize; 2]| ones as f64 + PLAIN * plain as f64;
    (total(shared), total(all))
}

/// `exp(mean log)` of smoothed shares; 0 when the first share is 0.
fn geometric(shares: &[(f64, f64)]) -> f64 {
    if shares.first().is_none_or(|(shared, _)| *shared == 0.0) {
        return 0.0;
    }
    let logs = shares.iter().map(|(shared, all)| ((if *shared == 0.0 { SMOOTH } else { *shared }) / all).ln());
    (logs.sum::<f64>() / shares.len() as f64).exp()
}

fn brevity(reference: usize, candidate: usize) -> f64 {
    if candidate > reference {
        1.0
    } else if candidate == 0 {
        0.0
    } else {
        (1.0 - reference as f64 / candidate as f64).exp()
    }
}

/// BLEU-4 with the package's smoothing.
pub(super) fn published(reference: &[String], candidate: &[String]) -> f64 {
    let shares: Vec<(f64, f64)> = (1..=ORDERS)
        .map(|order| {
            let (shared, all) = mass(&counts(candidate, order), &counts(reference, order), false);
            (shared, all.max(1.0))
        })
        .collect();
    brevity(reference.len(), candidate.len()) * geometric(&shares)
}

/// The package's weighted part: recall, and a reference length that is always 2.
pub(super) fn published_weighted(reference: &[String], candidate: &[String]) -> f64 {
    let shares: Vec<(f64, f64)> = (1..=ORDERS)
        .map(|order| {
            let (shared, all) = mass(&counts(reference, order), &counts(candidate, order), true);
            (shared, all.max(1.0))
        })
        .collect();
    brevity(2, candidate.len()) * geometric(&shares)
}

/// BLEU over the orders that the reference has. Two empty texts are equal.
pub(super) fn corrected(reference: &[String], candidate: &[String], weighted: bool) -> f64 {
    if reference.is_empty() || candidate.is_empty() {
        return if reference.is_empty() && candidate.is_empty() { 1.0 } else { 0.0 };
    }
    let shares: Vec<(f64, f64)> = (1..=ORDERS.min(reference.len()))
        .map(|order| {
            let (shared, all) = mass(&counts(candidate, order), &counts(reference, order), weighted);
            (shared, if all > 0.0 { all } else { 1.0 })
        })
        .collect();
    brevity(reference.len(), candidate.len()) * geometric(&shares)
}
