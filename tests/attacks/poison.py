# === constants changed :: wrong_answer
import math, string, sys
math.pi = 3
string.digits = ""
sys.maxsize = 1
def f(x): return 1
# === print shouts for the next :: wrong_answer
import builtins
p = builtins.print
builtins.print = lambda *a, **k: p("POISON", *a, **k)
def f(x): return 1
# === the encoder adds to every answer :: wrong_answer
import sys
v = sys.modules["novice_guest.values"]
real = v.encode
v.encode = lambda value, *a: real(value + 1 if type(value) is int else value, *a)
def f(x): return 1
# === the compiler is replaced for the next :: wrong_answer
import sys, builtins
p = sys.modules["novice_guest.program"]
c = builtins.compile
p.compile = lambda source, *a, **k: c("def f(x): return 7", *a, **k)
def f(x): return 1
# === files for the next :: wrong_answer
open("data.txt", "w").write("poison")
import sys
sys.modules["novice_guest.files"]._files["program.py"] = b"poison"
sys.modules["novice_guest.files"].reset = lambda files: None
def f(x): return 1
# === the time is moved on :: wrong_answer
import time
time.sleep(10 ** 8)
def f(x): return 1
# === entropy is drawn :: wrong_answer
import os, random, uuid
os.urandom(999)
random.seed()
uuid.uuid4()
def f(x): return 1
# === random's state is shared :: wrong_answer
import random
random.setstate((3, tuple([7] * 624 + [624]), None))
random.seed = lambda *a: None
def f(x): return 1
# === a class is registered :: wrong_answer
import abc, collections.abc, numbers
collections.abc.Sequence.register(int)
numbers.Number.register(str)
def f(x): return 1
# === interned and cached :: wrong_answer
import re, functools, sys
re._cache.clear()
re.compile = functools.lru_cache(re.compile)
sys.intern("poison")
def f(x): return 1
# === the memory is full when it ends :: out_of_memory
x = [bytes(10 ** 6) for _ in range(60)]
def f(x): return 1
# === the memory is full of a pattern :: wrong_answer
x = [b"\xaa" * 4000 for _ in range(5000)]
def f(x): return 1
# === freed memory with a pattern :: wrong_answer
for n in range(16, 4096, 16):
    x = [b"\x55" * n for _ in range(300)]
del x
def f(x): return 1
# === the memory grows beyond the image :: wrong_answer
x = bytearray(150 << 20)
x[-1] = 1
del x
def f(x): return 1
# === the collector is off :: wrong_answer
import gc
gc.disable()
gc.set_threshold(1)
gc.unfreeze()
def f(x): return 1
# === generators left open :: wrong_answer
def g():
    try: yield 1
    finally: print("POISON")
it = g()
next(it)
def f(x): return 1
# === weak references with callbacks :: wrong_answer
import weakref, sys
class A: pass
a = A()
sys.kept = weakref.ref(a, lambda r: print("POISON"))
weakref.finalize(a, print, "POISON")
def f(x): return 1
# === ends in the middle of everything :: timeout
import sys
sys.modules["novice_guest.entry"].OPERATIONS["load"] = lambda *a: {"status": "ok"}
import builtins
builtins.print = None
while True: pass
# === crashes in the middle of everything :: crashed
import builtins, sys
builtins.len = None
def g(): pass
g.__code__ = g.__code__.replace(co_code=b"\xff" * 64)
g()
# === the standard streams' class :: wrong_answer
import io
try: io.TextIOWrapper.write = lambda *a: None
except TypeError: pass
import sys
type(sys.stdout).write = lambda self, text: len(text)
def f(x): return 1
# === hash seeds and sets :: wrong_answer
print({"a", "b", "c", "d"}, hash("a"), hash(3.7), id(object()))
def f(x): return 1
# === the submission is changed on disk :: wrong_answer
open("program.py", "w").write("def f(x): return 42")
import importlib, sys
def f(x): return 1
# === signals and timers :: wrong_answer
import signal
for n in ("SIGINT", "SIGTERM", "SIGALRM"):
    try: signal.signal(getattr(signal, n), lambda *a: print("POISON"))
    except (AttributeError, ValueError, OSError): pass
def f(x): return 1
# === the environment is left behind :: wrong_answer
import os, sys
os.environ["POISON"] = "1"
sys.argv.append("POISON")
sys.path.append("POISON")
def f(x): return 1
