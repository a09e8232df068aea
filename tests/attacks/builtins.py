# === eval and exec replaced :: wrong_answer
import builtins
builtins.eval = lambda *a: 7
builtins.exec = lambda *a: None
builtins.compile = lambda *a, **k: None
def f(x): return None
# === print, input and open replaced :: wrong_answer
import builtins
builtins.print = lambda *a, **k: None
builtins.input = lambda *a: "x"
builtins.open = lambda *a, **k: None
def f(x): return 1
# === isinstance and type always agree :: exception
import builtins
builtins.isinstance = lambda *a: True
builtins.issubclass = lambda *a: True
builtins.callable = lambda *a: True
def f(x): return 1
# === float, int and str replaced :: exception
import builtins
builtins.float = lambda *a: 100.0
builtins.int = lambda *a: 100
builtins.str = lambda *a: "100"
builtins.len = lambda *a: 100
def f(x): return 1
# === abs, round, sum, all, any replaced :: wrong_answer
import builtins
builtins.abs = builtins.round = builtins.sum = lambda *a: 0
builtins.all = builtins.any = lambda *a: True
def f(x): return 1
# === every built-in is gone :: crashed
import builtins
g = dict(builtins.__dict__)
builtins.__dict__.clear()
def f(x): return 1
# === every built-in returns true :: exception
import builtins
for n in list(vars(builtins)):
    if n[0] != "_" and n not in ("list", "vars"):
        setattr(builtins, n, lambda *a, **k: True)
def f(x): return 1
# === import replaced :: wrong_answer
import builtins
builtins.__import__ = lambda *a, **k: builtins
def f(x): return 1
# === build_class replaced :: wrong_answer
import builtins
builtins.__build_class__ = lambda *a, **k: int
class A: pass
def f(x): return A()
# === names that a test uses :: wrong_answer
def abs(x): return 0
def len(x): return 42
def isinstance(*a): return True
def print(*a): pass
def __novice_compare__(*a): return True
def test_f(): pass
def test_passed(): return 100
def f(x): return 1
# === debug is off :: syntax_error
__debug__ = False
def f(x): return 1
# === AssertionError is something else :: wrong_answer
import builtins
builtins.AssertionError = builtins.StopIteration
builtins.BaseException = builtins.KeyError
builtins.Exception = builtins.KeyError
def f(x): return 1
# === SystemExit is something else :: exception
import builtins, sys
builtins.SystemExit = builtins.ValueError
sys.exit("passed")
# === a module-level __getattr__ that has everything :: wrong_answer
def __getattr__(name): return 42
def f(x): return __getattr__("y")
# === overwritten builtins of the module :: wrong_answer
__builtins__ = {"eval": lambda *a: 5}
def f(x): return 1
# === a dictionary as builtins :: exception
import sys
sys.modules["builtins"] = None
def f(x): return __import__("builtins").abs(-1)
print(f(1))
# === len of builtins changed while iterating :: wrong_answer
import builtins
for i in range(1000):
    setattr(builtins, f"x{i}", i)
def f(x): return x0
# === sorted and sets lie :: exception
import builtins
builtins.sorted = lambda *a, **k: []
builtins.set = builtins.frozenset = lambda *a: ()
builtins.repr = lambda *a: "''"
def f(x): return sorted([2, 1])
# === super and property :: wrong_answer
import builtins
builtins.super = builtins.property = builtins.staticmethod = None
def f(x): return 1
# === id and hash are constant :: wrong_answer
import builtins
builtins.id = builtins.hash = lambda *a: 0
def f(x): return 1
