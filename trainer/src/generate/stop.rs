//! [`StopText`]: texts that end a turn, whatever tokens they are written with.
//!
//! A turn ends with the token that completes one of the texts. Nothing is taken back: tokens are append-only, so a token
//! that reaches beyond the text stays whole. Only the last tokens are looked at: each writes at least a byte, so a text of
//! n bytes that was not there before lies within the last n.

use crate::error::Result;
use crate::tokens::Tokenizer;

/// Texts to stop at, and the tokenizer that they are read with.
#[derive(Clone)]
pub(super) struct StopText<'t> {
    tokenizer: &'t Tokenizer,
    texts: Vec<String>,
    /// Tokens to look at.
    window: usize,
}

impl<'t> StopText<'t> {
    /// None when there is nothing to stop at; empty texts are left out.
    pub fn new(tokenizer: &'t Tokenizer, texts: &[String]) -> Option<StopText<'t>> {
        let texts: Vec<String> = texts.iter().filter(|text| !text.is_empty()).cloned().collect();
        // One more: some tokenizers drop the space that the first token begins with.
        let window = texts.iter().map(String::len).max()? + 1;
        Some(StopText { tokenizer, texts, window })
    }

    /// Whether the last of the drawn tokens completes a text.
    pub fn ends(&self, drawn: &[u32]) -> Result<bool> {
        let tail = &drawn[drawn.len().saturating_sub(self.window)..];
        let text = self.tokenizer.decode(tail)?;
        Ok(self.texts.iter().any(|stop| text.contains(stop)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_however_it_is_cut_into_tokens() {
        let tokenizer = Tokenizer::train(["def f():\n    return 1\n```\n"; 9], 300).unwrap();
        let stop = StopText::new(&tokenizer, &["\n```".to_string(), String::new(), "né".to_string()]).unwrap();
        let ends_at = |text: &str| {
            let tokens = tokenizer.encode(text).unwrap();
            let place = (1..=tokens.len()).find(|&n| stop.ends(&tokens[..n]).unwrap());
            place.map(|n| tokenizer.decode(&tokens[..n]).unwrap())
        };
        assert_eq!(ends_at("x = 1\n```").unwrap(), "x = 1\n```");
        // The two bytes of é are two tokens: the first alone is no character.
        assert_eq!(ends_at("a né").unwrap(), "a né");
        assert!(ends_at("``` x ``\n``").is_none());
        let bytes: Vec<u32> =
            "ab\n```".bytes().map(|b| tokenizer.encode(&char::from(b).to_string()).unwrap()[0]).collect();
        assert!(stop.ends(&bytes).unwrap() && !stop.ends(&bytes[..5]).unwrap());
        assert!(StopText::new(&tokenizer, &[String::new()]).is_none());
    }
}
