//! Printed text against expected text.

use crate::course::Matching;
use crate::grading::clip;

const SHOWN: usize = 120;

/// `Ok` when `got` matches, else the first difference in words.
pub fn compare(got: &str, expected: &str, matching: Matching, tolerance: Option<f64>) -> Result<(), String> {
    match matching {
        Matching::Exact if got == expected => Ok(()),
        Matching::Exact => Err(format!("expected output {}, got {}", quoted(expected), quoted(got))),
        Matching::Tokens => tokens(got, expected, tolerance),
        Matching::Lines => lines(got, expected, tolerance),
        Matching::Contains => {
            let (got_text, wanted) = (tidy(got).join("\n"), tidy(expected).join("\n"));
            if got_text.contains(wanted.trim()) {
                Ok(())
            } else {
                Err(format!("expected {} somewhere in the output, got {}", quoted(wanted.trim()), quoted(&got_text)))
            }
        }
    }
}

/// Lines without white space at their ends, without empty lines at the end.
fn tidy(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    while lines.last() == Some(&"") {
        lines.pop();
    }
    lines
}

fn quoted(text: &str) -> String {
    crate::value::Value::str(clip(text, SHOWN)).repr(SHOWN * 2)
}

fn same_token(got: &str, expected: &str, tolerance: Option<f64>) -> bool {
    got == expected
        || tolerance.is_some_and(|tolerance| match (got.parse::<f64>(), expected.parse::<f64>()) {
            (Ok(got), Ok(expected)) => (got - expected).abs() <= tolerance,
            _ => false,
        })
}

fn same_tokens(got: &str, expected: &str, tolerance: Option<f64>) -> bool {
    let (mut got, mut expected) = (got.split_whitespace(), expected.split_whitespace());
    loop {
        match (got.next(), expected.next()) {
            (None, None) => return true,
            (Some(got), Some(expected)) if same_token(got, expected, tolerance) => {}
            _ => return false,
        }
    }
}

fn tokens(got: &str, expected: &str, tolerance: Option<f64>) -> Result<(), String> {
    if same_tokens(got, expected, tolerance) {
        return Ok(());
    }
    if got.trim().is_empty() {
        return Err(format!("expected {}, but nothing was printed", quoted(expected.trim())));
    }
    Err(format!("expected output {}, got {}", quoted(expected.trim()), quoted(got.trim())))
}

fn lines(got: &str, expected: &str, tolerance: Option<f64>) -> Result<(), String> {
    let (got, expected) = (tidy(got), tidy(expected));
    if got.is_empty() && !expected.is_empty() {
        return Err(format!("expected {}, but nothing was printed", quoted(&expected.join("\n"))));
    }
    for (position, wanted) in expected.iter().enumerate() {
        let number = position + 1;
        match got.get(position) {
            None => return Err(format!("line {number} is missing, expected {}", quoted(wanted))),
            Some(line) if line == wanted || (tolerance.is_some() && same_tokens(line, wanted, tolerance)) => {}
            Some(line) => return Err(format!("line {number}: expected {}, got {}", quoted(wanted), quoted(line))),
        }
    }
    match got.get(expected.len()) {
        None => Ok(()),
        Some(line) => Err(format!("unexpected line {}: {}", expected.len() + 1, quoted(line))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(got: &str, expected: &str, matching: Matching, tolerance: Option<f64>) -> String {
        compare(got, expected, matching, tolerance).err().unwrap_or_else(|| "matches".into())
    }

    #[test]
    fn lines_forgive_white_space_at_ends_only() {
        let says = |got: &str, expected: &str| says(got, expected, Matching::Lines, None);
        assert_eq!(says("a \nb\r\n\n", "a\nb"), "matches");
        assert_eq!(says("", "\n"), "matches");
        assert_eq!(says(" a", "a"), "line 1: expected 'a', got ' a'");
        assert_eq!(says("a", "a\nb"), "line 2 is missing, expected 'b'");
        assert_eq!(says("a\nb\nc", "a\nb"), "unexpected line 3: 'c'");
        assert_eq!(says("", "a\nb"), "expected 'a\\nb', but nothing was printed");
    }

    #[test]
    fn tolerance_is_for_numbers() {
        assert_eq!(says("x = 3.14159", "x = 3.14", Matching::Lines, Some(0.01)), "matches");
        assert_eq!(says("3.14159 m", "3.14\nm", Matching::Tokens, Some(0.01)), "matches");
        assert_eq!(says("3.2", "3.14", Matching::Tokens, Some(0.01)), "expected output '3.14', got '3.2'");
        assert_eq!(says("3.14 km", "3.14 m", Matching::Lines, Some(9.0)), "line 1: expected '3.14 m', got '3.14 km'");
    }

    #[test]
    fn exact_and_contains() {
        assert_eq!(says("a\n", "a", Matching::Exact, None), "expected output 'a', got 'a\\n'");
        assert_eq!(says("Your area: 12 m \nbye\n", "area: 12 m\nbye", Matching::Contains, None), "matches");
        assert_eq!(says("no", "yes", Matching::Contains, None), "expected 'yes' somewhere in the output, got 'no'");
        assert_eq!(says("  a b\n", "a\n b", Matching::Tokens, None), "matches");
    }
}
