//! [`Dialogue`]: how a trajectory is told. The words of the preamble and of a submission are here; the words of the feedback are
//! the sandbox's.
//!
//! The system prompt is short, since a small model pays for each of its tokens in every conversation. It promises no feedback
//! that is not given: at the level `none` it says so. (The published system promises feedback in either case.)
//!
//! A conversation ends with the feedback to the last submission, whatever its grade. With `dialogue.give_up` a student who stopped
//! without having solved the problem gets one turn more, which is empty: a model learns to end its turn without a word, and a simulated
//! learner that does has given up. Where a filter cut the log off, nobody knows what came next, and nothing is added.

use super::fence::fence;
use super::turn::{Conversation, Role, Turn};
use crate::config::{DialogueSettings, Feedback};
use crate::traces::Trajectory;
use novice_sandbox::{FeedbackLevel, Problem, Report};

/// What a conversation begins with when the settings do not say.
pub fn default_system_prompt(feedback: Feedback) -> String {
    let answer = match feedback {
        Feedback::None => "after each one you learn only whether it is right",
        Feedback::Summary => "after each one the grader answers with a grade",
        Feedback::Full => "after each one the grader answers with a grade and what its tests saw",
    };
    format!(
        "You are a beginner in your first programming course, learning Python. You hand in programs for one exercise; \
         {answer}, and you revise until it is solved. Stay a beginner: misread things now and then, make the mistakes that \
         beginners make, change a little at a time, and let a repair break something else. Every reply is the whole program \
         in one ```python block, with nothing after it."
    )
}

/// Turns trajectories into conversations, and parts of rollouts into turns.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialogue {
    system: Option<String>,
    feedback: FeedbackLevel,
    give_up: bool,
}

impl Dialogue {
    /// A dialogue with these settings. An empty system prompt leaves the turn out.
    pub fn new(settings: &DialogueSettings) -> Self {
        let system = settings.system_prompt.clone().unwrap_or_else(|| default_system_prompt(settings.feedback));
        let (feedback, give_up) = (level(settings.feedback), settings.give_up);
        Dialogue { system: Some(system).filter(|s| !s.trim().is_empty()), feedback, give_up }
    }

    /// The same dialogue, with the grader's answers at another level; what is promised stays.
    pub fn answering(&self, feedback: Feedback) -> Self {
        Dialogue { feedback: level(feedback), ..self.clone() }
    }

    /// What comes before the first submission: the system prompt and the problem with its given code and skeleton.
    pub fn preamble(&self, problem: &Problem) -> Vec<Turn> {
        let mut text = problem.statement.trim().to_string();
        let parts = [("This code runs before yours:", &problem.prelude), ("Start from this code:", &problem.starter)];
        for (words, code) in parts {
            if let Some(code) = code.as_deref().filter(|c| !c.trim().is_empty()) {
                text.push_str(&format!("\n\n{words}\n{}", fence(code.trim_end_matches('\n'))));
            }
        }
        let system = self.system.as_deref().map(|s| Turn::preamble(Role::System, s));
        system.into_iter().chain([Turn::preamble(Role::User, text)]).collect()
    }

    /// Submission `step`: the whole program in one fenced block.
    pub fn submission(&self, step: usize, code: &str) -> Turn {
        Turn { role: Role::Assistant, text: fence(code), step: Some(step) }
    }

    /// The grader's answer to submission `step`.
    pub fn feedback(&self, step: usize, report: &Report) -> Turn {
        Turn { role: Role::User, text: report.feedback(self.feedback), step: Some(step) }
    }

    /// Whether a turn with this text is that of a learner who gives up.
    pub fn is_given_up(&self, text: &str) -> bool {
        self.give_up && text.trim().is_empty()
    }

    /// The whole trajectory, every submission with its feedback.
    pub fn conversation(&self, trajectory: &Trajectory, problem: &Problem) -> Conversation {
        let mut turns = self.preamble(problem);
        for (i, step) in trajectory.steps.iter().enumerate() {
            turns.push(self.submission(i, &step.code));
            turns.push(self.feedback(i, &step.report));
        }
        if self.give_up && trajectory.gave_up() {
            turns.push(Turn { role: Role::Assistant, text: String::new(), step: Some(trajectory.steps.len()) });
        }
        Conversation { student: trajectory.student.clone(), problem: trajectory.problem.clone(), turns }
    }
}

/// The level as the sandbox names it.
fn level(feedback: Feedback) -> FeedbackLevel {
    match feedback {
        Feedback::None => FeedbackLevel::None,
        Feedback::Summary => FeedbackLevel::Summary,
        Feedback::Full => FeedbackLevel::Full,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fence::{Unclosed, extract_program};
    use super::*;
    use crate::traces::testing::{problem, trajectory};

    #[test]
    fn giving_up_is_an_empty_turn_where_it_is_wanted_and_known() {
        let dialogue = |give_up| Dialogue::new(&DialogueSettings { give_up, ..Default::default() });
        let last = |dialogue: &Dialogue, t: &Trajectory| {
            let turns = dialogue.conversation(t, &problem("p", "s", "")).turns;
            turns.last().map(|turn| (turn.role, turn.text.is_empty(), turn.step))
        };
        let t = trajectory("s", "p", &[("x", 0.0), ("y", 50.0)]);
        assert_eq!(last(&dialogue(true), &t), Some((Role::Assistant, true, Some(2))));
        let ends_told =
            |dialogue: &Dialogue, t: &Trajectory| last(dialogue, t).is_some_and(|(role, ..)| role == Role::User);
        assert!(ends_told(&dialogue(false), &t));
        assert!(ends_told(&dialogue(true), &Trajectory { cut: true, ..t }));
        assert!(ends_told(&dialogue(true), &trajectory("s", "p", &[("x", 0.0), ("y", 100.0)])));
        assert!(
            dialogue(true).is_given_up(" \n") && !dialogue(false).is_given_up("") && !dialogue(true).is_given_up("x")
        );
    }

    #[test]
    fn a_conversation_reads_like_this() {
        let given = r#""prelude": "import math\n", "starter": "def area(r):\n    ...\n""#;
        let problem = problem("p", "\nWrite `area`.\n", given);
        let dialogue = Dialogue::new(&DialogueSettings { system_prompt: Some("Be new.".into()), ..Default::default() });
        let t = trajectory("s", "p", &[("def area(r):\n    return r", 0.0), ("x", 100.0)]);
        let c = dialogue.conversation(&t, &problem);
        let roles: Vec<_> = c.turns.iter().map(|t| (t.role.name(), t.step)).collect();
        let expected = [
            ("system", None),
            ("user", None),
            ("assistant", Some(0)),
            ("user", Some(0)),
            ("assistant", Some(1)),
            ("user", Some(1)),
        ];
        assert_eq!(roles, expected);
        assert_eq!(c.preamble().len(), 2);
        insta::assert_snapshot!(c.turns[1].text, @r"
        Write `area`.

        This code runs before yours:
        ```python
        import math
        ```

        Start from this code:
        ```python
        def area(r):
            ...
        ```
        ");
        assert_eq!(c.turns[2].text, "```python\ndef area(r):\n    return r\n```");
        assert_eq!(c.turns[3].text, t.steps[0].report.feedback(FeedbackLevel::Full));
        let programs: Vec<_> =
            c.exchanges().map(|(s, _)| extract_program(&s.text, Unclosed::Refuse).unwrap()).collect();
        assert_eq!(programs, ["def area(r):\n    return r", "x"]);
        assert!(c.exchanges().all(|(_, feedback)| feedback.is_some()));
    }

    #[test]
    fn an_empty_system_prompt_leaves_the_turn_out() {
        let dialogue = Dialogue::new(&DialogueSettings { system_prompt: Some("  ".into()), ..Default::default() });
        let turns = dialogue.preamble(&problem("p", "Do it.", ""));
        assert_eq!(turns, [Turn::preamble(Role::User, "Do it.")]);
    }

    #[test]
    fn the_prompt_promises_only_the_feedback_that_is_given() {
        for (level, words) in
            [(Feedback::None, "only whether"), (Feedback::Summary, "with a grade"), (Feedback::Full, "tests saw")]
        {
            let prompt = default_system_prompt(level);
            assert!(prompt.contains(words));
            assert!((60..=90).contains(&prompt.split_whitespace().count()), "{}", prompt.split_whitespace().count());
        }
        assert!(!default_system_prompt(Feedback::None).contains("grade"));
    }
}
