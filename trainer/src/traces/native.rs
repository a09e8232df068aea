//! Reads the native form: JSON lines, one submission a line.
//!
//! `{"student": "s1", "problem": "p1", "attempt": 1, "time": "2024-03-09T14:05:00Z", "code": "…", "grade": 50.0,
//!   "tests": ["passed", "wrong_answer"], "feedback": "…"}`
//!
//! `student`, `problem`, `attempt` and `code` are needed; the others may be absent or `null`; further fields are left alone.
//! An entry of `tests` is an outcome's name or an object with an `outcome`. Blank lines, CRLF and a byte-order mark are fine.
//! Everything that is wrong with a file is reported at once, up to [`SHOWN`] problems.

use super::submission::Submission;
use super::time::Moment;
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::path::Path;

/// Problems that are spelled out; the rest is counted.
pub const SHOWN: usize = 20;

/// What is wrong with one line.
struct Problem {
    line: usize,
    field: &'static str,
    message: String,
}

/// Reads a file of submissions, in the order of its lines.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read; [`Error::Data`] with file, line and field when it holds anything else.
pub fn read(path: &Path) -> Result<Vec<Submission>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    parse(path, &bytes)
}

/// As [`read`], from memory; `path` is named in errors.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Submission>> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    for (i, line) in bytes.split(|&b| b == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let before = problems.len();
        if let Some(row) = submission(line, i + 1, &mut problems)
            && problems.len() == before
        {
            rows.push(row);
        }
    }
    match report(path, &problems) {
        Some(error) => Err(error),
        None if rows.is_empty() => Err(Error::Data {
            path: path.to_path_buf(),
            line: 0,
            field: "JSON lines".into(),
            message: "no submissions in this file; expected one JSON object a line".into(),
        }),
        None => Ok(rows),
    }
}

fn report(path: &Path, problems: &[Problem]) -> Option<Error> {
    let (first, rest) = problems.split_first()?;
    let mut message = first.message.clone();
    for p in rest.iter().take(SHOWN - 1) {
        message.push_str(&format!("\n{}:{}: {}: {}", path.display(), p.line, p.field, p.message));
    }
    if problems.len() > SHOWN {
        message.push_str(&format!("\n… and {} more problems in this file", problems.len() - SHOWN));
    }
    Some(Error::Data { path: path.to_path_buf(), line: first.line, field: first.field.into(), message })
}

fn submission(line: &[u8], number: usize, problems: &mut Vec<Problem>) -> Option<Submission> {
    let object = match serde_json::from_slice::<Value>(line) {
        Ok(Value::Object(object)) => object,
        Ok(other) => {
            let message = format!("expected an object, found {}", kind(&other));
            problems.push(Problem { line: number, field: "JSON", message });
            return None;
        }
        Err(e) => {
            // The message of serde_json ends in its own position, which is always "line 1" here.
            let text = e.to_string();
            let what = text.split(" at line ").next().unwrap_or(&text);
            let message = format!("column {}: {what}; expected one whole JSON object on this line", e.column());
            problems.push(Problem { line: number, field: "JSON", message });
            return None;
        }
    };
    let mut fields = Fields { object: &object, line: number, problems };
    // All fields are looked at before giving up, so that a line's problems are reported together.
    let student = fields.name("student");
    let problem = fields.name("problem");
    let attempt = fields.attempt();
    let code = fields.needed("code").and_then(|v| fields.text("code", v));
    let time = fields.time();
    let grade = fields.grade();
    let tests = fields.tests();
    let feedback = fields.optional("feedback").and_then(|v| fields.text("feedback", v));
    Some(Submission {
        student: student?,
        problem: problem?,
        attempt: attempt?,
        time,
        code: code?,
        grade,
        tests,
        feedback,
    })
}

struct Fields<'a> {
    object: &'a Map<String, Value>,
    line: usize,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Fields<'a> {
    fn wrong(&mut self, field: &'static str, message: impl Into<String>) {
        self.problems.push(Problem { line: self.line, field, message: message.into() });
    }

    fn optional(&self, field: &str) -> Option<&'a Value> {
        self.object.get(field).filter(|v| !v.is_null())
    }

    fn needed(&mut self, field: &'static str) -> Option<&'a Value> {
        let value = self.optional(field);
        if value.is_none() {
            let needed = "every submission needs `student`, `problem`, `attempt`, `code`";
            let near = |k: &&String| strsim::damerau_levenshtein(&k.to_lowercase(), field) <= 2;
            let message = match self.object.keys().find(near) {
                _ if self.object.contains_key(field) => format!("is null; {needed}"),
                Some(key) => format!("missing; {needed}; is `{key}` meant?"),
                None => format!("missing; {needed}"),
            };
            self.wrong(field, message);
        }
        value
    }

    fn text(&mut self, field: &'static str, value: &Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            other => {
                self.wrong(field, format!("expected text, found {}", kind(other)));
                None
            }
        }
    }

    fn name(&mut self, field: &'static str) -> Option<String> {
        let value = self.needed(field)?;
        let text = self.text(field, value)?;
        if text.is_empty() {
            self.wrong(field, "is empty; expected an id");
            return None;
        }
        Some(text)
    }

    fn attempt(&mut self) -> Option<u32> {
        let value = self.needed("attempt")?;
        let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
        if number.is_none() {
            self.wrong("attempt", format!("expected a whole number from 0, found {}", shown(value)));
        }
        number
    }

    fn time(&mut self) -> Option<Moment> {
        let value = self.optional("time")?;
        let moment = value.as_str().and_then(Moment::parse);
        if moment.is_none() {
            self.wrong("time", format!("expected a time such as \"2024-03-09T14:05:00Z\", found {}", shown(value)));
        }
        moment
    }

    fn grade(&mut self) -> Option<f64> {
        let value = self.optional("grade")?;
        let grade = value.as_f64().filter(|g| (0.0..=100.0).contains(g));
        if grade.is_none() {
            let advice = "expected a number in 0..=100, or null for a submission that was not graded";
            self.wrong("grade", format!("{advice}; found {}", shown(value)));
        }
        grade
    }

    fn tests(&mut self) -> Option<Vec<String>> {
        let value = self.optional("tests")?;
        let outcome = |entry: &Value| {
            let entry = entry.get("outcome").unwrap_or(entry);
            entry.as_str().filter(|name| super::step::is_outcome(name)).map(str::to_string)
        };
        let outcomes = value.as_array().and_then(|entries| entries.iter().map(outcome).collect());
        if outcomes.is_none() {
            let names = super::step::outcome_names().join(", ");
            self.wrong("tests", format!("expected a list of outcomes, each one of {names}; found {}", shown(value)));
        }
        outcomes
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(60).chain("…".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Vec<Submission>> {
        parse(Path::new("log.jsonl"), text.as_bytes())
    }

    fn error(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    const GOOD: &str = r#"{"student": "s", "problem": "p", "attempt": 1, "code": "x = 1"}"#;

    #[test]
    fn all_fields() {
        let text = r#"{"student": "s", "problem": "p", "attempt": 2, "time": "2024-03-09T14:05:00Z", "code": "a\r\nb",
            "grade": 66.66666666666667, "tests": ["passed", {"name": "t", "outcome": "wrong_answer"}],
            "feedback": "no", "extra": {"kept": "out"}}"#
            .replace('\n', " ");
        let rows = read(&text).unwrap();
        let row = &rows[0];
        assert_eq!((row.attempt, row.code.as_str(), row.grade), (2, "a\r\nb", Some(66.66666666666667)));
        assert_eq!(row.tests.as_deref(), Some(&["passed".to_string(), "wrong_answer".to_string()][..]));
        assert_eq!(row.time.as_ref().map(Moment::as_str), Some("2024-03-09T14:05:00Z"));
        assert_eq!(row.feedback.as_deref(), Some("no"));
    }

    #[test]
    fn blank_lines_carriage_returns_marks_and_nulls_are_fine() {
        let null = r#"{"student": "s", "problem": "p", "attempt": 0, "code": "", "grade": null, "time": null}"#;
        let rows = read(&format!("\u{feff}\r\n{GOOD}\r\n\n   \n{null}")).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[1].grade, rows[1].code.as_str()), (None, ""));
    }

    #[test]
    fn each_problem_names_line_and_field() {
        let text = format!(
            "{GOOD}\n{{\"student\": 7, \"problem\": \"\", \"atempt\": 1, \"code\": null, \"grade\": -1}}\n[1]\n{{\"student\"\n"
        );
        insta::assert_snapshot!(error(&text), @r"
        log.jsonl:2: student: expected text, found a number
        log.jsonl:2: problem: is empty; expected an id
        log.jsonl:2: attempt: missing; every submission needs `student`, `problem`, `attempt`, `code`; is `atempt` meant?
        log.jsonl:2: code: is null; every submission needs `student`, `problem`, `attempt`, `code`
        log.jsonl:2: grade: expected a number in 0..=100, or null for a submission that was not graded; found -1
        log.jsonl:3: JSON: expected an object, found a list
        log.jsonl:4: JSON: column 10: EOF while parsing an object; expected one whole JSON object on this line
        ");
    }

    #[test]
    fn wrong_times_grades_and_tests() {
        let with = |field: &str| GOOD.replace("\"code\"", &format!("{field}, \"code\""));
        assert!(error(&with(r#""time": 1586817657"#)).contains("1: time: expected a time such as"));
        assert!(error(&with(r#""grade": 100.5"#)).contains("1: grade: expected a number in 0..=100"));
        assert!(error(&with(r#""grade": "100""#)).contains("found \"100\""));
        assert!(error(&with(r#""tests": ["ok"]"#)).contains("passed, wrong_answer"));
        assert!(error(&GOOD.replace("1,", "1.5,")).contains("attempt: expected a whole number from 0, found 1.5"));
        assert!(error(&GOOD.replace("1,", "-1,")).contains("found -1"));
    }

    #[test]
    fn many_problems_are_counted() {
        let e = error(&"{}\n".repeat(10));
        assert!(e.ends_with("… and 20 more problems in this file"), "{e}");
        assert_eq!(e.lines().count(), SHOWN + 1);
    }

    #[test]
    fn bytes_that_are_not_text_and_empty_files() {
        let e = parse(Path::new("l"), b"{\"student\": \"\xff\"}").unwrap_err().to_string();
        assert!(e.starts_with("l:1: JSON: column"), "{e}");
        assert!(error("\n\n").contains("no submissions in this file"));
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(
            pieces in proptest::collection::vec(prop_oneof![
                any::<Vec<u8>>(),
                Just(GOOD.as_bytes().to_vec()),
                "[\\[\\]{}\",:a-z0-9\\n ]{0,20}".prop_map(String::into_bytes),
            ], 0..6),
        ) {
            let bytes = pieces.join(&b'\n');
            match parse(Path::new("l"), &bytes) {
                Ok(rows) => prop_assert!(!rows.is_empty()),
                Err(e) => prop_assert!(e.to_string().starts_with("l:"), "{}", e),
            }
        }

        #[test]
        fn what_is_written_is_read(
            code in any::<String>(), student in "\\PC{1,9}", attempt in any::<u32>(),
            grade in proptest::option::of(0.0..=100.0f64),
        ) {
            let row = serde_json::json!({
                "student": student, "problem": "p", "attempt": attempt, "code": code, "grade": grade,
            });
            let rows = parse(Path::new("l"), row.to_string().as_bytes()).unwrap();
            let row = &rows[0];
            prop_assert_eq!((&row.student, row.attempt, &row.code, row.grade), (&student, attempt, &code, grade));
        }
    }
}
