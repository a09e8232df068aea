//! The syntax part of CodeBLEU: which shapes of subtrees two programs share.
//!
//! The shape of a subtree is its S-expression: the named nodes with their fields, without any text. Counted are the root and every
//! node that has children. Equal shapes get equal numbers, so nothing is ever printed and depth does not matter.

use std::collections::{HashMap, HashSet};

use super::{Form, f1};
use crate::python::Syntax;

type Shape<'a> = (&'static str, bool, &'a str, Vec<(Option<&'static str>, u32)>);

pub(super) fn agreement(reference: &Syntax, candidate: &Syntax, form: Form) -> f64 {
    let mut shapes = HashMap::new();
    let (reference, candidate) = (numbers(reference, &mut shapes), numbers(candidate, &mut shapes));
    match form {
        Form::Published => {
            let there: HashSet<u32> = candidate.into_iter().collect();
            reference.iter().filter(|shape| there.contains(shape)).count() as f64 / reference.len().max(1) as f64
        }
        Form::Corrected => f1(common(&reference, &candidate), reference.len(), candidate.len()).unwrap_or(1.0),
    }
}

/// The numbers of the shapes that are counted.
fn numbers<'a>(syntax: &Syntax<'a>, shapes: &mut HashMap<Shape<'a>, u32>) -> Vec<u32> {
    let mut ids = vec![0_u32; syntax.nodes().len()];
    let mut counted = Vec::new();
    // Children come after their parents in the list, so backwards they come first.
    for (index, node) in syntax.nodes().iter().enumerate().rev() {
        let printed = syntax.children(index).filter(|child| {
            let child = syntax.node(*child);
            child.named || child.missing
        });
        let children = printed.map(|child| (syntax.node(child).field, ids.get(child).copied().unwrap_or(0))).collect();
        // An error without children prints what was unexpected.
        let unexpected = if node.kind == "ERROR" && syntax.is_leaf(index) { syntax.text(index) } else { "" };
        let next = u32::try_from(shapes.len()).unwrap_or(u32::MAX);
        let id = *shapes.entry((node.kind, node.missing, unexpected, children)).or_insert(next);
        if let Some(place) = ids.get_mut(index) {
            *place = id;
        }
        if index == 0 || !syntax.is_leaf(index) {
            counted.push(id);
        }
    }
    counted
}

/// How many members two multisets share.
fn common(a: &[u32], b: &[u32]) -> usize {
    let mut left: HashMap<u32, usize> = HashMap::new();
    for shape in a {
        *left.entry(*shape).or_default() += 1;
    }
    let taken =
        b.iter().filter(|shape| left.get_mut(shape).filter(|count| **count > 0).map(|count| *count -= 1).is_some());
    taken.count()
}
