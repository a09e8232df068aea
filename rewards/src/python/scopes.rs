//! Which identifier means which name: Python's scope rules, as far as renaming needs them.
//!
//! One walk notes every scope, what it binds, and every mention of a name; [`local_names`] then resolves the mentions
//! and groups those of the names that may be renamed. Rules (Python language reference, 4.2):
//! functions, lambdas and comprehensions open scopes; class bodies open scopes that nested functions cannot see;
//! `global` and `nonlocal` redirect; the first iterable of a comprehension belongs to the scope around it; `:=` binds
//! outside the comprehension. Type parameters, `exec`, `globals()` and names inside strings are not followed.
//!
//! Kept under their own name, because something outside the program can see or give them: module-level functions,
//! classes and lambdas (and plain aliases of them), names bound in a class body, imported names without `as`, names
//! with two leading underscores, everything unbound (builtins, misspelt names), and parameters that a call passes by
//! keyword to a callee this analysis cannot pin down.

use std::collections::{HashMap, HashSet};

use ruff_python_ast::visitor::Visitor;
use ruff_python_ast::{Identifier, Stmt};
use ruff_python_parser::parse_module;
use ruff_text_size::{Ranged, TextSize};

use super::deep::with_room;
use super::rename::Renames;

mod walk;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Module,
    Function,
    Class,
    Comprehension,
}

/// What is known of one name in the scope that binds it.
#[derive(Default)]
struct Binding {
    /// Seen from outside: never renamed.
    kept: bool,
    /// Bound as a parameter.
    parameter: bool,
    /// The scope of the one function this name is defined as, if a `def` binds it.
    function: Option<usize>,
    /// How many statements bind it.
    times: usize,
}

struct Scope<'a> {
    kind: Kind,
    parent: Option<usize>,
    bound: HashMap<&'a str, Binding>,
    globals: HashSet<&'a str>,
    nonlocals: HashSet<&'a str>,
}

/// An identifier that means a name, and where it stands.
struct Mention<'a> {
    at: TextSize,
    scope: usize,
    name: &'a str,
}

/// A keyword argument; `callee` is the called name when the call is of a plain name.
struct KeywordUse<'a> {
    keyword: Mention<'a>,
    callee: Option<&'a str>,
}

/// A name that nothing outside the program can see, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalName {
    /// The name as written.
    pub name: String,
    /// Whether it is a parameter.
    pub parameter: bool,
    /// Byte offsets at which the name begins, binding and using mentions alike, in no particular order.
    pub mentions: Vec<usize>,
}

/// The names of `code` that can be changed, all mentions of one at a time, without changing the program, by first
/// mention. Empty for a program that does not parse.
pub fn local_names(code: &str) -> Vec<LocalName> {
    with_room(code, || parse_module(code).map(|module| resolve(module.suite())).unwrap_or_default()).unwrap_or_default()
}

fn resolve(body: &[Stmt]) -> Vec<LocalName> {
    let mut walk = Walk::new();
    walk.visit_body(body);
    walk.keep_aliases();
    walk.local_names()
}

/// Canonical names for everything in `body` that may be renamed: `$0`, `$1`, … by first mention. `$` cannot occur in
/// a Python identifier, so no kept name is ever met.
pub(super) fn canonical_names(body: &[Stmt]) -> Renames {
    let names = resolve(body);
    let numbered = names.iter().enumerate();
    let mentions = numbered.flat_map(|(number, name)| name.mentions.iter().map(move |at| (number, *at)));
    mentions.filter_map(|(number, at)| Some((TextSize::new(u32::try_from(at).ok()?), format!("${number}")))).collect()
}

struct Walk<'a> {
    scopes: Vec<Scope<'a>>,
    current: usize,
    mentions: Vec<Mention<'a>>,
    keywords: Vec<KeywordUse<'a>>,
    /// `a = b` at module level: an alias of a kept function is kept too.
    aliases: Vec<(&'a str, &'a str)>,
}

impl<'a> Walk<'a> {
    fn new() -> Self {
        let mut walk =
            Walk { scopes: Vec::new(), current: 0, mentions: Vec::new(), keywords: Vec::new(), aliases: Vec::new() };
        walk.push(Kind::Module);
        walk
    }

    /// Opens a scope and returns the one to go back to.
    fn push(&mut self, kind: Kind) -> usize {
        let outer = self.current;
        let parent = (!self.scopes.is_empty()).then_some(outer);
        self.scopes.push(Scope {
            kind,
            parent,
            bound: HashMap::new(),
            globals: HashSet::new(),
            nonlocals: HashSet::new(),
        });
        self.current = self.scopes.len() - 1;
        outer
    }

    fn kind(&self) -> Kind {
        self.scopes.get(self.current).map_or(Kind::Module, |scope| scope.kind)
    }

    fn mention(&mut self, at: TextSize, name: &'a str) {
        self.mentions.push(Mention { at, scope: self.current, name });
    }

    /// Binds `name` in scope `index`, or where that scope's `global` statement sends it.
    fn bind_in(&mut self, index: usize, name: &'a str, note: impl FnOnce(&mut Binding)) {
        let Some(scope) = self.scopes.get(index) else { return };
        if scope.nonlocals.contains(name) {
            return;
        }
        let target = if scope.globals.contains(name) { 0 } else { index };
        if let Some(scope) = self.scopes.get_mut(target) {
            let binding = scope.bound.entry(name).or_default();
            binding.times += 1;
            binding.kept |= name.starts_with("__");
            note(binding);
        }
    }

    fn bind(&mut self, name: &'a str, note: impl FnOnce(&mut Binding)) {
        self.bind_in(self.current, name, note);
    }

    fn bind_identifier(&mut self, identifier: &'a Identifier, note: impl FnOnce(&mut Binding)) {
        self.bind(identifier.as_str(), note);
        self.mention(identifier.start(), identifier.as_str());
    }

    /// The scope that binds `name` as seen from scope `from`.
    fn resolve(&self, from: usize, name: &str) -> Option<usize> {
        let mut index = from;
        loop {
            let scope = self.scopes.get(index)?;
            if scope.globals.contains(name) {
                return self.scopes.first()?.bound.contains_key(name).then_some(0);
            }
            let visible = scope.kind != Kind::Class || index == from;
            if visible && !scope.nonlocals.contains(name) && scope.bound.contains_key(name) {
                return Some(index);
            }
            index = scope.parent?;
        }
    }

    fn binding(&self, scope: usize, name: &str) -> Option<&Binding> {
        self.scopes.get(scope)?.bound.get(name)
    }

    fn keep_aliases(&mut self) {
        for (alias, original) in std::mem::take(&mut self.aliases) {
            if self.binding(0, original).is_some_and(|binding| binding.kept)
                && let Some(binding) = self.scopes.first_mut().and_then(|module| module.bound.get_mut(alias))
            {
                binding.kept = true;
            }
        }
    }

    /// The scope of the function that a keyword's callee certainly is.
    fn called_function(&self, keyword: &KeywordUse) -> Option<usize> {
        let callee = keyword.callee?;
        let binding = self.binding(self.resolve(keyword.keyword.scope, callee)?, callee)?;
        binding.function.filter(|_| binding.times == 1)
    }

    /// Keywords that name a parameter of the function they are passed to, as mentions of that parameter; and the names
    /// of parameters that must stay because some call passes them to a callee that could be anything.
    fn keyword_mentions(&self) -> (Vec<Mention<'a>>, HashSet<&'a str>) {
        let mut linked = Vec::new();
        let mut pinned = HashSet::new();
        for keyword in &self.keywords {
            let Mention { at, scope, name } = keyword.keyword;
            match self.called_function(keyword) {
                Some(function) => {
                    if self.binding(function, name).is_some_and(|binding| binding.parameter) {
                        linked.push(Mention { at, scope: function, name });
                    }
                }
                None if keyword.callee.is_some_and(|callee| self.resolve(scope, callee).is_none()) => {}
                None => {
                    pinned.insert(name);
                }
            }
        }
        (linked, pinned)
    }

    /// The names that may be renamed, by first mention, each with all its mentions.
    fn local_names(&self) -> Vec<LocalName> {
        let (linked, pinned) = self.keyword_mentions();
        let mut numbers: HashMap<(usize, &str), usize> = HashMap::new();
        let mut names: Vec<LocalName> = Vec::new();
        for mention in self.mentions.iter().chain(&linked) {
            let Some(scope) = self.resolve(mention.scope, mention.name) else { continue };
            let Some(binding) = self.binding(scope, mention.name) else { continue };
            let in_class = self.scopes.get(scope).is_some_and(|scope| scope.kind == Kind::Class);
            if binding.kept || in_class || (binding.parameter && pinned.contains(mention.name)) {
                continue;
            }
            let number = *numbers.entry((scope, mention.name)).or_insert(names.len());
            if number == names.len() {
                let name = mention.name.to_owned();
                names.push(LocalName { name, parameter: binding.parameter, mentions: Vec::new() });
            }
            if let Some(name) = names.get_mut(number) {
                name.mentions.push(mention.at.to_usize());
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::local_names;

    #[test]
    fn local_names_with_their_mentions() {
        let code = "def f(x):\n    y = x\n    return y + g\nz = f(x=1)\n";
        let names = local_names(code);
        let found: Vec<(&str, bool, Vec<usize>)> =
            names.iter().map(|n| (n.name.as_str(), n.parameter, n.mentions.clone())).collect();
        let at = |text: &str| code.match_indices(text).map(|(at, _)| at).collect::<Vec<_>>();
        assert_eq!(found, [("x", true, at("x")), ("y", false, at("y")), ("z", false, at("z"))]);
        assert!(local_names("def f(:").is_empty());
    }
}
