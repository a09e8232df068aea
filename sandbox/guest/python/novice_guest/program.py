"""Compile a program once and run it as often as wanted, each time in a fresh module.

"Fresh" between the runs of one submission means: a new namespace, the same random seed, the original built-ins, files and
settings. It is exact only as far as the program leaves the interpreter's own modules alone; between submissions the host
restores the whole memory.
"""

import builtins
import gc
import marshal
import math
import random
import sys
import types

from . import files, streams, traces, watch

RECURSION_LIMIT = 1000
_watched = []


def remember():
    """Call last while the guest is built: what `fresh` goes back to."""
    for module in (builtins, math, random):
        names = module.__dict__
        _watched.append((names, dict(names), tuple(names.values())))


def fresh(seed, initial_files, modules=True):
    """Make the interpreter look untouched to the next run. A `seed` of None leaves `random` alone, `modules` false its modules."""
    for names, original, values in _watched if modules else ():
        if tuple(names.values()) != values:  # items that are the same object are equal without a further look
            names.clear()
            names.update(original)
    if seed is not None:
        random.seed(seed)
    files.reset(initial_files)
    sys.setrecursionlimit(RECURSION_LIMIT)
    sys.settrace(None)
    sys.setprofile(None)


# A way to a module, or to a namespace that leads to one, contains one of these words.
_WAYS = ("import", "__", "getattr", "globals", "locals", "vars", "eval", "exec", "compile", "breakpoint", "builtins", "frame")


def reaches_modules(text):
    """Whether a program could change a module. To look takes as long as many a test, so most programs are spared it."""
    return not text.isascii() or any(word in text for word in _WAYS)


def code_of(source, filename, mode):
    """Code from source text, or from code that the host had compiled ahead (`ahead`)."""
    if type(source) is bytes:
        return marshal.loads(source)
    return compile(source, filename, mode, dont_inherit=True)


def ahead(source, filename, mode):
    """Source text as bytes of code for `code_of`; None where it is no Python, which then comes out when it is run."""
    try:
        return marshal.dumps(compile(source, filename, mode, dont_inherit=True))
    except BaseException:
        return None


class Program:
    """A submission with the code that the problem puts before it: `prelude`, None or its text and what `code_of` takes."""

    def __init__(self, code, filename, module, prelude, initial_files, limit, deviations, stop):
        streams.deviations = frozenset(deviations)
        self.filename = filename
        self.module = module
        self.streams = streams.Streams(limit, stop)
        # Seeding takes longer than a small function; a program that never says "random" cannot tell.
        self.prelude = "" if prelude is None else prelude[0]
        text = self.prelude + code
        self.draws = "random" in text
        self.reaches_modules = reaches_modules(text)
        self.files = dict(initial_files)
        self.files[filename] = code.encode()
        self.sources = {filename: traces.lines_of(code)}
        self.parts = []
        if prelude is not None:
            text, source = prelude
            self.sources["prelude.py"] = traces.lines_of(text)
            self.parts.append(code_of(source, "prelude.py", "exec"))
        self.parts.append(compile(code, filename, "exec", dont_inherit=True))

    def fresh(self, seed):
        fresh(seed if self.draws else None, self.files, self.reaches_modules)

    def new_module(self, name):
        module = types.ModuleType(name)
        module.__file__ = self.filename
        module.__builtins__ = builtins
        sys.modules["__main__"] = module
        if name != "__main__":
            sys.modules[name] = module
        return module

    def execute(self, module):
        parts = self.parts
        if watch.armed:
            watch.calibrate()
            parts = [watch.RUN, *parts]
        for part in parts:
            exec(part, module.__dict__)

    def observe(self, action, stdin=""):
        """Run `action()` with streams of its own → reply (see `subject`). Catches whatever it raises."""
        out, err, _ = taken = self.streams.take(stdin)
        reply = {"status": "ok"}
        try:
            with streams.Redirect(*taken):
                value = action()
            if value is not None:
                reply["value"] = value
        except BaseException as exc:
            self.note(reply, exc)
        for name, stream in (("out", out), ("err", err)):
            text = stream.collect()
            if text:
                reply[name] = text
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
            reply["trace"] = traces.render(exc, self.sources)
        except BaseException as broken:
            reply.setdefault("error", type(broken).__name__)
