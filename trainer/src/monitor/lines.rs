//! JSON lines: one object a line, appended as it happens, cut back on resume.
//!
//! Each line goes to the system in one `write`, so a killed process leaves whole lines and at most one part of a line
//! at the end; cutting back removes that part.

use super::resume::ResumeAt;
use crate::files::write_atomic;
use crate::{Error, Result};
use serde_json::{Map, Value};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file of JSON lines that is open for appending.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: File,
}

impl Lines {
    /// Opens `path`. With `resume`, lines after that point are removed; without, the file starts empty.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(path: &Path, resume: Option<&ResumeAt>) -> Result<Lines> {
        match resume {
            None => fs::write(path, b"").map_err(Error::io("create", path))?,
            Some(at) => cut_back(path, at)?,
        }
        let file = OpenOptions::new().append(true).create(true).open(path).map_err(Error::io("open", path))?;
        Ok(Lines { path: path.to_path_buf(), file })
    }

    /// Appends `{"stage": …, "step": …, …fields}`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn add(&mut self, stage: &str, step: u64, fields: impl IntoIterator<Item = (String, Value)>) -> Result<()> {
        let mut object = Map::new();
        object.insert("stage".into(), stage.into());
        object.insert("step".into(), step.into());
        object.extend(fields);
        let line = format!("{}\n", Value::Object(object));
        self.file.write_all(line.as_bytes()).map_err(Error::io("write", &self.path))
    }

    /// Flushes to disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(Error::io("write", &self.path))
    }
}

/// Removes the lines that the resumed run will write again, and a last line that was cut off.
fn cut_back(path: &Path, at: &ResumeAt) -> Result<()> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::io("read", path)(e)),
    };
    let mut kept = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        if line.ends_with(b"\n") && place(line).is_some_and(|(stage, step)| at.keeps(&stage, step)) {
            kept.extend_from_slice(line);
        }
    }
    if kept == bytes { Ok(()) } else { write_atomic(path, &kept) }
}

/// A line's stage and step.
fn place(line: &[u8]) -> Option<(String, u64)> {
    #[derive(serde::Deserialize)]
    struct Place {
        stage: String,
        step: u64,
    }
    let place: Place = serde_json::from_slice(line).ok()?;
    Some((place.stage, place.step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(lines: &mut Lines, stage: &str, steps: std::ops::RangeInclusive<u64>) {
        for step in steps {
            lines.add(stage, step, [("loss".to_string(), Value::from(1.0 / step as f64))]).unwrap();
        }
    }

    #[test]
    fn resumed_is_byte_for_byte_what_it_would_have_been() {
        let dir = tempfile::tempdir().unwrap();
        let (whole, resumed) = (dir.path().join("a"), dir.path().join("b"));
        let mut lines = Lines::open(&whole, None).unwrap();
        fill(&mut lines, "sft", 1..=10);
        fill(&mut lines, "dpo", 1..=10);
        let mut lines = Lines::open(&resumed, None).unwrap();
        fill(&mut lines, "sft", 1..=10);
        fill(&mut lines, "dpo", 1..=7);
        lines.file.write_all(b"{\"stage\":\"dpo\",\"st").unwrap();
        drop(lines);
        let at = ResumeAt { done: vec!["sft".into()], stage: "dpo".into(), step: 4 };
        fill(&mut Lines::open(&resumed, Some(&at)).unwrap(), "dpo", 5..=10);
        assert_eq!(fs::read_to_string(&resumed).unwrap(), fs::read_to_string(&whole).unwrap());
    }

    #[test]
    fn a_cut_last_line_goes_even_when_it_would_parse() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "{\"stage\":\"sft\",\"step\":1}\n{\"stage\":\"sft\",\"step\":2}").unwrap();
        Lines::open(&path, Some(&ResumeAt::new(&["sft"], 0, 9))).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"stage\":\"sft\",\"step\":1}\n");
    }

    #[test]
    fn from_the_start_nothing_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fill(&mut Lines::open(&path, None).unwrap(), "sft", 1..=3);
        Lines::open(&path, Some(&ResumeAt::start())).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
    }
}
