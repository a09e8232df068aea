//! The files of a tokenizer that go beside a model's weights, so that other tools read it and write the same turns.
//!
//! `tokenizer.json` is written as it was read. `tokenizer_config.json` keeps what it said, but for the chat template, which
//! becomes the one that this model was trained with ([`chat_template`]), and the end-of-sequence token, which becomes the
//! end of a turn.

use super::tokenizer::Tokenizer;
use crate::config::Template;
use crate::error::{Error, Result};
use crate::files::write_atomic;
use serde_json::{Value, json};
use std::path::Path;

/// Start of a turn.
pub(super) const TURN_START: &str = "<|im_start|>";
/// End of a turn; the stop token of an assistant's.
pub(super) const TURN_END: &str = "<|im_end|>";
/// Padding and end of text.
pub(super) const TEXT_END: &str = "<|endoftext|>";
/// Start of a thought.
pub(super) const THINK_START: &str = "<think>";
/// End of a thought.
pub(super) const THINK_END: &str = "</think>";
/// What a tokenizer trained here knows beside text, in order of id.
pub(super) const MARKERS: [&str; 5] = [TEXT_END, TURN_START, TURN_END, THINK_START, THINK_END];

/// The chat template (Jinja) that writes what [`super::Renderer`] writes.
pub fn chat_template(template: Template) -> String {
    let thought = match template {
        Template::Chatml => "",
        Template::Qwen3 => "<think>\\n\\n</think>\\n\\n",
    };
    format!(
        "{{%- for message in messages -%}}\
         {{{{- '<|im_start|>' + message.role + '\\n' -}}}}\
         {{%- if message.role == 'assistant' -%}}{{{{- '{thought}' -}}}}{{%- endif -%}}\
         {{{{- message.content + '<|im_end|>\\n' -}}}}\
         {{%- endfor -%}}\
         {{%- if add_generation_prompt -%}}{{{{- '<|im_start|>assistant\\n{thought}' -}}}}{{%- endif -%}}"
    )
}

impl Tokenizer {
    /// Writes `tokenizer.json` and `tokenizer_config.json` into an existing folder; each file appears whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, dir: &Path, template: Template) -> Result<()> {
        write_atomic(dir.join("tokenizer.json"), self.json.as_bytes())?;
        let config = serde_json::to_string_pretty(&self.saved_config(template))
            .map_err(|e| Error::Tokenizer(format!("tokenizer_config.json: {e}")))?;
        write_atomic(dir.join("tokenizer_config.json"), config.as_bytes())
    }

    fn saved_config(&self, template: Template) -> Value {
        let mut config = self.config.clone();
        if config.is_empty() {
            config.insert("tokenizer_class".into(), "PreTrainedTokenizerFast".into());
            config.insert("bos_token".into(), Value::Null);
            config.insert("unk_token".into(), Value::Null);
            config.insert("pad_token".into(), TEXT_END.into());
            config.insert("clean_up_tokenization_spaces".into(), false.into());
            config.insert("model_max_length".into(), 32768.into());
            config.insert("additional_special_tokens".into(), json!([TURN_START, TURN_END]));
        }
        config.insert("eos_token".into(), TURN_END.into());
        config.insert("chat_template".into(), chat_template(template).into());
        Value::Object(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::testing::tokenizer;

    #[test]
    fn a_saved_tokenizer_is_the_same_tokenizer() {
        let dir = tempfile::tempdir().unwrap();
        let t = tokenizer();
        t.save(dir.path(), Template::Chatml).unwrap();
        let back = Tokenizer::load(dir.path()).unwrap();
        assert_eq!(t.json, back.json);
        assert_eq!(t.encode("def f(): return 10").unwrap(), back.encode("def f(): return 10").unwrap());
        assert_eq!(back.config["tokenizer_class"], "PreTrainedTokenizerFast");
        assert_eq!(back.config["eos_token"], "<|im_end|>");
    }

    #[test]
    fn what_a_configuration_said_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut t = (*tokenizer()).clone();
        t.config.insert("tokenizer_class".into(), "Qwen2Tokenizer".into());
        t.config.insert("chat_template".into(), "other".into());
        t.save(dir.path(), Template::Qwen3).unwrap();
        let back = Tokenizer::load(dir.path()).unwrap();
        assert_eq!(back.config["tokenizer_class"], "Qwen2Tokenizer");
        assert_eq!(back.config["chat_template"], chat_template(Template::Qwen3));
    }

    #[test]
    fn the_template_reads_as_meant() {
        insta::assert_snapshot!(chat_template(Template::Qwen3), @r"{%- for message in messages -%}{{- '<|im_start|>' + message.role + '\n' -}}{%- if message.role == 'assistant' -%}{{- '<think>\n\n</think>\n\n' -}}{%- endif -%}{{- message.content + '<|im_end|>\n' -}}{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n<think>\n\n</think>\n\n' -}}{%- endif -%}");
    }
}
