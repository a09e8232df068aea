//! What a remote policy took: requests, tokens, cost.

use super::answer::Answer;
use crate::config::RemoteSettings;
use serde::Serialize;

/// Counts of an evaluation. Tokens and cost are those of all answers that it used, whenever they were given, so that they do not
/// depend on how often it was stopped; requests are those of this process.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Usage {
    /// The policy.
    pub name: String,
    /// Where it was asked.
    pub base_url: String,
    /// The model.
    pub model: String,
    /// Answers that were used.
    pub answers: u64,
    /// How many of them had been given before.
    pub from_journal: u64,
    /// Requests that were sent.
    pub requests: u64,
    /// How many of them were sent before and failed.
    pub retries: u64,
    /// Tokens of prompts, as the server counts them.
    pub prompt_tokens: u64,
    /// Tokens of answers.
    pub completion_tokens: u64,
    /// Answers that did not say how many tokens they took: they count as none.
    pub uncounted: u64,
    /// What the tokens cost, if both prices are known.
    pub cost: Option<f64>,
}

impl Usage {
    pub(super) fn new(settings: &RemoteSettings) -> Self {
        let RemoteSettings { name, base_url, model, .. } = settings.clone();
        Usage { name, base_url, model, ..Usage::default() }
    }

    pub(super) fn count(&mut self, answer: &Answer, from_journal: bool) {
        self.answers += 1;
        self.from_journal += u64::from(from_journal);
        self.prompt_tokens += answer.prompt_tokens.unwrap_or(0);
        self.completion_tokens += answer.completion_tokens.unwrap_or(0);
        self.uncounted += u64::from(answer.prompt_tokens.is_none() || answer.completion_tokens.is_none());
    }

    pub(super) fn price(&mut self, settings: &RemoteSettings) {
        let prices = settings.prompt_price.zip(settings.completion_price);
        let cost = |(prompt, completion)| {
            (self.prompt_tokens as f64 * prompt + self.completion_tokens as f64 * completion) / 1e6
        };
        self.cost = prices.map(cost);
    }

    /// One line for people.
    pub fn render(&self) -> String {
        let mut line = format!(
            "{}: {} answers ({} from the journal), {} requests ({} of them again), {} + {} tokens",
            self.name,
            self.answers,
            self.from_journal,
            self.requests,
            self.retries,
            self.prompt_tokens,
            self.completion_tokens
        );
        if self.uncounted > 0 {
            line += &format!(", {} answers did not say how many", self.uncounted);
        }
        if let Some(cost) = self.cost {
            line += &format!(", cost {cost:.4}");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_cost_by_hand() {
        let settings = RemoteSettings {
            name: "m".into(),
            prompt_price: Some(2.0),
            completion_price: Some(8.0),
            ..Default::default()
        };
        let mut usage = Usage::new(&settings);
        let answer = |tokens: Option<u64>| Answer {
            text: "x".into(),
            finish: None,
            prompt_tokens: Some(1000),
            completion_tokens: tokens,
        };
        usage.count(&answer(Some(500)), false);
        usage.count(&answer(None), true);
        usage.price(&settings);
        (usage.requests, usage.retries) = (3, 2);
        insta::assert_snapshot!(usage.render(), @"m: 2 answers (1 from the journal), 3 requests (2 of them again), 2000 + 500 tokens, 1 answers did not say how many, cost 0.0080");
        usage.price(&RemoteSettings { completion_price: None, ..settings });
        assert_eq!(usage.cost, None);
    }
}
