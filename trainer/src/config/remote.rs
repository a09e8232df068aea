//! Settings of a prompted model behind an HTTP API, one more policy of an evaluation.
//!
//! The key is never part of a configuration: [`RemoteSettings::key_env`] names the environment variable that holds it.

use super::Sampling;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Where OpenAI's own API is.
const OPENAI: &str = "https://api.openai.com/v1";
/// The variable in which its key is kept.
const OPENAI_KEY: &str = "OPENAI_API_KEY";

/// A model that answers `POST {base_url}/chat/completions` as OpenAI's API does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RemoteSettings {
    /// The policy's name in tables and files.
    pub name: String,
    /// Where the API is, such as `http://localhost:8000/v1`. Default OpenAI's own.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// The environment variable that holds the key, an empty text for none. When absent, `OPENAI_API_KEY` for OpenAI's own
    /// API, and no key is sent to any other.
    pub key_env: Option<String>,
    /// How tokens are drawn; `evaluate.sampling` when absent. `top_k` and `min_p`, which not every API knows, are sent only
    /// where they are set.
    pub sampling: Option<Sampling>,
    /// Longest answer in the model's own tokens; `evaluate.max_new_tokens` when absent.
    pub max_new_tokens: Option<usize>,
    /// Learners that are at work at once: as many requests are open at most. Default 8.
    pub max_concurrent: usize,
    /// Requests a minute, evenly spread; 0 for no limit.
    pub requests_per_minute: u32,
    /// Tokens a minute, of prompts and answers; 0 for no limit.
    pub tokens_per_minute: u32,
    /// Seconds until an answer must be there, all of it. Default 120.
    pub timeout_s: f64,
    /// Times that a request is sent again after a passing failure. Default 6.
    pub max_retries: u32,
    /// Wait before a request is sent again the first time; it doubles each time, up to 64 times as long. Default 1000.
    pub backoff_ms: u64,
    /// Price of a million tokens of prompt, in any currency.
    pub prompt_price: Option<f64>,
    /// Price of a million tokens of answer.
    pub completion_price: Option<f64>,
    /// Further fields of the request, such as `reasoning_effort: low`. They replace those of the same name; `null` leaves one
    /// out: `{max_tokens: null, max_completion_tokens: 2000}`.
    pub extra: BTreeMap<String, Value>,
}

impl Default for RemoteSettings {
    fn default() -> Self {
        RemoteSettings {
            name: String::new(),
            base_url: OPENAI.into(),
            model: String::new(),
            key_env: None,
            sampling: None,
            max_new_tokens: None,
            max_concurrent: 8,
            requests_per_minute: 0,
            tokens_per_minute: 0,
            timeout_s: 120.0,
            max_retries: 6,
            backoff_ms: 1000,
            prompt_price: None,
            completion_price: None,
            extra: BTreeMap::new(),
        }
    }
}

impl RemoteSettings {
    /// The variable that holds the key; `None` where none is sent.
    pub fn key_variable(&self) -> Option<&str> {
        let default = if self.base_url.trim_end_matches('/') == OPENAI { OPENAI_KEY } else { "" };
        Some(self.key_env.as_deref().unwrap_or(default)).filter(|name| !name.is_empty())
    }

    /// The fields that are out of range, each with what is expected.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let mut expect = |ok: bool, key: &'static str, message: &str| {
            if !ok {
                found.push((key, message.to_string()));
            }
        };
        let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        let named = !self.name.is_empty() && !self.name.starts_with('.') && self.name.chars().all(plain);
        expect(named, "name", "letters, digits, `-`, `_` and `.` are expected: it names the policy and its files");
        expect(!self.model.trim().is_empty(), "model", "the model's name at that API is expected");
        let (_, rest) = self.base_url.split_once("://").unwrap_or_default();
        let host = rest.split('/').next().unwrap_or_default();
        let http = self.base_url.starts_with("http://") || self.base_url.starts_with("https://");
        let url = http && !host.is_empty() && !self.base_url.contains(['@', '?', '#', ' ']);
        let message =
            "an address is expected such as `https://api.openai.com/v1`, without user, password or parameters";
        expect(url, "base_url", message);
        // What is found is not said: people put the key itself here.
        let variable = |name: &str| {
            let capital = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            name.chars().all(capital) && !name.starts_with(|c: char| c.is_ascii_digit())
        };
        let message =
            "the name of an environment variable in capitals is expected, such as OPENAI_API_KEY, not the key itself";
        expect(self.key_env.as_deref().is_none_or(variable), "key_env", message);
        expect(self.max_concurrent >= 1, "max_concurrent", "at least 1 is expected");
        expect(self.max_new_tokens != Some(0), "max_new_tokens", "at least 1 is expected");
        expect(
            self.timeout_s > 0.0 && self.timeout_s <= 86_400.0,
            "timeout_s",
            "seconds from more than 0 to 86400 are expected",
        );
        expect(self.backoff_ms <= 60_000, "backoff_ms", "at most 60000 is expected");
        let price = |price: Option<f64>| price.is_none_or(|p| p >= 0.0 && p.is_finite());
        expect(price(self.prompt_price), "prompt_price", "zero or more is expected");
        expect(price(self.completion_price), "completion_price", "zero or more is expected");
        let own = ["model", "messages", "stream", "n"];
        let message = "`model`, `messages`, `stream` and `n` cannot be replaced";
        expect(!own.iter().any(|key| self.extra.contains_key(*key)), "extra", message);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Run;
    use std::path::Path;

    #[test]
    fn a_key_goes_only_where_it_belongs() {
        let at = |base_url: &str, key_env: Option<&str>| {
            let settings =
                RemoteSettings { base_url: base_url.into(), key_env: key_env.map(String::from), ..Default::default() };
            settings.key_variable().map(String::from)
        };
        assert_eq!(at(OPENAI, None).as_deref(), Some("OPENAI_API_KEY"));
        assert_eq!(at("https://api.openai.com/v1/", None).as_deref(), Some("OPENAI_API_KEY"));
        assert_eq!(at("http://localhost:8000/v1", None), None);
        assert_eq!(at("https://elsewhere.example/v1", Some("OTHER_KEY")).as_deref(), Some("OTHER_KEY"));
        assert_eq!(at(OPENAI, Some("")), None);
    }

    #[test]
    fn what_is_wrong_is_named_and_a_key_is_not_repeated() {
        let good = RemoteSettings { name: "gpt".into(), model: "m".into(), ..Default::default() };
        assert_eq!(good.problems(), []);
        let bad = |change: &dyn Fn(&mut RemoteSettings)| {
            let mut settings = good.clone();
            change(&mut settings);
            settings.problems()
        };
        for key in ["sk-abcDEF123", "gsk_abcdef", "1KEY"] {
            let found = bad(&|s| s.key_env = Some(key.into()));
            assert!(found[0].0 == "key_env" && !found[0].1.contains(key), "{found:?}");
        }
        for url in ["localhost:8000", "ftp://x", "http://", "https://me:secret@x/v1", "https://x/v1?key=1"] {
            let found = bad(&|s| s.base_url = url.into());
            assert!(found[0].0 == "base_url" && !found[0].1.contains("secret"), "{url}: {found:?}");
        }
        assert_eq!(bad(&|s| s.name = "a/b".into())[0].0, "name");
        assert_eq!(bad(&|s| s.timeout_s = f64::NAN)[0].0, "timeout_s");
        assert_eq!(bad(&|s| s.prompt_price = Some(-1.0))[0].0, "prompt_price");
        assert_eq!(bad(&|s| drop(s.extra.insert("messages".into(), Value::Null)))[0].0, "extra");
        assert_eq!(bad(&|s| (s.model, s.max_concurrent) = (" ".into(), 0)).len(), 2);
    }

    #[test]
    fn an_error_names_file_line_and_field() {
        let text = "evaluate:\n  remote:\n    - {name: a, model: m}\n    - name: A\n      model: m\n      base_url: here\n      sampling: {top_p: 2}\n      modell: x\n";
        let error = Run::parse(text, "run.yaml", Path::new(""), "run", &[]).unwrap_err().to_string();
        for part in [
            "run.yaml:8: evaluate.remote[1].modell: there is no such field: `modell`; did you mean `model`?",
            "run.yaml:6: evaluate.remote[1].base_url: an address is expected",
            "run.yaml:7: evaluate.remote[1].sampling.top_p: top_p is 2",
            "run.yaml:4: evaluate.remote[1].name: another policy has this name",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let text = "data: {source: synthetic}\nevaluate:\n  feedback: full\n  remote: [{name: a, model: m, extra: {seed: null, stop: [x, 1]}}]\n";
        let run = Run::parse(text, "x", Path::new(""), "x", &[]).unwrap();
        assert!(run.evaluate.remote[0].extra["seed"].is_null());
        assert_eq!(run.evaluate.remote[0].key_variable(), Some("OPENAI_API_KEY"));
        let again = Run::parse(&run.to_yaml().unwrap(), "x", Path::new(""), "x", &[]).unwrap();
        assert_eq!(again.evaluate, run.evaluate);
    }
}
