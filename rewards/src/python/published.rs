//! The published pipeline's normaliser, defects included, for the compatibility settings.
//!
//! Source: `robust_normalize` of the published code (`src/utils/normalization.py`), restated. Every name, builtins and
//! called functions too, becomes `var_k` by first appearance; parameters share that map; names of (sync) function
//! definitions become `func_k` in a map of their own, so a definition and its calls are not linked. Class names,
//! attributes, keyword names, imports, exception names, `global` and `nonlocal` lists, names of async functions and
//! parameter annotations stay. Docstrings stay. A program that does not parse is compared as raw text.
//!
//! Which number a name gets depends on the order of the walk, but whether two programs are equal does not: the walk is
//! fixed by the shape of the tree, and equal shapes with the same pattern of repeated names get equal numbers in any
//! order. So equality here is equality there. The original's value is an MD5 of Python's own dump; this one is not.

use std::collections::HashMap;

use ruff_python_ast::comparable::ComparableStmt;
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Parameter, Stmt};
use ruff_python_parser::parse_module;
use ruff_text_size::Ranged;

use super::deep::with_room;
use super::normal::NormalForm;
use super::rename::{Renames, rename};
use super::tidy::splice_elif;

/// The published normal form of `code`: what the published exact-match bonus, pair filter and repeat filter compare.
pub fn published_normal_form(code: &str) -> NormalForm {
    let tree = with_room(code, || {
        let mut body = parse_module(code).ok()?.into_suite();
        splice_elif(&mut body);
        let mut walk = Numbering::default();
        walk.visit_body(&body);
        let renames = walk.renames;
        rename(&mut body, &renames);
        Some(format!("{:?}", body.iter().map(ComparableStmt::from).collect::<Vec<_>>()))
    });
    match tree.flatten() {
        Some(text) => NormalForm::of_tree(text),
        None => NormalForm::of_text(code.to_owned()),
    }
}

#[derive(Default)]
struct Numbering<'a> {
    variables: HashMap<&'a str, usize>,
    functions: HashMap<&'a str, usize>,
    renames: Renames,
}

impl<'a> Numbering<'a> {
    fn variable(&mut self, at: impl Ranged, name: &'a str) {
        let next = self.variables.len();
        let number = *self.variables.entry(name).or_insert(next);
        self.renames.insert(at.start(), format!("$var_{number}"));
    }
}

impl<'a> Visitor<'a> for Numbering<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if let Stmt::FunctionDef(function) = stmt
            && !function.is_async
        {
            let next = self.functions.len();
            let number = *self.functions.entry(function.name.as_str()).or_insert(next);
            self.renames.insert(function.name.start(), format!("$func_{number}"));
        }
        walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Name(name) = expr {
            self.variable(name, name.id.as_str());
        }
        walk_expr(self, expr);
    }

    /// The annotation is not visited, as published.
    fn visit_parameter(&mut self, parameter: &'a Parameter) {
        self.variable(&parameter.name, parameter.name.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::published_normal_form;

    /// The golden equivalences of the published normaliser, as run against it.
    #[test]
    fn golden_equal() {
        for (a, b) in [
            ("a = int(input())", "a = float(input())"),
            ("print(max(a))", "print(min(a))"),
            ("def f(x):\n    return x", "def g(x):\n    return x"),
            ("def f(x):\n    return x\nf(1)", "def f(x):\n    return x\ng(1)"),
            ("x = 1  # comment", "x = 1"),
            ("print('a')", "print(\"a\")"),
            ("if a:\n  b()", "if a:\n        b()"),
        ] {
            assert_eq!(published_normal_form(a), published_normal_form(b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn golden_different() {
        for (a, b) in [
            ("a = 1\nb = 2\nprint(a)", "a = 1\nb = 2\nprint(b)"),
            ("x.append(1)", "x.extend(1)"),
            ("f(x=1)", "f(y=1)"),
            ("import math", "import maths"),
            ("class A:\n    pass", "class B:\n    pass"),
            ("x = 1", "x = 1.0"),
            ("def f():\n    'doc'\n    return 1", "def f():\n    return 1"),
            ("def f(x)\n    return x", "def f(x)\n  return x"),
        ] {
            assert_ne!(published_normal_form(a), published_normal_form(b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn annotations_of_parameters_are_not_visited() {
        assert_ne!(published_normal_form("def f(x: int): pass"), published_normal_form("def f(x: str): pass"));
        assert_eq!(published_normal_form("x: int = 1"), published_normal_form("x: str = 1"));
    }
}
