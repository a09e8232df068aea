//! What the folder of a run, or of an ablation, holds for a report. A file that is not there is missing, not an error; a broken line is an error with its number.

use crate::checkpoint::RunDir;
use crate::error::{Error, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Fields of a saved rollout that tell of its tokens.
const TOKENS: [&str; 4] = ["tokens", "mask", "log_probs", "advantages"];

/// A run as a report sees it.
#[derive(Debug, Clone, Default)]
pub struct RunFiles {
    /// The folder's name.
    pub name: String,
    /// `config.yaml`.
    pub config: String,
    /// Lines of `metrics.jsonl`.
    pub metrics: Vec<Value>,
    /// `evaluation/table.json`.
    pub table: Option<Value>,
    /// `evaluation/table.*` by ending: csv, tex, md.
    pub downloads: Vec<(&'static str, String)>,
    /// Lines of `evaluation/rollouts.jsonl`.
    pub evaluated: Vec<Value>,
    /// Lines of `evaluation/students.jsonl`: the students that evaluation rollouts stand beside.
    pub students: Vec<Value>,
    /// Lines of `rollouts.jsonl`: what DAPO kept of its training.
    pub trained: Vec<Value>,
}

/// Reads the folder of a run, or of an ablation.
///
/// # Errors
/// [`Error::Usage`] when `folder` is neither; [`Error::Io`]; [`Error::Data`] names file and line of what is not JSON.
pub fn read(folder: &Path) -> Result<RunFiles> {
    let absolute = std::path::absolute(folder).map_err(Error::io("read", folder))?;
    let name = absolute.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(pooled) = table(&folder.join("table.json"))?.filter(|table| table.get("arms").is_some()) {
        return ablation(folder, name, &pooled);
    }
    if !RunDir::is_run(folder) {
        let message = format!(
            "{}: this is not the folder of a run or of an ablation; `novice train` or `novice ablate` makes one",
            folder.display()
        );
        return Err(Error::Usage(message));
    }
    let evaluation = folder.join("evaluation");
    Ok(RunFiles {
        name,
        config: text(&folder.join("config.yaml"))?.unwrap_or_default(),
        metrics: lines(&folder.join("metrics.jsonl"), None)?,
        table: table(&evaluation.join("table.json"))?,
        downloads: downloads(&evaluation)?,
        evaluated: lines(&evaluation.join("rollouts.jsonl"), Some("turns"))?,
        students: lines(&evaluation.join("students.jsonl"), Some("steps"))?,
        trained: trained(folder)?,
    })
}

/// The pooled table of an ablation, and the rollouts of each arm's first seed under the arm's name.
fn ablation(folder: &Path, name: String, pooled: &Value) -> Result<RunFiles> {
    let table = pooled.get("results").cloned();
    let mut files = RunFiles { name, table, downloads: downloads(folder)?, ..RunFiles::default() };
    for arm in pooled.get("arms").and_then(Value::as_array).into_iter().flatten() {
        let name = arm.get("name").and_then(Value::as_str).unwrap_or_default();
        let first = arm.get("evaluations").and_then(Value::as_object).and_then(|seeds| seeds.values().next());
        let Some(id) = first.and_then(Value::as_str) else { continue };
        let evaluation = folder.join("evaluations").join(id).join("evaluation");
        for mut rollout in lines(&evaluation.join("rollouts.jsonl"), Some("turns"))? {
            if let Some(fields) = rollout.as_object_mut() {
                fields.insert("policy".into(), name.into());
            }
            files.evaluated.push(rollout);
        }
        for student in lines(&evaluation.join("students.jsonl"), Some("steps"))? {
            if !files.students.contains(&student) {
                files.students.push(student);
            }
        }
        if files.config.is_empty() {
            files.config = text(&folder.join("units").join(id).with_extension("yaml"))?.unwrap_or_default();
        }
    }
    Ok(files)
}

/// `table.*` of a folder by ending.
fn downloads(folder: &Path) -> Result<Vec<(&'static str, String)>> {
    let mut found = Vec::new();
    for ending in ["csv", "tex", "md"] {
        found.extend(text(&folder.join("table").with_extension(ending))?.map(|t| (ending, t)));
    }
    Ok(found)
}

/// What DAPO kept of its training, the last step with its tokens where they were saved: all steps' would be too much for a page.
fn trained(folder: &Path) -> Result<Vec<Value>> {
    let mut all = lines(&folder.join("rollouts.jsonl"), Some("turns"))?;
    let Some(step) = all.iter().filter_map(|line| line.get("step")?.as_u64()).max() else { return Ok(all) };
    let last = lines(&folder.join("rollouts").join(format!("{step:06}.jsonl")), Some("tokens"))?;
    let of_step = all.iter_mut().filter(|line| line.get("step").and_then(Value::as_u64) == Some(step));
    for (line, saved) in of_step.zip(last) {
        let (Value::Object(line), Value::Object(saved)) = (line, saved) else { continue };
        line.extend(saved.into_iter().filter(|(name, _)| TOKENS.contains(&name.as_str())));
    }
    Ok(all)
}

fn text(path: &PathBuf) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read", path)(e)),
    }
}

fn table(path: &PathBuf) -> Result<Option<Value>> {
    let Some(text) = text(path)? else { return Ok(None) };
    let broken = |e: serde_json::Error| broken(path, e.line(), "table", &e.to_string());
    serde_json::from_str(&text).map(Some).map_err(broken)
}

/// Objects, one a line; each with an array `wanted` if one is named.
fn lines(path: &PathBuf, wanted: Option<&str>) -> Result<Vec<Value>> {
    let text = text(path)?.unwrap_or_default();
    let numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    numbered
        .map(|(index, line)| {
            let value: Value =
                serde_json::from_str(line).map_err(|e| broken(path, index + 1, "line", &e.to_string()))?;
            match wanted {
                Some(field) if !value.get(field).is_some_and(Value::is_array) => {
                    Err(broken(path, index + 1, field, "a list is expected here"))
                }
                _ if !value.is_object() => Err(broken(path, index + 1, "line", "an object is expected")),
                _ => Ok(value),
            }
        })
        .collect()
}

fn broken(path: &Path, line: usize, field: &str, found: &str) -> Error {
    let message = format!("{found}; remove the line, or make the file anew with `novice train` or `novice evaluate`");
    Error::Data { path: path.to_path_buf(), line, field: field.into(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_line_is_named_and_a_missing_file_is_not_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).unwrap_err().to_string().contains("not the folder of a run"));
        std::fs::write(dir.path().join(".novice-run"), "").unwrap();
        assert!(read(dir.path()).unwrap().evaluated.is_empty());
        let path = dir.path().join("rollouts.jsonl");
        for (text, wanted) in
            [("{\"turns\": []}\n\n{\n", "rollouts.jsonl:3: line"), ("{}\n", "rollouts.jsonl:1: turns")]
        {
            std::fs::write(&path, text).unwrap();
            let error = read(dir.path()).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn an_ablation_shows_each_arm_under_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let arm = |name: &str, ids: &str| format!(r#"{{"name": "{name}", "evaluations": {ids}}}"#);
        let arms = [arm("A", r#"{"1": "a1", "2": "a2"}"#), arm("B", r#"{"1": "b1"}"#), arm("failed", "{}")].join(", ");
        write("table.json", &format!(r#"{{"arms": [{arms}], "results": {{"lines": [7]}}}}"#));
        write("table.csv", "c");
        write("units/a1.yaml", "seed: 1");
        for id in ["a1", "a2", "b1"] {
            write(&format!("evaluations/{id}/evaluation/rollouts.jsonl"), r#"{"policy": "SFT", "turns": []}"#);
            write(&format!("evaluations/{id}/evaluation/students.jsonl"), r#"{"student": "s", "steps": []}"#);
        }
        let files = read(dir.path()).unwrap();
        let policies: Vec<&str> = files.evaluated.iter().filter_map(|line| line["policy"].as_str()).collect();
        assert_eq!((policies, files.students.len()), (vec!["A", "B"], 1));
        assert_eq!((files.table.unwrap()["lines"][0].as_i64(), files.config.as_str()), (Some(7), "seed: 1"));
        assert_eq!(files.downloads, [("csv", "c".to_string())]);
    }

    #[test]
    fn the_last_step_of_training_comes_with_its_tokens() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".novice-run"), "").unwrap();
        let line = |step: u64| format!("{{\"step\": {step}, \"turns\": []}}\n");
        std::fs::write(dir.path().join("rollouts.jsonl"), line(1) + &line(2)).unwrap();
        std::fs::create_dir(dir.path().join("rollouts")).unwrap();
        let saved = r#"{"step": 2, "turns": [], "prompt": [1], "tokens": ["a"], "mask": [1]}"#;
        std::fs::write(dir.path().join("rollouts/000002.jsonl"), saved).unwrap();
        let trained = read(dir.path()).unwrap().trained;
        assert_eq!((trained[0].get("tokens"), trained[1]["tokens"][0].as_str()), (None, Some("a")));
        assert!(trained[1].get("prompt").is_none());
    }
}
