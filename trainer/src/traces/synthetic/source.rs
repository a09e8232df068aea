//! A correct program, parsed once, with what the mistakes ask about it.

use std::ops::Range;

use novice_rewards::python::{LocalName, local_names, parses};
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{ExceptHandler, Expr, Stmt, Suite};
use ruff_python_parser::parse_module;
use ruff_text_size::{Ranged, TextRange};

/// Text, tree, tokens and local names of a program that parses.
pub(super) struct Source<'a> {
    pub(super) code: &'a str,
    body: Suite,
    /// Kinds and places of the tokens, comments and blank lines left out.
    pub(super) tokens: Vec<(TokenKind, Range<usize>)>,
    pub(super) names: Vec<LocalName>,
}

/// A statement among its siblings.
#[derive(Clone, Copy)]
pub(super) struct Site<'t> {
    pub(super) stmt: &'t Stmt,
    /// The statement before it in the same body.
    pub(super) previous: Option<&'t Stmt>,
    /// The number of statements of the body.
    pub(super) siblings: usize,
    /// Whether it is the first of a nested body, and that body's owner.
    pub(super) opens: Option<&'t Stmt>,
}

impl<'a> Source<'a> {
    /// `None` for a program that Python would refuse.
    pub(super) fn new(code: &'a str) -> Option<Self> {
        if !parses(code) {
            return None;
        }
        let module = parse_module(code).ok()?;
        let tokens = module
            .tokens()
            .iter()
            .filter(|token| !matches!(token.kind(), TokenKind::Comment | TokenKind::NonLogicalNewline))
            .map(|token| (token.kind(), token.range().to_std_range()))
            .collect();
        Some(Source { code, tokens, names: local_names(code), body: module.into_suite() })
    }

    pub(super) fn text(&self, range: TextRange) -> &'a str {
        self.code.get(range.to_std_range()).unwrap_or_default()
    }

    pub(super) fn slice(&self, range: &Range<usize>) -> &'a str {
        self.code.get(range.clone()).unwrap_or_default()
    }

    /// Each token with the kind of the one after it.
    pub(super) fn token_pairs(&self) -> impl Iterator<Item = (TokenKind, &Range<usize>, TokenKind)> {
        self.tokens.iter().zip(self.tokens.iter().skip(1)).map(|((kind, range), (next, _))| (*kind, range, *next))
    }

    /// The whole lines on which `range` stands, line ends included.
    pub(super) fn lines(&self, range: TextRange) -> Range<usize> {
        let range = range.to_std_range();
        let start = self.code.get(..range.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let end = self
            .code
            .get(range.end..)
            .and_then(|after| after.find('\n'))
            .map_or(self.code.len(), |at| range.end + at + 1);
        start..end
    }

    /// The blanks before the statement on its line; `None` if something else stands there.
    pub(super) fn indent(&self, range: TextRange) -> Option<Range<usize>> {
        let indent = self.lines(range).start..range.to_std_range().start;
        self.slice(&indent).chars().all(|c| c == ' ' || c == '\t').then_some(indent)
    }

    /// Every statement, outer before inner.
    pub(super) fn statements(&self) -> Vec<Site<'_>> {
        let mut sites = Vec::new();
        collect(&self.body, None, &mut sites);
        sites
    }

    /// Every expression, outer before inner.
    pub(super) fn expressions(&self) -> Vec<&Expr> {
        let mut walk = Expressions(Vec::new());
        walk.visit_body(&self.body);
        walk.0
    }
}

struct Expressions<'t>(Vec<&'t Expr>);

impl<'t> Visitor<'t> for Expressions<'t> {
    fn visit_expr(&mut self, expr: &'t Expr) {
        self.0.push(expr);
        walk_expr(self, expr);
    }
}

/// The bodies directly inside a statement.
pub(super) fn bodies(stmt: &Stmt) -> Vec<&[Stmt]> {
    match stmt {
        Stmt::FunctionDef(function) => vec![&function.body],
        Stmt::ClassDef(class) => vec![&class.body],
        Stmt::With(with) => vec![&with.body],
        Stmt::For(for_loop) => vec![&for_loop.body, &for_loop.orelse],
        Stmt::While(while_loop) => vec![&while_loop.body, &while_loop.orelse],
        Stmt::If(conditional) => {
            let clauses = conditional.elif_else_clauses.iter().map(|clause| clause.body.as_slice());
            std::iter::once(conditional.body.as_slice()).chain(clauses).collect()
        }
        Stmt::Match(choice) => choice.cases.iter().map(|case| case.body.as_slice()).collect(),
        Stmt::Try(attempt) => {
            let handlers = attempt.handlers.iter().map(|ExceptHandler::ExceptHandler(handler)| handler.body.as_slice());
            let first = std::iter::once(attempt.body.as_slice());
            first.chain(handlers).chain([attempt.orelse.as_slice(), attempt.finalbody.as_slice()]).collect()
        }
        _ => Vec::new(),
    }
}

fn collect<'t>(body: &'t [Stmt], owner: Option<&'t Stmt>, sites: &mut Vec<Site<'t>>) {
    let mut previous = None;
    for (index, stmt) in body.iter().enumerate() {
        let opens = if index == 0 { owner } else { None };
        sites.push(Site { stmt, previous, siblings: body.len(), opens });
        bodies(stmt).into_iter().for_each(|inner| collect(inner, Some(stmt), sites));
        previous = Some(stmt);
    }
}
