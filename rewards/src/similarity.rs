//! How much of one program is left in another.
//!
//! [`edit_similarity`] is the normalised token edit similarity `1 - Levenshtein(a, b) / max(|a|, |b|)` over
//! [`words`]: symmetric, in 0..=1, and 1 exactly when the words are equal. The published code defines the
//! same distance and never reports it (`scripts/results.py`); there, programs that do not parse count as maximally far,
//! here they are cut into words like any other. [`tree_similarity`] compares syntax trees. [`line_diff`] counts lines
//! for tables and plots.
//! Neither looks at meaning: see [`normal_form`](crate::python::normal_form) for that.

mod tree;

use std::collections::HashMap;

use crate::python::{Word, words};

pub use tree::tree_similarity;

/// Token edit similarity of two programs, in 0..=1. Two programs without any word are equal.
pub fn edit_similarity(a: &str, b: &str) -> f64 {
    sequence_similarity(&words(a), &words(b))
}

/// The size of the edit between two programs as a share: `1 - edit_similarity`.
pub fn edit_size(a: &str, b: &str) -> f64 {
    1.0 - edit_similarity(a, b)
}

fn sequence_similarity<'a>(a: &[Word<'a>], b: &[Word<'a>]) -> f64 {
    let longest = a.len().max(b.len());
    if longest == 0 {
        return 1.0;
    }
    let mut ids: HashMap<Word<'a>, u32> = HashMap::new();
    let mut number = |word: &Word<'a>| {
        let next = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        *ids.entry(*word).or_insert(next)
    };
    let a: Vec<u32> = a.iter().map(&mut number).collect();
    let b: Vec<u32> = b.iter().map(&mut number).collect();
    1.0 - levenshtein(&a, &b) as f64 / longest as f64
}

/// Levenshtein distance (insertions, deletions, substitutions, each of cost 1) in O(|a|·|b|) time and O(min) memory.
pub fn levenshtein<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    let prefix = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (a.get(prefix..).unwrap_or_default(), b.get(prefix..).unwrap_or_default());
    let suffix = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a, b) = (a.get(..a.len() - suffix).unwrap_or_default(), b.get(..b.len() - suffix).unwrap_or_default());
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    // row[j] is the distance between the long prefix seen so far and the short prefix of length j.
    let mut row: Vec<usize> = (0..=short.len()).collect();
    for (i, x) in long.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(short) {
            let substituted = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = substituted.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// Lines that a program gained, lost and kept from its predecessor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineDiff {
    /// Lines only in the later program.
    pub added: usize,
    /// Lines only in the earlier program.
    pub removed: usize,
    /// Lines in both, in order.
    pub kept: usize,
}

/// Line difference of two programs (Myers), ignoring trailing space.
pub fn line_diff(before: &str, after: &str) -> LineDiff {
    let old: Vec<&str> = before.lines().map(str::trim_end).collect();
    let new: Vec<&str> = after.lines().map(str::trim_end).collect();
    let mut diff = LineDiff::default();
    for op in similar::capture_diff_slices(similar::Algorithm::Myers, &old, &new) {
        let (tag, old, new) = op.as_tag_tuple();
        if tag == similar::DiffTag::Equal {
            diff.kept += old.len();
        } else {
            diff.removed += old.len();
            diff.added += new.len();
        }
    }
    diff
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn distances() {
        assert_eq!(levenshtein(b"kitten", b"sitting"), 3);
        assert_eq!(levenshtein(b"", b"abc"), 3);
        assert_eq!(levenshtein(b"abcd", b"acbd"), 2);
    }

    #[test]
    fn similarities() {
        // |0 x = 1  against  |0 x = 2: one word of four.
        assert_eq!(edit_similarity("x = 1", "x = 2"), 0.75);
        assert_eq!(edit_similarity("x = 1 # a", "x=1"), 1.0);
        assert_eq!(edit_similarity("", "x"), 0.0);
        assert_eq!(edit_similarity("", "\n# nothing\n"), 1.0);
        // A missing bracket costs one word, not every line after it.
        let broken = edit_similarity("print('a'\nx = 1\ny = 2\n", "print('a')\nx = 1\ny = 2\n");
        assert!((broken - (1.0 - 1.0 / 13.0)).abs() < 1e-12, "{broken}");
    }

    #[test]
    fn lines() {
        assert_eq!(line_diff("a\nb\nc", "a\nx\nc  \nd"), LineDiff { added: 2, removed: 1, kept: 2 });
        assert_eq!(line_diff("", ""), LineDiff::default());
    }

    fn program() -> impl Strategy<Value = String> {
        proptest::collection::vec(
            prop_oneof![
                Just("x = 1"),
                Just("print(x)"),
                Just("for i in x:"),
                Just("    y += i"),
                Just("    return y # done"),
                Just("if x == (1"),
                Just("s = 'a"),
            ],
            0..8,
        )
        .prop_map(|lines| lines.join("\n"))
    }

    proptest! {
        #[test]
        fn symmetric_bounded_and_one_iff_equal(a in program(), b in program()) {
            let s = edit_similarity(&a, &b);
            prop_assert!((0.0..=1.0).contains(&s));
            prop_assert_eq!(s, edit_similarity(&b, &a));
            prop_assert_eq!(s == 1.0, words(&a) == words(&b));
            prop_assert_eq!(edit_similarity(&a, &a), 1.0);
        }

        #[test]
        fn levenshtein_agrees_with_the_textbook(a in proptest::collection::vec(0..4u8, 0..12), b in proptest::collection::vec(0..4u8, 0..12)) {
            let mut table = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
            for i in 0..=a.len() {
                for j in 0..=b.len() {
                    table[i][j] = if i == 0 || j == 0 { i + j } else {
                        (table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1])).min(table[i - 1][j] + 1).min(table[i][j - 1] + 1)
                    };
                }
            }
            prop_assert_eq!(levenshtein(&a, &b), table[a.len()][b.len()]);
        }
    }
}
