#### Every module that can be changed is changed
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys
for name, module in list(sys.modules.items()):
    if name.split(".")[0] in ("math", "random", "string", "json", "re", "os", "time", "collections", "itertools", "functools", "decimal"):
        for key, value in list(vars(module).items()):
            if isinstance(value, (int, float)) and not key.startswith("__"):
                setattr(module, key, 424242)
            setattr(module, "left_behind", 1)


def f(x):
    return 1


print("x")

#### Settings of the interpreter left behind
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys, warnings, locale, decimal, gc, os, time
sys.setrecursionlimit(60)
sys.set_int_max_str_digits(640)
sys.path.append("/left")
warnings.simplefilter("error")
decimal.getcontext().prec = 2
gc.disable()
os.environ["LEFT"] = "behind"
os.umask(0o777) if hasattr(os, "umask") else None
sys.ps1 = "passed"
sys.tracebacklimit = 0
sys.flags


def f(x):
    return 1


sys.setrecursionlimit(1000)
print("x")

#### Random state left behind
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import random
random.seed(1)
random.gauss(0, 1)
random._inst.__class__.randint = lambda *args: 4


def f(x):
    return random.randint(1, 6)


print(f(1))

#### Caches filled and emptied
## call wrong_answer, io wrong_answer, script timeout, unittest exception
import re, linecache, functools, sys
re.purge()
for n in range(600):
    re.compile(f"left{n}")
linecache.cache["program.py"] = (1, None, ["left behind\n"], "program.py")
sys._clear_internal_caches()
sys.intern("left behind")


def f(x):
    return 1


print("x")

#### Lists and dictionaries of the harness filled
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys
files = sys.modules["novice_guest.files"]
files._files["data.txt"] = b"left behind\n"
files._files["left"] = b"behind"
program = sys.modules["novice_guest.program"]
program._watched.clear()
sys.modules["novice_guest.proxies"]._exception_classes["ValueError"] = KeyError


def f(x):
    return 1


print("x")

#### Dirty pages all over the memory
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
blocks = [bytearray(4096) for _ in range(4000)]
for block in blocks:
    block[:] = b"left behind " * 341 + b"left"
del blocks[::2]


def f(x):
    return 1


print("x")

#### Memory grown and given back
## 500 ms
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
x = bytearray(150 << 20)
del x


def f(x):
    return 1


print("x")

#### Types registered, subclasses and weak references left behind
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import abc, collections.abc, numbers, enum, typing


class Left(collections.abc.Sequence):
    def __getitem__(self, i): raise IndexError
    def __len__(self): return 0


collections.abc.Sequence.register(int)
numbers.Number.register(str)
Color = enum.Enum("Color", "A B")
kept = type("Kept", (str,), {})


def f(x):
    return 1


print("x")

#### Honest until the last test
## call crashed, io wrong_answer, script crashed, unittest crashed
import sys, string
string.calls = getattr(string, "calls", 0)


def f(x):
    string.calls += 1
    if string.calls >= 4 or x == 4:
        sys.modules["novice_guest.values"].encode = lambda *args: b"passed"
    return string.calls


print(getattr(string, "calls"))

#### Stopped in the middle of a write to the harness's structures
## timeout
import sys
entry = sys.modules["novice_guest.entry"]
entry.OPERATIONS.clear()
entry._subject.program.parts.clear()
while True:
    entry.OPERATIONS[len(entry.OPERATIONS)] = entry
    del entry.OPERATIONS[len(entry.OPERATIONS) - 1]
