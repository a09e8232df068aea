//! Any text as a list of words: the tokens of a Python program, with a mark for each line and its indentation level.
//!
//! For a program that parses the words are the lexer's tokens and a line is a logical line, so an expression broken
//! over three lines has the words of one on a single line. For a text that does not parse brackets cannot be trusted,
//! so every physical line counts and a small scanner cuts it into names, numbers, strings and operators. Comments and
//! blank lines are dropped in both; indentation enters only as a level, not as a width. Quotes are kept as written.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::parse_module;
use ruff_text_size::Ranged;

use super::deep::with_room;

/// One word of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Word<'a> {
    /// A line begins, at this level of indentation.
    Line(u32),
    /// A name, keyword, number, string or operator as written.
    Text(&'a str),
}

/// The words of `code`, by logical lines if it parses and by physical lines if not.
pub fn words(code: &str) -> Vec<Word<'_>> {
    with_room(code, || parse_module(code).ok().map(|module| logical(code, module.tokens())))
        .flatten()
        .unwrap_or_else(|| words_by_line(code))
}

fn logical<'a>(code: &'a str, tokens: &[ruff_python_ast::token::Token]) -> Vec<Word<'a>> {
    let (mut words, mut level, mut at_start) = (Vec::new(), 0_u32, true);
    for token in tokens {
        match token.kind() {
            TokenKind::Indent => level += 1,
            TokenKind::Dedent => level = level.saturating_sub(1),
            TokenKind::Newline => at_start = true,
            TokenKind::Comment | TokenKind::NonLogicalNewline | TokenKind::EndOfFile => {}
            _ => {
                if std::mem::take(&mut at_start) {
                    words.push(Word::Line(level));
                }
                let text = code.get(token.range().to_std_range()).unwrap_or_default();
                if !text.is_empty() {
                    words.push(Word::Text(text));
                }
            }
        }
    }
    words
}

/// The words of any text by physical lines; the level comes from a stack of indentation widths (a tab reaches the next
/// multiple of 8).
pub fn words_by_line(code: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut widths = vec![0_usize];
    let mut rest = code;
    while !rest.is_empty() {
        let line_start = rest.trim_start_matches([' ', '\t', '\u{c}']);
        let width = width(rest.get(..rest.len() - line_start.len()).unwrap_or_default());
        rest = line_start;
        let mut at_start = true;
        loop {
            rest = rest.trim_start_matches(|c: char| c != '\n' && c.is_whitespace());
            let Some(first) = rest.chars().next() else { break };
            if first == '\n' {
                rest = rest.get(1..).unwrap_or_default();
                break;
            }
            if first == '#' {
                rest = rest.find('\n').and_then(|end| rest.get(end..)).unwrap_or_default();
                continue;
            }
            if std::mem::take(&mut at_start) {
                while widths.len() > 1 && widths.last().is_some_and(|top| *top > width) {
                    widths.pop();
                }
                if widths.last().is_some_and(|top| *top < width) {
                    widths.push(width);
                }
                words.push(Word::Line(u32::try_from(widths.len() - 1).unwrap_or(u32::MAX)));
            }
            let (word, after) = rest.split_at_checked(word_length(rest, first)).unwrap_or((rest, ""));
            words.push(Word::Text(word));
            rest = after;
        }
    }
    words
}

fn width(blank: &str) -> usize {
    blank.chars().fold(0, |width, c| if c == '\t' { (width / 8 + 1) * 8 } else { width + 1 })
}

/// Bytes of the word at the start of `rest`, at least one character.
fn word_length(rest: &str, first: char) -> usize {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let run = |accept: &dyn Fn(char) -> bool| rest.find(|c| !accept(c)).unwrap_or(rest.len());
    if first.is_ascii_digit() {
        return run(&|c| is_name(c) || c == '.');
    }
    if is_name(first) {
        let name = run(&is_name);
        // A string prefix belongs to its string: f"…", rb'…'.
        let quoted = rest.get(name..).unwrap_or_default();
        let prefix = name <= 2 && rest.get(..name).is_some_and(|p| p.chars().all(|c| "rRbBfFuUtT".contains(c)));
        return if prefix && quoted.starts_with(['"', '\'']) { name + string_length(quoted) } else { name };
    }
    if first == '"' || first == '\'' {
        return string_length(rest);
    }
    const OPERATORS: [&str; 26] = [
        "**=", "//=", "<<=", ">>=", "...", "**", "//", "<<", ">>", "==", "!=", "<=", ">=", "->", ":=", "+=", "-=",
        "*=", "/=", "%=", "&=", "|=", "^=", "@=", "<>", "||",
    ];
    OPERATORS.iter().find(|operator| rest.starts_with(**operator)).map_or(first.len_utf8(), |operator| operator.len())
}

/// Bytes of the string literal at the start of `rest`: to its closing quote, or to the end of the line (of the text,
/// for triple quotes) when it is not closed.
fn string_length(rest: &str) -> usize {
    let quote = rest.get(..1).unwrap_or_default();
    let triple = rest.get(..3).filter(|mark| *mark == quote.repeat(3));
    let mark = triple.unwrap_or(quote);
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip_while(|(at, _)| *at < mark.len()) {
        if triple.is_none() && c == '\n' {
            return at;
        }
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if rest.get(at..).is_some_and(|tail| tail.starts_with(mark)) {
            return at + mark.len();
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(words: &[Word]) -> String {
        let mut out = String::new();
        for word in words {
            match word {
                Word::Line(level) => out.push_str(&format!("|{level}")),
                Word::Text(text) => out.push_str(&format!(" {text}")),
            }
        }
        out
    }

    #[test]
    fn both_scanners_agree_on_simple_programs() {
        let code =
            "def f(x):  # doc\n    if x >= 1.5:\n\n        return f'a{x}' + \"b\"\n    return x**2\nprint(f(3))\n";
        assert_eq!(text(&words_by_line("x = f'a' + rb\"b\" != 3.0")), "|0 x = f'a' + rb\"b\" != 3.0");
        let plain = code.replace("f'a{x}'", "'a'");
        assert_eq!(words(&plain), words_by_line(&plain));
        assert_eq!(
            text(&words(&plain)),
            "|0 def f ( x ) :|1 if x >= 1.5 :|2 return 'a' + \"b\"|1 return x ** 2|0 print ( f ( 3 ) )"
        );
    }

    #[test]
    fn layout_inside_brackets_vanishes_when_it_parses() {
        assert_eq!(words("f(1,\n  2)"), words("f(1, 2)"));
        assert_ne!(words("f(1,\n  2"), words("f(1, 2"));
    }

    #[test]
    fn broken_strings_end_with_their_line() {
        assert_eq!(text(&words_by_line("x = 'abc\ny = 2")), "|0 x = 'abc|0 y = 2");
        assert_eq!(text(&words_by_line("x = '''a\nb''' + 1")), "|0 x = '''a\nb''' + 1");
        assert_eq!(text(&words_by_line("x = 'a\\'b'")), "|0 x = 'a\\'b'");
    }

    proptest! {
        #[test]
        fn any_text_is_cut_without_loss(code in "\\PC*|[a-z(){}'\"#:= \\n\\t0-9.\\\\]{0,60}") {
            let kept: String = words_by_line(&code).iter().filter_map(|w| match w { Word::Text(t) => Some(*t), Word::Line(_) => None }).collect();
            prop_assert!(kept.len() <= code.len());
            let _ = words(&code);
        }
    }
}
