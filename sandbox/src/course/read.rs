//! Reading courses: YAML into raw structures with places, then checks that name the place.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{Course, Matching, Problem, Test, TestKind};
use crate::error::{CourseError, Result};
use crate::value::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCourse {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    problems: Vec<Spanned<RawProblem>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProblem {
    #[serde(default)]
    id: Option<Spanned<String>>,
    #[serde(default)]
    statement: Option<String>,
    #[serde(default)]
    prelude: Option<String>,
    #[serde(default)]
    starter: Option<String>,
    #[serde(default)]
    filename: Option<Spanned<String>>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    solution: Option<String>,
    #[serde(default)]
    solutions: Vec<String>,
    tests: Vec<Spanned<RawTest>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTest {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    weight: Option<Spanned<f64>>,
    #[serde(default)]
    hidden: bool,
    #[serde(default)]
    timeout_ms: Option<Spanned<u64>>,
    #[serde(default)]
    call: Option<Spanned<String>>,
    #[serde(default)]
    expect: Option<Spanned<String>>,
    #[serde(default)]
    tolerance: Option<Spanned<f64>>,
    #[serde(default)]
    stdin: Option<String>,
    #[serde(default)]
    stdout: Option<String>,
    #[serde(default, rename = "match")]
    matching: Option<Matching>,
    #[serde(default)]
    script: Option<String>,
    #[serde(default)]
    max_score: Option<Spanned<f64>>,
    #[serde(default)]
    unittest: Option<String>,
}

/// Where a check is: the file, and the path of fields so far.
struct Place<'a> {
    file: &'a str,
    path: String,
    /// Added to lines: where the YAML begins in the file.
    offset: u64,
}

type Checked<T> = std::result::Result<T, Box<CourseError>>;

impl Place<'_> {
    fn fail<T, S>(&self, at: &Spanned<S>, field: &str, message: impl Into<String>) -> Checked<T> {
        let field = match (self.path.as_str(), field) {
            (path, "") => path.to_string(),
            ("", field) => field.to_string(),
            (path, field) => format!("{path}.{field}"),
        };
        let line = at.referenced.line() + self.offset;
        Err(Box::new(CourseError::Field { file: self.file.into(), line, field, message: message.into() }))
    }

    fn positive(&self, number: &Option<Spanned<f64>>, field: &str, default: f64) -> Checked<f64> {
        match number {
            None => Ok(default),
            Some(given) if given.value.is_finite() && given.value > 0.0 => Ok(given.value),
            Some(given) => self.fail(given, field, format!("is {}, expected a number above 0", given.value)),
        }
    }
}

fn parse<'t, T: Deserialize<'t>>(text: &'t str, file: &str, offset: u64) -> Checked<T> {
    serde_saphyr::from_str(text).map_err(|error| {
        let error = error.without_snippet();
        let line = error.location().map_or(0, |location| location.line() + offset);
        let message = error.to_string();
        let cut = [" at line ", ", set DuplicateKeyPolicy"].iter().filter_map(|mark| message.find(mark)).min();
        let message = message.get(..cut.unwrap_or(message.len())).unwrap_or(&message).to_string();
        Box::new(CourseError::Yaml { file: file.into(), line, message })
    })
}

/// A course in one text.
pub fn course(text: &str, file: &str) -> Result<Course> {
    let raw: RawCourse = parse(text, file, 0)?;
    let mut seen = HashMap::new();
    let mut problems = Vec::new();
    for (position, problem) in raw.problems.into_iter().enumerate() {
        let place = Place { file, path: format!("problems[{position}]"), offset: 0 };
        problems.push(check_problem(problem, &place, None, None, &mut seen)?);
    }
    if problems.is_empty() {
        let message = "the course has no problems; add at least one under `problems:`".to_string();
        return Err(Box::new(CourseError::Yaml { file: file.into(), line: 1, message }).into());
    }
    Ok(Course { name: raw.name.unwrap_or_else(|| stem(file)), problems })
}

fn stem(file: &str) -> String {
    Path::new(file).file_stem().map_or_else(|| file.to_string(), |stem| stem.to_string_lossy().into_owned())
}

fn read(path: &Path) -> Result<String> {
    Ok(std::fs::read_to_string(path).map_err(|source| Box::new(CourseError::Read { path: path.into(), source }))?)
}

/// A course file or folder.
pub fn load(path: &Path) -> Result<Course> {
    if !path.is_dir() {
        return course(&read(path)?, &path.display().to_string());
    }
    let whole = path.join("course.yaml");
    if whole.is_file() {
        return course(&read(&whole)?, &whole.display().to_string());
    }
    let failed = |source| Box::new(CourseError::Read { path: path.into(), source });
    let entries = std::fs::read_dir(path).map_err(failed)?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|file| file.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "md"))
        .filter(|file| file.file_stem().is_some_and(|stem| !stem.eq_ignore_ascii_case("readme")))
        .collect();
    files.sort();
    let mut seen = HashMap::new();
    let mut problems = Vec::new();
    for file in &files {
        problems.push(problem_file(file, &mut seen)?);
    }
    if problems.is_empty() {
        return Err(Box::new(CourseError::Empty { path: path.into() }).into());
    }
    let name = path.canonicalize().ok().and_then(|p| p.file_name().map(|n| n.to_string_lossy().into_owned()));
    Ok(Course { name: name.unwrap_or_else(|| "course".into()), problems })
}

/// One problem in a file of its own.
fn problem_file(path: &Path, seen: &mut HashMap<String, u64>) -> Result<Arc<Problem>> {
    let text = read(path)?;
    let file = path.display().to_string();
    let id = stem(&file);
    if path.extension().is_none_or(|e| e != "md") {
        let raw = parse(&text, &file, 0)?;
        let place = Place { file: &file, path: String::new(), offset: 0 };
        return Ok(check_problem(raw, &place, Some(id), None, seen)?);
    }
    let parts = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
    let Some((front, body)) = parts else {
        let message = "expected front matter: a line `---`, the problem's fields as YAML, a line `---`, the statement"
            .to_string();
        return Err(Box::new(CourseError::Yaml { file, line: 1, message }).into());
    };
    let raw = parse(front, &file, 1)?;
    let place = Place { file: &file, path: String::new(), offset: 1 };
    Ok(check_problem(raw, &place, Some(id), Some(body.trim().to_string()), seen)?)
}

fn check_problem(
    raw: Spanned<RawProblem>,
    place: &Place,
    default_id: Option<String>,
    body: Option<String>,
    seen: &mut HashMap<String, u64>,
) -> Checked<Arc<Problem>> {
    let line = raw.referenced.line();
    let id = match (&raw.value.id, default_id) {
        (Some(id), _) if id.value.trim().is_empty() => return place.fail(id, "id", "is empty, expected a name"),
        (Some(id), _) => id.value.clone(),
        (None, Some(id)) => id,
        (None, None) => return place.fail(&raw, "id", "is missing; every problem needs a unique name"),
    };
    if let Some(first) = seen.insert(id.clone(), line) {
        let message = format!("`{id}` is also the id of the problem in line {first}; ids must be unique");
        return match &raw.value.id {
            Some(at) => place.fail(at, "id", message),
            None => place.fail(&raw, "id", message),
        };
    }
    let statement = match (body, &raw.value.statement) {
        (Some(body), None) => body,
        (None, Some(statement)) => statement.clone(),
        (Some(_), Some(_)) => {
            return place.fail(&raw, "statement", "is given twice: as a field and as the text of the file");
        }
        (None, None) => return place.fail(&raw, "statement", "is missing; write what the student is asked"),
    };
    let filename = match &raw.value.filename {
        None => "program.py".to_string(),
        Some(name)
            if name.value.ends_with(".py") && name.value.len() > 3 && !name.value.contains(['/', '\\', '"', '\n']) =>
        {
            name.value.clone()
        }
        Some(name) => {
            return place.fail(name, "filename", format!("is `{}`, expected a name such as `area.py`", name.value));
        }
    };
    if raw.value.tests.is_empty() {
        return place.fail(&raw, "tests", "is empty; a problem needs at least one test");
    }
    let mut tests = Vec::with_capacity(raw.value.tests.len());
    for (position, test) in raw.value.tests.iter().enumerate() {
        let path = if place.path.is_empty() {
            format!("tests[{position}]")
        } else {
            format!("{}.tests[{position}]", place.path)
        };
        tests.push(check_test(test, &Place { file: place.file, path, offset: place.offset })?);
    }
    let value = raw.value;
    let mut problem = Problem {
        id,
        statement,
        prelude: value.prelude,
        starter: value.starter,
        filename,
        files: value.files,
        solutions: value.solution.into_iter().chain(value.solutions).collect(),
        tests,
        digest: blake3::hash(b""),
    };
    let Problem { id, prelude, filename, files, tests, .. } = &problem;
    let text = serde_json::to_string(&(id, prelude, filename, files, tests)).unwrap_or_default();
    problem.digest = blake3::hash(text.as_bytes());
    Ok(Arc::new(problem))
}

fn check_test(raw: &Spanned<RawTest>, place: &Place) -> Checked<Test> {
    let test = &raw.value;
    let weight = place.positive(&test.weight, "weight", 1.0)?;
    if let Some(limit) = test.timeout_ms.as_ref().filter(|limit| limit.value == 0 || limit.value > 3_600_000) {
        return place.fail(limit, "timeout_ms", format!("is {}, expected 1 to 3600000", limit.value));
    }
    if let Some(tolerance) = test.tolerance.as_ref().filter(|t| !t.value.is_finite() || t.value < 0.0) {
        return place.fail(tolerance, "tolerance", format!("is {}, expected a number from 0", tolerance.value));
    }
    // Which kinds do the fields speak of?
    let kinds = [
        ("call", test.call.is_some() || test.expect.is_some()),
        ("io", test.stdin.is_some() || test.stdout.is_some() || test.matching.is_some()),
        ("script", test.script.is_some() || test.max_score.is_some()),
        ("unittest", test.unittest.is_some()),
    ];
    let found: Vec<&str> = kinds.iter().filter(|kind| kind.1).map(|kind| kind.0).collect();
    let kind = match found.as_slice() {
        [kind] => *kind,
        [] => {
            let message = "has no kind; give `call` and `expect`, or `stdin` and `stdout`, or `script`, or `unittest`";
            return place.fail(raw, "", message);
        }
        several => {
            return place.fail(raw, "", format!("mixes the kinds {}; make them separate tests", several.join(" and ")));
        }
    };
    let tolerance = test.tolerance.as_ref().map(|t| t.value);
    if let Some(given) = test.tolerance.as_ref().filter(|_| kind == "script" || kind == "unittest") {
        return place.fail(given, "tolerance", format!("does not go with a test of kind {kind}"));
    }
    let kind = match (
        test.call.as_ref(),
        test.expect.as_ref(),
        test.stdout.as_ref(),
        test.script.as_ref(),
        test.unittest.as_ref(),
    ) {
        (Some(call), Some(expect), ..) => {
            if call.value.trim().is_empty() {
                return place.fail(call, "call", "is empty, expected a Python expression");
            }
            match Value::literal(&expect.value) {
                Ok(value) => TestKind::Call {
                    call: call.value.trim().to_string(),
                    expect: expect.value.clone(),
                    value,
                    tolerance,
                },
                Err(error) => return place.fail(expect, "expect", format!("is not a Python literal: {error}")),
            }
        }
        (Some(call), None, ..) => {
            return place.fail(call, "expect", "is missing; write the value that the call must give");
        }
        (None, Some(expect), ..) => {
            return place.fail(expect, "call", "is missing; write the expression whose value is expected");
        }
        (_, _, Some(stdout), ..) => TestKind::Io {
            stdin: test.stdin.clone().unwrap_or_default(),
            stdout: stdout.clone(),
            matching: test.matching.unwrap_or_default(),
            tolerance,
        },
        (_, _, _, Some(script), _) => {
            TestKind::Script { script: script.clone(), max_score: place.positive(&test.max_score, "max_score", 100.0)? }
        }
        (_, _, _, _, Some(source)) => TestKind::Unittest { unittest: source.clone() },
        _ if kind == "io" => return place.fail(raw, "stdout", "is missing; write what the program must print"),
        _ => return place.fail(raw, "script", "is missing; `max_score` belongs to a script"),
    };
    let name = test.name.clone().filter(|name| !name.trim().is_empty());
    Ok(Test { name, weight, hidden: test.hidden, timeout_ms: test.timeout_ms.as_ref().map(|t| t.value), kind })
}
