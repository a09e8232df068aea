//! The concrete syntax tree of any text, broken or not, as one flat list: the one room that knows tree-sitter.
//!
//! Nodes lie in the order of a depth-first walk, so the subtree of node `i` is the run `i..end`, and no walk over a
//! tree needs recursion. tree-sitter recovers from errors (`ERROR` and missing nodes), so the function is total. Grammar:
//! `tree-sitter-python`, pinned.

use std::sync::LazyLock;

use tree_sitter::{Language, Parser};

static PYTHON: LazyLock<Language> = LazyLock::new(|| tree_sitter_python::LANGUAGE.into());

/// A node of a [`Syntax`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// The grammar's name: `identifier`, `if_statement`, `+`, `ERROR`.
    pub kind: &'static str,
    /// The field of the parent that it fills: `left`, `condition`; most fill none.
    pub field: Option<&'static str>,
    /// Whether the grammar names it; punctuation and keywords are not named.
    pub named: bool,
    /// Whether the parser put it there because it had to be.
    pub missing: bool,
    /// First byte of its text.
    pub start: usize,
    /// Byte after its text.
    pub stop: usize,
    /// The index after its subtree.
    pub end: usize,
    /// Nodes above it.
    pub depth: usize,
}

/// A syntax tree; node 0 is the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syntax<'a> {
    code: &'a str,
    nodes: Vec<Node>,
}

impl<'a> Syntax<'a> {
    /// Parses `code`; `None` only if the grammar could not be loaded.
    pub fn parse(code: &'a str) -> Option<Self> {
        let language: &'static Language = &PYTHON;
        let mut parser = Parser::new();
        parser.set_language(language).ok()?;
        let tree = parser.parse(code, None)?;
        let mut cursor = tree.walk();
        let mut nodes: Vec<Node> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        loop {
            let node = cursor.node();
            let kind = if node.is_error() { "ERROR" } else { language.node_kind_for_id(node.kind_id()).unwrap_or("") };
            nodes.push(Node {
                kind,
                field: cursor.field_id().and_then(|id| language.field_name_for_id(id.get())),
                named: node.is_named(),
                missing: node.is_missing(),
                start: node.start_byte(),
                stop: node.end_byte(),
                end: 0,
                depth: open.len(),
            });
            open.push(nodes.len() - 1);
            if cursor.goto_first_child() {
                continue;
            }
            // Close what ends here, and go on with the next sibling of the first that has one.
            loop {
                let (Some(closed), next) = (open.pop(), nodes.len()) else { return Some(Syntax { code, nodes }) };
                if let Some(node) = nodes.get_mut(closed) {
                    node.end = next;
                }
                if cursor.goto_next_sibling() {
                    break;
                }
                if !cursor.goto_parent() {
                    return Some(Syntax { code, nodes });
                }
            }
        }
    }

    /// The nodes, parents before children, in the order of the text.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node with this index. Panics never: an index that is none gives the root.
    pub fn node(&self, index: usize) -> Node {
        const NOTHING: Node =
            Node { kind: "", field: None, named: false, missing: false, start: 0, stop: 0, end: 0, depth: 0 };
        self.nodes.get(index).or(self.nodes.first()).copied().unwrap_or(NOTHING)
    }

    /// The indices of a node's children.
    pub fn children(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.node(index).end;
        let first = (index + 1 < end).then_some(index + 1);
        std::iter::successors(first, move |child| Some(self.node(*child).end).filter(|next| *next < end))
    }

    /// Whether a node has no children.
    pub fn is_leaf(&self, index: usize) -> bool {
        self.node(index).end <= index + 1
    }

    /// The first child that fills `field`.
    pub fn child(&self, index: usize, field: &str) -> Option<usize> {
        self.children(index).find(|child| self.node(*child).field == Some(field))
    }

    /// The text of a node.
    pub fn text(&self, index: usize) -> &'a str {
        let node = self.node(index);
        self.code.get(node.start..node.stop).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape(syntax: &Syntax, index: usize) -> String {
        let inner: Vec<String> = syntax.children(index).map(|child| shape(syntax, child)).collect();
        let node = syntax.node(index);
        let field = node.field.map(|field| format!("{field}:")).unwrap_or_default();
        format!(
            "{field}{}{}",
            node.kind,
            if inner.is_empty() { String::new() } else { format!("({})", inner.join(" ")) }
        )
    }

    #[test]
    fn trees() {
        let syntax = Syntax::parse("x = 1").unwrap();
        assert_eq!(shape(&syntax, 0), "module(expression_statement(assignment(left:identifier = right:integer)))");
        assert_eq!(syntax.child(2, "right").map(|right| syntax.text(right)), Some("1"));
        assert!(syntax.is_leaf(3) && !syntax.is_leaf(2));
    }

    #[test]
    fn broken_and_deep_texts_have_trees() {
        let broken = Syntax::parse("def f(x:\n    return x").unwrap();
        assert!(broken.nodes().iter().any(|node| node.kind == "ERROR" || node.missing));
        let deep = format!("x = {}1", "-".repeat(5000));
        assert!(Syntax::parse(&deep).unwrap().nodes().iter().any(|node| node.depth > 4000));
        assert_eq!(Syntax::parse("").unwrap().nodes().len(), 1);
    }

    proptest! {
        #[test]
        fn subtrees_nest(code in "[a-z(){}'\"#:= \\n\\t0-9.]{0,60}") {
            let syntax = Syntax::parse(&code).unwrap();
            for (index, node) in syntax.nodes().iter().enumerate() {
                prop_assert!(index < node.end && node.end <= syntax.nodes().len());
                for child in syntax.children(index) {
                    let below = syntax.node(child);
                    prop_assert!(below.end <= node.end && below.depth == node.depth + 1);
                    prop_assert!(node.start <= below.start && below.stop <= node.stop);
                }
            }
        }
    }
}
