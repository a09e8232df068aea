//! Which part of a run's record is still true when it goes on from a checkpoint.

/// The point from which a run goes on. What was logged after it is logged again, so it is cut away first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeAt {
    /// Stages that are done: all of their record stays.
    pub done: Vec<String>,
    /// The stage that the checkpoint lies in.
    pub stage: String,
    /// Its steps that are done: the record up to and with this step stays.
    pub step: u64,
}

impl ResumeAt {
    /// The point after `step` steps of the stage with this index among the run's `stages`. An index past the end means
    /// that all of them are done.
    pub fn new(stages: &[impl AsRef<str>], stage_index: usize, step: u64) -> ResumeAt {
        let name = |s: &dyn AsRef<str>| s.as_ref().to_string();
        let done = stages.iter().take(stage_index).map(|s| name(s)).collect();
        let stage = stages.get(stage_index).map_or_else(String::new, |s| name(s));
        ResumeAt { done, stage, step }
    }

    /// The very beginning: a run that was stopped before its first checkpoint.
    pub fn start() -> ResumeAt {
        ResumeAt { done: Vec::new(), stage: String::new(), step: 0 }
    }

    /// Whether a record of this stage and step stays.
    pub fn keeps(&self, stage: &str, step: u64) -> bool {
        self.done.iter().any(|d| d == stage) || (stage == self.stage && step <= self.step)
    }

    /// The same for a tag `<stage>/…` of the TensorBoard log.
    pub fn keeps_tag(&self, tag: &str, step: u64) -> bool {
        tag.split_once('/').is_some_and(|(stage, _)| self.keeps(stage, step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays() {
        let at = ResumeAt::new(&["sft", "dpo", "dapo"], 1, 10);
        assert!(at.keeps("sft", 999) && at.keeps("dpo", 10));
        assert!(!at.keeps("dpo", 11) && !at.keeps("dapo", 0) && !at.keeps("evaluate", 0));
        assert!(at.keeps_tag("sft/loss", 999) && at.keeps_tag("dpo/time/step", 10) && !at.keeps_tag("dpo/loss", 11));
        assert!(!ResumeAt::start().keeps("sft", 0) && !ResumeAt::start().keeps_tag("loss", 0));
        assert!(ResumeAt::new(&["sft"], 1, 0).keeps("sft", 5));
    }
}
