//! [`Dialogue`]: how a trajectory is told. The words of the preamble and of a submission are here; the words of the feedback are
//! the sandbox's.
//!
//! The system prompt is short, since a small model pays for each of its tokens in every conversation. It promises no feedback
//! that is not given: at the level `none` it says so. (The published system promises feedback in either case.)
//!
//! With `dialogue.representation: dual` a submission after the first is a diff against the one before it where that is short
//! ([`super::diff`]), and a model may answer with one. What a diff is against must be readable: a submission before which nothing is
//! left in the context is written whole, also where it is the one to be predicted, and a diff that a model writes there is malformed.
//! A rejected submission is written against the program before the chosen one, in whose place it stands; it comes from later and
//! so is more often whole.
//!
//! A conversation ends with the feedback to the last submission, whatever its grade. With `dialogue.give_up` a student who stopped
//! without having solved the problem gets one turn more, which is empty: a model learns to end its turn without a word, and a simulated
//! learner that does has given up. Where a filter cut the log off, nobody knows what came next, and nothing is added.

use super::fence::{Payload, Unclosed, extract_payload, extract_program, fence, fence_diff};
use super::patch::{apply, diff};
use super::turn::{Conversation, Role, Turn};
use crate::config::{DialogueSettings, Feedback, Representation};
use crate::traces::Trajectory;
use novice_sandbox::{FeedbackLevel, Problem, Report};

/// What a conversation begins with when the settings do not say.
pub fn default_system_prompt(feedback: Feedback, representation: Representation) -> String {
    let answer = match feedback {
        Feedback::None => "after each one you learn only whether it is right",
        Feedback::Summary => "after each one the grader answers with a grade",
        Feedback::Full => "after each one the grader answers with a grade and what its tests saw",
    };
    let reply = match representation {
        Representation::Code => "Every reply is the whole program in one ```python block, with nothing after it.",
        Representation::Dual => {
            "Every reply is one block with nothing after it: the whole program in a ```python block, or a small change in one \
             place of your last program in a ```diff block: a header like `@@ -5,2 +5 @@`, the lines to delete behind `-`, the new \
             ones behind `+`, no others."
        }
    };
    format!(
        "You are a beginner in your first programming course, learning Python. You hand in programs for one exercise; \
         {answer}, and you revise until it is solved. Stay a beginner: misread things now and then, make the mistakes that \
         beginners make, change a little at a time, and let a repair break something else. {reply}"
    )
}

/// Turns trajectories into conversations, and parts of rollouts into turns.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialogue {
    system: Option<String>,
    representation: Representation,
    feedback: FeedbackLevel,
    give_up: bool,
}

impl Dialogue {
    /// A dialogue with these settings. An empty system prompt leaves the turn out.
    pub fn new(settings: &DialogueSettings) -> Self {
        let &DialogueSettings { representation, give_up, .. } = settings;
        let prompt = || default_system_prompt(settings.feedback, representation);
        let system = settings.system_prompt.clone().unwrap_or_else(prompt);
        let (system, feedback) = (Some(system).filter(|s| !s.trim().is_empty()), level(settings.feedback));
        Dialogue { system, representation, feedback, give_up }
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

    /// Submission `step`, one fenced block: the program `code`, or what it changes in the program before.
    pub fn submission(&self, step: usize, before: Option<&str>, code: &str) -> Turn {
        let changed =
            before.filter(|_| self.representation == Representation::Dual).and_then(|before| diff(before, code));
        let (text, whole) = match changed {
            Some(diff) => (fence_diff(&diff), Some(fence(code))),
            None => (fence(code), None),
        };
        Turn { role: Role::Assistant, text, whole, step: Some(step) }
    }

    /// The program that a turn with this text hands in, after the program `before`. `None` where there is no block of one.
    ///
    /// # Errors
    /// Why a diff gives no program.
    pub fn program(&self, text: &str, before: Option<&str>) -> Result<Option<String>, String> {
        if self.representation == Representation::Code {
            return Ok(extract_program(text, Unclosed::Refuse).map(String::from));
        }
        match extract_payload(text, Unclosed::Refuse) {
            None => Ok(None),
            Some(Payload::Program(program)) => Ok(Some(program.to_string())),
            Some(Payload::Diff(diff)) => {
                let before = before.ok_or("a diff, and no program before it that could be read")?;
                apply(before, diff).map(Some)
            }
        }
    }

    /// The grader's answer to submission `step`.
    pub fn feedback(&self, step: usize, report: &Report) -> Turn {
        Turn { role: Role::User, text: report.feedback(self.feedback), whole: None, step: Some(step) }
    }

    /// Whether a turn with this text is that of a learner who gives up.
    pub fn is_given_up(&self, text: &str) -> bool {
        self.give_up && text.trim().is_empty()
    }

    /// The whole trajectory, every submission with its feedback.
    pub fn conversation(&self, trajectory: &Trajectory, problem: &Problem) -> Conversation {
        let mut turns = self.preamble(problem);
        let mut before = None;
        for (i, step) in trajectory.steps.iter().enumerate() {
            turns.push(self.submission(i, before, &step.code));
            turns.push(self.feedback(i, &step.report));
            before = Some(step.code.as_str());
        }
        if self.give_up && trajectory.gave_up() {
            let step = Some(trajectory.steps.len());
            turns.push(Turn { role: Role::Assistant, text: String::new(), whole: None, step });
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
    fn a_dual_conversation_reads_like_this() {
        let settings = DialogueSettings {
            system_prompt: Some(String::new()),
            representation: Representation::Dual,
            feedback: Feedback::None,
            ..Default::default()
        };
        let dialogue = Dialogue::new(&settings);
        let programs = [
            "def total(a):\n    s = 0\n    for x in a:\n        s = x\n    print(s)\n",
            "def total(a):\n    s = 0\n    for x in a:\n        s = s + x\n    print(s)\n",
            "def total(a):\n    s = 0\n    for x in a:\n        s = s + x\n    print(s)\n    return s\n",
            "def total(a):\n    return sum(a)\n",
            "def total(a):\n    return sum(a)\n\n",
        ];
        let steps: Vec<(&str, f64)> = programs.iter().map(|p| (*p, 0.0)).collect();
        let told = dialogue.conversation(&trajectory("s", "p", &steps), &problem("p", "Add.", ""));
        let text: Vec<String> = told.turns.iter().map(|t| format!("{}: {}", t.role.name(), t.text)).collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        user: Add.
        assistant: ```python
        def total(a):
            s = 0
            for x in a:
                s = x
            print(s)

        ```
        user: Not solved yet. Submit again.
        assistant: ```diff
        @@ -4 +4 @@
        -        s = x
        +        s = s + x
        ```
        user: Not solved yet. Submit again.
        assistant: ```diff
        @@ -5,0 +6 @@
        +    return s
        ```
        user: Not solved yet. Submit again.
        assistant: ```python
        def total(a):
            return sum(a)

        ```
        user: Not solved yet. Submit again.
        assistant: ```python
        def total(a):
            return sum(a)


        ```
        user: Not solved yet. Submit again.
        ");
        // Each can be read from the program before it, and the first that is left of a longer conversation needs none.
        let mut before = None;
        for ((turn, _), program) in told.exchanges().zip(programs) {
            assert_eq!(dialogue.program(&turn.text, before), Ok(Some(program.to_string())));
            assert_eq!(dialogue.program(turn.as_oldest(), None), Ok(Some(program.to_string())));
            before = Some(program);
        }
        let code = Dialogue::new(&DialogueSettings { representation: Representation::Code, ..settings });
        let whole = code.conversation(&trajectory("s", "p", &steps), &problem("p", "Add.", ""));
        assert!(whole.exchanges().zip(programs).all(|((turn, _), p)| turn.text == fence(p) && turn.whole.is_none()));
    }

    #[test]
    fn the_program_of_a_turn() {
        let dialogue = |representation| Dialogue::new(&DialogueSettings { representation, ..Default::default() });
        let (code, dual) = (dialogue(Representation::Code), dialogue(Representation::Dual));
        let diff = "so:\n```diff\n@@ -1 +1 @@\n-a = 1\n+a = 2\n```";
        assert_eq!(dual.program(diff, Some("a = 1\nb = 1")), Ok(Some("a = 2\nb = 1".into())));
        assert!(dual.program(diff, Some("b = 1")).unwrap_err().contains("`a = 1`"));
        assert!(dual.program(diff, None).unwrap_err().contains("no program before"));
        assert_eq!(code.program(diff, Some("a = 1")), Ok(None));
        for dialogue in [code, dual] {
            assert_eq!(dialogue.program("```python\nx\n```", Some("a")), Ok(Some("x".into())));
            assert_eq!(dialogue.program("nothing", Some("a")), Ok(None));
        }
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
            let prompt = default_system_prompt(level, Representation::Code);
            assert!(prompt.contains(words) && !prompt.contains("diff"));
            assert!(default_system_prompt(level, Representation::Dual).contains("```diff"));
            assert!((60..=90).contains(&prompt.split_whitespace().count()), "{}", prompt.split_whitespace().count());
        }
        assert!(!default_system_prompt(Feedback::None, Representation::Code).contains("grade"));
    }
}
