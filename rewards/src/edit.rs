//! What kind of change an edit is, and where in the program it is made.
//!
//! [`edit_kind`] names a change by its tokens where only tokens of one sort were exchanged, and by its lines otherwise (the
//! line taxonomy of Ross et al. 2025, arXiv:2510.05056, code release, with its CoffeeScript sorts replaced by Python ones; a changed
//! line pairs with a removed one by count, not by place). [`touched`] is the stretch of the earlier program that the
//! change covers. How large an edit is, is [`crate::similarity::edit_size`].

use std::collections::HashMap;

use crate::python::{Word, normal_form, words};
use crate::similarity::line_diff;

/// Added or removed lines from this number on are many.
const MANY_LINES: usize = 5;

/// Kinds of edits; each edit is of exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EditKind {
    /// There was no program before.
    First,
    /// The same program: comments, layout or names that nothing sees.
    Cosmetic,
    /// Only numbers or strings were exchanged.
    Literal,
    /// Only names were exchanged.
    Name,
    /// Only operators were exchanged.
    Operator,
    /// Only indentation changed.
    Indentation,
    /// As many lines as before, some of them changed.
    Modify,
    /// Up to four lines more.
    SmallAdd,
    /// Five lines more, or above.
    LargeAdd,
    /// Up to four lines fewer.
    SmallDelete,
    /// Five lines fewer, or below.
    LargeDelete,
}

impl EditKind {
    /// All kinds.
    pub const ALL: [EditKind; 11] = [
        EditKind::First,
        EditKind::Cosmetic,
        EditKind::Literal,
        EditKind::Name,
        EditKind::Operator,
        EditKind::Indentation,
        EditKind::Modify,
        EditKind::SmallAdd,
        EditKind::LargeAdd,
        EditKind::SmallDelete,
        EditKind::LargeDelete,
    ];

    /// The name used in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            EditKind::First => "first",
            EditKind::Cosmetic => "cosmetic",
            EditKind::Literal => "literal",
            EditKind::Name => "name",
            EditKind::Operator => "operator",
            EditKind::Indentation => "indentation",
            EditKind::Modify => "modify",
            EditKind::SmallAdd => "small_add",
            EditKind::LargeAdd => "large_add",
            EditKind::SmallDelete => "small_delete",
            EditKind::LargeDelete => "large_delete",
        }
    }

    /// Kinds that differ only in degree share a family.
    fn family(self) -> u8 {
        match self {
            EditKind::First => 0,
            EditKind::Cosmetic => 1,
            EditKind::Literal | EditKind::Name | EditKind::Operator | EditKind::Indentation | EditKind::Modify => 2,
            EditKind::SmallAdd | EditKind::LargeAdd => 3,
            EditKind::SmallDelete | EditKind::LargeDelete => 4,
        }
    }

    /// 1 for the same kind, 0.5 for two of one family (exchanges and modifications; additions; deletions), else 0.
    pub fn likeness(self, other: EditKind) -> f64 {
        if self == other {
            1.0
        } else if self.family() == other.family() {
            0.5
        } else {
            0.0
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Sort {
    Line,
    Literal,
    Name,
    Operator,
}

fn sort(word: &Word) -> Option<Sort> {
    const KEYWORDS: [&str; 32] = [
        "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except",
        "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass",
        "raise", "return", "try", "while", "with", "yield",
    ];
    let text = match word {
        Word::Line(_) => return Some(Sort::Line),
        Word::Text(text) => *text,
    };
    if text.contains(['"', '\'']) || text.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(Sort::Literal);
    }
    if matches!(text, "and" | "or" | "in" | "is" | "not") {
        return Some(Sort::Operator);
    }
    if text.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return match text {
            "True" | "False" | "None" => Some(Sort::Literal),
            _ if KEYWORDS.contains(&text) => None,
            _ => Some(Sort::Name),
        };
    }
    (!text.starts_with(['(', ')', '[', ']', '{', '}', ',', ':', '.', ';'])).then_some(Sort::Operator)
}

/// The kind of the edit that made `after` from `before`.
pub fn edit_kind(before: Option<&str>, after: &str) -> EditKind {
    let Some(before) = before else { return EditKind::First };
    if normal_form(before) == normal_form(after) {
        return EditKind::Cosmetic;
    }
    let (old, new) = (words(before), words(after));
    if old == new {
        return EditKind::Cosmetic;
    }
    if let Some(kind) = exchange(&old, &new) {
        return kind;
    }
    let lines = line_diff(before, after);
    match (lines.added, lines.removed) {
        (added, removed) if added >= removed + MANY_LINES => EditKind::LargeAdd,
        (added, removed) if added > removed => EditKind::SmallAdd,
        (added, removed) if removed >= added + MANY_LINES => EditKind::LargeDelete,
        (added, removed) if removed > added => EditKind::SmallDelete,
        _ => EditKind::Modify,
    }
}

/// The kind of an edit that exchanges words of one sort, one for one.
fn exchange(old: &[Word], new: &[Word]) -> Option<EditKind> {
    if old.len() != new.len() {
        return None;
    }
    let mut sorts = old.iter().zip(new).filter(|(a, b)| a != b).map(|(a, b)| (sort(a), sort(b)));
    let first = sorts.next()?.0?;
    let same = |(a, b): (Option<Sort>, Option<Sort>)| a == Some(first) && b == Some(first);
    let begins = old.iter().zip(new).find(|(a, b)| a != b).and_then(|(_, b)| sort(b)) == Some(first);
    (begins && sorts.all(same)).then_some(match first {
        Sort::Line => EditKind::Indentation,
        Sort::Literal => EditKind::Literal,
        Sort::Name => EditKind::Name,
        Sort::Operator => EditKind::Operator,
    })
}

/// The stretch of `before` that an edit touches, from its first changed line to its last, as shares of the program's length in 0..=1; an
/// insertion touches the place of one line. `None` where no line changed.
pub fn touched(before: &str, after: &str) -> Option<(f64, f64)> {
    let mut ids: HashMap<&str, u32> = HashMap::new();
    let mut number = |line| {
        let next = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        *ids.entry(line).or_insert(next)
    };
    let old: Vec<u32> = before.lines().map(str::trim_end).map(&mut number).collect();
    let new: Vec<u32> = after.lines().map(str::trim_end).map(&mut number).collect();
    // One place more than there are lines: an insertion at the end has one too.
    let places = (old.len() + 1) as f64;
    let changes = similar::capture_diff_slices(similar::Algorithm::Myers, &old, &new);
    let changes = changes.iter().map(similar::DiffOp::as_tag_tuple);
    let changes = changes.filter(|(tag, ..)| *tag != similar::DiffTag::Equal);
    let hull = changes.fold(None, |hull: Option<(usize, usize)>, (_, range, _)| {
        let (from, to) = (range.start, range.end.max(range.start + 1));
        Some(hull.map_or((from, to), |(low, high)| (low.min(from), high.max(to))))
    });
    hull.map(|(from, to)| (from as f64 / places, to as f64 / places))
}

/// How much two stretches overlap: intersection over union, in 0..=1; 1 where neither edit touched anything.
pub fn overlap(a: Option<(f64, f64)>, b: Option<(f64, f64)>) -> f64 {
    match (a, b) {
        (None, None) => 1.0,
        (Some(a), Some(b)) => {
            let common = (a.1.min(b.1) - a.0.max(b.0)).max(0.0);
            common / (a.1.max(b.1) - a.0.min(b.0))
        }
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kinds_by_hand() {
        let kind = |before, after| edit_kind(Some(before), after);
        assert_eq!(edit_kind(None, "x = 1"), EditKind::First);
        assert_eq!(kind("print(f(1))", "print( f(1) ) # same"), EditKind::Cosmetic);
        assert_eq!(kind("f(1, 'a')", "f(2, 'b')"), EditKind::Literal);
        assert_eq!(kind("print(max(a))", "print(min(b))"), EditKind::Name);
        assert_eq!(kind("f(a < b and c)", "f(a <= b or c)"), EditKind::Operator);
        assert_eq!(kind("for i in x:\n    a()\n    b()", "for i in x:\n    a()\nb()"), EditKind::Indentation);
        assert_eq!(kind("f(a < 1)", "f(b < 2)"), EditKind::Modify);
        assert_eq!(kind("f(a)", "f(a)\ng(a)"), EditKind::SmallAdd);
        assert_eq!(kind("f(a)", "f(a)\ng(1)\ng(2)\ng(3)\ng(4)\ng(5)"), EditKind::LargeAdd);
        assert_eq!(kind("f(a)\ng(a)", "f(a)"), EditKind::SmallDelete);
        assert_eq!(kind("f(a)\ng(1)\ng(2)\ng(3)\ng(4)\ng(5)", "f(a)"), EditKind::LargeDelete);
        assert_eq!(kind("if a:\n    b()", "while a:\n    b()"), EditKind::Modify);
        assert_eq!(EditKind::SmallAdd.likeness(EditKind::LargeAdd), 0.5);
        assert_eq!(EditKind::SmallAdd.likeness(EditKind::Modify), 0.0);
    }

    #[test]
    fn places_by_hand() {
        assert_eq!(touched("a\nb\nc", "a\nx\nc"), Some((0.25, 0.5)));
        assert_eq!(touched("a\nb\nc", "a\nb\nc\nd"), Some((0.75, 1.0)));
        assert_eq!(touched("a\nb\nc", "x\nb\ny"), Some((0.0, 0.75)));
        assert_eq!(touched("a\nb", "a\nb  "), None);
        assert_eq!(overlap(Some((0.0, 0.5)), Some((0.25, 1.0))), 0.25);
        assert_eq!(overlap(Some((0.0, 0.25)), Some((0.5, 1.0))), 0.0);
        assert_eq!(overlap(None, Some((0.5, 1.0))), 0.0);
    }

    proptest! {
        #[test]
        fn total_and_bounded(a in "[ab =1:\\n(]{0,30}", b in "[ab =1:\\n(]{0,30}") {
            prop_assert_eq!(edit_kind(Some(&a), &a), EditKind::Cosmetic);
            let _ = edit_kind(Some(&a), &b);
            let (there, back) = (touched(&a, &b), touched(&b, &a));
            if let Some((from, to)) = there {
                prop_assert!(0.0 <= from && from < to && to <= 1.0);
            }
            prop_assert!((0.0..=1.0).contains(&overlap(there, back)));
            prop_assert_eq!(overlap(there, there), 1.0);
        }
    }
}
