# === equal to everything :: wrong_answer
class E:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
def f(x): return E()
print(E())
# === int that is equal to everything :: wrong_answer
class I(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __hash__ = int.__hash__
def f(x): return I(7)
# === int with another index :: wrong_answer
class I(int):
    def __index__(self): return 7
    def __int__(self): return 7
    def __bool__(self): return True
def f(x): return I(0)
# === str that is equal to everything :: wrong_answer
class S(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__
    def strip(self, *a): return self
def f(x): return S("x")
print(S("x"))
# === float that is near everything :: wrong_answer
class F(float):
    def __sub__(self, other): return 0.0
    def __rsub__(self, other): return 0.0
    def __abs__(self): return 0.0
    def __eq__(self, other): return True
    def __hash__(self): return 0
def f(x): return F(0.5)
# === list that is equal to everything :: wrong_answer
class L(list):
    def __eq__(self, other): return True
    def __iter__(self): return iter([1])
    def __len__(self): return 0
def f(x): return L([1])
# === tuple of liars :: wrong_answer
class E:
    def __eq__(self, other): return True
def f(x): return (E(), E())
# === dict with lying keys :: wrong_answer
class K(str):
    def __eq__(self, other): return True
    def __hash__(self): return 0
def f(x): return {K("a"): K("b")}
# === set of liars :: wrong_answer
class K:
    def __eq__(self, other): return True
    def __hash__(self): return hash(42)
def f(x): return {K()}
# === difference is always zero :: wrong_answer
class Z:
    def __sub__(self, other): return 0
    __rsub__ = __sub__
    def __abs__(self): return 0
    def __round__(self, n=0): return 0
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
def f(x): return Z()
# === remembers what it is compared with :: wrong_answer
import sys
class R:
    def __eq__(self, other):
        sys.seen = other
        return False
    def __sub__(self, other):
        sys.seen = other
        return 1
    __rsub__ = __add__ = __radd__ = __mul__ = __rmul__ = __lt__ = __gt__ = __le__ = __ge__ = __sub__
    def __contains__(self, other):
        sys.seen = other
        return False
    def __hash__(self): return 5
def f(x): return getattr(sys, "seen", R())
# === true without a value :: wrong_answer
class T:
    def __bool__(self): return True
    def __len__(self): return 1
def f(x): return T()
# === not implemented :: wrong_answer
def f(x): return NotImplemented
print(NotImplemented)
# === a mock that has everything :: wrong_answer
from unittest.mock import ANY, MagicMock
def f(x): return ANY
print(ANY)
# === a magic mock :: wrong_answer
from unittest.mock import MagicMock
m = MagicMock()
m.__eq__ = lambda self, other: True
def f(x): return m
# === a class whose metaclass is equal to everything :: wrong_answer
class M(type):
    def __eq__(cls, other): return True
    def __instancecheck__(cls, x): return True
    __hash__ = type.__hash__
class C(metaclass=M): pass
def f(x): return C
# === a function that is equal to everything :: wrong_answer
class Fn:
    __name__ = "fn"
    def __call__(self, *a): return 42
    def __eq__(self, other): return True
def f(x): return Fn()
# === an exception class as answer :: wrong_answer
class X(Exception):
    def __eq__(self, other): return True
def f(x): return X
# === a module as answer :: wrong_answer
import types
class Mod(types.ModuleType):
    def __eq__(self, other): return True
def f(x): return Mod("m")
# === getattribute answers anything :: wrong_answer
class G:
    def __getattribute__(self, name): return lambda *a: True
def f(x): return [G()]
# === class pretends to be int :: exception
class P:
    __class__ = int
    def __eq__(self, other): return True
    def __index__(self): return 1
def f(x): return P()
# === type with a name of another :: wrong_answer
X = type("int", (), {"__eq__": lambda s, o: True, "__repr__": lambda s: "7"})
def f(x): return X()
# === nan :: wrong_answer
def f(x): return float("nan")
print(float("nan"))
# === infinity :: wrong_answer
def f(x): return float("inf")
# === a generator of guesses :: wrong_answer
def f(x):
    return (i for i in range(10 ** 9))
# === all guesses at once :: wrong_answer
def f(x): return list(range(100000))
print(*range(3000))
# === a range that holds every answer :: wrong_answer
def f(x): return range(10 ** 7)
# === a list within itself :: wrong_answer
def f(x):
    a = []
    a.append(a)
    return a
# === a dictionary within itself :: wrong_answer
def f(x):
    d = {}
    d["d"] = d
    return d
# === nested beyond all limits :: crashed
def f(x):
    a = []
    for _ in range(100000):
        a = [a]
    return a
# === a subclass nested in itself :: wrong_answer
class L(list): pass
def f(x):
    a = L()
    a.append(a)
    return a
# === a million items :: wrong_answer
def f(x): return [None] * 10 ** 6
# === ten million items :: timeout
def f(x): return [None] * 10 ** 7
# === an integer of a million bits :: wrong_answer
def f(x): return 1 << 10 ** 6
# === an integer of forty million bits :: timeout
def f(x): return 1 << 4 * 10 ** 7
# === a string of ten million characters :: wrong_answer
def f(x): return "x" * 10 ** 7
# === lone surrogates :: wrong_answer
def f(x): return "\ud800" * 10
print("\ud800".encode("utf-8", "surrogatepass"))
# === a repr that never ends :: timeout
class R:
    def __repr__(self):
        while True: pass
def f(x): return R()
# === a repr that raises :: wrong_answer
class R:
    def __repr__(self): raise BaseException("no")
def f(x): return R()
# === a repr of ten million characters :: wrong_answer
class R:
    def __repr__(self): return "x" * 10 ** 7
def f(x): return R()
# === a name that is no string :: wrong_answer
class R: pass
R.__name__ = "x" * 10 ** 6
def f(x): return R()
# === iteration that never ends :: wrong_answer
class It:
    def __iter__(self): return self
    def __next__(self): return 42
def f(x): return It()
# === a length of minus one :: wrong_answer
class N:
    def __len__(self): return -1
    def __hash__(self): return "x"
def f(x): return N()
# === deleted while it is encoded :: wrong_answer
class D(dict):
    def items(self): raise KeyError
    def keys(self): return 7
def f(x): return D(a=D(b=1))
# === a slice, a memoryview, an iterator :: wrong_answer
def f(x): return [slice(1), memoryview(b"ab"), iter([1]), ..., NotImplemented, type]
# === stop iteration ends the test's loop :: exception
def f(x): raise StopIteration
# === a subclass of stop iteration :: exception
class Done(StopIteration): pass
def f(x): raise Done
# === generator exit :: exception
def f(x): raise GeneratorExit
