//! A program without its comments and docstrings, as the package takes them out before it looks at syntax and dataflow.
//!
//! A string goes when it is the first token of a line's statement, of a block, or of the text, or stands in column 0. Blank lines go. A
//! text that Python's tokenizer refuses (an open bracket at its end, an inconsistent dedent, an open triple quote) stays as it is. As published,
//! a tab that does not open a block becomes one blank, which changes the tree of a block of several lines that is indented by tabs.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{LexicalErrorType, Mode, ParseErrorType, ParseOptions, parse_unchecked};
use ruff_text_size::Ranged;

use super::Form;
use crate::python::with_room;

/// `code` without comments and docstrings; `None` where the tokenizer would refuse it.
pub(super) fn without_comments(code: &str, form: Form) -> Option<String> {
    with_room(code, || strip(code, form)).flatten()
}

fn strip(code: &str, form: Form) -> Option<String> {
    let parsed = parse_unchecked(code, ParseOptions::from(Mode::Module));
    let refused = |error: &ParseErrorType| {
        matches!(error, ParseErrorType::Lexical(LexicalErrorType::IndentationError | LexicalErrorType::Eof))
    };
    if parsed.errors().iter().any(|error| refused(&error.error)) {
        return None;
    }
    let (mut kept, mut done) = (String::new(), 0);
    let mut previous = TokenKind::Indent;
    let (mut brackets, mut interpolated, mut cut) = (0_usize, 0_usize, false);
    for token in parsed.tokens() {
        let (kind, range) = (token.kind(), token.range().to_std_range());
        let text = code.get(range.clone()).unwrap_or_default();
        match kind {
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => brackets += 1,
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => brackets = brackets.saturating_sub(1),
            TokenKind::Unknown | TokenKind::String if is_open(text) => return None,
            _ => {}
        }
        let gap = code.get(done..range.start).unwrap_or_default();
        match form {
            _ if cut => {}
            Form::Published => kept.push_str(&gap.replace('\t', " ")),
            Form::Corrected => kept.push_str(gap),
        }
        let opens = matches!(kind, TokenKind::FStringStart | TokenKind::TStringStart);
        if (kind == TokenKind::String || opens) && interpolated == 0 {
            let line = code.get(..range.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
            cut = matches!(previous, TokenKind::Indent | TokenKind::Newline) || line == range.start;
        }
        if !cut && kind != TokenKind::Comment {
            kept.push_str(text);
        }
        done = range.end.max(done);
        interpolated += usize::from(opens);
        let closes = matches!(kind, TokenKind::FStringEnd | TokenKind::TStringEnd);
        interpolated = interpolated.saturating_sub(usize::from(closes));
        if interpolated == 0 {
            cut = false;
            // An f-string is one token of the tokenizer, of the kind of a string.
            previous = if closes { TokenKind::String } else { kind };
        }
    }
    if brackets > 0 {
        return None;
    }
    kept.push_str(code.get(done..).unwrap_or_default());
    let lines: Vec<&str> = kept.split('\n').filter(|line| !line.trim().is_empty()).collect();
    Some(lines.join("\n"))
}

/// Whether a string's token begins with a triple quote that nothing closes: it then runs to the end of the text.
fn is_open(text: &str) -> bool {
    let body = text.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    ["\"\"\"", "'''"].iter().any(|mark| body.strip_prefix(mark).is_some_and(|rest| !rest.ends_with(mark)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_comments(code: &str) -> Option<String> {
        super::without_comments(code, Form::Corrected)
    }

    #[test]
    fn tabs_become_blanks_as_published() {
        let code = "if a:\n\tb\n\tc";
        assert_eq!(super::without_comments(code, Form::Published).unwrap(), "if a:\n\tb\n c");
        assert_eq!(without_comments(code).unwrap(), code);
    }

    #[test]
    fn comments_and_docstrings_go() {
        let code = "'''head'''\n# note\ndef f(x):\n    \"doc\"\n    y = 'kept'  # why\n\n    return y\n";
        assert_eq!(without_comments(code).unwrap(), "def f(x):\n    y = 'kept'  \n    return y");
        assert_eq!(without_comments("f\"{x}\"\ny = f'{x}'").unwrap(), "y = f'{x}'");
        assert_eq!(without_comments("x = (1,\n'a')").unwrap(), "x = (1,\n)");
    }

    #[test]
    fn what_the_tokenizer_refuses_stays() {
        assert_eq!(without_comments("def f(x:\n    # open\n    return x"), None);
        assert_eq!(without_comments("if x:\n        y\n    z # dedent"), None);
        assert_eq!(without_comments("x = '''open"), None);
        // A missing colon is no business of the tokenizer.
        assert_eq!(without_comments("if x # note\n    y").unwrap(), "if x \n    y");
    }
}
