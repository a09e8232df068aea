//! Reads a [`Run`] from YAML and `--set` overrides, and says everything that is wrong with it in one go.

use super::located::{Located, join};
use super::{Run, validate};
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::path::Path;

/// Fields that name files. In a configuration file they are relative to that file, in `--set` to the working directory.
const PATHS: [&str; 5] = ["data.course", "data.traces", "model.path", "model.adapter", "tokenizer.path"];

/// A problem with one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    /// Dotted path of the field.
    pub field: String,
    /// What was expected and what to do.
    pub message: String,
}

impl Run {
    /// Reads a configuration file and applies `key=value` overrides. The files that it names must be there.
    ///
    /// # Errors
    /// [`Error::Config`] with one line for every problem: file, line, field, what was expected.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Run> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let fallback = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        read(&text, &path.display().to_string(), folder, &fallback, overrides, &validate::files)
    }

    /// Reads a configuration from text; `origin` names it in errors, `folder` is what its paths are relative to, `name`
    /// is the run's name when the text gives none. Whether the files that it names are there is not asked.
    ///
    /// # Errors
    /// As [`Run::load`].
    pub fn parse(text: &str, origin: &str, folder: &Path, name: &str, overrides: &[String]) -> Result<Run> {
        read(text, origin, folder, name, overrides, &|_| Vec::new())
    }

    /// The resolved configuration as YAML: every field, so that a run's folder says what was run.
    ///
    /// # Errors
    /// When it cannot be written down; a defect.
    pub fn to_yaml(&self) -> Result<String> {
        serde_saphyr::to_string(self).map_err(|e| Error::Failed(format!("cannot write the configuration: {e}")))
    }
}

/// [`Run::parse`], with `more` checks of what has passed all others.
fn read(
    text: &str,
    origin: &str,
    folder: &Path,
    name: &str,
    overrides: &[String],
    more: &dyn Fn(&Run) -> Vec<Problem>,
) -> Result<Run> {
    let mut doc = Located::parse(text).map_err(|e| Error::Config(format!("{origin}: {e}")))?;
    if !doc.value.is_object() {
        return Err(Error::Config(format!("{origin}:1: a mapping of settings is expected, such as `seed: 7`")));
    }
    add_course(&mut doc.value);
    resolve(&mut doc.value, folder);
    let mut problems = Vec::new();
    let mut from_override = Vec::new();
    for text in overrides {
        match apply(&mut doc.value, text) {
            Ok(field) => from_override.push(field),
            Err(message) => problems.push(Problem { field: format!("--set {text}"), message }),
        }
    }
    resolve(&mut doc.value, Path::new(""));
    if doc.value.get("name").is_none_or(|n| n == "") {
        doc.value["name"] = name.into();
    }
    let run = deserialise(doc.value.clone(), &mut problems);
    problems.extend(validate::check(&run));
    if problems.is_empty() {
        problems = more(&run);
    }
    if problems.is_empty() {
        return Ok(run);
    }
    let lines: Vec<String> = problems
        .iter()
        .map(|p| {
            let set = from_override.iter().any(|f| p.field == *f || p.field.starts_with(&format!("{f}.")));
            match doc.line(&p.field).filter(|_| !set && !p.field.starts_with("--set")) {
                Some(line) => format!("{origin}:{line}: {}: {}", p.field, p.message),
                None if set => format!("--set: {}: {}", p.field, p.message),
                None => format!("{origin}: {}: {}", p.field, p.message),
            }
        })
        .collect();
    Err(Error::Config(lines.join("\n")))
}

/// A document that names no course means the `course.yaml` beside it.
fn add_course(document: &mut Value) {
    let data = document.as_object_mut().map(|fields| fields.entry("data").or_insert(Value::Object(Map::new())));
    if let Some(Value::Object(data)) = data {
        data.entry("course").or_insert("course.yaml".into());
    }
}

/// Makes the paths in a document absolute.
fn resolve(document: &mut Value, folder: &Path) {
    for field in PATHS {
        if let Some(Value::String(path)) = lookup(document, field)
            && !path.is_empty()
        {
            *path = absolute(&folder.join(&*path));
        }
    }
}

/// The path from the root, so that the resolved configuration means the same from everywhere.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).to_string_lossy().into_owned()
}

/// Deserialises, collecting every error: a wrong field is reported, taken out, and the rest is tried again.
fn deserialise(mut value: Value, problems: &mut Vec<Problem>) -> Run {
    loop {
        match serde_path_to_error::deserialize::<_, Run>(value.clone()) {
            Ok(run) => return run,
            Err(error) => {
                let field = error.path().to_string();
                problems
                    .push(Problem { message: explain(&error.into_inner().to_string(), &field), field: field.clone() });
                if !remove(&mut value, &field) {
                    // Nothing left to take out: report what was found.
                    return Run::default();
                }
            }
        }
    }
}

/// Serde's words, made into advice.
fn explain(message: &str, field: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let wrong = quoted.first().copied().unwrap_or_else(|| field.rsplit('.').next().unwrap_or(field));
    let known = quoted.get(1..).unwrap_or_default();
    let (what, rest) = if message.starts_with("unknown field") {
        ("there is no such field", "known fields")
    } else if message.starts_with("unknown variant") {
        ("there is no such value", "known values")
    } else {
        return message.to_string();
    };
    let near = known.iter().map(|k| (strsim::damerau_levenshtein(wrong, k), *k)).min();
    match near {
        Some((distance, k)) if distance <= 1 + wrong.len() / 4 => format!("{what}: `{wrong}`; did you mean `{k}`?"),
        _ => format!("{what}: `{wrong}`; {rest}: {}", known.join(", ")),
    }
}

/// `key=value`, with the value read as YAML. Gives back the key.
fn apply(document: &mut Value, text: &str) -> Result<String, String> {
    let (key, value) = text.split_once('=').ok_or("`key=value` is expected, such as `sft.epochs=2`")?;
    let key = key.trim();
    let value = Located::parse(&format!("value: {value}")).map_err(|e| format!("the value is not YAML: {e}"))?;
    let value = value.value.get("value").cloned().unwrap_or(Value::Null);
    let mut at = document;
    let parts = segments(key).ok_or("a dotted path of names is expected, such as `dapo.rewards[0].weight`")?;
    for part in &parts {
        at = match part {
            Segment::Key(k) => {
                if at.is_null() {
                    *at = Value::Object(Map::new());
                }
                let fields = at.as_object_mut().ok_or_else(|| format!("`{k}` is not inside a mapping"))?;
                fields.entry(k.to_string()).or_insert(Value::Null)
            }
            Segment::Index(i) => at.get_mut(i).ok_or_else(|| format!("there is no item {i}"))?,
        };
    }
    *at = value;
    Ok(key.to_string())
}

enum Segment<'a> {
    Key(&'a str),
    Index(usize),
}

fn segments(path: &str) -> Option<Vec<Segment<'_>>> {
    let mut parts = Vec::new();
    for name in path.split('.') {
        let mut pieces = name.split('[');
        let key = pieces.next().filter(|k| !k.is_empty())?;
        parts.push(Segment::Key(key));
        for index in pieces {
            parts.push(Segment::Index(index.strip_suffix(']')?.parse().ok()?));
        }
    }
    Some(parts)
}

fn lookup<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    segments(path)?.iter().try_fold(value, |at, part| match part {
        Segment::Key(k) => at.get_mut(*k),
        Segment::Index(i) => at.get_mut(i),
    })
}

fn remove(value: &mut Value, path: &str) -> bool {
    let (parent, last) = match path.rfind(['.', '[']) {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => ("", path),
    };
    let parent = if parent.is_empty() { Some(value) } else { lookup(value, parent) };
    match parent {
        Some(Value::Object(fields)) => fields.shift_remove(last).is_some(),
        Some(Value::Array(items)) => match last.trim_end_matches(']').parse::<usize>() {
            Ok(i) if i < items.len() => {
                items.remove(i);
                true
            }
            _ => false,
        },
        _ => false,
    }
}

/// A problem with the field `key` of the section `section`.
pub(super) fn problem(section: &str, key: &str, message: impl Into<String>) -> Problem {
    Problem { field: join(section, key), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those whose data or model lie elsewhere can be read, though not run, without them.
    #[test]
    fn the_ready_configurations_are_right() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../configs"));
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let yaml: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
        for path in &yaml {
            let text = std::fs::read_to_string(path).unwrap();
            Run::parse(&text, &path.display().to_string(), folder, "ready", &[]).unwrap();
        }
        assert!(yaml.len() >= 3);
    }
}
