//! The dataflow part of CodeBLEU: which values come from where.
//!
//! Every leaf of the tree is a place. A flow says that the value at a place comes from (is read from) or is computed from (is assigned from)
//! the values at other places; names are then numbered in order of appearance, so that renaming does not matter. What counts as an assignment, and that loops are walked
//! twice, is the package's rule for Python. A program whose tree is deeper than [`DEEPEST`], or whose nested loops take more than
//! [`MOST_VISITS`] visits, or that lacks a part of a loop, has no flow: the package then fails or does not end.

use std::collections::{HashMap, HashSet};

use super::{Form, f1};
use crate::python::Syntax;

const DEEPEST: usize = 250;
const MOST_VISITS: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Relation {
    ComesFrom,
    ComputedFrom,
}

/// The value named `name` at place `at`, and what it is made of.
#[derive(Debug, Clone)]
struct Flow<'a> {
    name: &'a str,
    at: usize,
    relation: Relation,
    names: Vec<&'a str>,
    places: Vec<usize>,
}

/// A flow with numbered names.
type Normal = (usize, Relation, Vec<usize>);
/// Where each name was last given a value.
type States<'a> = HashMap<&'a str, Vec<usize>>;

pub(super) fn agreement(reference: &Syntax, candidate: &Syntax, form: Form) -> Option<f64> {
    let (reference, candidate) = (normalised(flows(reference)), normalised(flows(candidate)));
    let mut left = candidate.clone();
    let matched = reference
        .iter()
        .filter(|flow| left.iter().position(|other| other == *flow).map(|at| left.swap_remove(at)).is_some());
    let matched = matched.count();
    match form {
        Form::Published => Some(if reference.is_empty() { 0.0 } else { matched as f64 / reference.len() as f64 }),
        Form::Corrected => f1(matched, reference.len(), candidate.len()),
    }
}

fn normalised(flows: Vec<Flow>) -> Vec<Normal> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut number = |name| {
        let next = numbers.len();
        *numbers.entry(name).or_insert(next)
    };
    let flows = flows.iter().map(|flow| {
        let names = flow.names.iter().map(|name| number(*name)).collect();
        (number(flow.name), flow.relation, names)
    });
    flows.collect()
}

/// The flows of a program, one a place, those that neither give nor take left out.
fn flows<'a>(syntax: &Syntax<'a>) -> Vec<Flow<'a>> {
    let mut walk = Walk { syntax, places: places(syntax), visits: 0 };
    let Some((mut flows, _)) = walk.flows(0, States::new()) else { return Vec::new() };
    flows.sort_by_key(|flow| flow.at);
    let mut used: HashSet<usize> = HashSet::new();
    for flow in &flows {
        used.extend((!flow.places.is_empty()).then_some(flow.at));
        used.extend(&flow.places);
    }
    let mut merged: Vec<Flow> = Vec::new();
    for flow in flows.into_iter().filter(|flow| used.contains(&flow.at)) {
        match merged.last_mut().filter(|last| last.at == flow.at) {
            Some(last) => {
                last.names = union(&last.names, &flow.names);
                last.places = union(&last.places, &flow.places);
            }
            None => merged.push(flow),
        }
    }
    merged
}

/// The members of both lists, each once, in order of appearance.
fn union<T: Copy + PartialEq>(a: &[T], b: &[T]) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    for item in a.iter().chain(b) {
        if !all.contains(item) {
            all.push(*item);
        }
    }
    all
}

fn is_place(syntax: &Syntax, index: usize) -> bool {
    let kind = syntax.node(index).kind;
    kind == "string" || (kind != "comment" && syntax.is_leaf(index))
}

/// The number of each place; of two with the same text range the later counts.
fn places(syntax: &Syntax) -> HashMap<(usize, usize), usize> {
    let (mut places, mut count, mut skip) = (HashMap::new(), 0, 0);
    for (index, node) in syntax.nodes().iter().enumerate() {
        if index >= skip && is_place(syntax, index) {
            places.insert((node.start, node.stop), count);
            count += 1;
            skip = node.end;
        }
    }
    places
}

struct Walk<'s, 'a> {
    syntax: &'s Syntax<'a>,
    places: HashMap<(usize, usize), usize>,
    visits: usize,
}

type Found<'a> = Option<(Vec<Flow<'a>>, States<'a>)>;

impl<'a> Walk<'_, 'a> {
    /// The place and the text of a leaf.
    fn place(&self, index: usize) -> (usize, &'a str) {
        let node = self.syntax.node(index);
        (self.places.get(&(node.start, node.stop)).copied().unwrap_or(0), self.syntax.text(index))
    }

    /// The places below a node that hold something other than punctuation and keywords.
    fn values(&self, index: usize) -> Vec<(usize, &'a str)> {
        let (mut found, mut skip) = (Vec::new(), index);
        for below in index..self.syntax.node(index).end {
            if below >= skip && is_place(self.syntax, below) {
                skip = self.syntax.node(below).end;
                let (at, text) = self.place(below);
                if self.syntax.node(below).kind != text {
                    found.push((at, text));
                }
            }
        }
        found
    }

    fn flows(&mut self, index: usize, states: States<'a>) -> Found<'a> {
        self.visits += 1;
        if self.visits > MOST_VISITS || self.syntax.node(index).depth > DEEPEST {
            return None;
        }
        if is_place(self.syntax, index) {
            return Some(self.leaf(index, states));
        }
        let (mut flows, states) = match self.syntax.node(index).kind {
            "default_parameter" => self.default_parameter(index, states)?,
            "assignment" | "augmented_assignment" => match self.syntax.child(index, "right") {
                None => (Vec::new(), states),
                Some(right) => {
                    let left = self.syntax.child(index, "left")?;
                    self.assign(self.sides(left, right), states)?
                }
            },
            "for_in_clause" => {
                let (left, right) = (self.syntax.child(index, "left")?, self.syntax.children(index).last()?);
                self.assign(vec![(left, right)], states)?
            }
            "if_statement" => self.branches(index, states)?,
            "for_statement" => {
                let (left, right) = (self.syntax.child(index, "left")?, self.syntax.child(index, "right")?);
                let body = self.syntax.children(index).last().filter(|last| self.syntax.node(*last).kind == "block");
                let (mut all, mut states) = (Vec::new(), states);
                for _ in 0..2 {
                    let (more, after) = self.assign(self.sides(left, right), states)?;
                    all.extend(more);
                    states = after;
                    states = self.then(body, states, &mut all)?;
                }
                (by_value(all), states)
            }
            "while_statement" => {
                let (mut all, mut states) = (Vec::new(), states);
                for _ in 0..2 {
                    states = self.then(self.syntax.children(index), states, &mut all)?;
                }
                (by_value(all), states)
            }
            _ => {
                let clause = |child: &usize| self.syntax.node(*child).kind == "for_in_clause";
                let (first, rest): (Vec<usize>, Vec<usize>) = self.syntax.children(index).partition(clause);
                let mut all = Vec::new();
                let states = self.then(first.into_iter().chain(rest), states, &mut all)?;
                (all, states)
            }
        };
        flows.sort_by_key(|flow| flow.at);
        Some((flows, states))
    }

    /// Walks nodes one after another, each with the states that the one before it left.
    fn then(
        &mut self,
        nodes: impl IntoIterator<Item = usize>,
        mut states: States<'a>,
        all: &mut Vec<Flow<'a>>,
    ) -> Option<States<'a>> {
        for node in nodes {
            let (more, after) = self.flows(node, states)?;
            all.extend(more);
            states = after;
        }
        Some(states)
    }

    fn leaf(&self, index: usize, mut states: States<'a>) -> (Vec<Flow<'a>>, States<'a>) {
        let (at, name) = self.place(index);
        let kind = self.syntax.node(index).kind;
        if kind == name {
            return (Vec::new(), states);
        }
        let (names, places) = match states.get(name) {
            Some(places) => (vec![name], places.clone()),
            None => {
                if kind == "identifier" {
                    states.insert(name, vec![at]);
                }
                (Vec::new(), Vec::new())
            }
        };
        (vec![Flow { name, at, relation: Relation::ComesFrom, names, places }], states)
    }

    fn default_parameter(&mut self, index: usize, states: States<'a>) -> Found<'a> {
        let name = self.syntax.child(index, "name")?;
        let Some(value) = self.syntax.child(index, "value") else { return self.flows(name, states) };
        let sources = self.values(value);
        let (mut flows, mut states) = self.flows(value, states)?;
        for (at, name) in self.values(name) {
            flows.extend(sources.iter().map(|(place, source)| Flow {
                name,
                at,
                relation: Relation::ComesFrom,
                names: vec![*source],
                places: vec![*place],
            }));
            states.insert(name, vec![at]);
        }
        Some((flows, states))
    }

    /// Which part of the left is assigned which part of the right: one to one where both have as many children.
    fn sides(&self, left: usize, right: usize) -> Vec<(usize, usize)> {
        let parts = |side: usize| -> Vec<usize> {
            self.syntax.children(side).filter(|child| self.syntax.node(*child).kind != ",").collect()
        };
        let (lefts, rights) = (parts(left), parts(right));
        if lefts.len() != rights.len() || lefts.is_empty() {
            return vec![(left, right)];
        }
        lefts.into_iter().zip(rights).collect()
    }

    fn assign(&mut self, sides: Vec<(usize, usize)>, states: States<'a>) -> Found<'a> {
        let mut flows = Vec::new();
        let mut states = self.then(sides.iter().map(|(_, right)| *right), states, &mut flows)?;
        for (left, right) in sides {
            let (places, names): (Vec<usize>, Vec<&str>) = self.values(right).into_iter().unzip();
            for (at, name) in self.values(left) {
                let (names, places) = (names.clone(), places.clone());
                flows.push(Flow { name, at, relation: Relation::ComputedFrom, names, places });
                states.insert(name, vec![at]);
            }
        }
        Some((flows, states))
    }

    fn branches(&mut self, index: usize, states: States<'a>) -> Found<'a> {
        let (mut flows, mut current, mut ends) = (Vec::new(), states.clone(), Vec::new());
        let mut otherwise = false;
        for child in self.syntax.children(index) {
            let kind = self.syntax.node(child).kind;
            otherwise |= kind.contains("else");
            if matches!(kind, "elif_clause" | "else_clause") {
                let (more, end) = self.flows(child, states.clone())?;
                flows.extend(more);
                ends.push(end);
            } else {
                let (more, end) = self.flows(child, current)?;
                flows.extend(more);
                current = end;
            }
        }
        ends.push(current);
        if !otherwise {
            ends.push(states);
        }
        let mut merged = States::new();
        for (name, places) in ends.into_iter().flatten() {
            merged.entry(name).or_default().extend(places);
        }
        for places in merged.values_mut() {
            places.sort_unstable();
            places.dedup();
        }
        Some((flows, merged))
    }
}

/// One flow for each place, name and relation, of all that two walks through a loop found.
fn by_value(flows: Vec<Flow>) -> Vec<Flow> {
    let mut seen: HashMap<(&str, usize, Relation), usize> = HashMap::new();
    let mut merged: Vec<Flow> = Vec::new();
    for flow in flows {
        let at = *seen.entry((flow.name, flow.at, flow.relation)).or_insert(merged.len());
        match merged.get_mut(at) {
            Some(first) => {
                first.names = union(&first.names, &flow.names);
                first.places = union(&first.places, &flow.places);
                first.places.sort_unstable();
            }
            None => merged.push(flow),
        }
    }
    merged
}
