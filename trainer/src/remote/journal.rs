//! Every answer on disk before it is used: an evaluation that was stopped goes on where it was, and asks for nothing twice.
//!
//! One answer a line, named by the hash of its request. A line is there when its end is; what a process that was killed left behind
//! the last end of line is cut off. The file is locked while it is open. It holds what was said and no key.

use super::answer::Answer;
use super::request::Identity;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// A line.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    key: String,
    #[serde(flatten)]
    identity: Identity,
    #[serde(flatten)]
    answer: Answer,
}

/// The answers so far.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    answers: HashMap<String, Answer>,
}

impl Journal {
    /// Opens the file at `path`, or makes it.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Failed`] when another process has it open; [`Error::Data`] names a line that is none of ours.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = file.map_err(Error::io("open", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("{}: another evaluation works with it; wait for it or stop it", path.display());
                return Err(Error::Failed(message));
            }
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", path)(e)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Error::io("read", path))?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(Error::io("repair", path))?;
            bytes.truncate(whole);
        }
        let mut answers = HashMap::new();
        for (number, line) in bytes.split(|b| *b == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            let entry: Entry = serde_json::from_slice(line).map_err(|e| Error::Data {
                path: path.to_path_buf(),
                line: number + 1,
                field: "answer".into(),
                message: format!("{e}; remove the line, and the question is asked again"),
            })?;
            answers.entry(entry.key).or_insert(entry.answer);
        }
        Ok(Journal { path: path.to_path_buf(), file, answers })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The answer to a request.
    pub fn get(&self, key: &str) -> Option<&Answer> {
        self.answers.get(key)
    }

    /// Keeps an answer: it is on disk when this comes back.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn keep(&mut self, key: String, identity: Identity, answer: &Answer) -> Result<()> {
        let entry = Entry { key, identity, answer: answer.clone() };
        let mut line = serde_json::to_vec(&entry).map_err(|e| Error::Failed(format!("cannot write an answer: {e}")))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(Error::io("write", &self.path))?;
        self.file.sync_data().map_err(Error::io("flush", &self.path))?;
        self.answers.insert(entry.key, entry.answer);
        Ok(())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Closing is not enough where a process is being started at this moment: until it runs, it shares the file and the lock.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(path: &Path, names: &[&str]) {
        let mut journal = Journal::open(path).unwrap();
        for name in names {
            let identity = Identity { student: "s".into(), problem: "p".into(), start: 1, sample: 0, turn: 0 };
            journal.keep(name.to_string(), identity, &answer(name)).unwrap();
        }
    }

    fn answer(name: &str) -> Answer {
        Answer { text: format!("{name}\n"), finish: None, prompt_tokens: Some(2), completion_tokens: None }
    }

    #[test]
    fn answers_come_back_and_a_torn_line_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        kept(&path, &["one", "two"]);
        let whole = std::fs::read(&path).unwrap();
        let second = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
        // Whatever the length at which the second line is torn, the first is there and the file goes on after it.
        for torn in second..whole.len() {
            std::fs::write(&path, &whole[..torn]).unwrap();
            {
                let journal = Journal::open(&path).unwrap();
                assert_eq!((journal.get("one"), journal.get("two")), (Some(&answer("one")), None));
                assert_eq!(std::fs::read(&path).unwrap(), &whole[..second]);
            }
            kept(&path, &["two"]);
            assert_eq!(std::fs::read(&path).unwrap(), whole);
        }
        assert_eq!(Journal::open(&path).unwrap().get("two"), Some(&answer("two")));
    }

    #[test]
    fn what_is_not_ours_is_named_and_two_do_not_share() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        kept(&path, &["one"]);
        let first = Journal::open(&path).unwrap();
        assert!(Journal::open(&path).unwrap_err().to_string().contains("another evaluation"));
        drop(first);
        std::fs::write(&path, "{\"key\": 1}\n").unwrap();
        assert!(Journal::open(&path).unwrap_err().to_string().contains("a.jsonl:1: answer: "));
    }
}
