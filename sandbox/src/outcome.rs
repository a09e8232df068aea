//! How a test ended.

use serde::{Deserialize, Serialize};

/// How a test ended, from best to worst: `Ord` is this ladder, and a submission's verdict is its worst outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The answer is right.
    Passed,
    /// The program ran and its answer is wrong.
    WrongAnswer,
    /// The program raised an exception that nothing caught.
    Exception,
    /// The program is not Python.
    SyntaxError,
    /// It used up its instructions.
    Timeout,
    /// It used up its memory.
    OutOfMemory,
    /// It wrote more than it may.
    OutputLimit,
    /// It reached for something outside: a socket, a process.
    Forbidden,
    /// It broke the interpreter, or the harness inside its own instance.
    Crashed,
}

impl Outcome {
    /// All outcomes, from best to worst.
    pub const ALL: [Outcome; 9] = [
        Outcome::Passed,
        Outcome::WrongAnswer,
        Outcome::Exception,
        Outcome::SyntaxError,
        Outcome::Timeout,
        Outcome::OutOfMemory,
        Outcome::OutputLimit,
        Outcome::Forbidden,
        Outcome::Crashed,
    ];

    /// The name that reports use: `passed`, `wrong_answer`, …
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::WrongAnswer => "wrong_answer",
            Outcome::Exception => "exception",
            Outcome::SyntaxError => "syntax_error",
            Outcome::Timeout => "timeout",
            Outcome::OutOfMemory => "out_of_memory",
            Outcome::OutputLimit => "output_limit",
            Outcome::Forbidden => "forbidden",
            Outcome::Crashed => "crashed",
        }
    }

    /// The name with spaces, for text that people read.
    pub fn words(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::WrongAnswer => "wrong answer",
            Outcome::Exception => "exception",
            Outcome::SyntaxError => "syntax error",
            Outcome::Timeout => "timeout",
            Outcome::OutOfMemory => "out of memory",
            Outcome::OutputLimit => "too much output",
            Outcome::Forbidden => "forbidden",
            Outcome::Crashed => "crashed",
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_is_ordered_and_names_are_those_of_the_contract() {
        assert!(Outcome::ALL.is_sorted());
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_string(&outcome).unwrap(), format!("\"{outcome}\""));
        }
        assert_eq!(Outcome::ALL.iter().max(), Some(&Outcome::Crashed));
    }
}
