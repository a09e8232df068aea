//! The file of an ablation.
//!
//! ```yaml
//! base: ../demo.yaml                 # relative to this file
//! set: {evaluate.resamples: 2000}    # of all arms
//! seeds: [1, 2, 3]
//! reference: beta=0.2                # the first arm when absent
//! axes:                              # all combinations …
//!   dpo.beta: [0.05, 0.2, 0.8]
//! arms:                              # … and named arms beside them
//!   hinge: {dpo.loss: hinge}
//! baselines: [COPY, REAL_STUDENT]    # … and what is played without a model, beside them
//! ```

use crate::config::Run;
use crate::error::{Error, Result};
use crate::evaluate::baselines;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A matrix as it is written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// The configuration that arms change.
    pub base: PathBuf,
    /// Fields that all arms have in common, by dotted path.
    #[serde(default)]
    pub set: Map<String, Value>,
    /// Every arm is run with each.
    pub seeds: Vec<u64>,
    /// The arm that others are compared with; the first when absent.
    #[serde(default)]
    pub reference: Option<String>,
    /// Fields and the values that they take; every combination is an arm.
    #[serde(default)]
    pub axes: Map<String, Value>,
    /// Named arms: fields and their values.
    #[serde(default)]
    pub arms: Map<String, Value>,
    /// Baselines of `novice evaluate`, by their names in its table; each is an arm that trains nothing.
    #[serde(default)]
    pub baselines: Vec<String>,
}

/// A named set of changes to the base.
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// Fields and values.
    pub changes: Vec<(String, Value)>,
    /// The baseline that it is, when it is not a model.
    pub baseline: Option<String>,
}

impl Arm {
    /// The policy of the arm, as the evaluation of its last stage calls it: there every model is one to begin with.
    pub fn policy(&self) -> &str {
        self.baseline.as_deref().unwrap_or("BASE")
    }
}

impl Matrix {
    /// Reads a matrix; `base` is then relative to the working directory.
    ///
    /// # Errors
    /// [`Error::Config`] with file and line; [`Error::Io`].
    pub fn load(path: &Path) -> Result<Matrix> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let wrong = |message: String| Error::Config(format!("{}: {message}", path.display()));
        let mut matrix: Matrix = serde_saphyr::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        matrix.base = path.parent().unwrap_or(Path::new("")).join(&matrix.base);
        if matrix.seeds.is_empty() {
            return Err(wrong("seeds: at least one is expected, such as `seeds: [1, 2, 3]`".into()));
        }
        if matrix.seeds.iter().collect::<BTreeSet<_>>().len() < matrix.seeds.len() {
            return Err(wrong("seeds: one is given twice; it would be the same run".into()));
        }
        let arms = matrix.expand().map_err(wrong)?;
        let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
        if let Some(twice) = names.iter().enumerate().find_map(|(i, name)| names[..i].contains(name).then_some(name)) {
            return Err(wrong(format!("two arms are called `{twice}`")));
        }
        if let Some(unknown) = matrix.baselines.iter().find(|name| !baselines().contains(name)) {
            let known = baselines().join("`, `");
            return Err(wrong(format!("baselines: there is none called `{unknown}`; there are `{known}`")));
        }
        if let Some(reference) = matrix.reference.as_deref().filter(|r| !names.contains(r)) {
            let known = names.join("`, `");
            return Err(wrong(format!("reference: there is no arm `{reference}`; the arms are `{known}`")));
        }
        Ok(matrix)
    }

    /// The arms: all combinations of the axes, the last axis fastest, then the named ones, then the baselines.
    ///
    /// # Errors
    /// In words, when an axis is not a list, an arm not a mapping, or there are no arms.
    pub fn expand(&self) -> std::result::Result<Vec<Arm>, String> {
        let mut grid: Vec<Vec<(String, Value)>> = if self.axes.is_empty() { Vec::new() } else { vec![Vec::new()] };
        for (field, values) in &self.axes {
            let values = values.as_array().filter(|v| !v.is_empty());
            let values = values.ok_or_else(|| format!("axes.{field}: a list of values is expected"))?;
            let longer = |changes: &Vec<(String, Value)>, value: &Value| {
                let more = std::iter::once((field.clone(), value.clone()));
                changes.iter().cloned().chain(more).collect::<Vec<_>>()
            };
            grid = grid.iter().flat_map(|changes| values.iter().map(move |value| longer(changes, value))).collect();
        }
        let mut arms: Vec<Arm> =
            grid.into_iter().map(|changes| Arm { name: named(&changes), changes, baseline: None }).collect();
        for (name, changes) in &self.arms {
            let fields = match changes {
                Value::Object(fields) => fields.clone(),
                Value::Null => Map::new(),
                _ => return Err(format!("arms.{name}: fields and values are expected, such as {{dpo.beta: 0.1}}")),
            };
            arms.push(Arm { name: name.clone(), changes: fields.into_iter().collect(), baseline: None });
        }
        if arms.is_empty() {
            return Err("there are no arms: give `axes`, such as {dpo.beta: [0.1, 0.5]}, or `arms`".into());
        }
        arms.extend(self.baselines.iter().map(|name| Arm {
            name: name.clone(),
            changes: vec![("stages".into(), json!([])), ("evaluate.baselines".into(), json!(true))],
            baseline: Some(name.clone()),
        }));
        Ok(arms)
    }

    /// The name of the reference arm.
    pub fn reference(&self, arms: &[Arm]) -> String {
        self.reference.clone().or_else(|| arms.first().map(|arm| arm.name.clone())).unwrap_or_default()
    }

    /// The configuration of an arm with a seed; `more` are changes from the command line, which come last but for the seed.
    ///
    /// # Errors
    /// As [`Run::load`], with the arm's name.
    pub fn configure(&self, arm: &Arm, seed: u64, more: &[String]) -> Result<Run> {
        let mut changes: Vec<String> =
            self.set.iter().chain(arm.changes.iter().map(|(k, v)| (k, v))).map(|(k, v)| format!("{k}={v}")).collect();
        changes.extend(more.iter().cloned());
        changes.push(format!("seed={seed}"));
        Run::load(&self.base, &changes).map_err(|error| match error {
            Error::Config(text) => Error::Config(format!("arm `{}`: {text}", arm.name)),
            other => other,
        })
    }
}

/// `beta=0.2 feedback=none`: the last part of each field, and its value.
fn named(changes: &[(String, Value)]) -> String {
    let part = |(field, value): &(String, Value)| {
        let field = field.rsplit('.').next().unwrap_or(field);
        match value {
            Value::String(text) => format!("{field}={text}"),
            other => format!("{field}={other}"),
        }
    };
    changes.iter().map(part).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Matrix> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.yaml");
        std::fs::write(&path, text).unwrap();
        Matrix::load(&path)
    }

    #[test]
    fn a_grid_and_named_arms() {
        let matrix = load(
            "base: b.yaml\nseeds: [1, 2]\naxes:\n  dpo.beta: [0.1, 1]\n  dialogue.feedback: [none, full]\narms:\n  plain: {}\n  two: {sft.epochs: 2}\nbaselines: [COPY]\n",
        )
        .unwrap();
        let arms = matrix.expand().unwrap();
        let names: Vec<&str> = arms.iter().map(|a| a.name.as_str()).collect();
        let grid = ["beta=0.1 feedback=none", "beta=0.1 feedback=full", "beta=1 feedback=none", "beta=1 feedback=full"];
        assert_eq!(names, [&grid[..], &["plain", "two", "COPY"]].concat());
        assert_eq!(arms[5].changes, [("sft.epochs".to_string(), Value::from(2))]);
        assert_eq!(arms[6].baseline.as_deref(), Some("COPY"));
        assert_eq!(matrix.reference(&arms), grid[0]);
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text: &str| load(text).unwrap_err().to_string();
        assert!(message("base: b\nseeds: []\narms: {a: {}}").contains("seeds: at least one"));
        assert!(message("base: b\nseeds: [1, 1]\narms: {a: {}}").contains("given twice"));
        assert!(message("base: b\nseeds: [1]").contains("there are no arms"));
        assert!(message("base: b\nseeds: [1]\naxes: {dpo.beta: 3}").contains("axes.dpo.beta: a list"));
        assert!(message("base: b\nseeds: [1]\nreference: c\narms: {a: {}}").contains("the arms are `a`"));
        assert!(message("base: b\nseeds: [1]\narms: {a: {}}\nbaselines: [Copy]").contains("there are `ORACLE`"));
        assert!(message("base: b\nseeds: [1]\nsets: {}\narms: {a: {}}").contains("sets"));
    }
}
