//! Which identifier means which name: Python's scope rules, as far as renaming needs them.
//!
//! One walk notes every scope, what it binds, and every mention of a name; [`canonical_names`] then resolves the
//! mentions and numbers the names that may be renamed by first mention. Rules (Python language reference, 4.2):
//! functions, lambdas and comprehensions open scopes; class bodies open scopes that nested functions cannot see;
//! `global` and `nonlocal` redirect; the first iterable of a comprehension belongs to the scope around it; `:=` binds
//! outside the comprehension. Type parameters, `exec`, `globals()` and names inside strings are not followed.
//!
//! Kept under their own name, because something outside the program can see or give them: module-level functions,
//! classes and lambdas (and plain aliases of them), names bound in a class body, imported names without `as`, names
//! with two leading underscores, everything unbound (builtins, misspelt names), and parameters that a call passes by
//! keyword to a callee this analysis cannot pin down.

use std::collections::{HashMap, HashSet};

use ruff_python_ast::visitor::{Visitor, walk_alias, walk_except_handler, walk_expr, walk_pattern, walk_stmt};
use ruff_python_ast::{self as ast, Comprehension, ExceptHandler, Expr, Identifier, Parameters, Pattern, Stmt};
use ruff_text_size::{Ranged, TextSize};

use super::rename::Renames;

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

/// Canonical names for everything in `body` that may be renamed: `$0`, `$1`, … by first mention. `$` cannot occur in
/// a Python identifier, so no kept name is ever met.
pub(super) fn canonical_names(body: &[Stmt]) -> Renames {
    let mut walk = Walk::new();
    walk.visit_body(body);
    walk.keep_aliases();
    walk.renames()
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

    fn renames(&self) -> Renames {
        let mut linked: Vec<Mention> = Vec::new();
        let mut pinned: HashSet<&str> = HashSet::new();
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
        let mut numbers: HashMap<(usize, &str), usize> = HashMap::new();
        let mut renames = Renames::new();
        for mention in self.mentions.iter().chain(&linked) {
            let Some(scope) = self.resolve(mention.scope, mention.name) else { continue };
            let Some(binding) = self.binding(scope, mention.name) else { continue };
            let in_class = self.scopes.get(scope).is_some_and(|scope| scope.kind == Kind::Class);
            if binding.kept || in_class || (binding.parameter && pinned.contains(mention.name)) {
                continue;
            }
            let next = numbers.len();
            let number = *numbers.entry((scope, mention.name)).or_insert(next);
            renames.insert(mention.at, format!("${number}"));
        }
        renames
    }

    /// Defaults and annotations, which are evaluated outside the function.
    fn outside_of_parameters(&mut self, parameters: &'a Parameters) {
        for parameter in parameters.iter_non_variadic_params() {
            if let Some(default) = &parameter.default {
                self.visit_expr(default);
            }
        }
        for parameter in parameters.iter() {
            if let Some(annotation) = parameter.annotation() {
                self.visit_expr(annotation);
            }
        }
    }

    fn bind_parameters(&mut self, parameters: &'a Parameters) {
        for parameter in parameters.iter() {
            self.bind_identifier(parameter.name(), |binding| binding.parameter = true);
        }
    }

    fn comprehension(&mut self, generators: &'a [Comprehension], elements: &[&'a Expr]) {
        if let Some(first) = generators.first() {
            self.visit_expr(&first.iter);
        }
        let outer = self.push(Kind::Comprehension);
        for (index, generator) in generators.iter().enumerate() {
            if index > 0 {
                self.visit_expr(&generator.iter);
            }
            self.visit_expr(&generator.target);
            generator.ifs.iter().for_each(|condition| self.visit_expr(condition));
        }
        elements.iter().for_each(|element| self.visit_expr(element));
        self.current = outer;
    }

    /// The nearest scope that is not a comprehension: where `:=` binds.
    fn outside_comprehensions(&self) -> usize {
        let mut index = self.current;
        while let Some(Scope { kind: Kind::Comprehension, parent: Some(parent), .. }) = self.scopes.get(index) {
            index = *parent;
        }
        index
    }
}

impl<'a> Visitor<'a> for Walk<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => {
                function.decorator_list.iter().for_each(|decorator| self.visit_expr(&decorator.expression));
                self.outside_of_parameters(&function.parameters);
                if let Some(returns) = &function.returns {
                    self.visit_expr(returns);
                }
                let at_module_level = self.kind() == Kind::Module;
                let inside = self.scopes.len();
                self.bind_identifier(&function.name, |binding| {
                    binding.kept |= at_module_level;
                    binding.function = Some(inside);
                });
                let outer = self.push(Kind::Function);
                self.bind_parameters(&function.parameters);
                self.visit_body(&function.body);
                self.current = outer;
            }
            Stmt::ClassDef(class) => {
                class.decorator_list.iter().for_each(|decorator| self.visit_expr(&decorator.expression));
                if let Some(arguments) = &class.arguments {
                    self.visit_arguments(arguments);
                }
                let at_module_level = self.kind() == Kind::Module;
                self.bind_identifier(&class.name, |binding| binding.kept |= at_module_level);
                let outer = self.push(Kind::Class);
                self.visit_body(&class.body);
                self.current = outer;
            }
            Stmt::Global(ast::StmtGlobal { names, .. }) => {
                for name in names {
                    if let Some(scope) = self.scopes.get_mut(self.current) {
                        scope.globals.insert(name.as_str());
                    }
                    self.bind_identifier(name, |_| {});
                }
            }
            Stmt::Nonlocal(ast::StmtNonlocal { names, .. }) => {
                for name in names {
                    if let Some(scope) = self.scopes.get_mut(self.current) {
                        scope.nonlocals.insert(name.as_str());
                    }
                    self.mention(name.start(), name.as_str());
                }
            }
            Stmt::Assign(ast::StmtAssign { targets, value, .. }) => {
                walk_stmt(self, stmt);
                if self.kind() == Kind::Module {
                    for target in targets.iter().filter_map(Expr::as_name_expr) {
                        match &**value {
                            Expr::Lambda(_) => self.bind(target.id.as_str(), |binding| binding.kept = true),
                            Expr::Name(original) => self.aliases.push((target.id.as_str(), original.id.as_str())),
                            _ => {}
                        }
                    }
                }
            }
            _ => walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) => {
                if !name.ctx.is_load() {
                    self.bind(name.id.as_str(), |_| {});
                }
                self.mention(name.start(), name.id.as_str());
            }
            Expr::Named(named) => {
                self.visit_expr(&named.value);
                if let Expr::Name(name) = &*named.target {
                    self.bind_in(self.outside_comprehensions(), name.id.as_str(), |_| {});
                    self.mention(name.start(), name.id.as_str());
                }
            }
            Expr::Lambda(lambda) => {
                if let Some(parameters) = &lambda.parameters {
                    self.outside_of_parameters(parameters);
                }
                let outer = self.push(Kind::Function);
                if let Some(parameters) = &lambda.parameters {
                    self.bind_parameters(parameters);
                }
                self.visit_expr(&lambda.body);
                self.current = outer;
            }
            Expr::ListComp(comp) => self.comprehension(&comp.generators, &[&comp.elt]),
            Expr::SetComp(comp) => self.comprehension(&comp.generators, &[&comp.elt]),
            Expr::Generator(comp) => self.comprehension(&comp.generators, &[&comp.elt]),
            Expr::DictComp(comp) => {
                let mut elements: Vec<&Expr> = comp.key.iter().map(|key| &**key).collect();
                elements.push(&comp.value);
                self.comprehension(&comp.generators, &elements);
            }
            Expr::Call(call) => {
                let callee = call.func.as_name_expr().map(|name| name.id.as_str());
                for keyword in &call.arguments.keywords {
                    if let Some(name) = &keyword.arg {
                        let keyword = Mention { at: name.start(), scope: self.current, name: name.as_str() };
                        self.keywords.push(KeywordUse { keyword, callee });
                    }
                }
                walk_expr(self, expr);
            }
            _ => walk_expr(self, expr),
        }
    }

    fn visit_alias(&mut self, alias: &'a ast::Alias) {
        match &alias.asname {
            Some(asname) => self.bind_identifier(asname, |_| {}),
            None => {
                let first = alias.name.as_str().split('.').next().unwrap_or_default();
                self.bind(first, |binding| binding.kept = true);
            }
        }
        walk_alias(self, alias);
    }

    fn visit_except_handler(&mut self, except_handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(handler) = except_handler;
        if let Some(name) = &handler.name {
            self.bind_identifier(name, |_| {});
        }
        walk_except_handler(self, except_handler);
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        let captured = match pattern {
            Pattern::MatchStar(star) => &star.name,
            Pattern::MatchAs(capture) => &capture.name,
            Pattern::MatchMapping(mapping) => &mapping.rest,
            _ => &None,
        };
        if let Some(name) = captured {
            self.bind_identifier(name, |_| {});
        }
        walk_pattern(self, pattern);
    }
}
