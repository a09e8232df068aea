//! The text that a learner is shown after a submission.
//!
//! Small models read it on every turn, so it is compact: the grade, how many tests passed, one line for each failing test, each distinct
//! traceback once. It depends on the report alone.
//!
//! Its head, up to the first empty line, is the grader's alone: no message has more than one line. What follows quotes the program (its
//! tracebacks, what a test script printed); a line there that looks like one of the head is marked with `| `.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{Report, TestReport, number};
use crate::grading::clip;
use crate::outcome::Outcome;

/// Failing tests that are listed one by one.
const LISTED: usize = 8;
/// Distinct tracebacks that are shown.
const TRACES: usize = 2;
/// Characters of one traceback, of a script's output, and of the whole text.
const TRACE_LIMIT: usize = 1200;
const OUTPUT_LIMIT: usize = 2000;
const TEXT_LIMIT: usize = 4000;

/// How much a learner is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackLevel {
    /// Solved or not.
    None,
    /// The grade, how many tests passed, what kinds of failures there were.
    Summary,
    /// Also every failing test with what was expected and what came, and the traceback.
    #[default]
    Full,
}

impl Report {
    /// The text of this level; it has no newline at its end.
    pub fn feedback(&self, level: FeedbackLevel) -> String {
        match level {
            FeedbackLevel::None if self.verdict == Outcome::Passed => "Solved: all tests passed.".into(),
            FeedbackLevel::None => "Not solved yet. Submit again.".into(),
            FeedbackLevel::Summary => self.summary(),
            FeedbackLevel::Full => self.full(),
        }
    }

    fn summary(&self) -> String {
        let mut text = format!("Grade: {}\n{} of {} tests passed", number(self.grade), self.passed(), self.tests.len());
        let kinds: Vec<String> = Outcome::ALL
            .iter()
            .filter(|outcome| **outcome != Outcome::Passed)
            .map(|outcome| (outcome, self.tests.iter().filter(|t| t.outcome == *outcome).count()))
            .filter(|(_, count)| *count > 0)
            .map(|(outcome, count)| format!("{count} × {}", outcome.words()))
            .collect();
        if kinds.is_empty() {
            text.push('.');
        } else {
            let _ = write!(text, ": {}.", kinds.join(", "));
        }
        text
    }

    fn full(&self) -> String {
        let mut text = self.summary();
        let failing: Vec<&TestReport> = self.tests.iter().filter(|t| t.outcome != Outcome::Passed).collect();
        if failing.first().is_some_and(|first| first.outcome == Outcome::SyntaxError) {
            // The same for every test: say it once. Hidden tests do not say it.
            if let Some(first) = failing.iter().find(|test| !test.message.is_empty()) {
                let said = if first.trace.is_empty() { &first.message } else { first.trace.trim_end() };
                let _ = write!(text, "\n\n{}", quote(said));
            }
            return clip(&text, TEXT_LIMIT);
        }
        for test in failing.iter().take(LISTED) {
            let _ = write!(text, "\n- {}: {}", test.name, line(test));
        }
        if failing.len() > LISTED {
            let _ = write!(text, "\n- and {} more", failing.len() - LISTED);
        }
        for test in self.tests.iter().filter(|test| !test.output.trim().is_empty()).take(2) {
            let _ = write!(
                text,
                "\n\n{}",
                quote(&clip(&once(test.output.trim_end(), test.trace.trim_end()), OUTPUT_LIMIT))
            );
        }
        let mut shown: Vec<&str> = Vec::new();
        for test in &failing {
            let trace = test.trace.trim_end();
            let printed = self.tests.iter().any(|other| other.output.contains(trace));
            if trace.is_empty() || printed || shown.contains(&trace) || shown.len() == TRACES {
                continue;
            }
            shown.push(trace);
            let _ = write!(text, "\n\n{}", quote(&clip(trace, TRACE_LIMIT)));
        }
        clip(&text, TEXT_LIMIT)
    }
}

/// A text of the program's, in which nothing looks like a line of the head and nothing moves a terminal's cursor.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (position, line) in text.split('\n').enumerate() {
        if position > 0 {
            out.push('\n');
        }
        let line = line.strip_suffix('\r').unwrap_or(line);
        let counts = line.strip_prefix(|c: char| c.is_ascii_digit()).is_some() && line.contains(" tests passed");
        if line.starts_with("Grade:") || line.starts_with("- ") || counts {
            out.push_str("| ");
        }
        for c in line.chars() {
            match c {
                '\t' => out.push(c),
                c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
        }
    }
    out
}

/// A script prints the traceback of each run: keep the first of equal ones.
fn once(output: &str, trace: &str) -> String {
    match output.split_once(trace) {
        Some((before, after)) if !trace.is_empty() => {
            format!("{before}{trace}{}", after.replace(trace, "(the same traceback)"))
        }
        _ => output.to_string(),
    }
}

/// Outcome and message, without saying the same thing twice.
fn line(test: &TestReport) -> String {
    let words = test.outcome.words();
    match (test.outcome, test.message.as_str()) {
        (_, "") => words.to_string(),
        (Outcome::WrongAnswer | Outcome::Exception, message) => message.to_string(),
        (_, message) => format!("{words}, {message}"),
    }
}
