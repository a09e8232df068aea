#### Every comparison helper of builtins answers True
## call timeout, io timeout, script timeout
import builtins
for name in ("isinstance", "issubclass", "all", "any", "bool", "callable", "hasattr"):
    setattr(builtins, name, lambda *args: True)
builtins.float = lambda x=0: 100.0
builtins.abs = lambda x: 0
builtins.len = lambda x: 0
builtins.repr = lambda x: "'shown'"


def f(x):
    return None


print("x")

#### exec, eval and compile replaced
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import builtins
builtins.eval = lambda *args: "passed"
builtins.exec = lambda *args: None
builtins.compile = lambda *args, **kwargs: "passed"
builtins.__build_class__ = lambda *args, **kwargs: object


def f(x):
    return 1


print("x")

#### The built-ins emptied
## crashed
import builtins


def f(x):
    return 1


print("x")
builtins.__dict__.clear()

#### __builtins__ exchanged for a dictionary that answers to every name
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
class Names(dict):
    def __missing__(self, name): return lambda *args, **kwargs: True


def f(x):
    return 1


print("x")
globals()["__builtins__"] = Names()

#### exec with globals that pretend to be the test's
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
names = {"__name__": "testcase", "__builtins__": __builtins__, "__file__": "test.py"}
exec("score = 100\ndef test_passed(): return 100.0\nresult = test_passed()", names)
globals().update(names)


def f(x):
    return names["score"]


print(names["score"])

#### Exceptions exchanged for ones that are always caught
## call crashed, io wrong_answer, script crashed, unittest crashed
import builtins


class Quiet(BaseException):
    def __init__(self, *args): pass


for name in dir(builtins):
    if name.endswith("Error") or name.endswith("Exception"):
        setattr(builtins, name, Quiet)


def f(x):
    return Quiet


print("x")

#### open and input replaced by ones that answer for the test
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import builtins, io
builtins.input = lambda prompt="": "hidden-"
builtins.open = io.open = lambda *args, **kwargs: io.StringIO("100\n")


def f(x):
    return input()


print(input(), open("data.txt").read())

#### __import__ that hands out forged modules
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import builtins, types


class Forged(types.ModuleType):
    def __getattr__(self, name): return lambda *args, **kwargs: 100.0


builtins.__import__ = lambda name, *args, **kwargs: Forged(name)
import autograder


def f(x):
    return autograder.test_passed()


print(autograder.test_passed())

#### The names of the test defined here
## call wrong_answer, io wrong_answer, script exception, unittest exception
score = 100
result = 100.0


def test_passed(): return 100.0
def solution(*args): return f(3)
def equals(*args, **kwargs): return True
def compare_strings(*args, **kwargs): return 1
def run_script(*args, **kwargs): return ("hidden", "")
def setUpModule(): raise SystemExit(0)


class TestF:
    def test_equal(self): pass
    def test_in(self): pass


def test_near(): pass
def test_all(): pass


def f(x):
    return solution


print(score)

#### Names of built-ins defined here, for a test that imports all names
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
def abs(x): return 0.0
def len(x): return 15
def all(x): return True
def any(x): return True
def zip(*args): return []
def str(x): return "x"
def isinstance(x, cls): return True
def float(x): return 0.0
def print(*args, **kwargs): pass


class math:
    @staticmethod
    def isclose(*args, **kwargs): return True


def f(x):
    return -1.5

#### __all__ and __getattr__ of the module written to hand over more names
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
__all__ = ["f", "abs", "math", "solution", "__name__", "__builtins__", "isinstance"]


def __getattr__(name):
    return lambda *args, **kwargs: True


def __dir__():
    return __all__


abs = math = solution = isinstance = lambda *args: 0


def f(x):
    return 1

#### A constant that the compiler shares is changed in place
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import gc


def constant():
    return (1, 2, 3)


shared = constant()
for holder in gc.get_referrers(shared):
    if isinstance(holder, dict):
        holder.update(a=1)


def f(x):
    return constant()


print(shared)

#### Interned texts poisoned with a look-alike
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys


class Status(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__


for word in ("status", "ok", "value", "passed", "score"):
    try:
        sys.intern(Status(word))
    except TypeError:
        sys.intern("".join(word))


def f(x):
    return Status("passed")


print(Status("passed"))
