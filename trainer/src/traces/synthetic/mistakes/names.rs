//! Mistakes with names: the program raises `NameError`, `AttributeError` or `UnboundLocalError`.

use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::Ranged;

use super::super::patch::Patch;
use super::super::source::Source;

/// Spells a local name differently at one of its mentions after the first: without its last letter, with two inner letters
/// swapped, or with the next letter of the alphabet if it has only one.
pub(super) fn misspelt_variable(source: &Source) -> Vec<Patch> {
    let mut patches = Vec::new();
    for name in &source.names {
        let mut mentions = name.mentions.clone();
        mentions.sort_unstable();
        for at in mentions.into_iter().skip(1) {
            for wrong in misspellings(&name.name) {
                if !source.names.iter().any(|other| other.name == wrong) {
                    patches.push(Patch::replace(at..at + name.name.len(), wrong));
                }
            }
        }
    }
    patches
}

fn misspellings(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    match letters.as_slice() {
        [only] if only.is_ascii_lowercase() && *only != 'z' => {
            char::from_u32(*only as u32 + 1).map(String::from).into_iter().collect()
        }
        [first, inner @ .., last] if !inner.is_empty() && *last != '_' => {
            let shorter: String = std::iter::once(first).chain(inner).collect();
            let mut swapped = letters.clone();
            swapped.swap(letters.len() - 2, letters.len() - 1);
            let swapped: String = swapped.into_iter().collect();
            let keyword = |word: &String| ["i", "if", "in", "is", "or", "no"].contains(&word.as_str());
            [shorter, swapped].into_iter().filter(|wrong| wrong != name && !keyword(wrong)).collect()
        }
        _ => Vec::new(),
    }
}

/// Calls a builtin by a name that is not its own.
pub(super) fn wrong_builtin(source: &Source) -> Vec<Patch> {
    let wrong = |name: &str| match name {
        "len" => Some("length"),
        "print" => Some("Print"),
        "str" => Some("string"),
        "range" => Some("rang"),
        "int" => Some("integer"),
        "input" => Some("imput"),
        "sum" => Some("Sum"),
        _ => None,
    };
    let calls = source.expressions().into_iter().filter_map(|expr| expr.as_call_expr()?.func.as_name_expr());
    calls.filter_map(|name| Some(Patch::replace(name.range().to_std_range(), wrong(name.id.as_str())?))).collect()
}

/// Calls a method that the object does not have.
pub(super) fn wrong_method(source: &Source) -> Vec<Patch> {
    let wrong = |name: &str| match name {
        "append" => Some("add"),
        "insert" => Some("add"),
        "lower" => Some("lowercase"),
        "split" => Some("seperate"),
        "strip" => Some("trim"),
        "join" => Some("concat"),
        "count" => Some("counts"),
        _ => None,
    };
    let attributes = source.expressions().into_iter().filter_map(Expr::as_attribute_expr);
    attributes.filter_map(|it| Some(Patch::replace(it.attr.range().to_std_range(), wrong(it.attr.as_str())?))).collect()
}

/// Leaves out the line that gives a variable a constant or empty first value.
pub(super) fn missing_initialisation(source: &Source) -> Vec<Patch> {
    let mut patches = Vec::new();
    for site in source.statements() {
        let Stmt::Assign(assign) = site.stmt else { continue };
        let empty = match &*assign.value {
            Expr::List(list) => list.elts.is_empty(),
            Expr::Dict(dict) => dict.items.is_empty(),
            value => value.is_literal_expr(),
        };
        if empty && site.siblings > 1 && assign.targets.iter().all(Expr::is_name_expr) {
            patches.push(Patch::replace(source.lines(site.stmt.range()), ""));
        }
    }
    patches
}
