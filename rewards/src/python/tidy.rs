//! Rewrites of a syntax tree that change nothing a test could see.

use ruff_python_ast::{self as ast, ExceptHandler, Expr, Stmt, Suite};

/// Splices `else: if …` into `elif …`, as Python's own tree has no difference between the two. Applied to every
/// nested body.
pub(super) fn splice_elif(body: &mut Suite) {
    for stmt in body.iter_mut() {
        if let Stmt::If(conditional) = stmt {
            while let Some(clause) = conditional.elif_else_clauses.pop() {
                match lone_if(clause) {
                    Ok(inner) => {
                        conditional.elif_else_clauses.push(ast::ElifElseClause {
                            range: inner.range,
                            node_index: inner.node_index,
                            test: Some(*inner.test),
                            body: inner.body,
                        });
                        conditional.elif_else_clauses.extend(inner.elif_else_clauses);
                    }
                    Err(clause) => {
                        conditional.elif_else_clauses.push(clause);
                        break;
                    }
                }
            }
        }
        each_body(stmt, &mut splice_elif);
    }
}

/// The `if` statement that is all an `else` clause holds, or the clause back.
fn lone_if(mut clause: ast::ElifElseClause) -> Result<ast::StmtIf, ast::ElifElseClause> {
    if clause.test.is_some() || clause.body.len() != 1 {
        return Err(clause);
    }
    match clause.body.pop() {
        Some(Stmt::If(inner)) => Ok(inner),
        Some(other) => {
            clause.body.push(other);
            Err(clause)
        }
        None => Err(clause),
    }
}

/// Removes every statement that is nothing but a string: docstrings and strings used as comments.
pub(super) fn drop_bare_strings(body: &mut Suite) {
    body.retain(
        |stmt| !matches!(stmt, Stmt::Expr(ast::StmtExpr { value, .. }) if matches!(**value, Expr::StringLiteral(_))),
    );
    for stmt in body.iter_mut() {
        each_body(stmt, &mut drop_bare_strings);
    }
}

/// Calls `work` on each body directly inside `stmt`.
fn each_body(stmt: &mut Stmt, work: &mut impl FnMut(&mut Suite)) {
    match stmt {
        Stmt::FunctionDef(ast::StmtFunctionDef { body, .. })
        | Stmt::ClassDef(ast::StmtClassDef { body, .. })
        | Stmt::With(ast::StmtWith { body, .. }) => work(body),
        Stmt::For(ast::StmtFor { body, orelse, .. }) | Stmt::While(ast::StmtWhile { body, orelse, .. }) => {
            work(body);
            work(orelse);
        }
        Stmt::If(ast::StmtIf { body, elif_else_clauses, .. }) => {
            work(body);
            elif_else_clauses.iter_mut().for_each(|clause| work(&mut clause.body));
        }
        Stmt::Match(ast::StmtMatch { cases, .. }) => cases.iter_mut().for_each(|case| work(&mut case.body)),
        Stmt::Try(ast::StmtTry { body, handlers, orelse, finalbody, .. }) => {
            work(body);
            for ExceptHandler::ExceptHandler(handler) in handlers {
                work(&mut handler.body);
            }
            work(orelse);
            work(finalbody);
        }
        _ => {}
    }
}
