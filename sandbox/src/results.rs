//! Reports that are known already: the same guest, settings, problem and program always give the same report.
//!
//! In memory, and with [`crate::EngineOptions::keep_reports`] also in a file of the cache folder, one line a report: key, checksum, report
//! as JSON. Lines are only appended, so processes may share the file and one that is killed spoils at most the line that it was writing;
//! a line whose checksum is wrong is passed over.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::course::Problem;
use crate::engine::Engine;
use crate::report::Report;

/// A file of reports that has grown beyond this many bytes is begun anew.
const FILE_LIMIT: u64 = 512 << 20;
/// Hexadecimal digits of a line's checksum.
const CHECK: usize = 16;

/// A bounded, thread-safe map from content to report.
pub struct Results {
    /// Hash of everything but problem and program.
    base: blake3::Hash,
    capacity: usize,
    known: Mutex<HashMap<blake3::Hash, Report>>,
    kept: Option<Mutex<File>>,
}

impl Results {
    /// What is known of this engine's reports. A file that cannot be used only costs grading again.
    pub fn new(engine: &Engine) -> Results {
        let options = engine.options();
        let settings = (
            engine.guest_hash(),
            options.memory_mb,
            options.timeout_ms,
            options.output_bytes,
            &options.deviations,
            env!("NOVICE_SANDBOX_SOURCES"),
        );
        let base = blake3::hash(format!("{settings:?}").as_bytes());
        let mut known = HashMap::new();
        let wanted = options.keep_reports && options.cached_reports > 0;
        let kept = engine.cache_folder().filter(|_| wanted).and_then(|folder| {
            let name = format!("reports-{}.jsonl", base.to_hex().get(..16).unwrap_or_default());
            read(&folder.join(name), options.cached_reports, &mut known).ok()
        });
        Results { base, capacity: options.cached_reports, known: Mutex::new(known), kept: kept.map(Mutex::new) }
    }

    /// The key of a submission.
    pub fn key(&self, problem: &Problem, code: &str) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.base.as_bytes()).update(problem.digest.as_bytes()).update(code.as_bytes());
        hasher.finalize()
    }

    /// The report, if known.
    pub fn get(&self, key: &blake3::Hash) -> Option<Report> {
        if self.capacity == 0 {
            return None;
        }
        lock(&self.known).get(key).cloned()
    }

    /// Remember a report. A full map starts again from nothing: reports are cheap to make anew.
    pub fn put(&self, key: blake3::Hash, report: &Report) {
        if self.capacity == 0 {
            return;
        }
        let mut known = lock(&self.known);
        if known.len() >= self.capacity {
            known.clear();
        }
        known.insert(key, report.clone());
        drop(known);
        if let (Some(file), Some(line)) = (&self.kept, write(&key, report)) {
            // A full disk costs grading again, no more.
            let _ = lock(file).write_all(line.as_bytes());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Open a file of reports, made if it is not there, and take in what it holds.
fn read(path: &Path, capacity: usize, known: &mut HashMap<blake3::Hash, Report>) -> std::io::Result<File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    if file.metadata()?.len() > FILE_LIMIT {
        file.set_len(0)?;
    }
    let mut reader = BufReader::new(&file);
    let mut line = Vec::new();
    while known.len() < capacity {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        known.extend(parse(&line));
    }
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != *b"\n" {
        file.write_all(b"\n")?; // whoever wrote the last line did not finish it
    }
    Ok(file)
}

fn check(key: &str, report: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.as_bytes()).update(report.as_bytes());
    hasher.finalize().to_hex().get(..CHECK).unwrap_or_default().to_string()
}

fn write(key: &blake3::Hash, report: &Report) -> Option<String> {
    let (key, report) = (key.to_hex(), serde_json::to_string(report).ok()?);
    Some(format!("{key} {} {report}\n", check(&key, &report)))
}

fn parse(line: &[u8]) -> Option<(blake3::Hash, Report)> {
    let (key, rest) = std::str::from_utf8(line).ok()?.trim_end().split_once(' ')?;
    let (sum, report) = rest.split_once(' ')?;
    if sum != check(key, report) {
        return None;
    }
    Some((blake3::Hash::from_hex(key).ok()?, serde_json::from_str(report).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;
    use crate::report::TestReport;

    fn report(grade: f64) -> Report {
        let test = TestReport {
            name: "f(1)\n".into(),
            outcome: Outcome::WrongAnswer,
            message: "expected 'ä', got \u{0}".into(),
            trace: String::new(),
            output: "x".into(),
            earned: grade / 3.0,
            possible: 1.0,
            weight: 0.1,
            hidden: true,
        };
        Report { grade, verdict: Outcome::WrongAnswer, tests: vec![test], stdout_bytes: 3, instructions: u64::MAX }
    }

    #[test]
    fn a_file_gives_back_what_was_written_and_passes_over_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reports.jsonl");
        let keys: Vec<blake3::Hash> = (0..4u8).map(|i| blake3::hash(&[i])).collect();
        let mut text = String::new();
        for (i, key) in keys.iter().enumerate() {
            text += &write(key, &report(100.0 / (3.0 + i as f64))).unwrap();
        }
        let damaged = text.replacen("25.0", "99.0", 1); // the second report's grade
        let cut = damaged.len() - 40; // a process killed while it wrote the fourth
        std::fs::write(&path, &damaged.as_bytes()[..cut]).unwrap();

        let mut known = HashMap::new();
        let mut file = read(&path, 10, &mut known).unwrap();
        assert_eq!(known.len(), 2);
        assert_eq!(known[&keys[0]], report(100.0 / 3.0));
        assert_eq!(known[&keys[2]], report(20.0));
        file.write_all(write(&keys[3], &report(1.0)).unwrap().as_bytes()).unwrap();
        known.clear();
        read(&path, 10, &mut known).unwrap();
        assert_eq!(known[&keys[3]], report(1.0));
        assert_eq!(known.len(), 3);
    }
}
