//! A chat completion, read; and what a server says where it gives none.
//!
//! An answer must have a first choice with a message that has a `content`: a text, a list of parts, or null (a model that
//! thought until its tokens were used up, or declined: then its `refusal` is the text). All else is no answer, and is asked for again.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Characters of a server's message that are passed on.
const MESSAGE: usize = 300;

/// What the model said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub text: String,
    /// Why it ended, in the server's words: `stop`, `length`, …
    pub finish: Option<String>,
    /// As the server counts them.
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
}

impl Answer {
    /// Whether the model came to an end of its own, rather than to the limit of tokens.
    pub fn complete(&self) -> bool {
        self.finish.as_deref() != Some("length")
    }

    /// Reads the body of a response of status 200.
    ///
    /// # Errors
    /// What is missing in it.
    pub fn read(bytes: &[u8]) -> Result<Answer, String> {
        let value: Value = serde_json::from_slice(bytes).map_err(|e| format!("the answer is not JSON: {e}"))?;
        let Some(choice) = value.pointer("/choices/0") else {
            return Err(match value.get("error") {
                Some(_) => format!("the answer is an error: {}", message(bytes)),
                None => "the answer has no `choices`".into(),
            });
        };
        let said = choice.get("message").ok_or("the answer's choice has no `message`")?;
        let text = match said.get("content").ok_or("the answer's message has no `content`")? {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
            Value::Null => said.get("refusal").and_then(Value::as_str).unwrap_or_default().to_string(),
            _ => return Err("the answer's `content` is no text".into()),
        };
        let count = |name: &str| value.pointer(&format!("/usage/{name}")).and_then(Value::as_u64);
        Ok(Answer {
            text,
            finish: choice.get("finish_reason").and_then(Value::as_str).map(String::from),
            prompt_tokens: count("prompt_tokens"),
            completion_tokens: count("completion_tokens"),
        })
    }
}

/// A server's own words in a response that is no answer.
pub(super) fn message(bytes: &[u8]) -> String {
    let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let places = ["/error/message", "/error", "/message", "/detail"];
    let text = places.iter().find_map(|place| value.pointer(place)?.as_str()).map(String::from);
    let text = text.unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned());
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words.join(" ").chars().take(MESSAGE).collect();
    if text.is_empty() { "(nothing)".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_by_hand() {
        let read = |text: &str| Answer::read(text.as_bytes());
        let whole = read(
            r#"{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}"#,
        );
        let expected = Answer {
            text: "hi".into(),
            finish: Some("stop".into()),
            prompt_tokens: Some(3),
            completion_tokens: Some(1),
        };
        assert_eq!(whole, Ok(expected));
        let text = |content: &str| {
            read(&format!(
                r#"{{"choices": [{{"message": {{"refusal": "no", "content": {content}}}, "finish_reason": "length"}}]}}"#
            ))
        };
        assert_eq!(text("null").map(|a| (a.complete(), a.text, a.prompt_tokens)), Ok((false, "no".into(), None)));
        assert_eq!(text(r#"[{"type": "text", "text": "a"}, {"text": "b"}]"#).map(|a| a.text), Ok("ab".into()));
        for (bad, words) in [
            ("", "not JSON"),
            (r#"{"choices": [{"mess"#, "not JSON"),
            ("{}", "no `choices`"),
            (r#"{"choices": []}"#, "no `choices`"),
            (r#"{"choices": [{"text": "x"}]}"#, "no `message`"),
            (r#"{"choices": [{"message": {}}]}"#, "no `content`"),
            (r#"{"choices": [{"message": {"content": 5}}]}"#, "no text"),
            (r#"{"error": {"message": "overloaded"}}"#, "overloaded"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.contains(words), "{bad}: {error}");
        }
    }

    #[test]
    fn a_servers_words() {
        assert_eq!(message(br#"{"error": {"message": "bad\n key"}}"#), "bad key");
        assert_eq!(message(br#"{"error": "bad"}"#), "bad");
        assert_eq!(message(br#"{"detail": "gone"}"#), "gone");
        assert_eq!(message(b"<html> no"), "<html> no");
        assert_eq!(message(b""), "(nothing)");
        assert_eq!(message(&[b'x'; 999]).len(), MESSAGE);
    }
}
