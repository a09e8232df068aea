//! Trains a small byte-level BPE on given texts: a vocabulary of its own for models that start from random weights.
//!
//! The pieces are those of Qwen's tokenizer: words with the character before them, digits one by one, runs of signs, line
//! ends. All 256 bytes are in the vocabulary, so any text can be written and none is changed (no normaliser). Equal texts
//! give equal files: ties between pairs are broken by id. It is no substitute for a large vocabulary trained on much text.

use super::config::MARKERS;
use super::tokenizer::Tokenizer;
use crate::error::{Error, Result};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, PreTokenizerWrapper, SplitDelimiterBehavior};

/// How Qwen2 and Qwen3 cut text before merging.
const PIECES: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|",
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// Bytes, and the five markers: no vocabulary is smaller.
const SMALLEST: usize = 256 + MARKERS.len();

impl Tokenizer {
    /// Trains a tokenizer of at most `vocab_size` entries, the markers included. Fewer come out where the texts hold too
    /// few pairs that occur twice.
    ///
    /// # Errors
    /// [`Error::Usage`] when `vocab_size` has no room for the 256 bytes and the markers.
    pub fn train<'a>(texts: impl IntoIterator<Item = &'a str>, vocab_size: usize) -> Result<Self> {
        if vocab_size < SMALLEST {
            return Err(Error::Usage(format!(
                "a tokenizer needs at least {SMALLEST} entries (256 bytes and {} markers), not {vocab_size}",
                MARKERS.len()
            )));
        }
        let refused = |e: tokenizers::Error| Error::Tokenizer(e.to_string());
        let mut tokenizer = tokenizers::Tokenizer::new(BPE::default());
        let split =
            Split::new(SplitPattern::Regex(PIECES.into()), SplitDelimiterBehavior::Isolated, false).map_err(refused)?;
        let bytes = ByteLevel::new(false, false, false);
        tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![
            PreTokenizerWrapper::Split(split),
            PreTokenizerWrapper::ByteLevel(bytes),
        ])));
        tokenizer.with_decoder(Some(bytes));
        // Trained without the markers, which are added behind: the model itself then cannot produce them.
        let mut trainer: TrainerWrapper = BpeTrainer::builder()
            .show_progress(false)
            .vocab_size(vocab_size - MARKERS.len())
            .min_frequency(2)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build()
            .into();
        let texts: Vec<&str> = texts.into_iter().collect();
        tokenizer.train(&mut trainer, texts.into_iter()).map_err(refused)?;
        let markers = MARKERS.map(|m| AddedToken::from(m, true).normalized(false));
        tokenizer.add_special_tokens(markers).map_err(refused)?;
        let json = tokenizer.to_string(true).map_err(refused)?;
        Tokenizer::from_json(json, serde_json::Map::new(), "trained tokenizer".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::testing::TEXTS;

    #[test]
    fn equal_texts_give_equal_files() {
        let a = Tokenizer::train(TEXTS, 400).unwrap();
        let b = Tokenizer::train(TEXTS, 400).unwrap();
        assert_eq!(a.json, b.json);
        let reversed: Vec<&str> = TEXTS.iter().rev().copied().collect();
        assert_eq!(a.json, Tokenizer::train(reversed, 400).unwrap().json);
    }

    #[test]
    fn common_words_are_one_token_and_digits_are_single() {
        let t = Tokenizer::train(TEXTS, 400).unwrap();
        assert_eq!(t.encode("return").unwrap().len(), 1);
        assert_eq!(t.encode("2024").unwrap().len(), 4);
        assert!(t.vocab_size() <= 400);
        assert_eq!(t.id("</think>"), Some(t.vocab_size() as u32 - 1), "markers come last");
    }

    #[test]
    fn no_text_at_all_still_gives_every_byte() {
        let t = Tokenizer::train([], 300).unwrap();
        assert_eq!(t.vocab_size(), SMALLEST);
        let text = "naïve \u{1F40D}\r\n";
        assert_eq!(t.decode(&t.encode(text).unwrap()).unwrap(), text);
    }

    #[test]
    fn too_small_a_vocabulary_is_refused() {
        assert!(Tokenizer::train(TEXTS, 260).unwrap_err().to_string().contains("at least 261"));
    }
}
