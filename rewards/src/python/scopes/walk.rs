//! The walk that fills the scopes: what binds a name, and where its value is evaluated.

use ruff_python_ast::visitor::{Visitor, walk_alias, walk_except_handler, walk_expr, walk_pattern, walk_stmt};
use ruff_python_ast::{self as ast, Comprehension, ExceptHandler, Expr, Parameters, Pattern, Stmt};
use ruff_text_size::Ranged;

use super::{KeywordUse, Kind, Mention, Scope, Walk};

impl<'a> Walk<'a> {
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
