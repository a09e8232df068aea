"""Tests written as `unittest.TestCase` classes, as `def test_…` functions with `assert`, or as doctests.

Each test function is a test of its own, and so is each docstring with examples; a source that is itself a doctest text counts one test for each
paragraph of examples. A plain `assert a == b` is rewritten so that its failure tells both values.
"""

import ast
import builtins
import doctest
import inspect
import io
import marshal
import sys
import types
import unittest


def _is_doctest_text(source):
    stripped = source.lstrip()
    return stripped.startswith(">>>") or (not _parses(source) and ">>>" in source)


def _parses(source):
    try:
        ast.parse(source)
        return True
    except SyntaxError:
        return False


def _paragraphs(source):
    """(name, text up to and including this paragraph's examples) for each paragraph with examples."""
    examples = doctest.DocTestParser().get_examples(source)
    if not examples:
        return []
    lines = source.splitlines()
    groups, current, last = [], [], None
    for example in examples:
        end = example.lineno + example.source.count("\n") + example.want.count("\n")
        if last is not None and any(not line.strip() for line in lines[last:example.lineno]):
            groups.append(current)
            current = []
        current.append(example)
        last = end
    groups.append(current)
    return groups


def _test_classes(tree):
    """Classes with test methods, however their base is spelled."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            methods = [
                n.name for n in node.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)) and n.name.startswith("test")
            ]
            if methods and (node.bases or node.name.startswith("Test")):
                yield node.name, methods


def _documented(tree):
    """Functions and classes of the source whose docstring has examples."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ">>>" in (ast.get_docstring(node) or ""):
            yield node.name
    if ">>>" in (ast.get_docstring(tree) or ""):
        yield "__doc__"


def discover(source):
    """Names, in the order of the source: `Class.method`, `function`, `doctest name`, `example n`."""
    if _is_doctest_text(source):
        return [f"example {i + 1}" for i in range(len(_paragraphs(source)))]
    tree = ast.parse(source, "test.py")
    names = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
            names.append(node.name)
    for cls, methods in _test_classes(tree):
        names += [f"{cls}.{m}" for m in methods]
    names += [f"doctest {name}" for name in _documented(tree)]
    if not names and any(isinstance(n, ast.Assert) for n in tree.body):
        names = [f"assert {i + 1}" for i in range(sum(isinstance(n, ast.Assert) for n in tree.body))]
    return names


class _Explain(ast.NodeTransformer):
    """`assert a OP b` without a message → both sides are kept, compared once, and told on failure."""

    def visit_Assert(self, node):
        self.generic_visit(node)
        test = node.test
        if node.msg is not None or not isinstance(test, ast.Compare) or len(test.ops) != 1:
            if node.msg is None:
                node.msg = ast.Constant("not true: " + ast.unparse(test)[:200])
            return ast.fix_missing_locations(node)
        ops = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Is: "is",
               ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in"}
        call = ast.Call(
            ast.Name("__novice_compare__", ast.Load()),
            [test.left, ast.Constant(ops[type(test.ops[0])]), test.comparators[0],
             ast.Constant(ast.unparse(test.left)[:200]), ast.Constant(ast.unparse(test.comparators[0])[:200])], [],
        )
        return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), node))


_OPERATIONS = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b, "is": lambda a, b: a is b, "is not": lambda a, b: a is not b,
    "in": lambda a, b: a in b, "not in": lambda a, b: a not in b,
}


def _short(value):
    try:
        text = repr(value)
    except ValueError:  # an integer of more than 4,300 digits
        text = f"an {type(value).__name__} too long to show"
    return text if len(text) <= 200 else text[:199] + "…"


def _compare(left, operation, right, left_text, right_text):
    if _OPERATIONS[operation](left, right):
        return
    if operation == "==":
        raise AssertionError(f"{left_text}: expected {_short(right)}, got {_short(left)}")
    raise AssertionError(f"not true: {left_text} {operation} {right_text} ({_short(left)} {operation} {_short(right)})")


def _namespace(names):
    """A module for the test source, with the submission's names in it."""
    module = types.ModuleType("test")
    sys.modules["test"] = module
    module.__dict__.update(names)
    module.__dict__["__builtins__"] = builtins
    module.__dict__["__novice_compare__"] = _compare
    return module


def _code(source, name):
    """Code of the source for its test `name`, its asserts made to explain themselves."""
    tree = ast.parse(source, "test.py")
    if name.startswith("assert "):
        keep, seen, wanted = [], 0, int(name.split()[1])
        for node in tree.body:
            if isinstance(node, ast.Assert):
                seen += 1
                if seen != wanted:
                    continue
            keep.append(node)
        tree.body = keep
    tree = ast.fix_missing_locations(_Explain().visit(tree))
    return compile(tree, "test.py", "exec", dont_inherit=True)


def ahead(source, name):
    """What `run` may be given as `compiled`: None for doctest texts, and where compiling fails (running then tells why)."""
    if _is_doctest_text(source):
        return None
    try:
        return marshal.dumps(_code(source, name))
    except Exception:
        return None


def run(source, name, compiled, student_names):
    """Run the test `name`; a failure raises."""
    if compiled is None and _is_doctest_text(source):
        return _run_example(source, int(name.split()[1]) - 1, student_names())
    code = _code(source, name) if compiled is None else marshal.loads(compiled)
    module = _namespace(student_names())
    exec(code, module.__dict__)
    if name.startswith("assert "):
        return None
    if name.startswith("doctest "):
        return _run_docstring(module, name.partition(" ")[2])
    if "." in name:
        return _run_method(module, *name.split("."))
    result = module.__dict__[name](*_fixtures(module.__dict__[name]))
    if inspect.iscoroutine(result):
        _drive(result)
    return None


def _drive(coroutine):
    """Run a coroutine without an event loop (there are no sockets to wait for)."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("a test function waits for something that never comes")


def _fixtures(function):
    parameters = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    if any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters):
        raise TypeError("the test function takes parameters; only functions without parameters are run")
    return ()


def _run_method(module, class_name, method):
    cls = module.__dict__[class_name]
    if not issubclass(cls, unittest.TestCase):
        made = cls()
        for hook in ("setup_method", "setUp"):
            if hasattr(made, hook):
                getattr(made, hook)()
        return getattr(made, method)()
    case = cls(method)
    set_up_module = module.__dict__.get("setUpModule")
    if set_up_module:
        set_up_module()
    cls.setUpClass()
    case.setUp()
    case._outcome = _Outcome()
    try:
        function = getattr(case, method)
        skipped = getattr(function, "__unittest_skip__", False) or getattr(cls, "__unittest_skip__", False)
        if not skipped:
            function()
    except unittest.SkipTest as skip:
        if hasattr(skip, "student_trace"):
            raise
    finally:
        case.tearDown()
        case.doCleanups()
        cls.tearDownClass()
    if case._outcome.failures:
        raise case._outcome.failures[0]
    return None


class _Outcome:
    """The little of unittest's own that `subTest` and clean-ups ask for."""

    result_supports_subtests = True
    success = True
    expectedFailure = None
    result = None

    def __init__(self):
        self.failures = []

    def testPartExecutor(self, case, subTest=False):
        return _Part(self)


class _Part:
    def __init__(self, outcome):
        self.outcome = outcome

    def __enter__(self):
        return self

    def __exit__(self, cls, exc, tb):
        if exc is None or not isinstance(exc, Exception):
            return False
        self.outcome.failures.append(exc)
        self.outcome.success = False
        return True


def _run_examples(examples, names):
    """Run doctest examples; the last group's failures raise."""
    checker = doctest.OutputChecker()
    module = _namespace(names)
    for example, counted in examples:
        out = _Capture()
        got = None
        with out:
            try:
                code = compile(example.source, "test.py", "single", dont_inherit=True)
                exec(code, module.__dict__)
            except Exception as exc:
                if not hasattr(exc, "student_trace") and not isinstance(exc, AssertionError) and example.exc_msg is None:
                    raise
                got = exc
        if not counted:
            continue
        call = example.source.strip()
        if got is not None:
            text = f"{type(got).__name__}: {got}"
            if example.exc_msg is None:
                raise got
            if not checker.check_output(example.exc_msg, text + "\n", _flags(example)):
                raise AssertionError(f"{call}: expected {example.exc_msg.strip()}, got {text}")
        elif example.exc_msg is not None:
            raise AssertionError(f"{call}: expected {example.exc_msg.strip()}, but nothing was raised")
        elif not checker.check_output(example.want, out.text(), _flags(example)):
            raise AssertionError(f"{call}: expected {example.want.strip()}, got {out.text().strip() or 'nothing'}")


def _flags(example):
    flags = doctest.NORMALIZE_WHITESPACE
    for flag, on in example.options.items():
        flags = flags | flag if on else flags & ~flag
    return flags


class _Capture:
    """Standard output during one example."""

    def __enter__(self):
        self.old, self.stream = sys.stdout, io.StringIO()
        self.hook, sys.displayhook = sys.displayhook, _display
        sys.stdout = self.stream
        return self

    def __exit__(self, *_):
        sys.stdout, sys.displayhook = self.old, self.hook
        return False

    def text(self):
        return self.stream.getvalue()


def _display(value):
    if value is not None:
        sys.stdout.write(repr(value) + "\n")


def _run_example(source, index, names):
    groups = _paragraphs(source)
    examples = [(e, False) for group in groups[:index] for e in group] + [(e, True) for e in groups[index]]
    _run_examples(examples, names)


def _run_docstring(module, name):
    owner = module if name == "__doc__" else module.__dict__[name]
    parsed = doctest.DocTestParser().get_examples(inspect.getdoc(owner) or "")
    _run_examples([(e, True) for e in parsed], dict(module.__dict__))
