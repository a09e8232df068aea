//! A step's rollouts token by token: `rollouts/000012.jsonl`, one object a rollout.
//!
//! Besides the fields of `rollouts.jsonl` a line holds the tokens that the loss is made of, so that a step can be looked at, or trained on
//! again, without a model: `prompt` (ids), and behind it, as long as each other, `ids`, `tokens` (their text), `mask` (1: drawn by the
//! policy, and counted by the loss), `log_probs` (when they were drawn; null for what the policy was told) and `advantages`. A group
//! without differences has advantages of 0. A step that is made again after a resume replaces its file by the same bytes.

use super::group::{Group, Played};
use crate::error::{Error, Result};
use crate::files::write_atomic;
use crate::rollout::{Rollout, RolloutLine, Start};
use crate::tokens::Tokenizer;
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct Line<'a> {
    step: usize,
    #[serde(flatten)]
    rollout: RolloutLine<'a>,
    prompt: &'a [u32],
    #[serde(flatten)]
    drawn: Drawn,
}

/// Parallel to each other: every token behind the prompt.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Drawn {
    ids: Vec<u32>,
    tokens: Vec<String>,
    mask: Vec<u8>,
    log_probs: Vec<Option<f32>>,
    advantages: Vec<f64>,
}

impl Drawn {
    /// `advantages`: one for each drawn token. `counts`: whether the loss sees them.
    fn new(rollout: &Rollout, advantages: &[f64], counts: bool, tokenizer: &Tokenizer) -> Result<Self> {
        let mut all = Drawn::default();
        let mut advantages = advantages.iter().copied();
        for turn in &rollout.turns {
            for (&id, &log_prob) in turn.tokens.iter().zip(&turn.log_probs) {
                all.push(id, u8::from(counts), Some(log_prob), advantages.next().unwrap_or(0.0), tokenizer)?;
            }
            for &id in &turn.reply {
                all.push(id, 0, None, 0.0, tokenizer)?;
            }
        }
        Ok(all)
    }

    fn push(&mut self, id: u32, mask: u8, log_prob: Option<f32>, advantage: f64, tokenizer: &Tokenizer) -> Result<()> {
        self.ids.push(id);
        self.tokens.push(tokenizer.decode(&[id])?);
        self.mask.push(mask);
        self.log_probs.push(log_prob);
        self.advantages.push(advantage);
        Ok(())
    }
}

/// The lines of one step.
#[derive(Default)]
pub(super) struct StepFile {
    text: String,
}

impl StepFile {
    /// Adds the rollouts of a start. `group`: what they are to the loss, where they are anything.
    ///
    /// # Errors
    /// The tokenizer's.
    pub fn add(
        &mut self,
        step: usize,
        start: &Start,
        played: &Played,
        group: Option<&Group>,
        tokenizer: &Tokenizer,
    ) -> Result<()> {
        for (sample, rollout) in played.rollouts.iter().enumerate() {
            let member = group.and_then(|group| group.members.get(sample));
            let (advantages, counts) = member.map_or((&[][..], true), |m| (m.advantages.as_slice(), m.counts));
            let line = Line {
                step: step + 1,
                rollout: played.line(sample),
                prompt: &start.prompt,
                drawn: Drawn::new(rollout, advantages, counts, tokenizer)?,
            };
            let line = serde_json::to_string(&line);
            self.text += &line.map_err(|e| Error::Failed(format!("cannot serialise a rollout: {e}")))?;
            self.text.push('\n');
        }
        Ok(())
    }

    /// Writes the file of `step` into the run's folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, run: &Path, step: usize) -> Result<()> {
        let folder = run.join("rollouts");
        std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        write_atomic(folder.join(format!("{:06}.jsonl", step + 1)), self.text.as_bytes())
    }
}
