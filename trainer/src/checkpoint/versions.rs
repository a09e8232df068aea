//! What a run was made with, as far as it can change a run's bytes: kept beside its results as `versions.json`.

use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::{Command, Stdio};

/// Versions of everything that a result depends on. Unknown ones are absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Novice's own.
    pub novice: String,
    /// `git describe --always --dirty` of the source tree, when the run started.
    pub source: Option<String>,
    /// libtorch's `build-version`, seen when the binary was built.
    pub libtorch: Option<String>,
    /// The compiler, seen when the binary was built.
    pub rustc: Option<String>,
    /// Hash of the sandbox's guest image: another interpreter may grade otherwise.
    pub guest: Option<String>,
    /// The processor: float sums may differ between models of processors, never on one.
    pub processor: Option<String>,
}

impl Versions {
    /// Versions as of now. `guest` is the hash of the sandbox's guest image, where one is in use.
    pub fn current(guest: Option<String>) -> Versions {
        Versions {
            novice: env!("CARGO_PKG_VERSION").to_string(),
            source: describe_source(Path::new(env!("CARGO_MANIFEST_DIR"))),
            libtorch: option_env!("NOVICE_LIBTORCH_VERSION").map(str::to_string),
            rustc: option_env!("NOVICE_RUSTC_VERSION").map(str::to_string),
            guest,
            processor: std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| processor(&text)),
        }
    }

    /// Names of the fields in which `self` and `other` differ, with both values, in one line; `None` when equal.
    pub fn difference(&self, other: &Versions) -> Option<String> {
        let known = |v: &Option<String>| v.clone().unwrap_or_else(|| "unknown".into());
        let pairs = [
            ("novice", self.novice.clone(), other.novice.clone()),
            ("source", known(&self.source), known(&other.source)),
            ("libtorch", known(&self.libtorch), known(&other.libtorch)),
            ("rustc", known(&self.rustc), known(&other.rustc)),
            ("guest", known(&self.guest), known(&other.guest)),
            ("processor", known(&self.processor), known(&other.processor)),
        ];
        let differing: Vec<String> =
            pairs.into_iter().filter(|(_, a, b)| a != b).map(|(name, a, b)| format!("{name} {a} → {b}")).collect();
        (!differing.is_empty()).then(|| differing.join(", "))
    }
}

/// The source tree's description; `None` without git, without a repository, or without the source tree.
fn describe_source(folder: &Path) -> Option<String> {
    let output = Command::new("git")
        .args(["describe", "--always", "--dirty", "--tags"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_string();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// The first processor's model name in the text of `/proc/cpuinfo`.
fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|l| l.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_the_field_and_both_values() {
        let a = Versions::current(Some("aa".into()));
        assert_eq!(a.difference(&a), None);
        let b = Versions { guest: None, ..a.clone() };
        assert_eq!(a.difference(&b).as_deref(), Some("guest aa → unknown"));
    }

    #[test]
    fn a_folder_without_repository_has_no_description() {
        assert_eq!(describe_source(Path::new("/nowhere")), None);
    }

    #[test]
    fn reads_the_processor() {
        assert_eq!(processor("flags\t: a b\nmodel name\t: Some CPU @ 2 GHz\n").as_deref(), Some("Some CPU @ 2 GHz"));
        assert_eq!(processor("Processor : none"), None);
    }
}
