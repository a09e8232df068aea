//! A TensorBoard log: one event file a run folder, through `tensorboard-rs`'s record writer and message types.
//!
//! Its `SummaryWriter` is not used: it panics when the disk is full, and two of them in one second overwrite each
//! other's file. On resume the log is rewritten: everything up to the checkpoint is copied into a new file, the old files
//! are emptied, so no point is shown twice. Every file begins with a session start; on the second one, a TensorBoard that
//! is already open forgets what it has read.
//!
//! Events carry the time at which they were written, so these files are not the same bytes from run to run.

use super::records::read_records;
use super::resume::ResumeAt;
use crate::files::sync_dir;
use crate::{Error, Result};
use protobuf::Message;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use tensorboard_proto::event::{Event, SessionLog, SessionLog_SessionStatus};
use tensorboard_proto::summary::Summary;
use tensorboard_rs::record_writer::RecordWriter;

/// TensorBoard reads files whose names contain this.
const NAME: &str = "events.out.tfevents";

/// Sets files of one process and one second apart.
static FILES: AtomicU64 = AtomicU64::new(0);

/// An event file that is open for appending.
pub struct EventLog {
    path: PathBuf,
    file: File,
    records: RecordWriter<BufWriter<File>>,
}

impl EventLog {
    /// Opens a log in `folder`. With `resume`, events up to that point are carried over from the files that are there;
    /// without, the log starts empty.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(folder: &Path, resume: Option<&ResumeAt>) -> Result<EventLog> {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let old = event_files(folder)?;
        let kept = match resume {
            Some(resume) => kept_events(&old, resume)?,
            None => Vec::new(),
        };
        let (seconds, _) = now();
        let count = FILES.fetch_add(1, Ordering::Relaxed);
        let name = format!("{NAME}.{:010}.novice.{}.{count}", seconds as u64, std::process::id());
        // Complete under a name that TensorBoard does not read; then it takes its name, then the old files go. A kill in
        // between leaves both, which `kept_events` and TensorBoard tell apart by the session start.
        let unfinished = folder.join(".unfinished");
        let path = folder.join(&name);
        let file = File::create(&unfinished).map_err(Error::io("create", &unfinished))?;
        let writer = BufWriter::new(file.try_clone().map_err(Error::io("create", &unfinished))?);
        let mut log = EventLog { path: path.clone(), file, records: RecordWriter::new(writer) };
        log.begin()?;
        for event in &kept {
            log.write(event)?;
        }
        log.sync()?;
        fs::rename(&unfinished, &path).map_err(Error::io("create", &path))?;
        for path in &old {
            retire(path)?;
        }
        sync_dir(folder)?;
        Ok(log)
    }

    /// Appends a summary.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn add(&mut self, summary: Summary, step: u64) -> Result<()> {
        let mut event = Event::new();
        event.set_wall_time(now().1);
        event.set_step(step as i64);
        event.set_summary(summary);
        self.write(&event)
    }

    /// Hands everything to the system, so that TensorBoard sees it and a kill does not lose it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn flush(&mut self) -> Result<()> {
        self.records.flush().map_err(Error::io("write", &self.path))
    }

    /// Flushes to disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&mut self) -> Result<()> {
        self.flush()?;
        self.file.sync_all().map_err(Error::io("write", &self.path))
    }

    /// What every event file begins with. The second session start that TensorBoard sees is a restart to it.
    fn begin(&mut self) -> Result<()> {
        let mut version = Event::new();
        version.set_wall_time(now().1);
        version.set_file_version("brain.Event:2".into());
        self.write(&version)?;
        let mut session = SessionLog::new();
        session.set_status(SessionLog_SessionStatus::START);
        let mut start = Event::new();
        start.set_wall_time(now().1);
        start.set_session_log(session);
        self.write(&start)
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        let bytes = event
            .write_to_bytes()
            .map_err(|e| Error::Failed(format!("{}: cannot serialise an event: {e}", self.path.display())))?;
        self.records.write(&bytes).map_err(Error::io("write", &self.path))
    }
}

/// Takes an event file out of the log: empties it, or removes it when it is empty. One that a TensorBoard has open must
/// still be there for its slower loader to get to the next file.
fn retire(path: &Path) -> Result<()> {
    let length = fs::metadata(path).map_err(Error::io("read", path))?.len();
    if length == 0 {
        return fs::remove_file(path).map_err(Error::io("remove", path));
    }
    fs::write(path, b"").map_err(Error::io("empty", path))
}

/// Seconds since 1970, whole and with fraction.
fn now() -> (f64, f64) {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
    (seconds.floor(), seconds)
}

/// The folder's event files in the order in which TensorBoard reads them: by name.
fn event_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        if path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(NAME)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Summaries up to the point of resuming, in order. Tags begin with the name of their stage.
fn kept_events(files: &[PathBuf], resume: &ResumeAt) -> Result<Vec<Event>> {
    let mut kept = Vec::new();
    for path in files {
        let bytes = fs::read(path).map_err(Error::io("read", path))?;
        for record in read_records(&bytes) {
            let Ok(event) = Event::parse_from_bytes(record) else { continue };
            if event.has_session_log() {
                kept.clear(); // this file carries over all that the ones before it hold
            }
            let step = u64::try_from(event.get_step()).unwrap_or(0);
            let values = event.get_summary().get_value();
            if event.has_summary() && values.iter().all(|v| resume.keeps_tag(v.get_tag(), step)) {
                kept.push(event);
            }
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::summaries;

    /// (tag, step) of every summary, and the number of files with any content.
    fn read(folder: &Path) -> (Vec<(String, i64)>, usize) {
        let files = event_files(folder).unwrap();
        let (mut all, mut count) = (Vec::new(), 0);
        for path in &files {
            let bytes = fs::read(path).unwrap();
            if bytes.is_empty() {
                continue; // a retired one
            }
            count += 1;
            let records = read_records(&bytes);
            let first = Event::parse_from_bytes(records[0]).unwrap();
            assert_eq!(first.get_file_version(), "brain.Event:2");
            for record in records {
                let event = Event::parse_from_bytes(record).unwrap();
                for value in event.get_summary().get_value() {
                    all.push((value.get_tag().to_string(), event.get_step()));
                }
            }
        }
        (all, count)
    }

    fn fill(log: &mut EventLog, stage: &str, steps: std::ops::RangeInclusive<u64>) {
        for step in steps {
            log.add(summaries::scalar(&format!("{stage}/loss"), step as f64), step).unwrap();
        }
        log.flush().unwrap();
    }

    #[test]
    fn resuming_carries_over_what_was_before_the_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = EventLog::open(dir.path(), None).unwrap();
        fill(&mut log, "sft", 1..=3);
        fill(&mut log, "dpo", 1..=4);
        // The kill came in the middle of a record.
        let path = event_files(dir.path()).unwrap().remove(0);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();

        let at = ResumeAt { done: vec!["sft".into()], stage: "dpo".into(), step: 2 };
        let mut log = EventLog::open(dir.path(), Some(&at)).unwrap();
        fill(&mut log, "dpo", 3..=5);
        let (all, files) = read(dir.path());
        let expected: Vec<(String, i64)> =
            (1..=3).map(|s| ("sft/loss".into(), s)).chain((1..=5).map(|s| ("dpo/loss".into(), s))).collect();
        assert_eq!((all, files), (expected, 1));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "the retired one, and nothing unfinished");
        EventLog::open(dir.path(), Some(&at)).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "retired ones do not pile up");
    }

    #[test]
    fn a_kill_while_resuming_does_not_double_the_log() {
        let dir = tempfile::tempdir().unwrap();
        fill(&mut EventLog::open(dir.path(), None).unwrap(), "sft", 1..=3);
        let old = event_files(dir.path()).unwrap().remove(0);
        let bytes = fs::read(&old).unwrap();
        let at = ResumeAt::new(&["sft"], 0, 2);
        drop(EventLog::open(dir.path(), Some(&at)).unwrap());
        fs::write(&old, bytes).unwrap(); // as if it had not been removed yet
        drop(EventLog::open(dir.path(), Some(&at)).unwrap());
        assert_eq!(read(dir.path()), (vec![("sft/loss".into(), 1), ("sft/loss".into(), 2)], 1));
    }

    #[test]
    fn a_fresh_log_has_no_past() {
        let dir = tempfile::tempdir().unwrap();
        fill(&mut EventLog::open(dir.path(), None).unwrap(), "sft", 1..=3);
        fill(&mut EventLog::open(dir.path(), None).unwrap(), "sft", 1..=2);
        assert_eq!(read(dir.path()), (vec![("sft/loss".into(), 1), ("sft/loss".into(), 2)], 1));
    }
}
