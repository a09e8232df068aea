//! Gives identifiers new names, found by where they stand in the source.

use std::collections::HashMap;

use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::transformer::{
    Transformer, walk_alias, walk_except_handler, walk_expr, walk_keyword, walk_parameter, walk_pattern, walk_stmt,
};
use ruff_python_ast::{Alias, ExceptHandler, Expr, Identifier, Keyword, Parameter, Pattern, Stmt, Suite};
use ruff_text_size::{Ranged, TextSize};

/// New names by the offset at which the old name starts.
pub(super) type Renames = HashMap<TextSize, String>;

/// Renames every identifier of `body` whose offset is in `renames`.
pub(super) fn rename(body: &mut Suite, renames: &Renames) {
    Renamer { renames }.visit_body(body);
}

struct Renamer<'a> {
    renames: &'a Renames,
}

impl Renamer<'_> {
    fn identifier(&self, identifier: &mut Identifier) {
        if let Some(new) = self.renames.get(&identifier.start()) {
            identifier.id = Name::from(new.clone());
        }
    }

    fn optional(&self, identifier: &mut Option<Identifier>) {
        if let Some(identifier) = identifier {
            self.identifier(identifier);
        }
    }
}

impl Transformer for Renamer<'_> {
    fn visit_stmt(&self, stmt: &mut Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => self.identifier(&mut function.name),
            Stmt::ClassDef(class) => self.identifier(&mut class.name),
            Stmt::Global(global) => global.names.iter_mut().for_each(|name| self.identifier(name)),
            Stmt::Nonlocal(nonlocal) => nonlocal.names.iter_mut().for_each(|name| self.identifier(name)),
            _ => {}
        }
        walk_stmt(self, stmt);
    }

    fn visit_expr(&self, expr: &mut Expr) {
        if let Expr::Name(name) = expr
            && let Some(new) = self.renames.get(&name.start())
        {
            name.id = Name::from(new.clone());
        }
        walk_expr(self, expr);
    }

    fn visit_parameter(&self, parameter: &mut Parameter) {
        self.identifier(&mut parameter.name);
        walk_parameter(self, parameter);
    }

    fn visit_keyword(&self, keyword: &mut Keyword) {
        self.optional(&mut keyword.arg);
        walk_keyword(self, keyword);
    }

    fn visit_alias(&self, alias: &mut Alias) {
        self.optional(&mut alias.asname);
        walk_alias(self, alias);
    }

    fn visit_except_handler(&self, except_handler: &mut ExceptHandler) {
        let ExceptHandler::ExceptHandler(handler) = except_handler;
        self.optional(&mut handler.name);
        walk_except_handler(self, except_handler);
    }

    fn visit_pattern(&self, pattern: &mut Pattern) {
        match pattern {
            Pattern::MatchStar(star) => self.optional(&mut star.name),
            Pattern::MatchAs(capture) => self.optional(&mut capture.name),
            Pattern::MatchMapping(mapping) => self.optional(&mut mapping.rest),
            _ => {}
        }
        walk_pattern(self, pattern);
    }
}
