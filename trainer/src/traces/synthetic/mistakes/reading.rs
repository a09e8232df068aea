//! Mistakes with what goes in and out: conversions, prompts, fixed values, texts.

use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::Ranged;

use super::super::patch::Patch;
use super::super::source::Source;

/// A call of one of the builtins `names` with one plain argument: the call and the argument.
fn conversions<'t>(source: &'t Source, names: &[&str]) -> Vec<(&'t ast::ExprCall, &'t Expr)> {
    let calls = source.expressions().into_iter().filter_map(Expr::as_call_expr);
    let called = calls.filter(|call| call.func.as_name_expr().is_some_and(|name| names.contains(&name.id.as_str())));
    called
        .filter_map(|call| match &*call.arguments.args {
            [only] if call.arguments.keywords.is_empty() => Some((call, only)),
            _ => None,
        })
        .collect()
}

/// The call replaced by its argument, so that only the call's own text is touched.
fn unwrap_call(call: &ast::ExprCall, argument: &Expr) -> Patch {
    let (call, argument) = (call.range().to_std_range(), argument.range().to_std_range());
    Patch::replace(call.start..argument.start, "").and(argument.end..call.end, "")
}

/// Leaves out `int(…)` or `float(…)`.
pub(super) fn forgotten_conversion(source: &Source) -> Vec<Patch> {
    conversions(source, &["int", "float"]).into_iter().map(|(call, argument)| unwrap_call(call, argument)).collect()
}

/// Leaves out `str(…)`.
pub(super) fn forgotten_str(source: &Source) -> Vec<Patch> {
    conversions(source, &["str"]).into_iter().map(|(call, argument)| unwrap_call(call, argument)).collect()
}

/// Leaves out `.lower()`, or the capital letters of a list of letters.
pub(super) fn forgotten_case(source: &Source) -> Vec<Patch> {
    let mut patches = Vec::new();
    for expr in source.expressions() {
        match expr {
            Expr::Call(call) => {
                if let Expr::Attribute(attribute) = &*call.func
                    && attribute.attr.as_str() == "lower"
                {
                    let value = attribute.value.range().to_std_range();
                    patches.push(Patch::replace(value.end..call.range().to_std_range().end, ""));
                }
            }
            Expr::StringLiteral(literal) => {
                let text = literal.value.to_str();
                let small: String = text.chars().filter(|c| !c.is_uppercase()).collect();
                if text.len() >= 6 && small.len() * 2 == text.len() {
                    let range = literal.range().to_std_range();
                    patches.push(Patch::replace(range.start + 1..range.end - 1, small));
                }
            }
            _ => {}
        }
    }
    patches
}

/// Writes a fixed number for what should be read, or overwrites a parameter with an example.
pub(super) fn hard_coded_input(source: &Source) -> Vec<Patch> {
    let reads = conversions(source, &["int", "float"]).into_iter().filter(|(_, argument)| is_input(argument));
    let mut patches: Vec<Patch> = reads
        .flat_map(|(call, _)| {
            let range = call.range().to_std_range();
            [Patch::replace(range.clone(), "5"), Patch::replace(range, "10")]
        })
        .collect();
    for site in source.statements() {
        let (Some(Stmt::FunctionDef(function)), Some(indent)) = (site.opens, source.indent(site.stmt.range())) else {
            continue;
        };
        if let Some(parameter) = function.parameters.iter().next() {
            let name = parameter.name().as_str();
            let line = format!("{}{name} = {}\n", source.slice(&indent), example(source, name));
            patches.push(Patch::replace(indent.start..indent.start, line));
        }
    }
    patches
}

/// A value that suits how `name` is used: a text, a list or a number.
fn example(source: &Source, name: &str) -> &'static str {
    let is_it = |expr: &Expr| expr.as_name_expr().is_some_and(|it| it.id.as_str() == name);
    let expressions = source.expressions();
    let has_method = expressions.iter().filter_map(|expr| expr.as_attribute_expr()).any(|it| is_it(&it.value));
    let is_measured = conversions(source, &["len", "sum"]).iter().any(|(_, argument)| is_it(argument));
    let sites = source.statements();
    let is_walked = sites.iter().filter_map(|site| site.stmt.as_for_stmt()).any(|it| is_it(&it.iter));
    match (has_method, is_measured || is_walked) {
        (true, _) => "\"hello\"",
        (false, true) => "[1, 2, 3]",
        (false, false) => "3",
    }
}

fn is_input(expr: &Expr) -> bool {
    expr.as_call_expr().and_then(|call| call.func.as_name_expr()).is_some_and(|name| name.id.as_str() == "input")
}

/// Gives `input()` a prompt.
pub(super) fn unwanted_prompt(source: &Source) -> Vec<Patch> {
    let reads = source.expressions().into_iter().filter(|expr| is_input(expr)).filter_map(Expr::as_call_expr);
    let bare = reads.filter(|call| call.arguments.args.is_empty());
    bare.flat_map(|call| {
        let range = call.range().to_std_range();
        ["\"Enter a number: \"", "\"? \""].map(|prompt| Patch::replace(range.end - 1..range.end - 1, prompt))
    })
    .collect()
}

/// Changes a text: its first letter's case, its blanks, its last mark.
pub(super) fn wrong_text(source: &Source) -> Vec<Patch> {
    let mut patches = Vec::new();
    for literal in source.expressions().into_iter().filter_map(Expr::as_string_literal_expr) {
        let range = literal.range().to_std_range();
        let written = source.text(literal.range());
        let Some(inside) = written.get(1..written.len().saturating_sub(1)).filter(|text| !text.is_empty()) else {
            continue;
        };
        let mut letters = inside.chars();
        let first = letters.next().filter(char::is_ascii_alphabetic).map(|first| {
            let other =
                if first.is_ascii_lowercase() { first.to_ascii_uppercase() } else { first.to_ascii_lowercase() };
            format!("{other}{}", letters.as_str())
        });
        let unmarked = inside.strip_suffix(':').or(inside.strip_suffix(' ')).map(str::to_owned);
        let unspaced = (inside.len() > 1 && inside.contains(' ')).then(|| inside.replace(' ', ""));
        let mut variants: Vec<String> = [first, unmarked, unspaced].into_iter().flatten().collect();
        variants.dedup();
        patches.extend(variants.into_iter().map(|text| Patch::replace(range.start + 1..range.end - 1, text)));
    }
    patches
}
