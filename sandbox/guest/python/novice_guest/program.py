"""Compile a program once and run it as often as wanted, each time in a fresh module.

"Fresh" between the runs of one submission means: a new namespace, the same random seed, the original built-ins, files and
settings. It is exact only as far as the program leaves the interpreter's own modules alone; between submissions the host
restores the whole memory.
"""

import builtins
import gc
import math
import operator
import random
import sys
import types

from . import files, streams, traces

RECURSION_LIMIT = 1000
_watched = [(m.__dict__, dict(m.__dict__)) for m in (math, random)]
_builtins = {}


def remember():
    """Call last while the guest is built: what `fresh` goes back to."""
    _builtins.update(builtins.__dict__)


def _restore(current, original):
    if len(current) == len(original) and all(map(operator.is_, current.values(), original.values())):
        return
    current.clear()
    current.update(original)


def fresh(seed, initial_files):
    """Make the interpreter look untouched to the next run."""
    _restore(builtins.__dict__, _builtins)
    for current, original in _watched:
        _restore(current, original)
    random.seed(seed)
    files.reset(initial_files)
    sys.setrecursionlimit(RECURSION_LIMIT)
    sys.settrace(None)
    sys.setprofile(None)


class Program:
    """A submission with the code that the problem puts before it."""

    def __init__(self, code, filename, module, prelude, initial_files, limit, stop):
        self.filename = filename
        self.module = module
        self.limit = limit
        self.stop = stop
        self.files = dict(initial_files)
        self.files[filename] = code.encode()
        self.sources = {filename: code.splitlines()}
        self.parts = []
        if prelude:
            self.sources["prelude.py"] = prelude.splitlines()
            self.parts.append(compile(prelude, "prelude.py", "exec", dont_inherit=True))
        self.parts.append(compile(code, filename, "exec", dont_inherit=True))

    def new_module(self, name):
        module = types.ModuleType(name)
        module.__file__ = self.filename
        module.__builtins__ = builtins
        sys.modules["__main__"] = module
        if name != "__main__":
            sys.modules[name] = module
        return module

    def execute(self, module):
        for part in self.parts:
            exec(part, module.__dict__)

    def observe(self, action, stdin=""):
        """Run `action()` with streams of its own → reply (see `subject`). Catches whatever it raises."""
        out = streams.Output(self.limit, self.stop)
        err = streams.Output(self.limit, self.stop)
        reply = {"status": "ok", "trace": "", "error": "", "line": None, "types": (), "value": None}
        try:
            with streams.Redirect(out, err, streams.text_input(stdin)):
                reply["value"] = action()
        except BaseException as exc:
            self.note(reply, exc)
        reply["out"] = out.collect()
        reply["err"] = err.collect()
        if out.sink.overflowed or err.sink.overflowed:
            reply["status"] = "output"
        return reply

    def note(self, reply, exc):
        """Put an exception into a reply."""
        if isinstance(exc, SystemExit):
            reply["status"] = "exit"
        elif isinstance(exc, streams.OutputLimit):
            reply["status"] = "output"
        elif isinstance(exc, MemoryError):
            gc.collect()
            reply["status"] = "memory"
        else:
            reply["status"] = "error"
        try:
            reply["types"] = tuple(c.__name__ for c in type(exc).__mro__ if c.__module__ == "builtins")
            reply["error"] = traces.describe(exc)
            reply["line"] = traces.last_line_number(exc, self.sources)
            reply["trace"] = traces.render(exc, self.sources)
        except BaseException as broken:
            reply["error"] = reply["error"] or type(broken).__name__
