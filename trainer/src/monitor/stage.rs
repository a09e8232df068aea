//! The record of one stage: what a training loop calls.

use super::progress::{Progress, Task};
use super::{Monitor, conversation_markdown, render_conversation, say, summaries};
use crate::{Error, Result};
use serde::Serialize;
use serde_json::Value;
use std::time::Instant;
use tensorboard_proto::summary::Summary;

/// Logs a stage's steps. Numbers that are not finite are `null` in JSON and themselves in TensorBoard.
pub struct StageMonitor<'m> {
    monitor: &'m mut Monitor,
    stage: String,
    progress: Progress,
}

impl<'m> StageMonitor<'m> {
    pub(super) fn new(monitor: &'m mut Monitor, stage: &str, total: u64, done: u64) -> StageMonitor<'m> {
        let task = Task { name: stage, unit: "step", total, done, begun: Instant::now() };
        let progress = Progress::new(monitor.progress, &task);
        StageMonitor { monitor, stage: stage.to_string(), progress }
    }

    /// One step's numbers, which must be the same whenever the run is repeated: a line of `metrics.jsonl`, scalars
    /// `<stage>/<name>`, and progress. The first three are shown beside the progress.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn step(&mut self, step: u64, values: &[(&str, f64)]) -> Result<()> {
        self.metrics(step, values)?;
        self.progress.step(step, values);
        Ok(())
    }

    /// As [`StageMonitor::step`], but not progress: for an evaluation between two steps.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn metrics(&mut self, step: u64, values: &[(&str, f64)]) -> Result<()> {
        self.monitor.metrics.add(&self.stage, step, fields(values))?;
        self.scalars(step, "", values)
    }

    /// Seconds, rates, sizes: whatever differs from one execution to the next. A line of `timings.jsonl`, scalars
    /// `<stage>/time/<name>`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn timing(&mut self, step: u64, values: &[(&str, f64)]) -> Result<()> {
        self.monitor.timings.add(&self.stage, step, fields(values))?;
        self.scalars(step, "time/", values)
    }

    /// A distribution, in TensorBoard only. Without a finite value nothing is written.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn histogram(&mut self, step: u64, name: &str, values: &[f64]) -> Result<()> {
        // A name of its own: TensorBoard shows a tag on one page only, and a number of this name may be there.
        match summaries::histogram(&format!("{}_histogram", self.tag(name)), values) {
            Some(summary) => self.summary(step, summary),
            None => Ok(()),
        }
    }

    /// Markdown, in TensorBoard only.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn text(&mut self, step: u64, name: &str, markdown: &str) -> Result<()> {
        self.summary(step, summaries::text(&self.tag(name), markdown))
    }

    /// A conversation, printed to stderr under a title and kept as TensorBoard text.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn conversation(&mut self, step: u64, name: &str, title: &str, turns: &[(&str, &str)]) -> Result<()> {
        self.message(&format!("{} {step}: {title}\n{}", self.stage, render_conversation(turns)));
        self.text(step, name, &format!("### {title}\n\n{}", conversation_markdown(turns)))
    }

    /// A line of `rollouts.jsonl`: `{"stage", "step", …}` with the fields of `rollout`, which must serialise to an object.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Failed`] for a value that is not an object.
    pub fn rollout(&mut self, step: u64, rollout: &impl Serialize) -> Result<()> {
        match serde_json::to_value(rollout) {
            Ok(Value::Object(fields)) => self.monitor.rollouts.add(&self.stage, step, fields),
            Ok(_) => Err(Error::Failed("rollouts.jsonl: a rollout must be an object".into())),
            Err(e) => Err(Error::Failed(format!("rollouts.jsonl: cannot serialise a rollout: {e}"))),
        }
    }

    /// Prints to stderr, above the bar.
    pub fn message(&mut self, text: &str) {
        if self.progress.is_shown() {
            say(text);
        }
    }

    /// Flushes everything to disk. Call it before a checkpoint is saved, so that no line is missing after a resume.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&mut self) -> Result<()> {
        self.monitor.sync()
    }

    /// Ends the stage: says how long it took. Without it (an error, an interrupt) the bar stays where it is.
    pub fn finish(mut self) {
        self.progress.finish();
    }

    fn tag(&self, name: &str) -> String {
        format!("{}/{name}", self.stage)
    }

    fn scalars(&mut self, step: u64, prefix: &str, values: &[(&str, f64)]) -> Result<()> {
        for (name, value) in values {
            let tag = self.tag(&format!("{prefix}{name}"));
            if let Some(events) = &mut self.monitor.events {
                events.add(summaries::scalar(&tag, *value), step)?;
            }
        }
        self.monitor.events.as_mut().map_or(Ok(()), |e| e.flush())
    }

    fn summary(&mut self, step: u64, summary: Summary) -> Result<()> {
        match &mut self.monitor.events {
            Some(events) => events.add(summary, step).and_then(|()| events.flush()),
            None => Ok(()),
        }
    }
}

fn fields(values: &[(&str, f64)]) -> impl Iterator<Item = (String, Value)> {
    values.iter().map(|(name, value)| ((*name).to_string(), Value::from(*value)))
}

#[cfg(test)]
mod tests {
    use super::super::records::read_records;
    use super::super::{MonitorOptions, ProgressMode, ResumeAt};
    use super::*;
    use protobuf::Message;
    use serde_json::json;
    use std::fs;
    use std::path::Path;
    use tensorboard_proto::event::Event;

    const QUIET: MonitorOptions = MonitorOptions { tensorboard: true, progress: ProgressMode::Off };

    fn train(run: &Path, resume: Option<ResumeAt>, from: u64, to: u64) {
        let mut monitor = Monitor::open(run, &QUIET, resume).unwrap();
        let mut stage = monitor.stage("dapo", 6);
        for step in from..=to {
            let x = step as f64;
            stage.step(step, &[("loss", 1.0 / x), ("reward", x)]).unwrap();
            stage.timing(step, &[("seconds", 0.25)]).unwrap();
            stage.histogram(step, "reward", &[-x, 0.0, x]).unwrap();
            stage.rollout(step, &json!({"id": step, "turns": ["a"]})).unwrap();
            if step % 2 == 0 {
                stage.text(step, "sample", &format!("*step {step}*")).unwrap();
            }
        }
        stage.sync().unwrap();
        stage.finish();
    }

    fn values(run: &Path) -> Vec<(i64, tensorboard_proto::summary::Summary_Value)> {
        let mut all = Vec::new();
        for entry in fs::read_dir(run.join("tensorboard")).unwrap() {
            for record in read_records(&fs::read(entry.unwrap().path()).unwrap()) {
                let event = Event::parse_from_bytes(record).unwrap();
                all.extend(event.get_summary().get_value().iter().map(|v| (event.get_step(), v.clone())));
            }
        }
        all
    }

    #[test]
    fn the_log_holds_what_was_given() {
        let dir = tempfile::tempdir().unwrap();
        train(dir.path(), None, 1, 2);
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(
            read("metrics.jsonl"),
            "{\"stage\":\"dapo\",\"step\":1,\"loss\":1.0,\"reward\":1.0}\n\
             {\"stage\":\"dapo\",\"step\":2,\"loss\":0.5,\"reward\":2.0}\n"
        );
        assert_eq!(read("rollouts.jsonl").lines().next(), Some(r#"{"stage":"dapo","step":1,"id":1,"turns":["a"]}"#));
        assert_eq!(read("timings.jsonl").lines().count(), 2);
        let values = values(dir.path());
        let tags: Vec<(i64, &str)> = values.iter().map(|(s, v)| (*s, v.get_tag())).collect();
        let of = |s| [(s, "dapo/loss"), (s, "dapo/reward"), (s, "dapo/time/seconds"), (s, "dapo/reward_histogram")];
        assert_eq!(tags, [&of(1)[..], &of(2)[..], &[(2, "dapo/sample")][..]].concat());
        assert_eq!(values[4].1.get_simple_value(), 0.5);
        assert_eq!(values[7].1.get_tensor().get_double_val().chunks_exact(3).map(|row| row[2]).sum::<f64>(), 3.0);
        let text = &values[8].1;
        assert_eq!(text.get_metadata().get_plugin_data().get_plugin_name(), "text");
        assert_eq!(text.get_tensor().get_string_val()[0], b"*step 2*");
    }

    #[test]
    fn a_resumed_log_equals_one_that_was_never_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let (whole, resumed) = (dir.path().join("whole"), dir.path().join("resumed"));
        for run in [&whole, &resumed] {
            fs::create_dir(run).unwrap();
        }
        train(&whole, None, 1, 6);
        train(&resumed, None, 1, 5);
        train(&resumed, Some(ResumeAt::new(&["dapo"], 0, 3)), 4, 6);
        for name in ["metrics.jsonl", "rollouts.jsonl"] {
            assert_eq!(fs::read(whole.join(name)).unwrap(), fs::read(resumed.join(name)).unwrap(), "{name}");
        }
        assert_eq!(values(&whole), values(&resumed));
    }

    #[test]
    fn numbers_that_are_not_finite_are_null_in_json() {
        let dir = tempfile::tempdir().unwrap();
        let mut monitor = Monitor::open(dir.path(), &QUIET, None).unwrap();
        let mut stage = monitor.stage("sft", 1);
        stage.step(1, &[("loss", f64::NAN), ("norm", f64::INFINITY)]).unwrap();
        stage.histogram(1, "empty", &[f64::NAN]).unwrap();
        assert!(stage.rollout(1, &3).is_err());
        drop(stage);
        let line = fs::read_to_string(dir.path().join("metrics.jsonl")).unwrap();
        assert_eq!(line, "{\"stage\":\"sft\",\"step\":1,\"loss\":null,\"norm\":null}\n");
        let values = values(dir.path());
        assert!(values.len() == 2 && values[0].1.get_simple_value().is_nan());
    }

    #[test]
    fn without_tensorboard_there_is_no_such_folder() {
        let dir = tempfile::tempdir().unwrap();
        let mut monitor = Monitor::open(dir.path(), &MonitorOptions { tensorboard: false, ..QUIET }, None).unwrap();
        let mut stage = monitor.stage("sft", 1);
        stage.step(1, &[("loss", 1.0)]).unwrap();
        stage.text(1, "x", "y").unwrap();
        stage.finish();
        assert!(!dir.path().join("tensorboard").exists());
    }
}
