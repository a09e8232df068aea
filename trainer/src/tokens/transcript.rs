//! [`Transcript`]: a conversation in tokens, each turn tokenised once, in the runs that trees are built from.

use super::render::Renderer;
use crate::dialogue::{Conversation, Length, Limits, Turn, context_start};
use crate::error::Result;

/// A submission and its stop token: what carries the loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    later: Vec<u32>,
    /// Where it differs.
    oldest: Option<Vec<u32>>,
}

impl Body {
    /// Tokenises a submission.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`].
    pub fn new(renderer: &Renderer, submission: &Turn) -> Result<Self> {
        let oldest = submission.whole.as_deref().map(|whole| renderer.assistant_body(whole)).transpose()?;
        Ok(Body { later: renderer.assistant_body(&submission.text)?, oldest })
    }

    /// The tokens; `oldest` says whether it is the oldest submission in the context, before which nothing can be read.
    pub fn at(&self, oldest: bool) -> &[u32] {
        self.oldest.as_deref().filter(|_| oldest).unwrap_or(&self.later)
    }

    /// How many there are.
    pub(super) fn len(&self) -> Length {
        Length { oldest: self.at(true).len(), later: self.at(false).len() }
    }
}

/// A submission and what was said to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeTokens {
    /// The submission.
    pub body: Body,
    /// What follows as history: the line end behind the submission, and the feedback turn.
    pub answer: Vec<u32>,
}

/// The runs of a conversation. Before each body stands [`Transcript::header`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// System prompt and problem.
    pub preamble: Vec<u32>,
    /// What stands before each submission.
    pub header: Vec<u32>,
    /// The submissions, in order; their index is the step of the trajectory.
    pub exchanges: Vec<ExchangeTokens>,
}

/// What a model is asked to go on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The tokens, up to and with the header of the submission that is asked for.
    pub tokens: Vec<u32>,
    /// The oldest step that is still in it; the number of the step asked for when none is.
    pub start: usize,
}

impl Transcript {
    /// Tokenises a conversation.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`].
    pub fn new(renderer: &Renderer, conversation: &Conversation) -> Result<Self> {
        let exchanges = conversation.exchanges().map(|(submission, feedback)| {
            let mut answer = renderer.after_assistant().to_vec();
            answer.extend(renderer.turns(feedback)?);
            Ok(ExchangeTokens { body: Body::new(renderer, submission)?, answer })
        });
        Ok(Transcript {
            preamble: renderer.turns(conversation.preamble())?,
            header: renderer.assistant_header().to_vec(),
            exchanges: exchanges.collect::<Result<_>>()?,
        })
    }

    /// Tokens of exchange `i` as history.
    pub(super) fn history_len(&self, exchange: &ExchangeTokens) -> Length {
        let Length { oldest, later } = self.target_len(&exchange.body);
        Length { oldest: oldest + exchange.answer.len(), later: later + exchange.answer.len() }
    }

    /// Tokens of a submission with its header.
    pub(super) fn target_len(&self, body: &Body) -> Length {
        let Length { oldest, later } = body.len();
        Length { oldest: self.header.len() + oldest, later: self.header.len() + later }
    }

    /// The prompt for submission `step` (steps before it as history, the oldest dropped where they do not fit beside
    /// `limits.reserve_tokens`). `None` when not even the preamble fits, or there are not that many steps.
    pub fn prompt(&self, step: usize, limits: Limits) -> Option<Prompt> {
        let before = self.exchanges.get(..step)?;
        let lengths: Vec<Length> = before.iter().map(|e| self.history_len(e)).collect();
        let start = context_start(self.preamble.len() + self.header.len(), &lengths, limits)?;
        let mut tokens = self.chain(start, step);
        tokens.extend_from_slice(&self.header);
        Some(Prompt { tokens, start })
    }

    /// The preamble and the whole exchanges `start..end`.
    pub(super) fn chain(&self, start: usize, end: usize) -> Vec<u32> {
        let mut tokens = self.preamble.clone();
        for (i, exchange) in self.exchanges.iter().enumerate().take(end).skip(start) {
            tokens.extend_from_slice(&self.header);
            tokens.extend_from_slice(exchange.body.at(i == start));
            tokens.extend_from_slice(&exchange.answer);
        }
        tokens
    }
}

/// The grader's answer to a sampled submission: what is appended behind its last token. `stopped` says whether the
/// submission ended with its stop token; if not, one is put there that carries no loss.
///
/// # Errors
/// [`crate::Error::Tokenizer`].
pub fn answer(renderer: &Renderer, stopped: bool, feedback: &Turn) -> Result<Vec<u32>> {
    let mut tokens = if stopped { renderer.after_assistant().to_vec() } else { renderer.after_cut_assistant() };
    tokens.extend(renderer.turns([feedback])?);
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Template;
    use crate::dialogue::Role;
    use crate::tokens::testing::{conversation, renderer};

    #[test]
    fn the_runs_add_up_to_the_conversation() {
        for template in [Template::Chatml, Template::Qwen3] {
            let r = renderer(template);
            let c = conversation(&["x = 1", "x = 2", "x = 3"]);
            let t = Transcript::new(&r, &c).unwrap();
            assert_eq!(t.chain(0, 3), r.turns(&c.turns).unwrap());
            assert_eq!(r.tokenizer().decode(&t.chain(0, 3)).unwrap(), r.text(&c.turns));
        }
    }

    #[test]
    fn a_prompt_is_the_beginning_of_the_conversation() {
        let r = renderer(Template::Chatml);
        let c = conversation(&["x = 1", "x = 2", "x = 3"]);
        let t = Transcript::new(&r, &c).unwrap();
        let whole = r.turns(&c.turns).unwrap();
        let limits = Limits { max_tokens: 4096, reserve_tokens: 64 };
        for step in 0..=3 {
            let prompt = t.prompt(step, limits).unwrap();
            assert_eq!(prompt.start, 0);
            let text = r.tokenizer().decode(&prompt.tokens).unwrap();
            assert!(text.ends_with("<|im_start|>assistant\n"));
            if step < 3 {
                assert!(whole.starts_with(&prompt.tokens));
                assert_eq!(whole[prompt.tokens.len()..][..2], t.exchanges[step].body.at(false)[..2]);
            }
        }
        assert_eq!(t.prompt(4, limits), None);
    }

    #[test]
    fn a_long_history_loses_its_oldest_steps_and_keeps_the_problem() {
        let r = renderer(Template::Chatml);
        let t = Transcript::new(&r, &conversation(&["x = 1", "x = 2", "x = 3"])).unwrap();
        let whole = t.prompt(3, Limits { max_tokens: 4096, reserve_tokens: 0 }).unwrap().tokens.len();
        let prompt = t.prompt(3, Limits { max_tokens: whole + 9, reserve_tokens: 10 }).unwrap();
        assert_eq!(prompt.start, 1);
        let text = r.tokenizer().decode(&prompt.tokens).unwrap();
        assert!(text.contains("the task") && !text.contains("x = 1") && text.contains("x = 2"), "{text}");
        assert_eq!(t.prompt(3, Limits { max_tokens: 10, reserve_tokens: 5 }), None);
    }

    #[test]
    fn an_answer_to_a_cut_submission_closes_its_turn() {
        let r = renderer(Template::Chatml);
        let feedback = Turn { role: Role::User, text: "no".into(), whole: None, step: Some(0) };
        let open = r.tokenizer().encode("```python\nx").unwrap();
        let closed = r.assistant_body("```python\nx").unwrap();
        let a = [open, answer(&r, false, &feedback).unwrap()].concat();
        let b = [closed, answer(&r, true, &feedback).unwrap()].concat();
        assert_eq!(a, b);
    }
}
