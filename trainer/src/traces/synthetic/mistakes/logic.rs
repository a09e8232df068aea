//! Mistakes after which the program runs and answers wrongly: bounds, operators, values, and where the value goes.

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{BoolOp, CmpOp, Expr, Number, Operator, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::super::patch::Patch;
use super::super::source::{Source, bodies};

fn whole(range: TextRange, text: impl Into<String>) -> Patch {
    Patch::replace(range.to_std_range(), text)
}

/// A whole number written in the program.
fn integer(expr: &Expr) -> Option<i64> {
    match &expr.as_number_literal_expr()?.value {
        Number::Int(int) => int.as_i64(),
        _ => None,
    }
}

/// Moves the end of a `range` by one, or lets it begin at 0 for 1.
pub(super) fn range_off_by_one(source: &Source) -> Vec<Patch> {
    let mut patches = Vec::new();
    for call in source.expressions().into_iter().filter_map(Expr::as_call_expr) {
        if call.func.as_name_expr().is_none_or(|name| name.id.as_str() != "range") {
            continue;
        }
        let (start, stop) = match &*call.arguments.args {
            [stop] => (None, stop),
            [start, stop, ..] => (Some(start), stop),
            [] => continue,
        };
        let text = source.text(stop.range());
        match (integer(stop), text.strip_suffix(" + 1").or(text.strip_suffix("+1"))) {
            (Some(number), _) => {
                patches.push(whole(stop.range(), (number - 1).to_string()));
                patches.push(whole(stop.range(), (number + 1).to_string()));
            }
            (None, Some(shorter)) => patches.push(whole(stop.range(), shorter)),
            (None, None) => {
                patches.push(whole(stop.range(), format!("{text} - 1")));
                patches.push(whole(stop.range(), format!("{text} + 1")));
            }
        }
        if let Some((start, 1)) = start.and_then(|start| Some((start, integer(start)?))) {
            patches.push(whole(start.range(), "0"));
        }
    }
    patches
}

/// Every comparison of two sides: its operator and the text between the sides, blanks apart.
fn comparisons(source: &Source) -> Vec<(CmpOp, std::ops::Range<usize>)> {
    let compares = source.expressions().into_iter().filter_map(Expr::as_compare_expr);
    let single = compares.filter_map(|it| match (&*it.ops, &*it.comparators) {
        ([op], [right]) => Some((*op, between(source, it.left.range(), right.range())?)),
        _ => None,
    });
    single.collect()
}

/// The one token between two expressions.
fn between(source: &Source, left: TextRange, right: TextRange) -> Option<std::ops::Range<usize>> {
    let (start, end) = (left.to_std_range().end, right.to_std_range().start);
    let mut inside = source.tokens.iter().filter(|(_, range)| start <= range.start && range.end <= end);
    let operator = inside.find(|(kind, _)| !matches!(kind, TokenKind::Lpar | TokenKind::Rpar))?;
    Some(operator.1.clone())
}

/// Includes or leaves out the boundary of an ordering.
pub(super) fn wrong_boundary(source: &Source) -> Vec<Patch> {
    let swapped = |op| match op {
        CmpOp::Lt => Some("<="),
        CmpOp::LtE => Some("<"),
        CmpOp::Gt => Some(">="),
        CmpOp::GtE => Some(">"),
        _ => None,
    };
    comparisons(source).into_iter().filter_map(|(op, range)| Some(Patch::replace(range, swapped(op)?))).collect()
}

/// Turns a comparison round.
pub(super) fn reversed_comparison(source: &Source) -> Vec<Patch> {
    let swapped = |op| match op {
        CmpOp::Lt => Some(">"),
        CmpOp::LtE => Some(">="),
        CmpOp::Gt => Some("<"),
        CmpOp::GtE => Some("<="),
        CmpOp::Eq => Some("!="),
        CmpOp::NotEq => Some("=="),
        _ => None,
    };
    comparisons(source).into_iter().filter_map(|(op, range)| Some(Patch::replace(range, swapped(op)?))).collect()
}

/// Every arithmetic operator with its place and, for `+=` and the like, an equals sign to keep.
fn operators(source: &Source) -> Vec<(Operator, std::ops::Range<usize>, &'static str)> {
    let mut found = Vec::new();
    for it in source.expressions().into_iter().filter_map(Expr::as_bin_op_expr) {
        if let Some(range) = between(source, it.left.range(), it.right.range()) {
            found.push((it.op, range, ""));
        }
    }
    for site in source.statements() {
        if let Stmt::AugAssign(it) = site.stmt
            && let Some(range) = between(source, it.target.range(), it.value.range())
        {
            found.push((it.op, range, "="));
        }
    }
    found
}

/// Uses another operator.
pub(super) fn wrong_operator(source: &Source) -> Vec<Patch> {
    let swapped = |op| match op {
        Operator::Add => Some("-"),
        Operator::Sub => Some("+"),
        Operator::Mult => Some("+"),
        Operator::Mod => Some("/"),
        Operator::Div => Some("*"),
        _ => None,
    };
    let found = operators(source).into_iter();
    found.filter_map(|(op, range, equals)| Some(Patch::replace(range, format!("{}{equals}", swapped(op)?)))).collect()
}

/// Divides with a remainder where without is meant, or the other way round.
pub(super) fn wrong_division(source: &Source) -> Vec<Patch> {
    let swapped = |op| match op {
        Operator::Div => Some("//"),
        Operator::FloorDiv => Some("/"),
        Operator::Mod => Some("//"),
        _ => None,
    };
    let found = operators(source).into_iter();
    found.filter_map(|(op, range, equals)| Some(Patch::replace(range, format!("{}{equals}", swapped(op)?)))).collect()
}

/// Swaps the sides of an operator for which they matter.
pub(super) fn swapped_operands(source: &Source) -> Vec<Patch> {
    let ordered = |op| matches!(op, Operator::Sub | Operator::Div | Operator::Mod | Operator::FloorDiv);
    let found = source.expressions().into_iter().filter_map(Expr::as_bin_op_expr).filter(|it| ordered(it.op));
    found
        .filter(|it| !it.left.is_bin_op_expr() && !it.right.is_bin_op_expr())
        .map(|it| {
            let (left, right) = (source.text(it.left.range()), source.text(it.right.range()));
            whole(it.left.range(), right).and(it.right.range().to_std_range(), left)
        })
        .collect()
}

/// Writes `and` for `or` and back.
pub(super) fn and_for_or(source: &Source) -> Vec<Patch> {
    let mut patches = Vec::new();
    for it in source.expressions().into_iter().filter_map(Expr::as_bool_op_expr) {
        let other = if it.op == BoolOp::And { "or" } else { "and" };
        for (left, right) in it.values.iter().zip(it.values.iter().skip(1)) {
            patches.extend(between(source, left.range(), right.range()).map(|range| Patch::replace(range, other)));
        }
    }
    patches
}

/// Begins a counter at 1 for 0 (and back), or a text with a blank.
pub(super) fn wrong_initial_value(source: &Source) -> Vec<Patch> {
    let mut patches = Vec::new();
    for value in source.statements().iter().filter_map(|site| Some(&site.stmt.as_assign_stmt()?.value)) {
        match (integer(value), &**value) {
            (Some(0), _) => patches.push(whole(value.range(), "1")),
            (Some(1), _) => patches.push(whole(value.range(), "0")),
            (_, Expr::StringLiteral(text)) if text.value.is_empty() => patches.push(whole(value.range(), "\" \"")),
            _ => {}
        }
    }
    patches
}

/// Changes a number of a condition or a formula.
pub(super) fn wrong_constant(source: &Source) -> Vec<Patch> {
    let numbers = source.expressions().into_iter().filter_map(|expr| Some((expr, integer(expr)?)));
    numbers
        .filter(|(_, number)| *number >= 2)
        .flat_map(|(expr, number)| [number - 1, number + 1].map(|other| whole(expr.range(), other.to_string())))
        .collect()
}

/// Takes the position for the item, the next item, or a slice the wrong way.
pub(super) fn wrong_index(source: &Source) -> Vec<Patch> {
    let mut patches = Vec::new();
    for it in source.expressions().into_iter().filter_map(Expr::as_subscript_expr).filter(|it| it.ctx.is_load()) {
        match &*it.slice {
            Expr::Slice(slice) => {
                if let Some(step) = &slice.step {
                    patches.push(whole(step.range(), "1"));
                }
            }
            Expr::Name(name) => {
                patches.push(whole(it.range, name.id.as_str()));
                patches.push(whole(it.slice.range(), format!("{} + 1", name.id)));
            }
            _ => {}
        }
    }
    patches
}

/// Moves the `return` that follows a loop into the loop.
pub(super) fn return_inside_loop(source: &Source) -> Vec<Patch> {
    let mut patches = Vec::new();
    for site in source.statements() {
        let Some(previous @ (Stmt::For(_) | Stmt::While(_))) = site.previous.filter(|_| site.stmt.is_return_stmt())
        else {
            continue;
        };
        let first = bodies(previous).into_iter().flatten().next();
        let inner = first.and_then(|stmt| source.indent(stmt.range()));
        if let (Some(inner), Some(indent)) = (inner, source.indent(site.stmt.range())) {
            patches.push(Patch::replace(indent, source.slice(&inner)));
        }
    }
    patches
}

/// Leaves out a `return`: the whole line where the body has another one, else the keyword.
pub(super) fn missing_return(source: &Source) -> Vec<Patch> {
    let mut patches = Vec::new();
    for site in source.statements() {
        let Some(value) = site.stmt.as_return_stmt().and_then(|it| it.value.as_deref()) else { continue };
        if site.siblings > 1 {
            patches.push(Patch::replace(source.lines(site.stmt.range()), ""));
        }
        let (start, end) = (site.stmt.range().to_std_range().start, value.range().to_std_range().start);
        if source.slice(&(start..end)) == "return " {
            patches.push(Patch::replace(start..end, ""));
        }
    }
    patches
}

/// Prints the value that should be returned.
pub(super) fn print_for_return(source: &Source) -> Vec<Patch> {
    let sites = source.statements();
    let returns = sites.iter().filter(|site| site.stmt.as_return_stmt().is_some_and(|it| it.value.is_some()));
    returns
        .filter_map(|site| {
            let range = site.stmt.range().to_std_range();
            let keyword = range.start..range.start + "return ".len();
            let written = source.slice(&keyword) == "return ";
            written.then(|| Patch::replace(keyword, "print(").and(range.end..range.end, ")"))
        })
        .collect()
}

/// Leaves out the last branch.
pub(super) fn missing_else(source: &Source) -> Vec<Patch> {
    let sites = source.statements();
    let last = sites.iter().filter_map(|site| site.stmt.as_if_stmt()?.elif_else_clauses.last());
    last.map(|clause| Patch::replace(source.lines(clause.range()), "")).collect()
}
