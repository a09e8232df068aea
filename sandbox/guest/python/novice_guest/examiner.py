"""The examiner's side: runs a course's test scripts. Its instance never holds a line of the submission's code as code.

Replies are dictionaries: `status` ("passed", "failed", "student", "script", "stopped"), `message`, `out` (what the script
printed), `trace` (the submission's, when its exception ended the test) and for `script` tests `score`.
"""

import ast
import builtins
import importlib.abc
import importlib.machinery
import sys

from . import autograder, program, proxies, streams, traces, unittests, values


def connect(ask):
    proxies.connect(ask)


class _StudentFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """`import program` in a test script gives a proxy of the submission."""

    names = ()

    def find_spec(self, name, path=None, target=None):
        if name in self.names:
            return importlib.machinery.ModuleSpec(name, self)
        return None

    def create_module(self, spec):
        if self.opened is None:
            self.opened = proxies.open_module(spec.name)
        return self.opened

    def exec_module(self, module):
        pass

    def reset(self, names):
        # A problem called `string` must not take the place of what `import string` means to its script.
        names = [name for name in names if name == names[0] or name not in sys.stdlib_module_names]
        for name in set(self.names) | set(names):
            sys.modules.pop(name, None)
        self.names = tuple(names)
        self.opened = None


class Examiner:
    def __init__(self, stop):
        self.stop = stop
        self.finder = _StudentFinder()

    def _begin(self, files, names, seed):
        program.fresh(seed, files)
        proxies.begin_test()
        autograder.install()
        if self.finder not in sys.meta_path:
            sys.meta_path.insert(0, self.finder)
        self.finder.reset(names)

    def _observe(self, source, limit, action):
        """Run `action()` and put its ending into words."""
        out = streams.output(limit, self.stop)
        reply = {"status": "passed", "message": "", "trace": "", "score": None}
        try:
            with streams.Redirect(out, out, streams.text_input("")):
                reply["score"] = action()
        except BaseException as exc:
            sources = {"test.py": traces.lines_of(source)}
            student = getattr(exc, "student_trace", None)
            where = traces.last_line_number(exc, sources)
            if student is not None:
                reply["status"], reply["trace"], reply["message"] = "student", student, exc.student_error
            elif isinstance(exc, proxies.SubjectStopped):
                reply["status"], reply["message"] = "stopped", str(exc)
            elif isinstance(exc, streams.OutputLimit):
                reply["status"], reply["message"] = "output", "test and program printed too much"
            elif isinstance(exc, AssertionError):
                reply["status"], reply["message"] = "failed", _assertion(exc)
            else:
                reply["status"] = "script"
                line = f" (line {where} of the test script)" if where else ""
                reply["message"] = traces.describe(exc) + line
        reply["out"] = out.collect()
        return reply

    # -- what is the same for all submissions of a problem

    def compile(self, sources):
        """Compile (source, file name, mode) triples ahead. Nothing is run."""
        return {"status": "ok", "codes": tuple(program.ahead(*source) for source in sources)}

    # -- FalconCode scripts

    def script(self, source, compiled, shared_random, code, filenames, names, files, seed, limit):
        """Run a script's `test_passed()`; its value is the score. The student's text is a file of the script.

        `compiled`: the source compiled ahead, or None.
        """
        autograder.shared_random = shared_random
        files = dict(files)
        for filename in filenames:
            files[filename] = code.encode()
        self._begin(files, names, seed)

        def action():
            namespace = {"__name__": "testcase", "__builtins__": builtins, "__file__": "test.py"}
            exec(program.code_of(compiled or source, "test.py", "exec"), namespace)
            function = namespace.get("test_passed")
            if function is None:
                raise NameError("the test script defines no test_passed()")
            score = float(function())
            print("Unit Test Returned:", score if score != int(score) else int(score))
            return score

        return self._observe(source, limit, action)

    # -- unittest, assert functions, doctest

    def discover(self, source):
        """The tests in a source, in order: (name, code compiled ahead or None). Nothing is run."""
        try:
            return {"status": "ok", "tests": tuple((name, unittests.ahead(source, name)) for name in unittests.discover(source))}
        except SyntaxError as exc:
            return {"status": "script", "tests": (), "error": f"{exc.msg} (line {exc.lineno} of the test source)"}

    def unit(self, source, name, compiled, code, filenames, names, files, seed, limit):
        """Run one test of a source."""
        files = dict(files)
        for filename in filenames:
            files[filename] = code.encode()
        self._begin(files, names, seed)
        return self._observe(source, limit, lambda: unittests.run(source, name, compiled, lambda: self._student_names(source)))

    def _student_names(self, source):
        """The submission's public names that occur in the test, without those that would shadow a built-in of the test."""
        module = importlib.import_module(self.finder.names[0])
        names = [n for n in module.__dict__ if not n.startswith("_") and n in source and not hasattr(builtins, n)]
        return {n: getattr(module, n) for n in names}

    # -- literals (only to check the host's own parser against)

    def literal(self, text):
        try:
            return {"status": "ok", "value": values.encode(ast.literal_eval(text))}
        except Exception as exc:
            return {"status": "error", "error": traces.describe(exc)}


def _assertion(exc):
    text = str(exc).strip()
    return text or "the assertion does not hold"
