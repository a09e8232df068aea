//! A submission as what it changes in the one before it: a unified diff without context lines and without the two lines that name files.
//!
//! [`diff`] gives one where a diff is short and plain: a single hunk, and fewer than half as many lines with `-` and `+` as the
//! program before has, blank lines at its ends not counted. Everything else is written whole. Lines end at line feeds and at nothing
//! else, so that [`apply`] gives every program back byte for byte.
//!
//! [`apply`] takes what a model wrote, which may be somewhat off. A hunk `@@ -a,n +b,m @@` that deletes nothing inserts behind line
//! a (0: at the beginning; past the end: at the end). One that deletes is applied where the header says if its deleted
//! lines stand there as written; else where they stand but for blanks around them, nearest to that place; else where each is
//! similar by at least [`SIMILAR`], of such places the one whose least similar line is most so, less [`A_LINE_AWAY`] for each line of
//! distance. What stands in a program goes on top of what a header counts: n, b and m are not looked at. Later hunks count
//! the lines that earlier ones added.
//!
//! Source: the `dual` representation of the conversational-serialisation system (arXiv 2604.10720) as released. There every
//! deleted line is looked for by itself, one that is found nowhere is passed over, and insertions come one line early.
//! Similarity is twice the characters in common over all characters, here by the longest common subsequence.

use similar::{Algorithm, DiffTag, capture_diff_slices};
use std::ops::Range;

/// How similar a line must be to count as the one that is meant.
const SIMILAR: f64 = 0.90;

/// What a line of distance takes from a similarity when places are compared.
const A_LINE_AWAY: f64 = 0.01;

/// The diff from `before` to `after`, without a line end behind it; `None` where the whole program is to be written.
pub fn diff(before: &str, after: &str) -> Option<String> {
    let (old, new) = (lines(before), lines(after));
    let (deleted, inserted) = one_change(&old, &new)?;
    let size = before.trim().split('\n').count();
    if before.trim().is_empty() || 2 * (deleted.len() + inserted.len()) >= size {
        return None;
    }
    let mut text = format!("@@ -{} +{} @@", side(&deleted), side(&inserted));
    for (sign, lines) in [('-', old.get(deleted)?), ('+', new.get(inserted)?)] {
        lines.iter().for_each(|line| text.extend(["\n", sign.encode_utf8(&mut [0; 4]), line]));
    }
    Some(text)
}

fn lines(program: &str) -> Vec<&str> {
    program.split('\n').collect()
}

/// The lines that change, when they are in one place.
fn one_change(old: &[&str], new: &[&str]) -> Option<(Range<usize>, Range<usize>)> {
    let mut change: Option<(Range<usize>, Range<usize>)> = None;
    for op in capture_diff_slices(Algorithm::Myers, old, new) {
        let (tag, old, new) = op.as_tag_tuple();
        change = match change {
            change if tag == DiffTag::Equal => change,
            None => Some((old, new)),
            Some((a, b)) if a.end == old.start && b.end == new.start => Some((a.start..old.end, b.start..new.end)),
            Some(_) => return None,
        };
    }
    change
}

/// One side of a hunk's header. A side without lines is named by the line before it.
fn side(lines: &Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        n => format!("{},{n}", lines.start + 1),
    }
}

/// The program that `diff` makes of `before`.
///
/// # Errors
/// What is wrong with the diff, or which of its lines are not in the program.
pub fn apply(before: &str, diff: &str) -> Result<String, String> {
    let mut program = lines(before);
    let mut shift = 0isize;
    for hunk in parse(diff)? {
        let behind = hunk.line.saturating_add_signed(shift);
        let at = match hunk.deleted.first() {
            None => behind.min(program.len()),
            Some(first) => find(&program, &hunk.deleted, behind.saturating_sub(1)).ok_or_else(|| {
                let (n, line) = (hunk.deleted.len(), hunk.line);
                format!("the program has nothing like the lines that are to be deleted at line {line} ({n}, from `{first}` on)")
            })?,
        };
        shift += hunk.inserted.len() as isize - hunk.deleted.len() as isize;
        program.splice(at..at + hunk.deleted.len(), hunk.inserted);
    }
    Ok(program.join("\n"))
}

struct Hunk<'a> {
    /// The first line of the old side, counted from 1; the line before it where nothing is deleted.
    line: usize,
    deleted: Vec<&'a str>,
    inserted: Vec<&'a str>,
}

fn parse(diff: &str) -> Result<Vec<Hunk<'_>>, String> {
    let mut hunks: Vec<Hunk<'_>> = Vec::new();
    for (i, line) in lines(diff.trim_end_matches('\n')).into_iter().enumerate() {
        let unreadable = |what: &str| Err(format!("line {} of the diff, `{line}`: {what} is expected", i + 1));
        match (hunks.last_mut(), line.split_at_checked(1)) {
            (_, Some(("@", _))) => match header(line) {
                Some(line) => hunks.push(Hunk { line, deleted: Vec::new(), inserted: Vec::new() }),
                None => return unreadable("a header like `@@ -5,2 +5 @@`"),
            },
            // Names of files, which may be left out.
            (None, _) if line.starts_with("--- ") || line.starts_with("+++ ") => {}
            (None, _) => return unreadable("a header like `@@ -5,2 +5 @@`"),
            (Some(hunk), Some(("-", text))) => hunk.deleted.push(text),
            (Some(hunk), Some(("+", text))) => hunk.inserted.push(text),
            (Some(_), _) => return unreadable("a line with `-` or `+` before it, and no context"),
        }
    }
    match hunks.iter().position(|hunk| hunk.deleted.is_empty() && hunk.inserted.is_empty()) {
        Some(i) => Err(format!("hunk {} of the diff deletes nothing and inserts nothing", i + 1)),
        None if hunks.is_empty() => Err("the diff is empty".into()),
        None => Ok(hunks),
    }
}

/// The line that `@@ -a,n +b,m @@` begins at: a.
fn header(line: &str) -> Option<usize> {
    let (sides, _) = line.strip_prefix("@@ -")?.split_once(" @@")?;
    let (old, new) = sides.split_once(" +")?;
    let number = |side: &str| {
        let (start, count) = side.split_once(',').unwrap_or((side, "1"));
        count.parse::<usize>().ok().and(start.parse::<usize>().ok())
    };
    number(new).and(number(old))
}

/// Where `wanted` stands in the program, looked for around `hint`; lines are counted from 0.
fn find(program: &[&str], wanted: &[&str], hint: usize) -> Option<usize> {
    if program.get(hint..hint.saturating_add(wanted.len())) == Some(wanted) {
        return Some(hint);
    }
    let places = || program.windows(wanted.len()).enumerate();
    let stands = |lines: &[&str]| lines.iter().zip(wanted).all(|(a, b)| a.trim() == b.trim());
    let exact = places().filter(|(_, lines)| stands(lines)).map(|(at, _)| at);
    exact.min_by_key(|at| at.abs_diff(hint)).or_else(|| {
        let near = places().filter_map(|(at, lines)| {
            let least = lines.iter().zip(wanted).map(|(a, b)| similarity(a.trim(), b.trim())).fold(1.0, f64::min);
            (least >= SIMILAR).then(|| (least - A_LINE_AWAY * at.abs_diff(hint) as f64, at))
        });
        // Of equals the one that comes first.
        near.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))).map(|(_, at)| at)
    })
}

/// Twice the characters in common over all characters, in 0..=1; 0 where it cannot be [`SIMILAR`] by the lengths alone.
fn similarity(a: &str, b: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let all = (a.len() + b.len()) as f64;
    if a == b {
        return 1.0;
    }
    if 2.0 * (a.len().min(b.len()) as f64) < SIMILAR * all {
        return 0.0;
    }
    let ops = capture_diff_slices(Algorithm::Myers, &a, &b);
    let common = ops.iter().map(similar::DiffOp::as_tag_tuple).filter(|(tag, ..)| *tag == DiffTag::Equal);
    2.0 * common.map(|(_, old, _)| old.len()).sum::<usize>() as f64 / all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PROGRAM: &str = "def total(numbers):\n    s = 0\n    for n in numbers:\n        s = s + n\n    return s\n";

    #[test]
    fn one_short_change_is_a_diff() {
        let six = "a\nb\nc\nd\ne\nf";
        let cases = [
            // At the beginning, in the middle, at the end.
            ("x\na\nb\nc\nd\ne\nf", Some("@@ -0,0 +1 @@\n+x")),
            ("a\nb\nx\ny\nc\nd\ne\nf", Some("@@ -2,0 +3,2 @@\n+x\n+y")),
            ("a\nb\nc\nd\ne\nf\n    x", Some("@@ -6,0 +7 @@\n+    x")),
            ("a\nb\nc\nd\ne\nf\n", Some("@@ -6,0 +7 @@\n+")),
            ("b\nc\nd\ne\nf", Some("@@ -1 +0,0 @@\n-a")),
            ("a\nb\ne\nf", Some("@@ -3,2 +2,0 @@\n-c\n-d")),
            ("a\nb\nx\nd\ne\nf", Some("@@ -3 +3 @@\n-c\n+x")),
            // Half of the lines; two places; nothing.
            ("a\nb\nx\ny\nz\nc\nd\ne\nf", None),
            ("x\nb\nc\nd\ny\nf", None),
            (six, None),
            ("", None),
        ];
        for (after, expected) in cases {
            let found = diff(six, after);
            assert_eq!(found.as_deref(), expected, "{after:?}");
            if let Some(found) = found {
                assert_eq!(apply(six, &found).as_deref(), Ok(after));
            }
        }
        assert_eq!(diff("", "a"), None);
        assert_eq!(diff(" \n\n\n\n\n", "a"), None);
        // Blank lines at the ends make no program longer: two changed lines are not less than half of four.
        assert_eq!(diff("\n\na\nb\nc\nd\n\n", "\n\nx\nb\nc\nd\n\n"), None);
    }

    #[test]
    fn deleted_lines_are_found_where_they_are() {
        let apply = |program: &str, diff: &str| apply(program, diff).unwrap();
        // The second of two equal lines, by position.
        assert_eq!(apply("x\na\nx\nb", "@@ -3 +3 @@\n-x\n+y"), "x\na\ny\nb");
        // The header is off: the nearest, and at the same distance the first.
        assert_eq!(apply("x\na\nb\nc\nd\nx\nx", "@@ -4 +4 @@\n-x\n+y"), "x\na\nb\nc\nd\ny\nx");
        assert_eq!(apply("x\na\nx", "@@ -2 +2 @@\n-x\n+y"), "y\na\nx");
        assert_eq!(apply("x\na\nx", "@@ -99 +99 @@\n-x\n+y"), "x\na\ny");
        // Blanks around a line do not matter, and what is inserted stays as it is written.
        assert_eq!(apply("a\n    b\nc", "@@ -3 +3 @@\n-b\n+  d"), "a\n  d\nc");
        // A block is looked for as a block.
        assert_eq!(apply("a\nx\nb\na\nb\n", "@@ -1,2 +1 @@\n-a\n-b\n+c"), "a\nx\nb\nc\n");
        // Counts are not looked at, headings and names of files neither.
        assert_eq!(apply("a\nb", "--- a.py\n+++ b.py\n@@ -2,7 +9,9 @@ def f\n-b\n+c\n"), "a\nc");
        // Insertions: behind the line that is named, wherever that is.
        assert_eq!(apply("a\nb", "@@ -1,0 +2 @@\n+x"), "a\nx\nb");
        assert_eq!(apply("a\nb", "@@ -99,0 +2 @@\n+x"), "a\nb\nx");
        // Two hunks: the second counts the old program's lines.
        assert_eq!(apply("a\nb\nc\nd", "@@ -1,0 +2,2 @@\n+x\n+y\n@@ -3 +5 @@\n-c\n+z"), "a\nx\ny\nb\nz\nd");
    }

    #[test]
    fn a_line_may_be_a_little_off() {
        let replaced = |line: &str, at: usize| apply(PROGRAM, &format!("@@ -{at} +{at} @@\n-{line}\n+    pass"));
        // One of 17 characters is missing: 2 · 16 / 33 = 0.97.
        let expected = PROGRAM.replace("    for n in numbers:", "    pass");
        assert_eq!(replaced("    for n in number:", 3), Ok(expected.clone()));
        assert_eq!(replaced("    for n in number:", 1), Ok(expected));
        // Four are: 2 · 13 / 30 = 0.87.
        assert!(replaced("    for n in num:", 3).unwrap_err().contains("`    for n in num:`"));
        // The nearer of two that are alike, 0.94 both; the more similar one from farther away: 0.97 − 0.03 and 0.91 − 0.01.
        let two = "result = value_1\nx\ny\nz\nresult = value_2";
        assert_eq!(apply(two, "@@ -4 +4 @@\n-result = value_3\n+w"), Ok("result = value_1\nx\ny\nz\nw".into()));
        assert_eq!(apply(two, "@@ -4 +4 @@\n-result = value_11\n+w"), Ok("w\nx\ny\nz\nresult = value_2".into()));
    }

    #[test]
    fn what_cannot_be_applied_is_said() {
        for (diff, words) in [
            ("", "line 1 of the diff"),
            ("x = 1", "line 1 of the diff, `x = 1`: a header like"),
            ("+x = 1", "a header like"),
            ("@@ -1 +1", "a header like"),
            ("@@ -one +1 @@\n-a", "a header like"),
            ("@@ -99999999999999999999999 +1 @@\n-a", "a header like"),
            ("@@ -1 +1 @@\n def total", "line 2 of the diff, ` def total`: a line with `-` or `+`"),
            ("@@ -1 +1 @@\n-    s = 0\n\n+    s = 1", "line 3 of the diff"),
            ("@@ -1 +1 @@", "hunk 1 of the diff deletes nothing"),
            ("--- a.py", "the diff is empty"),
            ("@@ -18446744073709551615 +1 @@\n-nowhere", "deleted at line 18446744073709551615 (1, from `nowhere` on)"),
            ("@@ -1,9 +1 @@\n-a\n-b\n-c\n-d\n-e\n-f\n-g\n-h\n-i", "(9, from `a` on)"),
        ] {
            let found = apply(PROGRAM, diff).unwrap_err();
            assert!(found.contains(words), "{diff:?}: {found}");
        }
        assert_eq!(apply("a", "@@ -18446744073709551615,0 +1 @@\n+b"), Ok("a\nb".into()));
    }

    /// Few different lines, so that many are alike.
    fn program() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec("(|x|  x|y = 1|-|\\+|@@ -1 \\+1 @@|```|z\r)", 0..12)
    }

    proptest! {
        #[test]
        fn a_diff_applied_is_the_program(before in program(), cut in 0..12usize, len in 0..4usize, put in program()) {
            let mut after = before.clone();
            let from = cut.min(before.len());
            after.splice(from..(from + len).min(before.len()), put.into_iter().take(3));
            let (before, after) = (before.join("\n"), after.join("\n"));
            if let Some(diff) = diff(&before, &after) {
                prop_assert_eq!(apply(&before, &diff), Ok(after));
            }
        }

        #[test]
        fn any_two_programs(before in program(), after in program()) {
            let (before, after) = (before.join("\n"), after.join("\n"));
            if let Some(diff) = diff(&before, &after) {
                prop_assert_eq!(apply(&before, &diff), Ok(after));
            }
        }

        #[test]
        fn no_text_breaks_it(before in "(\\PC|\n){0,40}", text in "(@@ -[0-9]{1,3},?[0-9] \\+[0-9] @@|\n|[+-]|\\PC){0,30}") {
            let _ = apply(&before, &text);
        }
    }
}
