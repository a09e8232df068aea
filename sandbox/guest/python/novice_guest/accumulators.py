"""Which variables of a loop only add up: the loop changes them and never looks at them.

A beginner's endless loop often counts its turns or collects something as it goes (`count += 1`, `found.append(x)`), so that no state
of the interpreter comes back. What it collects has no say in what the loop does next, though, and may stay as it was
without the loop taking another way (`watch`): then the rest of the state must come back.

This is decided from the source alone, for an outermost loop with all that is in it. A variable of the loop's own scope adds up if each
mention of it there is one of

    v += E    v -= E    v = v + E - …    v.append(E)    v = E

where E mentions no such variable. Programs that could look at a variable in another way (other scopes, classes with operators of their
own, the interpreter's frames) have none. In the code that is made here the first four call functions in place of doing it.
"""

import ast
import collections

_STATEMENTS = (
    ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.If, ast.While, ast.For, ast.Break, ast.Continue, ast.Pass, ast.Return,
    ast.Assert, ast.Raise,
)
_SUSPENDING = (ast.Yield, ast.YieldFrom, ast.Await, ast.NamedExpr)
_SCOPES = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)
# Modules whose functions neither look at frames or reference counts nor make objects with operators of their own.
_MODULES = frozenset(("math", "random", "string", "time", "itertools", "functools", "operator", "re", "copy", "bisect", "heapq"))
_NAMES = frozenset((
    "globals", "locals", "vars", "eval", "exec", "compile", "breakpoint", "getattr", "setattr", "delattr", "dir", "super", "builtins",
    "type", "object",
))
_FRAMES = ("_", "gi_", "cr_", "ag_", "tb_", "f_", "co_")


# In the code these constants stand for the functions that are called.
ADD, SUBTRACT, ASSIGN, APPEND = PLACES = ("<v += e>", "<v -= e>", "<v = v + e>", "<v.append(e)>")


class Nest:
    """An outermost loop that may be endless, and the names of what only adds up in it."""

    def __init__(self, node, names):
        self.start = (node.lineno, node.col_offset)
        self.end = (node.end_lineno, node.end_col_offset)
        self.names = names
        # Of the frame that ran it last (`watch`).
        self.frame = None
        self.turns = 0

    def holds(self, position):
        """Whether an instruction's position lies within it."""
        line, _, column, _ = position
        return line is not None and column is not None and self.start <= (line, column) < self.end


def prepare(source, filename, prelude, functions):
    """The loops of a program in which something adds up, and its code, where `functions` (one for each of `PLACES`) do it. `prelude`:
    the text that runs before it in the same module."""
    tree, before = ast.parse(source), list(ast.walk(ast.parse(prelude)))
    if any(place in source for place in PLACES) or not all(map(_harmless, [*before, *ast.walk(tree)])):
        return [], None
    nests = list(_of_scope(tree, {node.id for node in before if isinstance(node, ast.Name)}))
    code = compile(tree, filename, "exec", dont_inherit=True) if nests else None
    return nests, code and _with_functions(code, dict(zip(PLACES, functions)))


def _with_functions(code, functions):
    consts = (_with_functions(c, functions) if type(c) is type(code) else c for c in code.co_consts)
    return code.replace(co_consts=tuple(functions.get(c, c) if type(c) is str else c for c in consts))


def _harmless(node):
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        return _MODULES.issuperset(names)
    if isinstance(node, ast.Name):
        return node.id not in _NAMES and not node.id.startswith("__") or node.id == "__name__"
    if isinstance(node, ast.Attribute):
        return not node.attr.startswith(_FRAMES)
    if isinstance(node, ast.Constant):
        # A template such as "{0.gi_frame}" reaches for attributes, too.
        return not isinstance(node.value, str) or node.value == "__main__" or not ("{" in node.value and "_" in node.value)
    return not isinstance(node, (ast.ClassDef, ast.AsyncFunctionDef))


def _of_scope(scope, hidden=frozenset()):
    """Nests of a scope (the module or a function) and of the functions in it. `hidden`: names that others mention."""
    hidden = hidden | _names_elsewhere(scope)
    suspends = any(isinstance(node, _SUSPENDING) for node in _within(scope))
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef):
            yield from _of_scope(node)
        elif isinstance(node, (ast.While, ast.For)):
            if not suspends and any(isinstance(inner, ast.While) for inner in ast.walk(node)):
                names = _that_add_up(node) - hidden
                if names:
                    _Calls(names).visit(node)
                    yield Nest(node, tuple(sorted(names)))
        elif not isinstance(node, _SCOPES):
            waiting.extend(ast.iter_child_nodes(node))


def _within(scope):
    """All nodes of a scope, without those of the scopes in it."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES):
            waiting.extend(ast.iter_child_nodes(node))


def _names_elsewhere(scope):
    """Names that a scope within this one mentions, or that this one shares with one around it."""
    names = set()
    for node in _within(scope):
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            names.update(node.names)
        elif isinstance(node, _SCOPES):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name):
                    names.add(inner.id)
                elif isinstance(inner, (ast.Global, ast.Nonlocal)):
                    names.update(inner.names)
    return names


def _that_add_up(loop):
    mentions, allowed, updated = collections.Counter(), collections.Counter(), set()
    for node in ast.walk(loop):
        if isinstance(node, ast.stmt) and not isinstance(node, _STATEMENTS):
            return set()
        if isinstance(node, ast.Name):
            mentions[node.id] += 1
        match _change(node):
            case name, kind, _:
                allowed[name] += 1 + (kind == ASSIGN)
                updated.add(name)
            case None if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                allowed[node.targets[0].id] += 1
    return {name for name in updated if mentions[name] == allowed[name]}


def _change(statement):
    """The variable that is changed here, by which of `PLACES`, and with which value; or None."""
    match statement:
        case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=value):
            return name, ADD, value
        case ast.AugAssign(target=ast.Name(id=name), op=ast.Sub(), value=value):
            return name, SUBTRACT, value
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_added_to(name, value):
            return name, ASSIGN, value
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[value], keywords=[])):
            return None if isinstance(value, ast.Starred) else (name, APPEND, value)
    return None


def _is_added_to(name, value):
    """Whether the variable is a term of this sum, and not one that is taken off."""
    while isinstance(value, ast.BinOp) and isinstance(value.op, (ast.Add, ast.Sub)):
        if isinstance(value.op, ast.Add) and isinstance(value.right, ast.Name) and value.right.id == name:
            return True
        value = value.left
        if isinstance(value, ast.Name) and value.id == name:
            return True
    return False


class _Calls(ast.NodeTransformer):
    """Calls of functions in place of changes of these variables."""

    def __init__(self, names):
        self.names = names

    def visit(self, node):
        change = _change(node)
        if change is None or change[0] not in self.names:
            return self.generic_visit(node)
        name, place, value = change
        call = ast.Call(ast.Constant(place), [ast.Name(name, ast.Load()), value], [])
        changed = ast.Expr(call) if place == APPEND else ast.Assign([ast.Name(name, ast.Store())], call)
        return ast.fix_missing_locations(ast.copy_location(changed, node))
