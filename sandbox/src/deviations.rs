//! Where the published grader differs from what students saw, each difference a switch that is off by default.
//!
//! The facts are those of the released grader (a Python process that `exec`s test script and submission together). Its defects that
//! concern safety are no switches.

use serde::{Deserialize, Serialize};

/// One deviation. Its name in settings is in snake case, such as `silent_prompts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deviation {
    /// `input(prompt)` prints no prompt: a program that prompts where it should not passes.
    SilentPrompts,
    /// `input()` at the end of the input gives `""`; it should raise `EOFError`.
    EmptyAtEof,
    /// Only `input()` finds what is typed; `sys.stdin` is empty.
    InputOnly,
    /// Test script and submission draw from one `random` state: a submission that draws shifts the script's later inputs.
    SharedRandom,
    /// A grade loses its fraction after division and multiplication by 100: 66.67 becomes 66, and 29 becomes 28.
    TruncatedGrades,
    /// A test script whose main guard has double quotes fails with an `IndentationError`.
    SingleQuotedGuard,
}

impl Deviation {
    /// All deviations.
    pub const ALL: [Deviation; 6] = [
        Deviation::SilentPrompts,
        Deviation::EmptyAtEof,
        Deviation::InputOnly,
        Deviation::SharedRandom,
        Deviation::TruncatedGrades,
        Deviation::SingleQuotedGuard,
    ];

    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Deviation::SilentPrompts => "silent_prompts",
            Deviation::EmptyAtEof => "empty_at_eof",
            Deviation::InputOnly => "input_only",
            Deviation::SharedRandom => "shared_random",
            Deviation::TruncatedGrades => "truncated_grades",
            Deviation::SingleQuotedGuard => "single_quoted_guard",
        }
    }
}

impl std::fmt::Display for Deviation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Deviation {
    type Err = String;

    fn from_str(text: &str) -> Result<Deviation, String> {
        Deviation::ALL.into_iter().find(|deviation| deviation.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Deviation::ALL.iter().map(|deviation| deviation.name()).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}

/// The line of a main guard in double quotes, from 1.
pub(crate) fn double_quoted_guard(script: &str) -> Option<usize> {
    let guard = |line: &str| line.split_whitespace().collect::<String>() == r#"if__name__=="__main__":"#;
    script.lines().position(guard).map(|line| line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_settings() {
        for deviation in Deviation::ALL {
            assert_eq!(serde_json::to_string(&deviation).unwrap(), format!("\"{deviation}\""));
            assert_eq!(deviation.name().parse(), Ok(deviation));
        }
        assert!("silent".parse::<Deviation>().unwrap_err().contains("silent_prompts, empty_at_eof"));
    }

    #[test]
    fn guards() {
        assert_eq!(double_quoted_guard("x = 1\nif __name__ == \"__main__\":\n    pass\n"), Some(2));
        assert_eq!(double_quoted_guard("if __name__ == '__main__':\n    pass\n"), None);
    }
}
