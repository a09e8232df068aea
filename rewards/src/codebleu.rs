//! CodeBLEU of a candidate program against one reference, deterministic: as published, and repaired.
//!
//! `CodeBLEU = 1/4 (n-grams + weighted n-grams + syntax + dataflow)` (Ren et al. 2020, arXiv:2009.10297). [`Form::Published`]
//! follows the PyPI package `codebleu` 0.7.0 for Python, quirks included; [`Form::Corrected`] is free of them:
//!
//! | part | published | corrected |
//! |---|---|---|
//! | tokens | split at white space | [`words`] |
//! | n-grams | BLEU-4; orders that a short text does not have count as 0.1 | only orders that the reference has |
//! | weighted n-grams | recall, keywords 1 and the rest 0.2; no brevity penalty beyond two tokens | precision with the same weights and a brevity penalty, as the paper has it |
//! | syntax | share of the reference's subtrees that occur in the candidate: a superset scores 1 | F1 of the two multisets of subtrees |
//! | dataflow | share of the reference's edges; a score of 0 counts as 1, so unrelated programs score 0.25 | F1; where neither program has an edge the other three parts are averaged |
//!
//! The package is not deterministic: it lists sets of names in the order of a hash that changes from run to run (up to 0.018
//! of the score). Both forms here list them in the order of appearance.
//!
//! Grammar: `tree-sitter-python` 0.23; later ones recover from errors in another way, and the package does not load them. Columns of text
//! beyond ASCII are counted right here.

mod comments;
mod dataflow;
mod ngrams;
mod subtrees;

use crate::python::{Syntax, Word, words};

/// Which CodeBLEU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As the package computes it.
    Published,
    /// Without its quirks.
    Corrected,
}

/// A score and its parts, each in 0..=1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CodeBleu {
    /// BLEU-4 of the tokens.
    pub ngrams: f64,
    /// The same with keywords weighing five times as much as other tokens.
    pub weighted: f64,
    /// Agreement of subtrees.
    pub syntax: f64,
    /// Agreement of the edges from definitions to uses. Corrected: `None` where neither program has any.
    pub dataflow: Option<f64>,
    /// The score.
    pub total: f64,
}

/// CodeBLEU of `candidate` against `reference`; not symmetric. 1 for equal programs, except that the published form gives less to programs of
/// fewer than four tokens.
pub fn codebleu(reference: &str, candidate: &str, form: Form) -> CodeBleu {
    let (reference, candidate) = (reference.trim(), candidate.trim());
    let (ngrams, weighted) = match form {
        Form::Published => {
            let of = |text: &'_ str| -> Vec<String> { text.split_whitespace().map(String::from).collect() };
            let (reference, candidate) = (of(reference), of(candidate));
            (ngrams::published(&reference, &candidate), ngrams::published_weighted(&reference, &candidate))
        }
        Form::Corrected => {
            let (reference, candidate) = (tokens(reference), tokens(candidate));
            (ngrams::corrected(&reference, &candidate, false), ngrams::corrected(&reference, &candidate, true))
        }
    };
    let bare = |text: &str| comments::without_comments(text, form).unwrap_or_else(|| text.to_string());
    let (reference, candidate) = (bare(reference), bare(candidate));
    let (Some(reference), Some(candidate)) = (Syntax::parse(&reference), Syntax::parse(&candidate)) else {
        return CodeBleu { ngrams, weighted, syntax: 0.0, dataflow: Some(0.0), total: 0.25 * (ngrams + weighted) };
    };
    let syntax = subtrees::agreement(&reference, &candidate, form);
    let dataflow = dataflow::agreement(&reference, &candidate, form);
    let total = match (form, dataflow) {
        (Form::Published, Some(flow)) => 0.25 * (ngrams + weighted + syntax + if flow == 0.0 { 1.0 } else { flow }),
        (Form::Corrected, Some(flow)) => 0.25 * (ngrams + weighted + syntax + flow),
        (_, None) => (ngrams + weighted + syntax) / 3.0,
    };
    CodeBleu { ngrams, weighted, syntax, dataflow, total: total.clamp(0.0, 1.0) }
}

/// Words as text; a line's mark with its level of indentation is a token too.
fn tokens(code: &str) -> Vec<String> {
    let word = |word: &Word| match word {
        Word::Line(level) => format!("\n{level}"),
        Word::Text(text) => (*text).to_string(),
    };
    words(code).iter().map(word).collect()
}

/// F1 of two multisets of which `common` members pair up; `None` of two empty ones.
fn f1(common: usize, a: usize, b: usize) -> Option<f64> {
    (a + b > 0).then(|| 2.0 * common as f64 / (a + b) as f64)
}

#[cfg(test)]
mod tests;
