//! A rollout as one line of JSON, beside what the student did; and such a line read back, so that another reward can score it.
//!
//! A line holds all that a reward looks at except the student's own course, which the run's data have.

use super::{End, Rollout, Scored, Turn};
use crate::dialogue::{Unclosed, extract_program};
use crate::error::{Error, Result};
use crate::traces::Trajectory;
use novice_sandbox::{FeedbackLevel, Outcome, Report, TestReport};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What a line of `rollouts.jsonl` holds.
#[derive(Debug, Serialize)]
pub struct RolloutLine<'a> {
    student: &'a str,
    problem: &'a str,
    /// Real submissions before the rollout.
    start: usize,
    sample: usize,
    reward: f64,
    /// Every reward and its parts by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    rewards: BTreeMap<&'a str, f64>,
    end: Option<End>,
    turns: Vec<TurnLine<'a>>,
    /// The grades of the student's own submissions from there on.
    real_grades: Vec<f64>,
}

/// What a line of `evaluation/students.jsonl` holds: a student's own way through a problem, all of it.
#[derive(Debug, Serialize)]
pub struct StudentLine<'a> {
    student: &'a str,
    problem: &'a str,
    steps: Vec<StepLine<'a>>,
}

#[derive(Debug, Serialize)]
struct StepLine<'a> {
    code: &'a str,
    grade: f64,
    verdict: Outcome,
    tests: Vec<Outcome>,
    /// What the grader says to it, nothing left out.
    feedback: String,
}

impl<'a> StudentLine<'a> {
    /// The line of a trajectory.
    pub fn new(trajectory: &'a Trajectory) -> Self {
        let steps = trajectory.steps.iter().map(|step| StepLine {
            code: &step.code,
            grade: step.report.grade,
            verdict: step.report.verdict,
            tests: step.report.tests.iter().map(|test| test.outcome).collect(),
            feedback: step.report.feedback(FeedbackLevel::Full),
        });
        StudentLine { student: &trajectory.student, problem: &trajectory.problem, steps: steps.collect() }
    }
}

#[derive(Debug, Serialize)]
struct TurnLine<'a> {
    text: &'a str,
    /// The program, where it is not in the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    malformed: Option<&'a str>,
    grade: Option<f64>,
    verdict: Option<Outcome>,
    /// How each test ended.
    tests: Vec<Outcome>,
    feedback: &'a str,
    tokens: usize,
    /// Whether the learner ended the turn, rather than the limit of tokens.
    stopped: bool,
}

impl<'a> RolloutLine<'a> {
    /// The line of the `sample`-th rollout that took over after `position` submissions of `trajectory`.
    pub fn new(
        trajectory: &'a Trajectory,
        position: usize,
        sample: usize,
        rollout: &'a Rollout,
        reward: f64,
        scored: Option<&'a Scored>,
    ) -> Self {
        let turns = rollout.turns.iter().map(|t| TurnLine {
            text: &t.text,
            program: t.program.as_deref().filter(|program| !holds(&t.text, program)),
            malformed: t.malformed.as_deref(),
            grade: t.report.as_ref().map(|r| r.grade),
            verdict: t.report.as_ref().map(|r| r.verdict),
            tests: t.report.iter().flat_map(|r| &r.tests).map(|test| test.outcome).collect(),
            feedback: &t.feedback,
            tokens: t.tokens.len(),
            stopped: t.stopped,
        });
        let components = scored.map(|s| s.components.as_slice()).unwrap_or_default();
        RolloutLine {
            student: &trajectory.student,
            problem: &trajectory.problem,
            start: position,
            sample,
            reward,
            rewards: components.iter().map(|(name, value)| (name.as_str(), *value)).collect(),
            end: rollout.end,
            turns: turns.collect(),
            real_grades: trajectory.steps.iter().skip(position).map(|s| s.report.grade).collect(),
        }
    }
}

/// Whether a turn's text says its program without the program before it: in a fence, or bare.
fn holds(text: &str, program: &str) -> bool {
    text == program || extract_program(text, Unclosed::Refuse) == Some(program)
}

/// A line read back.
#[derive(Debug, Clone)]
pub struct SavedRollout {
    /// The training step that it was made in; 0 for an evaluation's.
    pub step: u64,
    /// Who was simulated, or the policy's name in an evaluation.
    pub policy: Option<String>,
    /// The student that it stands beside.
    pub student: String,
    /// The problem.
    pub problem: String,
    /// Real submissions before it.
    pub start: usize,
    /// Its number in its group.
    pub sample: usize,
    /// The reward that it earned.
    pub reward: f64,
    /// What was done. Tokens are as many as there were, and all 0: the line does not hold them.
    pub rollout: Rollout,
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    step: u64,
    policy: Option<String>,
    student: String,
    problem: String,
    start: usize,
    #[serde(default)]
    sample: usize,
    reward: f64,
    end: Option<End>,
    turns: Vec<TurnRead>,
}

#[derive(Deserialize)]
struct TurnRead {
    text: String,
    program: Option<String>,
    malformed: Option<String>,
    grade: Option<f64>,
    verdict: Option<Outcome>,
    tests: Vec<Outcome>,
    #[serde(default)]
    feedback: String,
    tokens: usize,
    stopped: bool,
}

/// Reads a file of rollouts.
///
/// # Errors
/// [`Error::Io`]; [`Error::Data`] names the line and what is missing in it.
pub fn read_rollouts(path: &Path) -> Result<Vec<SavedRollout>> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| match serde_json::from_str::<Line>(line) {
            Ok(line) => Ok(saved(line)),
            Err(e) => Err(Error::Data {
                path: path.to_path_buf(),
                line: index + 1,
                field: "rollout".into(),
                message: format!("{e}; a line as this version of novice writes it is expected"),
            }),
        })
        .collect()
}

fn saved(line: Line) -> SavedRollout {
    let turns = line.turns.into_iter().map(turn).collect();
    SavedRollout {
        step: line.step,
        policy: line.policy,
        student: line.student,
        problem: line.problem,
        start: line.start,
        sample: line.sample,
        reward: line.reward,
        rollout: Rollout { turns, end: line.end },
    }
}

fn turn(read: TurnRead) -> Turn {
    let report = read.verdict.map(|verdict| {
        let test = |outcome: Outcome| TestReport {
            name: String::new(),
            outcome,
            message: String::new(),
            trace: String::new(),
            output: String::new(),
            earned: f64::from(u8::from(outcome == Outcome::Passed)),
            possible: 1.0,
            weight: 1.0,
            hidden: false,
        };
        let tests = read.tests.into_iter().map(test).collect();
        Report { grade: read.grade.unwrap_or(0.0), verdict, tests, stdout_bytes: 0, instructions: 0 }
    });
    // A policy without a model hands in bare programs; what was graded and holds no fence is one.
    let fenced = || extract_program(&read.text, Unclosed::Refuse).map(String::from);
    let program = report.as_ref().map(|_| read.program.clone().or_else(fenced).unwrap_or_else(|| read.text.clone()));
    Turn {
        tokens: vec![0; read.tokens],
        log_probs: Vec::new(),
        stopped: read.stopped,
        text: read.text,
        program,
        malformed: read.malformed,
        report,
        feedback: read.feedback,
        reply: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::testing::{graded, report};

    fn turn(text: &str, program: Option<&str>, grade: f64) -> Turn {
        Turn {
            tokens: vec![7; 5],
            log_probs: Vec::new(),
            stopped: program.is_some(),
            text: text.into(),
            program: program.map(String::from),
            malformed: None,
            report: program.map(|_| report(grade)),
            feedback: "told".into(),
            reply: Vec::new(),
        }
    }

    /// The turn in which a learner gives up is no submission: beside a student who stopped there, nothing could be closer.
    #[test]
    fn giving_up_where_the_student_did_is_the_same_end() {
        let trajectory = graded(&[0.0, 50.0]);
        let beside = crate::rollout::Beside { trajectory: &trajectory, position: 1, turns: 3, max_new_tokens: 8 };
        let one = turn("```python\nx = 2\n```", Some("x = 2"), 50.0);
        let silent = Turn { stopped: true, ..turn("", None, 0.0) };
        let gave_up = Rollout { turns: vec![one.clone(), silent.clone()], end: Some(End::GaveUp) };
        let malformed = Rollout { turns: vec![one, silent], end: Some(End::Malformed) };
        let rewards = [crate::config::WeightedReward { name: novice_rewards::RewardName::Ending, weight: 1.0 }];
        let of = |rollout| crate::rollout::score(beside, &[rollout], &rewards)[0].total;
        assert_eq!(of(&gave_up), 1.0);
        assert!(of(&malformed) < 1.0);
        let line = RolloutLine::new(&trajectory, 1, 0, &gave_up, 1.0, None);
        assert!(serde_json::to_string(&line).unwrap().contains(r#""end":"gave_up""#));
    }

    #[test]
    fn a_line_read_back_scores_as_the_rollout_did() {
        let trajectory = graded(&[0.0, 50.0, 100.0]);
        let turns = vec![
            turn("```python\nx = 2\n```", Some("x = 2"), 50.0),
            turn("x = 3", Some("x = 3"), 100.0),
            turn("```diff\n@@ -1 +1 @@\n-x = 3\n+x = 1\n```", Some("x = 1"), 100.0),
            Turn { malformed: Some("why".into()), ..turn("```python\nx =", None, 0.0) },
        ];
        let rollout = Rollout { turns, end: Some(End::OutOfTokens) };
        let line = RolloutLine::new(&trajectory, 1, 2, &rollout, 0.25, None);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rollouts.jsonl");
        std::fs::write(&path, serde_json::to_string(&line).unwrap() + "\n\n").unwrap();
        let read = read_rollouts(&path).unwrap();
        assert_eq!((read.len(), read[0].sample, read[0].reward), (1, 2, 0.25));
        let programs: Vec<_> = read[0].rollout.turns.iter().map(|t| t.program.as_deref()).collect();
        assert_eq!(programs, [Some("x = 2"), Some("x = 3"), Some("x = 1"), None]);
        assert_eq!(read[0].rollout.turns[3].malformed.as_deref(), Some("why"));
        let written = std::fs::read_to_string(&path).unwrap();
        assert_eq!(written.matches("\"program\":").count(), 1, "only where the text does not say it");
        let beside = crate::rollout::Beside { trajectory: &trajectory, position: 1, turns: 4, max_new_tokens: 8 };
        for name in novice_rewards::RewardName::all() {
            let rewards = [crate::config::WeightedReward { name, weight: 1.0 }];
            let of = |rollout| crate::rollout::score(beside, &[rollout], &rewards);
            assert_eq!(of(&rollout), of(&read[0].rollout), "{name}");
        }
        std::fs::write(&path, "{\"student\": 1}").unwrap();
        assert!(read_rollouts(&path).unwrap_err().to_string().contains("rollouts.jsonl:1: rollout"));
    }
}
