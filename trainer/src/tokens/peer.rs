//! Beside Hugging Face transformers: what is saved here is read there with the same ids, and the chat template writes the same tokens
//! as the renderer. Needs a Python with `transformers` and `jinja2`, and is left out by default:
//!
//! `NOVICE_PEER_PYTHON=python3 cargo test -p novice --lib peer -- --ignored`; `NOVICE_PEER_TOKENIZER` names a tokenizer to use
//! in place of a trained one.

use super::testing::{conversation, tokenizer};
use super::{Renderer, Tokenizer};
use crate::config::Template;
use crate::dialogue::Turn;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const SCRIPT: &str = r#"
import json, sys
from transformers import AutoTokenizer
t = AutoTokenizer.from_pretrained(sys.argv[1])
asked = json.loads(sys.argv[2])
def chat(turns, **more):
    return t.apply_chat_template(turns, tokenize=False, **more)
print(json.dumps({
    "ids": [t.encode(text, add_special_tokens=False) for text in asked["texts"]],
    "chat": chat(asked["turns"]),
    "chat_ids": t.encode(chat(asked["turns"]), add_special_tokens=False),
    "prompt": chat(asked["turns"][:-2], add_generation_prompt=True),
    "eos": t.eos_token_id,
    "decoded": t.decode(t.encode(asked["texts"][0], add_special_tokens=False)),
}))
"#;

#[test]
#[ignore = "needs a Python with transformers: NOVICE_PEER_PYTHON"]
fn transformers_reads_and_writes_the_same() {
    let python = std::env::var("NOVICE_PEER_PYTHON").expect("NOVICE_PEER_PYTHON names a Python with transformers");
    let tokenizer = match std::env::var("NOVICE_PEER_TOKENIZER") {
        Ok(path) => Arc::new(Tokenizer::load(Path::new(&path)).unwrap()),
        Err(_) => tokenizer(),
    };
    for template in [Template::Chatml, Template::Qwen3] {
        let Ok(renderer) = Renderer::new(tokenizer.clone(), template) else {
            assert_eq!(template, Template::Qwen3, "every tokenizer of this test knows ChatML");
            continue;
        };
        let dir = tempfile::tempdir().unwrap();
        tokenizer.save(dir.path(), template).unwrap();
        let texts = ["def f(x):\n    return x ** 123\n\n\n# é \u{1F40D}\t'a'\r\n", "", "   \n  x", "a\n```\n"];
        let turns: Vec<Turn> = conversation(&["x = 1\n", "def f():\n    return 2"]).turns;
        let told: Vec<_> =
            turns.iter().map(|t| serde_json::json!({"role": t.role.name(), "content": t.text})).collect();
        let asked = serde_json::json!({"texts": texts, "turns": told}).to_string();
        let out = Command::new(&python).args(["-c", SCRIPT]).arg(dir.path()).arg(asked).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let answer: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        let ids: Vec<Vec<u32>> = texts.iter().map(|t| tokenizer.encode(t).unwrap()).collect();
        assert_eq!(answer["ids"], serde_json::json!(ids));
        assert_eq!(answer["decoded"], texts[0]);
        assert_eq!(answer["chat"], renderer.text(&turns));
        assert_eq!(answer["chat_ids"], serde_json::json!(renderer.turns(&turns).unwrap()));
        let header = tokenizer.decode(renderer.assistant_header()).unwrap();
        let prompt = format!("{}{header}", renderer.text(&turns[..turns.len() - 2]));
        assert_eq!(answer["prompt"], prompt);
        assert_eq!(answer["eos"], renderer.stop());
    }
}
