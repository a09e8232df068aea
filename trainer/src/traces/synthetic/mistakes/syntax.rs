//! Mistakes after which the program does not parse.

use ruff_python_ast::token::TokenKind;
use ruff_text_size::Ranged;

use super::super::patch::Patch;
use super::super::source::Source;

/// Deletes the colon at the end of a header.
pub(super) fn missing_colon(source: &Source) -> Vec<Patch> {
    let ends = source.token_pairs().filter(|(kind, _, next)| *kind == TokenKind::Colon && *next == TokenKind::Newline);
    ends.map(|(_, range, _)| Patch::replace(range.clone(), "")).collect()
}

/// Deletes a closing bracket at the end of a line or before the colon of a header.
pub(super) fn missing_bracket(source: &Source) -> Vec<Patch> {
    let ends = source.token_pairs().filter(|(kind, _, next)| {
        matches!(kind, TokenKind::Rpar | TokenKind::Rsqb) && matches!(next, TokenKind::Newline | TokenKind::Colon)
    });
    ends.map(|(_, range, _)| Patch::replace(range.clone(), "")).collect()
}

/// Deletes the closing quote of a string.
pub(super) fn missing_quote(source: &Source) -> Vec<Patch> {
    let strings = source.tokens.iter().filter(|(kind, range)| *kind == TokenKind::String && range.len() > 2);
    strings.map(|(_, range)| Patch::replace(range.end - 1..range.end, "")).collect()
}

/// Writes `=` for `==`.
pub(super) fn assignment_for_comparison(source: &Source) -> Vec<Patch> {
    let equals = source.tokens.iter().filter(|(kind, _)| *kind == TokenKind::EqEqual);
    equals.map(|(_, range)| Patch::replace(range.clone(), "=")).collect()
}

/// Puts the first statement of a body at the level of its header.
pub(super) fn body_not_indented(source: &Source) -> Vec<Patch> {
    let sites = source.statements();
    let openings = sites.iter().filter_map(|site| {
        let inner = source.indent(site.stmt.range())?;
        let outer = source.indent(site.opens?.range())?;
        Some(Patch::replace(inner, source.slice(&outer)))
    });
    openings.collect()
}

/// Takes one blank from the indentation of a statement that is not the first of its body.
pub(super) fn uneven_indent(source: &Source) -> Vec<Patch> {
    let sites = source.statements();
    let later = sites.iter().filter(|site| site.previous.is_some()).filter_map(|site| source.indent(site.stmt.range()));
    later.filter(|indent| indent.len() > 1).map(|indent| Patch::replace(indent.start..indent.start + 1, "")).collect()
}

/// Writes `else if` for `elif`.
pub(super) fn else_if(source: &Source) -> Vec<Patch> {
    let elifs = source.tokens.iter().filter(|(kind, _)| *kind == TokenKind::Elif);
    elifs.map(|(_, range)| Patch::replace(range.clone(), "else if")).collect()
}

/// Swaps two letters of a keyword so that its line no longer parses.
pub(super) fn misspelt_keyword(source: &Source) -> Vec<Patch> {
    let misspelt = |kind: TokenKind| match kind {
        TokenKind::Return => Some("retrun"),
        TokenKind::While => Some("whlie"),
        TokenKind::Else => Some("esle"),
        TokenKind::Def => Some("dfe"),
        TokenKind::For => Some("fro"),
        _ => None,
    };
    // `retrun -1` and `retrun (x)` would parse, as a difference and a call.
    let certain = |kind: TokenKind, next: TokenKind| {
        kind != TokenKind::Return
            || !matches!(next, TokenKind::Minus | TokenKind::Plus | TokenKind::Lpar | TokenKind::Lsqb)
    };
    let keywords = source.token_pairs().filter(|(kind, _, next)| certain(*kind, *next));
    keywords.filter_map(|(kind, range, _)| Some(Patch::replace(range.clone(), misspelt(kind)?))).collect()
}
