//! [`Turn`] and [`Conversation`]: what is said, by whom, and which submission it belongs to. No tokens here.

use serde::{Deserialize, Serialize};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The standing instructions.
    System,
    /// The course: the problem first, then the grader's feedback.
    User,
    /// The learner: one submission a turn.
    Assistant,
}

impl Role {
    /// The role's name in chat templates.
    pub fn name(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: String,
    /// The same said where nothing of what came before can be read: the whole program, where `text` only says what changed in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub whole: Option<String>,
    /// Index of the submission that the turn holds or answers; `None` in the preamble.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub step: Option<usize>,
}

impl Turn {
    /// A turn of the preamble.
    pub fn preamble(role: Role, text: impl Into<String>) -> Self {
        Turn { role, text: text.into(), whole: None, step: None }
    }

    /// What is said when this is the oldest submission that is told.
    pub fn as_oldest(&self) -> &str {
        self.whole.as_deref().unwrap_or(&self.text)
    }
}

/// A trajectory told as turns: `[system,] user (problem), assistant (submission 0), user (feedback 0), …`.
///
/// Every submission is followed by its feedback, the last one too: a conversation is a full record. What trains on it drops
/// the last feedback, since nothing follows that could be predicted from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// The student.
    pub student: String,
    /// The problem's id.
    pub problem: String,
    /// The turns.
    pub turns: Vec<Turn>,
}

impl Conversation {
    /// The turns before the first submission: system prompt and problem. They are never dropped.
    pub fn preamble(&self) -> &[Turn] {
        let end = self.turns.iter().position(|t| t.step.is_some()).unwrap_or(self.turns.len());
        self.turns.get(..end).unwrap_or_default()
    }

    /// The submissions in order, each with its feedback.
    pub fn exchanges(&self) -> impl Iterator<Item = (&Turn, Option<&Turn>)> {
        self.turns.iter().enumerate().filter(|(_, t)| t.role == Role::Assistant).map(|(i, submission)| {
            let feedback = self.turns.get(i + 1).filter(|t| t.role == Role::User);
            (submission, feedback)
        })
    }
}
