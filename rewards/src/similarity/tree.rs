//! Tree edit similarity of two programs.
//!
//! `1 - δ / max(|a|, |b|)`, not below 0, where `δ` is the tree edit distance (insert, delete, relabel a node, each of
//! cost 1; ordered trees) and `|·|` counts nodes: the TSED of Song et al. 2024, "Revisiting Code Similarity Evaluation with Abstract
//! Syntax Tree Edit Distance". Distance: Zhang & Shasha 1989, "Simple fast algorithms for the editing distance between trees and related problems".
//!
//! Nodes are those that the grammar names and the operators; a leaf's label holds its text, so `x = 1` and `y = 1` differ in one node.
//! Comments, brackets, commas and keywords are no nodes. Programs of which one has more than [`MOST_NODES`] nodes are compared by their
//! labels in order (Levenshtein), which is never more than `δ`: the exact distance takes time of the fourth power.

use std::collections::HashMap;

use super::levenshtein;
use crate::python::Syntax;

/// Trees larger than this are compared as sequences.
pub const MOST_NODES: usize = 600;

/// Tree edit similarity, in 0..=1; symmetric; 1 for equal trees. Two programs without any node are equal.
pub fn tree_similarity(a: &str, b: &str) -> f64 {
    let mut names = Names::default();
    let (Some(a), Some(b)) = (Tree::new(a, &mut names), Tree::new(b, &mut names)) else { return 0.0 };
    let longest = a.labels.len().max(b.labels.len());
    let distance = if longest > MOST_NODES { levenshtein(&a.labels, &b.labels) } else { distance(&a, &b) };
    (1.0 - distance as f64 / longest.max(1) as f64).max(0.0)
}

/// Labels as numbers, shared by the two trees.
#[derive(Default)]
struct Names<'a> {
    known: HashMap<(&'static str, &'a str), u32>,
}

impl<'a> Names<'a> {
    fn number(&mut self, kind: &'static str, text: &'a str) -> u32 {
        let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        *self.known.entry((kind, text)).or_insert(next)
    }
}

/// A tree in postorder: labels, and for each node the first node of its subtree.
struct Tree {
    labels: Vec<u32>,
    leftmost: Vec<usize>,
}

/// Unnamed nodes that say what a program does.
fn is_operator(kind: &str) -> bool {
    const WORDS: [&str; 6] = ["and", "or", "not", "in", "is", "not in"];
    WORDS.contains(&kind) || kind == "is not" || (kind.contains(|c| "+-*/%<>=!&|^~@".contains(c)) && kind != "->")
}

impl Tree {
    fn new<'a>(code: &'a str, names: &mut Names<'a>) -> Option<Self> {
        let syntax = Syntax::parse(code)?;
        let mut tree = Tree { labels: Vec::new(), leftmost: Vec::new() };
        // Nodes whose subtree is still open: (index after it, label, first postorder number, counts).
        let mut open: Vec<(usize, Option<u32>, usize)> = Vec::new();
        let mut skip = 0;
        for (index, node) in syntax.nodes().iter().enumerate() {
            while open.last().is_some_and(|(end, ..)| *end <= index) {
                tree.close(open.pop());
            }
            if index < skip {
                continue;
            }
            // A string is one leaf, with its quotes and pieces; an f-string keeps its parts.
            let whole = node.kind == "string"
                && !syntax.nodes().get(index..node.end).unwrap_or_default().iter().any(|n| n.kind == "interpolation");
            if node.kind == "comment" || whole {
                skip = node.end;
            }
            let leaf = whole || syntax.is_leaf(index);
            let counts = node.kind != "comment" && index > 0 && (node.named || is_operator(node.kind));
            let text = if leaf { syntax.text(index) } else { "" };
            let label = counts.then(|| names.number(node.kind, text));
            open.push((node.end, label, tree.labels.len()));
        }
        while let Some(top) = open.pop() {
            tree.close(Some(top));
        }
        Some(tree)
    }

    fn close(&mut self, node: Option<(usize, Option<u32>, usize)>) {
        if let Some((_, Some(label), first)) = node {
            self.labels.push(label);
            self.leftmost.push(first);
        }
    }

    /// Nodes that are the root or have a left sibling, in postorder: the last of each leftmost leaf.
    fn keyroots(&self) -> Vec<usize> {
        let mut last: HashMap<usize, usize> = HashMap::new();
        for (node, first) in self.leftmost.iter().enumerate() {
            last.insert(*first, node);
        }
        let mut roots: Vec<usize> = last.into_values().collect();
        roots.sort_unstable();
        roots
    }
}

/// A table of `rows` by `columns`.
struct Grid {
    columns: usize,
    cells: Vec<u32>,
}

impl Grid {
    fn new(rows: usize, columns: usize) -> Self {
        Grid { columns, cells: vec![0; rows * columns] }
    }

    fn at(&self, row: usize, column: usize) -> u32 {
        self.cells.get(row * self.columns + column).copied().unwrap_or(0)
    }

    fn set(&mut self, row: usize, column: usize, value: u32) {
        if let Some(cell) = self.cells.get_mut(row * self.columns + column) {
            *cell = value;
        }
    }
}

/// The tree edit distance of two forests (a program without its module node is one): `δ` as above.
fn distance(a: &Tree, b: &Tree) -> usize {
    let (n, m) = (a.labels.len(), b.labels.len());
    if n == 0 || m == 0 {
        return n.max(m);
    }
    // A root above each makes forests trees; it always maps to the other one.
    let rooted = |tree: &Tree| {
        let (mut labels, mut leftmost) = (tree.labels.clone(), tree.leftmost.clone());
        labels.push(u32::MAX);
        leftmost.push(0);
        Tree { labels, leftmost }
    };
    let (a, b) = (rooted(a), rooted(b));
    let mut trees = Grid::new(n + 1, m + 1);
    let mut forest = Grid::new(n + 2, m + 2);
    let second = b.keyroots();
    for i in a.keyroots() {
        for &j in &second {
            between(&a, &b, i, j, &mut trees, &mut forest);
        }
    }
    trees.at(n, m) as usize
}

/// Fills in the distances of the subtrees whose leftmost leaves are those of `i` and `j`.
fn between(a: &Tree, b: &Tree, i: usize, j: usize, trees: &mut Grid, forest: &mut Grid) {
    let first = |tree: &Tree, node: usize| tree.leftmost.get(node).copied().unwrap_or(0);
    let (left_a, left_b) = (first(a, i), first(b, j));
    // Row r of `forest` stands for the nodes left_a..left_a + r.
    let (rows, columns) = (i + 1 - left_a, j + 1 - left_b);
    for r in 0..=rows {
        forest.set(r, 0, r as u32);
    }
    for c in 0..=columns {
        forest.set(0, c, c as u32);
    }
    for r in 1..=rows {
        let x = left_a + r - 1;
        let (first_x, label_x) = (first(a, x), a.labels.get(x));
        for c in 1..=columns {
            let y = left_b + c - 1;
            let first_y = first(b, y);
            let apart = (forest.at(r - 1, c) + 1).min(forest.at(r, c - 1) + 1);
            let value = if first_x == left_a && first_y == left_b {
                let relabel = u32::from(label_x != b.labels.get(y));
                let value = apart.min(forest.at(r - 1, c - 1) + relabel);
                trees.set(x, y, value);
                value
            } else {
                apart.min(forest.at(first_x - left_a, first_y - left_b) + trees.at(x, y))
            };
            forest.set(r, c, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size(code: &str) -> usize {
        Tree::new(code, &mut Names::default()).unwrap().labels.len()
    }

    #[test]
    fn nodes_are_counted_by_hand() {
        // expression_statement, assignment, identifier, =, integer
        assert_eq!(size("x = 1"), 5);
        assert_eq!(size("x = 1  # one"), 5);
        assert_eq!(size(""), 0);
        // expression_statement, call, identifier, argument_list, string
        assert_eq!(size("print('a b')"), 5);
    }

    #[test]
    fn similarities_by_hand() {
        assert_eq!(tree_similarity("x = 1", "x = 1 # same"), 1.0);
        assert_eq!(tree_similarity("x = 1", "x = 2"), 0.8);
        assert_eq!(tree_similarity("x = 1", "y = 2"), 0.6);
        // One more statement of five nodes.
        assert_eq!(tree_similarity("x = 1", "x = 1\ny = 2"), 0.5);
        // Wrapping in `if a:` inserts if_statement, identifier, block around five nodes that stay.
        assert_eq!(tree_similarity("x = 1", "if a:\n    x = 1"), 1.0 - 3.0 / 8.0);
        assert_eq!(tree_similarity("", "x = 1"), 0.0);
        assert_eq!(tree_similarity("", "# nothing"), 1.0);
    }

    #[test]
    fn the_textbook_example() {
        // Zhang & Shasha's f(d(a c(b)) e) and f(c(d(a b)) e): distance 2.
        let tree = |labels: &[u32], leftmost: &[usize]| Tree { labels: labels.into(), leftmost: leftmost.into() };
        let (a, b, c, d, e, f) = (0, 1, 2, 3, 4, 5);
        let one = tree(&[a, b, c, d, e, f], &[0, 1, 1, 0, 4, 0]);
        let two = tree(&[a, b, d, c, e, f], &[0, 1, 0, 0, 4, 0]);
        assert_eq!(distance(&one, &two), 2);
        assert_eq!(distance(&one, &one), 0);
    }

    #[test]
    fn giants_are_compared_in_bounded_time() {
        let giant = "x = 1\n".repeat(2000);
        assert_eq!(tree_similarity(&giant, &giant), 1.0);
        assert!(tree_similarity(&giant, "x = 1") < 0.001);
    }

    fn program() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            Just("x = 1"),
            Just("print(x, 'a')"),
            Just("for i in x:\n    y += i * 2"),
            Just("def f(a):\n    return a < 1"),
            Just("if x == (1"),
            Just("# note"),
        ];
        proptest::collection::vec(line, 0..5).prop_map(|lines| lines.join("\n"))
    }

    proptest! {
        #[test]
        fn symmetric_bounded_and_one_of_itself(a in program(), b in program()) {
            let s = tree_similarity(&a, &b);
            prop_assert!((0.0..=1.0).contains(&s));
            prop_assert_eq!(s, tree_similarity(&b, &a));
            prop_assert_eq!(tree_similarity(&a, &a), 1.0);
        }

        #[test]
        fn the_sequence_distance_is_a_lower_bound(a in program(), b in program()) {
            let mut names = Names::default();
            let (a, b) = (Tree::new(&a, &mut names).unwrap(), Tree::new(&b, &mut names).unwrap());
            prop_assert!(levenshtein(&a.labels, &b.labels) <= distance(&a, &b));
        }

        #[test]
        fn the_triangle_holds(a in program(), b in program(), c in program()) {
            let mut names = Names::default();
            let [a, b, c] = [&a, &b, &c].map(|code| Tree::new(code, &mut names).unwrap());
            prop_assert!(distance(&a, &c) <= distance(&a, &b) + distance(&b, &c));
        }
    }
}
