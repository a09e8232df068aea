//! A run's folder: `runs/<name>/` with the resolved configuration, the seed and the versions it was made with.
//!
//! The folder is prepared under a hidden name and renamed into place, so it is there with everything in it or not at
//! all. A lock on its marker file (`flock`, released by the system when the process ends, however it ends) keeps a
//! second process out. A folder without the marker is somebody else's: it is never resumed, never removed.

use super::Versions;
use crate::files::{sync_dir, write_atomic};
use crate::{Error, Result};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// The marker: says that a folder is a run of ours, and carries the lock.
const MARKER: &str = ".novice-run";
const MARKER_TEXT: &str = "A run of novice. The process that works on it holds a lock on this file.\n";

/// What to do when the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Say so and stop.
    Refuse,
    /// Go on with that run: its configuration must be the same.
    Resume,
    /// Remove that run and start anew.
    Force,
}

/// What a new folder holds from its first moment.
#[derive(Debug, Clone, Copy)]
pub struct RunFacts<'a> {
    /// The resolved configuration as YAML: defaults and overrides included.
    pub config_yaml: &'a str,
    /// The run's seed.
    pub seed: u64,
    /// What the run is made with.
    pub versions: &'a Versions,
}

/// A run's folder, locked by this process for as long as this value lives.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    resumed: bool,
    _lock: File,
}

impl RunDir {
    /// Creates, resumes or replaces `runs/<name>`. Call it when the configuration is known to be valid.
    ///
    /// # Errors
    /// [`Error::Usage`] when the name is unfit or taken, there is nothing to resume, the folder is not a run, or the
    /// configuration is not the one that the run was started with; [`Error::Failed`] when another process works on it.
    pub fn open(runs: &Path, name: &str, existing: Existing, facts: &RunFacts) -> Result<RunDir> {
        check_name(name)?;
        let path = runs.join(name);
        match (existing, fs::symlink_metadata(&path).is_ok()) {
            (Existing::Resume, true) => resume(path, facts),
            (Existing::Resume, false) => Err(Error::Usage(format!(
                "{}: there is no such run to resume; leave out `--resume` to start it",
                path.display()
            ))),
            (Existing::Refuse, true) => Err(taken(&path)),
            (_, there) => {
                fs::create_dir_all(runs).map_err(Error::io("create", runs))?;
                remove_leftovers(runs, name);
                let old = if there { Some(lock(&path)?) } else { None };
                let made = prepare(runs, name, facts)?;
                replace(runs, name, &path, made, old)
            }
        }
    }

    /// Whether a new run could be called so: said before minutes of reading, not after.
    ///
    /// # Errors
    /// As [`RunDir::open`] with [`Existing::Refuse`].
    pub fn check_free(runs: &Path, name: &str) -> Result<()> {
        check_name(name)?;
        let path = runs.join(name);
        if fs::symlink_metadata(&path).is_ok() { Err(taken(&path)) } else { Ok(()) }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file or folder in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Whether the run existed before.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Whether `path` is a run's folder; for commands that only read.
    pub fn is_run(path: &Path) -> bool {
        path.join(MARKER).is_file()
    }
}

fn taken(path: &Path) -> Error {
    Error::Usage(format!(
        "{}: this run exists already; `--resume` goes on with it, `--force` removes it and starts anew, \
         or choose another name with `--set name=…`",
        path.display()
    ))
}

/// A name is one plain folder name: it becomes a path and part of hidden names beside it.
fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 100 || name.starts_with(['.', '-']) || !name.chars().all(plain) {
        return Err(Error::Usage(format!(
            "name: `{}` cannot name a run's folder; use up to 100 letters, digits, `-`, `_` and `.`, a letter or digit first",
            name.escape_default()
        )));
    }
    Ok(())
}

/// Opens and locks the marker of a folder that must be a run.
fn lock(path: &Path) -> Result<File> {
    let marker = path.join(MARKER);
    if !marker.is_file() {
        return Err(Error::Usage(format!(
            "{}: this is not a run's folder (no {MARKER} in it), so it is left alone; choose another name",
            path.display()
        )));
    }
    let file = OpenOptions::new().read(true).write(true).open(&marker).map_err(Error::io("open", &marker))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Error::Failed(format!("{}: another process works on this run; wait for it or stop it", path.display())))
        }
        Err(TryLockError::Error(e)) => Err(Error::io("lock", &marker)(e)),
    }
}

fn resume(path: PathBuf, facts: &RunFacts) -> Result<RunDir> {
    let lock = lock(&path)?;
    let config = path.join("config.yaml");
    let before = fs::read_to_string(&config).map_err(Error::io("read", &config))?;
    if let Some(difference) = first_difference(&before, facts.config_yaml) {
        return Err(Error::Usage(format!(
            "{}: the run was started with another configuration; {difference}. Resume it as it was started, \
             or start a run with another name",
            config.display()
        )));
    }
    let versions = path.join("versions.json");
    match fs::read(&versions).ok().and_then(|bytes| serde_json::from_slice::<Versions>(&bytes).ok()) {
        Some(then) => {
            if let Some(difference) = then.difference(facts.versions) {
                tracing::warn!("versions changed since the run was started ({difference}); bytes may differ");
            }
        }
        None => tracing::warn!("{}: cannot be read; versions are not compared", versions.display()),
    }
    Ok(RunDir { path, resumed: true, _lock: lock })
}

/// The first line that differs, in words.
fn first_difference(before: &str, now: &str) -> Option<String> {
    if before == now {
        return None;
    }
    let (mut a, mut b) = (before.lines(), now.lines());
    for line in 1.. {
        match (a.next(), b.next()) {
            (None, None) => break,
            (x, y) if x == y => {}
            (x, y) => {
                let show = |v: Option<&str>| v.map_or("nothing".to_string(), |v| format!("`{}`", v.trim()));
                return Some(format!("line {line} was {} and is {} now", show(x), show(y)));
            }
        }
    }
    Some("line ends differ".into())
}

/// A complete, locked folder under a hidden name.
fn prepare(runs: &Path, name: &str, facts: &RunFacts) -> Result<(tempfile::TempDir, File)> {
    let folder = tempfile::Builder::new()
        .prefix(&format!(".{name}.new-"))
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777)) // before the umask
        .tempdir_in(runs)
        .map_err(Error::io("create", runs))?;
    let path = folder.path();
    write_atomic(path.join(MARKER), MARKER_TEXT.as_bytes())?;
    let lock = lock(path)?;
    write_atomic(path.join("config.yaml"), facts.config_yaml.as_bytes())?;
    write_atomic(path.join("seed"), format!("{}\n", facts.seed).as_bytes())?;
    let versions = serde_json::to_string_pretty(facts.versions)
        .map_err(|e| Error::Failed(format!("cannot write versions.json: {e}")))?;
    write_atomic(path.join("versions.json"), format!("{versions}\n").as_bytes())?;
    Ok((folder, lock))
}

/// Moves the old run aside, the new one into place, then removes the old one. `old` is the old run's lock.
fn replace(
    runs: &Path,
    name: &str,
    path: &Path,
    (made, lock): (tempfile::TempDir, File),
    old: Option<File>,
) -> Result<RunDir> {
    let aside = runs.join(format!(".{name}.old-{}", std::process::id()));
    if old.is_some() {
        fs::rename(path, &aside).map_err(Error::io("move", path))?;
    }
    fs::rename(made.path(), path).map_err(|e| match e.kind() {
        // Another process was faster with the same name.
        std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::DirectoryNotEmpty => taken(path),
        _ => Error::io("create", path)(e),
    })?;
    let _ = made.keep(); // renamed: there is nothing left to remove under the hidden name
    sync_dir(runs)?;
    if old.is_some() {
        fs::remove_dir_all(&aside).map_err(Error::io("remove", &aside))?;
    }
    Ok(RunDir { path: path.to_path_buf(), resumed: false, _lock: lock })
}

/// Removes hidden folders of this name that a killed process left: marked as ours, and locked by nobody.
fn remove_leftovers(runs: &Path, name: &str) {
    let prefixes = [format!(".{name}.new-"), format!(".{name}.old-")];
    for entry in fs::read_dir(runs).into_iter().flatten().flatten() {
        let file_name = entry.file_name();
        let hidden = file_name.to_str().is_some_and(|n| prefixes.iter().any(|p| n.starts_with(p)));
        if hidden && let Ok(_lock) = lock(&entry.path()) {
            tracing::debug!("removing {}, left by a run that was killed", entry.path().display());
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions() -> Versions {
        Versions::current(None)
    }

    fn open(runs: &Path, existing: Existing, config: &str) -> Result<RunDir> {
        RunDir::open(runs, "demo", existing, &RunFacts { config_yaml: config, seed: 7, versions: &versions() })
    }

    fn entries(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_run_has_everything_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let runs = dir.path().join("runs");
        let run = open(&runs, Existing::Refuse, "name: demo\n").unwrap();
        assert!(!run.resumed() && RunDir::is_run(run.path()));
        assert_eq!(entries(run.path()), [".novice-run", "config.yaml", "seed", "versions.json"]);
        assert_eq!(fs::read_to_string(run.join("config.yaml")).unwrap(), "name: demo\n");
        assert_eq!(fs::read_to_string(run.join("seed")).unwrap(), "7\n");
        let stored: Versions = serde_json::from_slice(&fs::read(run.join("versions.json")).unwrap()).unwrap();
        assert_eq!(stored, versions());
        assert_eq!(entries(&runs), ["demo"]);
    }

    #[test]
    fn a_taken_name_is_refused_and_untouched() {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path(), Existing::Refuse, "a: 1\n").unwrap());
        let error = open(dir.path(), Existing::Refuse, "a: 2\n").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("--resume") && error.to_string().contains("--force"), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join("demo/config.yaml")).unwrap(), "a: 1\n");
        assert_eq!(entries(dir.path()), ["demo"]);
    }

    #[test]
    fn resume_keeps_the_files_and_wants_the_same_configuration() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open(dir.path(), Existing::Resume, "a: 1\n").unwrap_err().to_string().contains("no such run"));
        assert_eq!(entries(dir.path()).len(), 0);
        let run = open(dir.path(), Existing::Refuse, "a: 1\nb: 2\n").unwrap();
        fs::write(run.join("metrics.jsonl"), "{}").unwrap();
        drop(run);
        let run = open(dir.path(), Existing::Resume, "a: 1\nb: 2\n").unwrap();
        assert!(run.resumed() && run.join("metrics.jsonl").is_file());
        drop(run);
        let error = open(dir.path(), Existing::Resume, "a: 1\nb: 3\n").unwrap_err().to_string();
        assert!(error.contains("line 2 was `b: 2` and is `b: 3` now"), "{error}");
    }

    #[test]
    fn force_replaces_a_run_but_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let run = open(dir.path(), Existing::Refuse, "a: 1\n").unwrap();
        fs::write(run.join("metrics.jsonl"), "{}").unwrap();
        drop(run);
        let run = open(dir.path(), Existing::Force, "a: 2\n").unwrap();
        assert!(!run.join("metrics.jsonl").exists());
        assert_eq!(entries(dir.path()), ["demo"]);
        drop(run);
        fs::remove_file(dir.path().join("demo").join(MARKER)).unwrap();
        fs::write(dir.path().join("demo/thesis.tex"), "years of work").unwrap();
        for existing in [Existing::Force, Existing::Resume] {
            let error = open(dir.path(), existing, "a: 2\n").unwrap_err();
            assert!(error.to_string().contains("not a run's folder") && error.exit_code() == 2, "{error}");
        }
        assert!(dir.path().join("demo/thesis.tex").exists());
    }

    #[test]
    fn two_processes_cannot_hold_one_run() {
        let dir = tempfile::tempdir().unwrap();
        let run = open(dir.path(), Existing::Refuse, "a: 1\n").unwrap();
        for existing in [Existing::Resume, Existing::Force] {
            let error = open(dir.path(), existing, "a: 1\n").unwrap_err();
            assert!(error.to_string().contains("another process") && error.exit_code() == 1, "{error}");
        }
        drop(run);
        open(dir.path(), Existing::Resume, "a: 1\n").unwrap();
    }

    #[test]
    fn leftovers_of_a_killed_start_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let facts = RunFacts { config_yaml: "a: 1\n", seed: 1, versions: &versions() };
        let (folder, lock) = prepare(dir.path(), "demo", &facts).unwrap();
        let left = folder.keep();
        drop(lock);
        fs::create_dir(dir.path().join(".demo.new-not-ours")).unwrap();
        let (folder, _running) = prepare(dir.path(), "demo", &facts).unwrap();
        open(dir.path(), Existing::Refuse, "a: 1\n").unwrap();
        assert!(!left.exists(), "an abandoned folder goes");
        assert!(folder.path().exists(), "one that a process prepares right now stays");
        assert!(dir.path().join(".demo.new-not-ours").exists(), "one that is not marked stays");
    }

    #[test]
    fn names_that_are_paths_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["", ".", "..", "a/b", "/a", ".hidden", "-rf", "a b", "a\n"] {
            let facts = RunFacts { config_yaml: "", seed: 1, versions: &versions() };
            let error = RunDir::open(dir.path(), name, Existing::Force, &facts).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{name:?}: {error}");
        }
        assert_eq!(entries(dir.path()).len(), 0);
    }
}
