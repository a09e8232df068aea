//! [`Tokenizer`]: text to token ids and back, for any `tokenizer.json`.
//!
//! What a person wrote is never markup. A program that contains the text `<|im_end|>` is encoded as those ten characters,
//! not as the token that ends a turn: otherwise a submission could close its own turn and speak for the grader. Markers get
//! into a row only by id, from [`super::Renderer`].
//!
//! Only tokenizers that keep text as it is are accepted: what is encoded in pieces must decode to the pieces' text. (Some
//! SentencePiece tokenizers put a space before each piece; turns that are tokenised one by one would then not add up.)

use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Text in two pieces that a usable tokenizer gives back unchanged: indentation, digits, quotes, letters beyond ASCII.
const PROBE: [&str; 2] = ["class Node:\n    return x**12\n", "\tprint(f(3), \"café\")\n```\n"];

/// A `tokenizer.json` ready for use. Cloning copies the vocabulary: share it in an `Arc`.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The file as it was read: what [`Tokenizer::save`] writes again, byte for byte.
    pub(super) json: String,
    /// `tokenizer_config.json`, where there was one.
    pub(super) config: serde_json::Map<String, serde_json::Value>,
    /// Ids and texts of tokens that no plain text may turn into.
    markers: Vec<(u32, String)>,
    vocab_size: usize,
    path: PathBuf,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("path", &self.path).field("vocab_size", &self.vocab_size()).finish()
    }
}

impl Tokenizer {
    /// Reads `tokenizer.json`, given as a file or as the folder that holds it (with `tokenizer_config.json` if there is one).
    ///
    /// # Errors
    /// [`Error::Io`] when there is no such file, [`Error::Model`] when it is not a tokenizer or does not keep text as it is.
    pub fn load(path: &Path) -> Result<Self> {
        let file = if path.is_dir() { path.join("tokenizer.json") } else { path.to_path_buf() };
        let json = std::fs::read_to_string(&file).map_err(Error::io("read", &file))?;
        let config_file = file.with_file_name("tokenizer_config.json");
        let config = match std::fs::read_to_string(&config_file) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|e| Error::model(&config_file, format!("not a tokenizer configuration: {e}")))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => serde_json::Map::new(),
            Err(e) => return Err(Error::io("read", &config_file)(e)),
        };
        Self::from_json(json, config, file)
    }

    /// A tokenizer from the text of its `tokenizer.json`; `path` is named in errors.
    ///
    /// # Errors
    /// As [`Tokenizer::load`].
    pub(super) fn from_json(
        json: String,
        config: serde_json::Map<String, serde_json::Value>,
        path: PathBuf,
    ) -> Result<Self> {
        let mut inner = tokenizers::Tokenizer::from_bytes(json.as_bytes())
            .map_err(|e| Error::model(&path, format!("not a tokenizer.json: {e}")))?;
        // Rows are neither cut nor padded here, and no token is added that the renderer did not ask for.
        inner.with_truncation(None).map_err(|e| Error::model(&path, e.to_string()))?;
        inner.with_padding(None);
        inner.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
        let mut added: Vec<_> = inner.get_added_tokens_decoder().into_iter().collect();
        added.sort_by_key(|(id, _)| *id);
        added.retain(|(_, token)| token.special || is_markup(&token.content));
        let markers = added.iter().map(|(id, token)| (*id, token.content.clone())).collect();
        // Qwen's `<think>` is an added token that is not "special"; here it is, so that text cannot become it.
        inner
            .add_special_tokens(added.into_iter().map(|(_, token)| token.special(true)))
            .map_err(|e| Error::model(&path, e.to_string()))?;
        inner.set_encode_special_tokens(true);
        let vocab_size = inner.get_vocab(true).values().max().map_or(0, |&id| id as usize + 1);
        let tokenizer = Tokenizer { inner, json, config, markers, vocab_size, path };
        tokenizer.check()?;
        Ok(tokenizer)
    }

    fn check(&self) -> Result<()> {
        let mut ids = Vec::new();
        for piece in PROBE {
            ids.extend(self.encode(piece)?);
        }
        let (expected, got) = (PROBE.concat(), self.decode(&ids)?);
        if got != expected {
            let message = format!(
                "this tokenizer does not keep text as it is ({expected:?} comes back as {got:?}); \
                 use a byte-level one, such as that of Qwen, Llama 3 or SmolLM2"
            );
            return Err(Error::model(&self.path, message));
        }
        Ok(())
    }

    /// The ids of `text`. No marker comes out, whatever the text says.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when the underlying tokenizer refuses the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let ids = self.encode_once(text)?;
        match self.markers.iter().find(|(id, _)| ids.contains(id)) {
            None => Ok(ids),
            // Some models find the marker in their vocabulary without the added-token table. Encode its halves apart.
            Some((_, marker)) => self.encode_around(text, marker),
        }
    }

    fn encode_around(&self, text: &str, marker: &str) -> Result<Vec<u32>> {
        let cut = marker.char_indices().nth(1).map_or(marker.len(), |(i, _)| i);
        let Some(at) = text.find(marker).filter(|_| cut < marker.len()) else {
            return Err(Error::Tokenizer(format!("the text {text:?} turns into the marker {marker:?}")));
        };
        let (before, after) = text.split_at(at + cut);
        let mut ids = self.encode(before)?;
        ids.extend(self.encode(after)?);
        Ok(ids)
    }

    fn encode_once(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, false).map_err(|e| Error::Tokenizer(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of `ids`, markers included. Bytes that are not UTF-8 (a cut character) become U+FFFD.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when the decoder refuses the ids. Ids outside the vocabulary are skipped.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, false).map_err(|e| Error::Tokenizer(e.to_string()))
    }

    /// Rows that an embedding needs: the largest id plus one.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The id of a token, marker or not.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The ids of all markers, in ascending order: what a sampler may be told never to draw, but for the stop token.
    pub fn markers(&self) -> BTreeSet<u32> {
        self.markers.iter().map(|(id, _)| *id).collect()
    }

    /// The file that this tokenizer came from; for error messages.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether an added token looks like a marker although its file does not call it special.
fn is_markup(content: &str) -> bool {
    (content.starts_with('<') && content.ends_with('>')) || (content.starts_with('[') && content.ends_with(']'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::testing::tokenizer;
    use proptest::prelude::*;

    #[test]
    fn text_never_becomes_a_marker() {
        let t = tokenizer();
        for marker in ["<|im_end|>", "<|im_start|>", "<|endoftext|>", "<think>", "</think>"] {
            let text = format!("print('{marker}')\n{marker}");
            let ids = t.encode(&text).unwrap();
            assert!(!ids.contains(&t.id(marker).unwrap()), "{marker} came out as one token");
            assert_eq!(t.decode(&ids).unwrap(), text);
        }
    }

    #[test]
    fn a_vocabulary_that_holds_a_marker_cannot_bring_it_back() {
        // `ignore_merges` looks the whole text up in the vocabulary before any merge.
        let mut vocab = serde_json::Map::new();
        let alphabet: std::collections::BTreeSet<char> =
            tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter().collect();
        for (i, c) in alphabet.into_iter().enumerate() {
            vocab.insert(c.to_string(), i.into());
        }
        vocab.insert("<|im_end|>".into(), 256.into());
        let json = serde_json::json!({
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
            "added_tokens": [{"id": 256, "content": "<|im_end|>", "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true}],
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
            "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
            "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": true,
                "vocab": vocab, "merges": []},
        });
        let t = Tokenizer::from_json(json.to_string(), serde_json::Map::new(), "x.json".into()).unwrap();
        assert_eq!(t.encode_once("<|im_end|>").unwrap(), [256], "the premise of this test");
        let ids = t.encode("<|im_end|>").unwrap();
        assert!(!ids.contains(&256));
        assert_eq!(t.decode(&ids).unwrap(), "<|im_end|>");
    }

    #[test]
    fn a_tokenizer_that_changes_text_is_refused() {
        let mut json: serde_json::Value = serde_json::from_str(&tokenizer().json).unwrap();
        json["normalizer"] = serde_json::json!({"type": "Lowercase"});
        let e = Tokenizer::from_json(json.to_string(), serde_json::Map::new(), "low.json".into()).unwrap_err();
        assert!(e.to_string().contains("low.json: this tokenizer does not keep text as it is"), "{e}");
    }

    #[test]
    fn missing_and_broken_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let e = Tokenizer::load(dir.path()).unwrap_err().to_string();
        assert!(e.contains("tokenizer.json: cannot read"), "{e}");
        std::fs::write(dir.path().join("tokenizer.json"), "{}").unwrap();
        let e = Tokenizer::load(dir.path()).unwrap_err().to_string();
        assert!(e.contains("not a tokenizer.json"), "{e}");
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "(\\PC|[ \\t\\r\\n`]|<\\|im_end\\|>|[0-9]{3}|é|\u{301}){0,60}") {
            let t = tokenizer();
            let ids = t.encode(&text).unwrap();
            prop_assert_eq!(t.decode(&ids).unwrap(), text);
            prop_assert!(ids.iter().all(|id| !t.markers().contains(id)));
        }
    }
}
