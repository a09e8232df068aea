//! Scores pairs of programs: JSON lines `{"reference", "candidate"}` in, one object of scores a line out.
//!
//!     cargo run --release -p novice-rewards --example similarity < pairs.jsonl
//!
//! `tests/peers/similarity/` compares its output with the package `codebleu`.

use novice_rewards::codebleu::{Form, codebleu};
use novice_rewards::similarity::{edit_similarity, tree_similarity};
use serde_json::{Value, json};
use std::io::{BufRead, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let pair: Value = serde_json::from_str(&line?)?;
        let text = |field: &str| pair.get(field).and_then(Value::as_str).unwrap_or_default();
        let (reference, candidate) = (text("reference"), text("candidate"));
        let published = codebleu(reference, candidate, Form::Published);
        let scores = json!({
            "published": [published.total, published.ngrams, published.weighted, published.syntax, published.dataflow],
            "corrected": codebleu(reference, candidate, Form::Corrected).total,
            "tokens": edit_similarity(reference, candidate),
            "tree": tree_similarity(reference, candidate),
        });
        writeln!(out, "{scores}")?;
    }
    Ok(())
}
