//! The same program in another hand: names, quotes, indentation, blanks, a comment. Nothing that a test could see
//! changes; every step is checked against the normal form and undone if it did.

use novice_rewards::python::normal_form;
use ruff_python_ast::token::TokenKind;

use super::draw::Draw;
use super::patch::{Patch, apply};
use super::source::Source;

/// How a learner writes, everywhere.
#[derive(Debug, Clone)]
pub(super) struct Style {
    /// Which of the usual names for a thing the learner takes; 0 is the solution's own.
    naming: usize,
    /// Takes first letters for names.
    short_names: bool,
    /// The quote the learner types.
    quote: char,
    /// Blanks an indentation level.
    indent: usize,
    /// Leaves out the blanks around operators.
    tight: bool,
    /// Begins programs with a comment.
    header: bool,
}

/// Names that learners give to the same thing.
const SYNONYMS: [&[&str]; 20] = [
    &["numbers", "nums", "lst", "values", "my_list"],
    &["number", "num", "x", "value", "n"],
    &["result", "res", "answer", "total", "output"],
    &["count", "counter", "cnt", "amount", "c"],
    &["letter", "char", "ch", "l", "character"],
    &["text", "string", "s", "txt", "line"],
    &["word", "w", "s", "string", "my_word"],
    &["words", "parts", "word_list", "w", "splitted"],
    &["sentence", "s", "text", "string", "sent"],
    &["i", "index", "j", "k", "idx"],
    &["biggest", "big", "m", "maximum", "highest"],
    &["total", "sum_", "t", "result", "s"],
    &["position", "pos", "index", "p", "place"],
    &["items", "lst", "things", "a", "values"],
    &["item", "x", "thing", "element", "el"],
    &["counts", "d", "letters", "dictionary", "freq"],
    &["price", "p", "cost", "start_price", "start"],
    &["percent", "perc", "discount_percent", "d", "rate"],
    &["year", "y", "yyyy", "the_year", "yr"],
    &["celsius", "c", "temp", "degrees", "cel"],
];

impl Style {
    pub(super) fn draw(draw: &mut Draw) -> Self {
        Style {
            naming: draw.below(5),
            short_names: draw.chance(0.12),
            quote: if draw.chance(0.5) { '"' } else { '\'' },
            indent: if draw.chance(0.8) { 4 } else { 2 },
            tight: draw.chance(0.25),
            header: draw.chance(0.15),
        }
    }

    /// `code` in this style; the same program up to taste.
    pub(super) fn write(&self, code: &str) -> String {
        let form = normal_form(code);
        let steps: [fn(&Style, &str) -> Option<String>; 5] =
            [Style::rename, Style::requote, Style::tighten, Style::reindent, Style::head];
        let mut written = format!("{}\n", code.trim_end());
        for step in steps {
            if let Some(next) = step(self, &written).filter(|next| normal_form(next) == form) {
                written = next;
            }
        }
        written
    }

    fn rename(&self, code: &str) -> Option<String> {
        let source = Source::new(code)?;
        let mut taken: Vec<&str> =
            source.tokens.iter().filter(|(kind, _)| *kind == TokenKind::Name).map(|(_, at)| source.slice(at)).collect();
        let mut patches = Vec::new();
        for name in &source.names {
            let usual = SYNONYMS.iter().find(|names| names.first() == Some(&name.name.as_str()));
            let synonym = usual.and_then(|names| names.get(self.naming)).copied();
            let short = name.name.get(..1).filter(|_| self.short_names);
            let Some(new) = short.or(synonym).filter(|new| !taken.contains(new)) else { continue };
            taken.push(new);
            patches.extend(name.mentions.iter().map(|at| Patch::replace(*at..at + name.name.len(), new)));
        }
        Some(apply(code, &patches))
    }

    fn requote(&self, code: &str) -> Option<String> {
        let source = Source::new(code)?;
        let other = if self.quote == '"' { '\'' } else { '"' };
        let plain = source.tokens.iter().filter(|(kind, at)| {
            let text = source.slice(at);
            *kind == TokenKind::String && text.starts_with(other) && !text.contains([self.quote, '\\', '\n'])
        });
        let patches: Vec<Patch> = plain
            .map(|(_, at)| Patch::replace(at.start..at.start + 1, self.quote).and(at.end - 1..at.end, self.quote))
            .collect();
        Some(apply(code, &patches))
    }

    fn tighten(&self, code: &str) -> Option<String> {
        if !self.tight {
            return None;
        }
        let source = Source::new(code)?;
        let mut patches = Vec::new();
        for window in source.tokens.windows(3) {
            let [(_, left), (kind, operator), (_, right)] = window else { continue };
            let is_operator = matches!(
                kind,
                TokenKind::Equal
                    | TokenKind::Plus
                    | TokenKind::Minus
                    | TokenKind::Star
                    | TokenKind::Slash
                    | TokenKind::PlusEqual
                    | TokenKind::EqEqual
                    | TokenKind::Less
                    | TokenKind::Greater
            );
            let blanks = [left.end..operator.start, operator.end..right.start];
            if is_operator && blanks.iter().all(|blank| source.slice(blank) == " ") {
                patches.extend(blanks.map(|blank| Patch::replace(blank, "")));
            }
        }
        Some(apply(code, &patches))
    }

    fn reindent(&self, code: &str) -> Option<String> {
        if code.contains("\"\"\"") || code.contains("'''") {
            return None;
        }
        let lines = code.lines().map(|line| {
            let blanks = line.len() - line.trim_start_matches(' ').len();
            format!("{}{}\n", " ".repeat(blanks / 4 * self.indent + blanks % 4), line.trim_start_matches(' '))
        });
        Some(lines.collect())
    }

    fn head(&self, code: &str) -> Option<String> {
        self.header.then(|| format!("# my solution\n{code}"))
    }
}
