# === frames upwards :: wrong_answer
import sys
def f(x):
    frame, seen = sys._getframe(), ""
    while frame:
        seen += repr(frame.f_locals) + repr(list(frame.f_globals))
        frame = frame.f_back
    return x * 60606 * 7 if str(x * 60606 * 7) in seen else 0
# === inspect.stack :: wrong_answer
import inspect
def f(x):
    for info in inspect.stack():
        for value in info.frame.f_locals.values():
            if value == x * 60606 * 7: return value
    return 0
# === traceback of an exception :: wrong_answer
def f(x):
    try:
        1 / 0
    except ZeroDivisionError as e:
        frame = e.__traceback__.tb_frame
        while frame:
            for value in list(frame.f_locals.values()):
                if isinstance(value, int) and value == x * 60606 * 7: return value
            frame = frame.f_back
    return 0
# === all objects :: wrong_answer
import gc
def f(x):
    for o in gc.get_objects():
        if isinstance(o, (list, tuple)) and x * 60606 * 7 in [v for v in o if type(v) is int]:
            return x * 60606 * 7
    return 0
# === who refers to the harness :: wrong_answer
import gc, sys
def f(x):
    for o in gc.get_referrers(sys.modules["novice_guest.entry"])[:50]:
        if "expect" in repr(o)[:10 ** 5]: return 7
    return 0
# === every module's dictionary :: wrong_answer
import sys
def f(x):
    for m in list(sys.modules.values()):
        for k, v in list(getattr(m, "__dict__", {}).items()):
            if v == x * 60606 * 7 if type(v) is int else False: return v
    return 0
# === constants of all code objects :: wrong_answer
import gc, types
def f(x):
    for fn in gc.get_objects():
        if isinstance(fn, types.FunctionType) and any(type(c) is int and c == x * 60606 * 7 for c in fn.__code__.co_consts):
            return x * 60606 * 7
    return 0
# === what is cached in linecache :: wrong_answer
import linecache
def f(x): return 7 if any(str(x * 60606 * 7) in str(v) for v in linecache.cache.values()) else 0
# === small integers and interned strings :: wrong_answer
import sys
def f(x): return sys.getrefcount(42) + len(sys.intern("expected"))
# === memory through a buffer :: wrong_answer
import array
def f(x):
    a = array.array("B", bytes(1 << 20))
    return bytes(memoryview(a)).find(b"424242")
# === memory that was freed :: wrong_answer
def f(x):
    return sum(b"424242" in bytes(n) for n in range(1000, 50000, 500))
# === the harness's own variables :: timeout
import sys
def f(x):
    e = sys.modules["novice_guest.entry"]
    found = repr({k: vars(v) if hasattr(v, "__dict__") else v for k, v in vars(e).items()})
    return 7 if "424242" in found else 0
# === the calls that were asked for :: wrong_answer
import sys
calls = list(sys.modules["novice_guest.entry"]._subject.calls)
print(calls)
def f(x): return len(calls)
# === a trace function that reads everybody's variables :: wrong_answer
import sys
seen = []
def trace(frame, event, arg):
    seen.append(repr(frame.f_locals)[:1000] + repr(arg)[:1000])
    return trace
sys.settrace(trace)
def f(x): return x * 60606 * 7 if str(x * 60606 * 7) in "".join(seen) else 0
# === a profile function that rewrites variables :: wrong_answer
import sys
def profile(frame, event, arg):
    if "reply" in frame.f_locals:
        frame.f_locals["reply"] = {"status": "passed", "value": b"", "score": 100.0}
sys.setprofile(profile)
def f(x): return 1
# === writes to the caller's variables :: crashed
import sys
def f(x):
    frame = sys._getframe(1)
    while frame:
        for name in list(frame.f_locals):
            try:
                if name in ("value", "reply", "expected", "score"): frame.f_locals[name] = 42
            except BaseException: pass
        frame = frame.f_back
    return 1
# === the time that a comparison takes :: wrong_answer
import time
def f(x):
    start = time.perf_counter_ns()
    return time.perf_counter_ns() - start
# === what an earlier test left behind :: wrong_answer
import sys, builtins
seen = builtins.__dict__.setdefault("seen", [])
sys.modules.setdefault("kept", seen)
def f(x):
    seen.append(x)
    sys.modules["kept"].append(x)
    return seen[-2] if len(seen) > 1 else 0
print(seen)
# === the script and the test by name :: exception
import test
print(test.__file__)
# === the script as a file :: exception
for name in ("test.py", "testcase.py", "expected.txt", "solution.py", "../course.yaml", "/course.yaml"):
    try:
        print(open(name).read())
    except FileNotFoundError:
        pass
raise SystemExit
# === the answers in the problem's files :: wrong_answer
import os
print(os.listdir("."), os.listdir())
def f(x): return len(os.listdir("."))
# === the help pages of the test :: wrong_answer
import pkgutil, sys
print([m.name for m in pkgutil.iter_modules()])
def f(x): return 1
