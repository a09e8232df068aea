//! The normal form of a program: equal for programs that are the same program to a reader who ignores taste.
//!
//! Vanish: comments, blank lines, spacing, indentation width, quote style, redundant parentheses, trailing commas,
//! `else: if` against `elif`, docstrings and other bare strings, and the choice of names that nothing outside the
//! program can see (`scopes` has the rule). Stay: constants (`1` is not `1.0`), operators, the order of statements,
//! attributes, builtins, imported names, keyword arguments of foreign calls, and the names of module-level functions
//! and classes, since a test calls them. Module-level variables are renamed: a test that reads one by name would not
//! see the difference. A test that passes a module-level function's parameter by keyword would not either.
//!
//! Two programs that do not parse are compared by their words and indentation, without comments and blank lines.
//! A program that parses is never equal to one that does not.

use ruff_python_ast::comparable::ComparableStmt;
use ruff_python_parser::parse_module;

use super::deep::with_room;
use super::rename::rename;
use super::scopes::canonical_names;
use super::tidy::{drop_bare_strings, splice_elif};
use super::words::words_by_line;

/// A program up to taste. Equal values mean equal programs; the text inside is for hashing and comparing only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NormalForm {
    parsed: bool,
    text: Box<str>,
}

impl NormalForm {
    /// Whether the form was taken from a syntax tree (`false`: from words, because the grammar refused the program).
    pub fn parsed(&self) -> bool {
        self.parsed
    }

    /// The canonical text, for use as a key. Its layout is no stable interface.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn of_tree(text: String) -> Self {
        NormalForm { parsed: true, text: text.into() }
    }

    pub(super) fn of_text(text: String) -> Self {
        NormalForm { parsed: false, text: text.into() }
    }
}

/// The normal form of `code`; total, see the module's head for what it ignores and what it keeps.
pub fn normal_form(code: &str) -> NormalForm {
    let tree = with_room(code, || {
        let mut body = parse_module(code).ok()?.into_suite();
        splice_elif(&mut body);
        drop_bare_strings(&mut body);
        let renames = canonical_names(&body);
        rename(&mut body, &renames);
        Some(format!("{:?}", body.iter().map(ComparableStmt::from).collect::<Vec<_>>()))
    });
    match tree.flatten() {
        Some(text) => NormalForm::of_tree(text),
        None => NormalForm::of_text(format!("{:?}", words_by_line(code))),
    }
}

#[cfg(test)]
mod tests {
    use super::normal_form;

    fn same(a: &str, b: &str) {
        assert_eq!(normal_form(a), normal_form(b), "\n{a}\n--- should equal ---\n{b}");
    }

    fn different(a: &str, b: &str) {
        assert_ne!(normal_form(a), normal_form(b), "\n{a}\n--- should differ from ---\n{b}");
    }

    #[test]
    fn taste_vanishes() {
        same("x = 1 # one\n\n\nprint( x )", "x=1\nprint(x)\n");
        same("print('a')", "print(\"a\")");
        same("if a:\n  b()\n", "if (a):\n        b()\n");
        same("f((1), 2,)", "f(1, 2)");
        same("def f():\n    'doc'\n    return 1", "def f():\n    return 1");
        same(
            "if a:\n    b()\nelse:\n    if c:\n        d()\n    else:\n        e()",
            "if a:\n b()\nelif c:\n d()\nelse:\n e()",
        );
    }

    #[test]
    fn local_names_vanish() {
        same("def f(a):\n    b = a\n    return b", "def f(x):\n    y = x\n    return y");
        same("total = 0\nfor i in range(3):\n    total += i", "s = 0\nfor k in range(3):\n    s += k");
        same("[x for x in y]", "[z for z in y]");
        same("f = lambda a: a + 1", "f = lambda b: b + 1");
        same("try:\n    pass\nexcept E as e:\n    print(e)", "try:\n    pass\nexcept E as err:\n    print(err)");
        same("import math as m\nprint(m.pi)", "import math as q\nprint(q.pi)");
        same("x = 0\ndef f():\n    global x\n    x = 1", "y = 0\ndef f():\n    global y\n    y = 1");
        same(
            "def f():\n    def g(a):\n        return a\n    return g(1)",
            "def f():\n    def h(b):\n        return b\n    return h(1)",
        );
        same("sum = 0\nprint(sum)", "s = 0\nprint(s)");
        same("print(f'{a}' for a in b)", "print(f'{c}' for c in b)");
        same("match p:\n    case [a, *r]:\n        print(a, r)", "match p:\n    case [b, *q]:\n        print(b, q)");
        same("with open('f') as f:\n    f.read()", "with open('f') as g:\n    g.read()");
    }

    #[test]
    fn observable_names_stay() {
        different("def f(): return 1", "def g(): return 1");
        different("class A: pass", "class B: pass");
        different("f = lambda: 1", "g = lambda: 1");
        different("def f(): return 1\ng = f", "def f(): return 1\nh = f");
        different("class A:\n    def m(self): pass", "class A:\n    def n(self): pass");
        different("class A:\n    x = 1", "class A:\n    y = 1");
        different("import math\nmath.pi", "import cmath\ncmath.pi");
        different("max(a)", "min(a)");
        different("print(int(input()))", "print(float(input()))");
        different("x.append(1)", "x.extend(1)");
        different("f(x=1)", "f(y=1)");
        different("print(a)", "print(b)");
    }

    #[test]
    fn meaning_stays() {
        different("x = 1", "x = 1.0");
        different("x = 1\ny = x", "x = 1\ny = y");
        different("a = 1\nb = 2\nprint(a)", "a = 1\nb = 2\nprint(b)");
        different("x = 1 + 2", "x = 1 - 2");
        different("a = 1\nb = 2", "b = 2\na = 1\nprint(a)");
        different("def f(a, b):\n    return a - b", "def f(a, b):\n    return b - a");
        different("total = 0\ntotal += 1", "total = 0\ntotl += 1");
        different(
            "def f():\n    x = 1\n    def g():\n        x = 2\n    return x",
            "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2\n    return x",
        );
        different("x = 0\ndef f():\n    x = 1", "x = 0\ndef f():\n    global x\n    x = 1");
    }

    #[test]
    fn scopes_do_not_leak() {
        // The x of the function and the x of the module are two names.
        same("x = 1\ndef f(x):\n    return x\nprint(f(x))", "a = 1\ndef f(b):\n    return b\nprint(f(a))");
        // A comprehension's variable is not the one outside.
        different("x = 1\n[y for y in z]\nprint(x)", "x = 1\n[x for y in z]\nprint(x)");
        same("x = 1\n[x for x in z]\nprint(x)", "y = 1\n[k for k in z]\nprint(y)");
        // The first iterable belongs outside.
        same("x = [1]\n[x for x in x]", "a = [1]\n[b for b in a]");
        // A method does not see the class body's names.
        different(
            "x = 1\nclass A:\n    x = 2\n    def m(self): return x",
            "y = 1\nclass A:\n    x = 2\n    def m(self): return x",
        );
        same("[(y := a) for a in b]\nprint(y)", "[(z := a) for a in b]\nprint(z)");
    }

    #[test]
    fn keyword_arguments_follow_their_function() {
        same("def f(a):\n    return a\nf(a=1)", "def f(b):\n    return b\nf(b=1)");
        different("def f(a):\n    return a\nf(a=1)", "def f(b):\n    return b\nf(a=1)");
        different(
            "class A:\n    def m(self, a): return a\nA().m(a=1)",
            "class A:\n    def m(self, b): return b\nA().m(a=1)",
        );
        same("def f(end):\n    print(end, end='')", "def f(stop):\n    print(stop, end='')");
    }

    #[test]
    fn broken_programs_are_compared_by_words() {
        same("def f(x)\n    return x  # no colon", "def f(x)\n\n  return x   ");
        different("def f(x)\n    return x", "def f(x)\nreturn x");
        different("def f(x)\n    return x", "def f(y)\n    return y");
        different("def f(x)\n    return x", "def f(x):\n    return x");
        assert!(!normal_form("x = = 1").parsed());
        assert!(normal_form("").parsed());
    }

    #[test]
    fn deep_programs_do_not_overflow() {
        same(&format!("x = {}1", "-".repeat(5000)), &format!("y = {}1", "- ".repeat(5000)));
        assert!(!normal_form(&"(".repeat(5000)).parsed());
    }
}
