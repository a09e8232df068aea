//! One small tokenizer for all tests of the crate, trained once a process.

use super::{Renderer, Tokenizer};
use crate::config::Template;
use crate::dialogue::{Conversation, Role, Turn, fence};
use std::sync::{Arc, LazyLock};

/// A few programs and the grader's words.
pub(crate) const TEXTS: [&str; 4] = [
    "def total(numbers):\n    s = 0\n    for n in numbers:\n        s = s + n\n    return s\n",
    "def count(text, letter):\n    c = 0\n    for x in text:\n        if x == letter:\n            c = c + 1\n    return c\n",
    "Grade: 66.7 of 100. 2 of 3 tests passed.\nTest 3 failed: expected 10, got 7.\n",
    "Write a function `total` that returns the sum of the numbers in a list.\n```python\nreturn\n```\n",
];

static TOKENIZER: LazyLock<Arc<Tokenizer>> = LazyLock::new(|| {
    let repeated: Vec<&str> = TEXTS.iter().flat_map(|t| [*t, *t]).collect();
    Arc::new(Tokenizer::train(repeated, 400).unwrap())
});

/// The tokenizer.
pub(crate) fn tokenizer() -> Arc<Tokenizer> {
    TOKENIZER.clone()
}

/// A renderer over it.
pub(crate) fn renderer(template: Template) -> Renderer {
    Renderer::new(tokenizer(), template).unwrap()
}

/// A conversation of these programs, with short feedback.
pub(crate) fn conversation(programs: &[&str]) -> Conversation {
    let mut turns = vec![Turn::preamble(Role::System, "new"), Turn::preamble(Role::User, "the task")];
    for (i, program) in programs.iter().enumerate() {
        turns.push(Turn { role: Role::Assistant, text: fence(program), whole: None, step: Some(i) });
        turns.push(Turn { role: Role::User, text: format!("Grade: {i}"), whole: None, step: Some(i) });
    }
    Conversation { student: "s".into(), problem: "p".into(), turns }
}
