//! Settings of the dialogue: how a trajectory becomes turns, and turns become tokens.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How a trajectory is told as a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DialogueSettings {
    /// System prompt; the built-in one when absent. An empty text leaves the turn out.
    pub system_prompt: Option<String>,
    /// How a submission after the first is written.
    pub representation: Representation,
    /// What the grader's turns say.
    pub feedback: Feedback,
    /// Longest conversation in tokens; older turns are dropped first, the preamble (system and problem) never.
    pub max_tokens: usize,
    /// Tokens kept free for the submission that is to be predicted.
    pub reserve_tokens: usize,
    /// Texts that end a simulated learner's turn as soon as one of them is written, besides the stop token.
    pub stop: Vec<String>,
    /// Teach giving up: a student who stops unsolved says nothing more, and a simulated learner that says nothing has given up.
    pub give_up: bool,
}

impl Default for DialogueSettings {
    fn default() -> Self {
        DialogueSettings {
            system_prompt: None,
            representation: Representation::Code,
            feedback: Feedback::Full,
            max_tokens: 2048,
            reserve_tokens: 512,
            stop: Vec::new(),
            give_up: false,
        }
    }
}

/// How a submission after the first is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Representation {
    /// As the whole program.
    Code,
    /// As a diff against the program before where it changes less than half of it in one place, else as the whole program.
    Dual,
}

/// What the grader's turns say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feedback {
    /// Solved or not, nothing else.
    None,
    /// The grade and how many tests passed.
    Summary,
    /// Also every failing test and the error trace.
    Full,
}

/// Where the tokenizer comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenizerSettings {
    /// A `tokenizer.json`, or a folder that holds one. Absent: the model's own, or one trained on the training split.
    pub path: Option<PathBuf>,
    /// Entries of a tokenizer that is trained on the training split (byte-level BPE).
    pub train_vocab_size: usize,
    /// How turns are written down.
    pub template: Template,
}

impl Default for TokenizerSettings {
    fn default() -> Self {
        TokenizerSettings { path: None, train_vocab_size: 2048, template: Template::Chatml }
    }
}

/// Chat templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// `<|im_start|>role\n…<|im_end|>\n`, append-only.
    Chatml,
    /// The same with an empty think block at the start of each assistant turn: what Qwen3's template writes for a last
    /// turn without thinking, kept in history so that tokens stay append-only.
    Qwen3,
}
