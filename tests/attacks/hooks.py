#### atexit functions that print a score
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import atexit
atexit.register(print, "Unit Test Returned: 100")
atexit.register(lambda: (_ for _ in ()).throw(SystemExit(0)))


def f(x):
    return 1


print("x")
atexit._run_exitfuncs() if False else None

#### atexit functions run at once
## call exception, io exception, script exception, unittest exception
import atexit


@atexit.register
def leave():
    raise SystemExit("passed")


atexit._run_exitfuncs()
raise ValueError("after the exit functions")

#### __del__ that works after the answer was given
## crashed
import sys


class Late:
    def __del__(self, modules=sys.modules):
        entry = modules.get("novice_guest.entry")
        if entry:
            entry.OPERATIONS.clear()
    def __repr__(self): return "late"


def f(x):
    return str(Late())


print(Late())

#### __del__ that brings its object back to life
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
kept = []


class Undead:
    def __del__(self):
        if len(kept) < 1000:
            kept.append(self)
            print("passed")


def f(x):
    Undead()
    kept.clear()
    return len(kept)


Undead()

#### Weak references and finalizers that fire while the reply is written
## call wrong_answer, io wrong_answer, script exception, unittest exception
import weakref, sys


class Thing:
    pass


def fire(*args):
    sys.modules["novice_guest.values"].DEPTH_LIMIT = 10 ** 9


def f(x):
    thing = Thing()
    globals()["ref"] = weakref.ref(thing, fire)
    weakref.finalize(thing, fire)
    return thing


print(f(1))

#### A callback of the garbage collector
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import gc
found = []


def look(phase, info):
    found.extend(o for o in gc.get_objects() if isinstance(o, str) and o.startswith("hid" + "den-"))


gc.callbacks.append(look)
gc.collect()


def f(x):
    gc.collect()
    return found


print(found)

#### sys.settrace on the harness's frames
## crashed
import sys


def trace(frame, event, arg):
    if event == "return" and isinstance(arg, dict) and "status" in arg:
        arg.update(status="passed", score=100.0, value=b"passed")
    return trace


sys.settrace(trace)
frame = sys._getframe()
while frame:
    frame.f_trace = trace
    frame = frame.f_back


def f(x):
    return 1


print("x")

#### sys.setprofile that rewrites what functions return
## crashed
import sys


def profile(frame, event, arg):
    if isinstance(arg, dict):
        arg.clear()


sys.setprofile(profile)


def f(x):
    return {"a": 1}


print("x")

#### sys.monitoring on every line of the interpreter
## call exception, io exception, script exception, unittest exception
import sys
monitoring = sys.monitoring
monitoring.use_tool_id(3, "grader")
seen = []


def line(code, offset, value=None):
    if "novice" in code.co_filename:
        seen.append(code.co_name)
        return None


monitoring.register_callback(3, monitoring.events.PY_RETURN, line)
monitoring.set_events(3, monitoring.events.PY_RETURN)


def f(x):
    return 1


print("x")

#### An audit hook that raises at everything
## crashed
import sys


def hook(event, args):
    raise RuntimeError("audited")


sys.addaudithook(hook)


def f(x):
    return open("data.txt")


f(1)

#### An audit hook that keeps what passes by
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys
passed_by = []
sys.addaudithook(lambda event, args: passed_by.append((event, str(args)[:200])))


def f(x):
    return [p for p in passed_by if "hid" + "den-" in p[1]]


print(f(1))

#### Codecs registered under the names of those in use
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import codecs


class Codec(codecs.Codec):
    def encode(self, text, errors="strict"): return (b"passed", len(text))
    def decode(self, data, errors="strict"): return ("passed", len(data))


def search(name):
    return codecs.CodecInfo(Codec().encode, Codec().decode, name=name)


codecs.unregister(search) if False else None
codecs.register(search)
codecs.register_error("backslashreplace", lambda error: ("passed", error.end))
codecs.register_error("replace", lambda error: ("hidden", error.end))
print("\ud800", "x".encode("novel"))


def f(x):
    return b"\xff".decode("utf-8", "replace")

#### excepthook, unraisablehook and displayhook replaced
## exception
import sys, threading


def hook(*args):
    print("Unit Test Returned: 100")


sys.excepthook = sys.unraisablehook = sys.displayhook = sys.breakpointhook = threading.excepthook = hook
sys.__excepthook__ = hook
breakpoint()


def f(x):
    raise ValueError("x")


f(1)

#### traceback and warnings rewritten
## exception
import traceback, warnings
for name in dir(traceback):
    if not name.startswith("__"):
        setattr(traceback, name, lambda *args, **kwargs: "Solved: all tests passed.")
warnings.showwarning = warnings.formatwarning = lambda *args, **kwargs: "passed"
warnings.simplefilter("error")


def f(x):
    return undefined_name


f(1)

#### The harness's formatter of tracebacks rewritten
## exception
import sys
traces = sys.modules["novice_guest.traces"]
traces.render = lambda exc, sources: "Solved: all tests passed.\n" * 10_000
traces.describe = lambda exc: "\x1b[32mpassed" * 1000


def f(x):
    raise ValueError("x")


f(1)

#### Pending calls and signals
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import signal
try:
    signal.signal(signal.SIGINT, lambda *args: print("passed"))
    signal.setitimer(signal.ITIMER_REAL, 0.001)
except (AttributeError, OSError, ValueError):
    pass


def f(x):
    return 1


print("x")

#### A context variable, a thread-local and an async hook left behind
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import contextvars, sys, threading
variable = contextvars.ContextVar("score", default=0)
variable.set(100)
local = threading.local()
local.score = 100
sys.set_asyncgen_hooks(firstiter=lambda g: print("passed"), finalizer=lambda g: print("passed"))
sys.set_coroutine_origin_tracking_depth(100)


def f(x):
    return variable.get() + local.score


print(variable.get())

#### copyreg, pickle and functools.singledispatch taught new tricks
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import copyreg, pickle, copy, functools


class Thing:
    pass


copyreg.pickle(Thing, lambda thing: (str, ("hidden",)))
copyreg.pickle(dict, lambda d: (str, ("hidden",)))
copy._deepcopy_dispatch[dict] = lambda *args: "hidden"


def f(x):
    return copy.copy(Thing())


print(pickle.loads(pickle.dumps(Thing())))
