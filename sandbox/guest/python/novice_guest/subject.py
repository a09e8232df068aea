"""The subject's side: answers the host's requests about one submission.

A reply is a dictionary: `status` ("ok", "error", "exit", "output", "memory", "syntax"), `out` and `err` (bytes written), `value`
(bytes of `values.encode`), `trace`, `error` (last line of the trace), `types` (names of the exception's built-in classes), and for
calls from a test script `after` (mutable arguments that changed). What is empty is left out.
"""

import operator
import random

from . import program, traces, values, watch


class Subject:
    def __init__(self, stop):
        self.stop = stop
        self.program = None
        self.handles = []
        self.numbers = {}

    # -- one submission

    def load(self, code, filename, module, prelude, files, limit, deviations):
        self.begin()
        try:
            self.program = program.Program(code, filename, module, prelude, files, limit, deviations, self.stop)
        except BaseException as exc:
            sources = {filename: traces.lines_of(code), "prelude.py": traces.lines_of(prelude[0] if prelude else "")}
            return {
                "status": "syntax", "types": (type(exc).__name__,),
                "trace": traces.render(exc, sources), "error": traces.describe(exc),
            }
        return {"status": "ok"}

    def watch(self):
        """Tell the host of the loops' turns from now on → where the program's code lies, and the slate."""
        p = self.program
        p.parts, code, slate = watch.arm(p.parts, p.filename, p.files[p.filename].decode(), p.prelude)
        return {"status": "ok", "code": code, "slate": slate}

    # -- tests of the kinds io and call, and `run_script`

    def main(self, stdin, seed, drawn=None):
        """Run as a script. `drawn`: the state of `random` to go on from, answered with its state at the end."""
        p = self.program
        p.fresh(seed)
        if drawn is not None:
            random.setstate(drawn)
        module = p.new_module("__main__")
        reply = p.observe(lambda: p.execute(module), stdin)
        if drawn is not None:
            reply["drawn"] = random.getstate()
        return reply

    def call(self, expression, seed):
        """Import as a module, then evaluate an expression (text, or code compiled ahead) in it."""
        p = self.program
        p.fresh(seed)
        module = p.new_module(p.module)
        code = program.code_of(expression, "<test>", "eval")

        def action():
            p.execute(module)
            parts = (code,)
            if watch.armed:
                watch.calibrate()
                parts = (watch.EVALUATE, code)
            for part in parts:
                value = eval(part, module.__dict__)
            return values.encode(value)

        return p.observe(action)

    # -- a test script's view: module and objects by number

    def number(self, obj):
        key = id(obj)
        if key not in self.numbers:
            self.handles.append(obj)
            self.numbers[key] = len(self.handles)
        return self.numbers[key]

    def begin(self):
        """Forget the objects that an earlier test held."""
        self.handles, self.numbers = [], {}

    def open_module(self, seed, stdin):
        """Import the submission; its value is the dictionary of its public names, of values that are no callables only the names."""
        p = self.program
        self.begin()
        p.fresh(seed)
        module = p.new_module(p.module)

        self.number(module)

        def action():
            p.execute(module)
            names = module.__dict__.items()
            return self.encode({k: v if callable(v) else None for k, v in names if not k.startswith("__")})

        return p.observe(action, stdin)

    def encode(self, value):
        return values.encode(value, self.number)

    def proxy(self, opaque):
        return self.handles[opaque.handle - 1] if 0 < opaque.handle <= len(self.handles) else opaque

    def operate(self, handle, operation, arguments, stdin):
        """Do `operation` to object number `handle`. Mutable arguments that change are sent back under `after`."""
        target = self.handles[handle - 1]
        if watch.armed:
            watch.calibrate()
            OPERATIONS["call"](watch.METHOD if type(target) is type(watch.METHOD) else watch.turn_some, (), {})
        args, kwargs = values.decode(arguments, self.proxy)
        before = [(i, values.encode(a)) for i, a in enumerate(args) if isinstance(a, (list, dict, set))]
        reply = self.program.observe(lambda: self.encode(OPERATIONS[operation](target, args, kwargs)), stdin)
        after = [(i, self.encode(args[i])) for i, old in before if values.encode(args[i]) != old]
        if after:
            reply["after"] = after
        return reply


def _iterate(target, args, kwargs):
    out = []
    for item in target:
        out.append(item)
        if len(out) >= 100_000:
            break
    return out


OPERATIONS = {
    "call": lambda t, a, k: t(*a, **k),
    "get": lambda t, a, k: getattr(t, *a),
    "set": lambda t, a, k: setattr(t, *a),
    "del": lambda t, a, k: delattr(t, *a),
    "iter": _iterate,
    "next": lambda t, a, k: next(t),
    "repr": lambda t, a, k: repr(t),
    "str": lambda t, a, k: str(t),
    "format": lambda t, a, k: format(t, *a),
    "bool": lambda t, a, k: bool(t),
    "len": lambda t, a, k: len(t),
    "hash": lambda t, a, k: hash(t),
    "int": lambda t, a, k: int(t),
    "float": lambda t, a, k: float(t),
    "contains": lambda t, a, k: a[0] in t,
    "item": lambda t, a, k: t[a[0]],
    "setitem": lambda t, a, k: operator.setitem(t, *a),
    "delitem": lambda t, a, k: operator.delitem(t, *a),
    "isinstance": lambda t, a, k: isinstance(a[0], t),
    "issubclass": lambda t, a, k: issubclass(t, a[0]),
    "dir": lambda t, a, k: dir(t),
    "enter": lambda t, a, k: type(t).__enter__(t),
    "exit": lambda t, a, k: type(t).__exit__(t, None, None, None),
    "rop": lambda t, a, k: getattr(operator, a[0])(a[1], t),
    "op": lambda t, a, k: getattr(operator, a[0])(t, *a[1:]),
}
