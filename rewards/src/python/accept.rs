//! Whether Python would compile a text.
//!
//! CPython's `compile` raises `SyntaxError` for what the grammar refuses and for some misplaced statements. The latter
//! matter here because a wrongly indented `return` is one of the commonest novice errors: `return` and `yield` outside
//! a function, `break` and `continue` outside a loop are refused. The rarer context errors (`nonlocal` without a
//! binding, repeated parameter names, …) are not looked for; the grader, which runs a real interpreter, has the last word.

use ruff_python_ast::statement_visitor::{StatementVisitor, walk_stmt};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_python_parser::parse_module;

use super::deep::with_room;

/// Whether Python would compile `code`: the grammar accepts it and no `return`, `yield`, `break` or `continue` stands
/// where it may not. An empty program is accepted, as in Python.
pub fn parses(code: &str) -> bool {
    if code.contains('\0') {
        return false;
    }
    with_room(code, || {
        let Ok(module) = parse_module(code) else { return false };
        let mut walk = Placement { in_function: false, in_loop: false, misplaced: false };
        walk.visit_body(module.suite());
        !walk.misplaced
    })
    .unwrap_or(false)
}

/// Walks statements and remembers whether one stands where Python refuses it.
struct Placement {
    in_function: bool,
    in_loop: bool,
    misplaced: bool,
}

impl Placement {
    fn within(&mut self, in_function: bool, in_loop: bool, body: &[Stmt]) {
        let outer = (self.in_function, self.in_loop);
        (self.in_function, self.in_loop) = (in_function, in_loop);
        self.visit_body(body);
        (self.in_function, self.in_loop) = outer;
    }
}

impl<'a> StatementVisitor<'a> for Placement {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(ast::StmtFunctionDef { body, .. }) => self.within(true, false, body),
            Stmt::ClassDef(ast::StmtClassDef { body, .. }) => self.within(false, false, body),
            Stmt::For(ast::StmtFor { body, orelse, .. }) | Stmt::While(ast::StmtWhile { body, orelse, .. }) => {
                self.within(self.in_function, true, body);
                self.visit_body(orelse);
            }
            Stmt::Return(_) => self.misplaced |= !self.in_function,
            Stmt::Expr(ast::StmtExpr { value, .. }) => {
                self.misplaced |= !self.in_function && matches!(**value, Expr::Yield(_) | Expr::YieldFrom(_));
            }
            Stmt::Break(_) | Stmt::Continue(_) => self.misplaced |= !self.in_loop,
            _ => walk_stmt(self, stmt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parses;

    #[test]
    fn accepts_programs() {
        for code in [
            "",
            "x = 1",
            "def f(x):\n    return x\n",
            "while True:\n    break",
            "for i in range(3):\n    if i:\n        continue\n",
        ] {
            assert!(parses(code), "{code:?}");
        }
    }

    #[test]
    fn refuses_what_python_refuses() {
        for code in [
            "def f(x)\n    return x",
            "print('a'",
            "x = = 1",
            "if x = 1:\n    pass",
            "  x = 1",
            "def f():\nreturn 1",
            "return 1",
            "break",
            "def f():\n    for i in x:\n        pass\n    continue",
            "while 1:\n    def f():\n        break",
            "class A:\n    return 1",
            "print 'hello'",
            "x = 'abc",
            "x = 1\0",
        ] {
            assert!(!parses(code), "{code:?}");
        }
    }

    #[test]
    fn deep_programs_do_not_overflow() {
        assert!(parses(&format!("x = {}1", "-".repeat(5000))));
        assert!(parses(&format!("x = 1{}", " + 1".repeat(20_000))));
        assert!(!parses(&"(".repeat(5000)));
        assert!(!parses(&"[".repeat(100_000)));
    }
}
