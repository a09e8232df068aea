"""Dispatch requests, and bring the interpreter into the state that the snapshot keeps."""

import gc
import marshal
import os
import sys

from . import examiner, program, snapshot, streams, subject, traces


def stop():
    """End this instance's run from inside (the host answers with a trap)."""
    _host(b"output")
    raise SystemExit(1)


def _host(request):
    raise RuntimeError("no host while the guest is built")


def connect(world):
    """Find the imported function `ask`."""
    global _host
    from wit_world.imports import host

    def call(request):
        return host.ask(request)

    _host = call
    examiner.connect(lambda request: _host(request))


def _exit(code=0):
    raise SystemExit(code)


_subject = subject.Subject(stop)
_examiner = examiner.Examiner(stop)

OPERATIONS = {
    "load": _subject.load,
    "watch": _subject.watch,
    "main": _subject.main,
    "call": _subject.call,
    "module": _subject.open_module,
    "operate": _subject.operate,
    "compile": _examiner.compile,
    "discover": _examiner.discover,
    "script": _examiner.script,
    "unit": _examiner.unit,
    "literal": _examiner.literal,
}


def handle(request):
    operation, *arguments = marshal.loads(request)
    try:
        if operation == "several":
            # In no frame of its own: a program must not be able to tell by the depth of its recursion.
            replies = [marshal.dumps(OPERATIONS[one](*its), 2) for one, *its in arguments[0]]
            return marshal.dumps({"status": "ok", "replies": tuple(replies)}, 2)
        return marshal.dumps(OPERATIONS[operation](*arguments), 2)
    except BaseException as exc:
        try:
            text = traces.describe(exc)
        except BaseException:
            text = type(exc).__name__
        return marshal.dumps({"status": "harness", "error": text}, 2)


def prepare_snapshot():
    """Run every path a few times, so that what is built lazily is in the snapshot; then tidy the heap."""
    os._exit = _exit
    os.abort = lambda: _exit(134)
    program.remember()
    for _ in range(3):
        snapshot.exercise(handle)
    sys.modules.pop("program", None)
    _subject.load("", "program.py", "program", None, {}, 0, ())
    _subject.program = None
    program.fresh(0, {})
    streams.stock()
    traces.forget()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100000, 10, 0)
    snapshot.grow_heap()
    snapshot.fill_holes()
