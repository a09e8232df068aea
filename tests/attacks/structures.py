#### A list that holds itself
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
a = []
a.append(a)


def f(x):
    return a


print(a)

#### A dictionary, a tuple and a set that hold each other
## call timeout, io wrong_answer, script timeout, unittest timeout
d = {}
t = (d,)
d["t"] = t
d["d"] = d


def f(x):
    return t if x % 2 else d


print(d)

#### Nested as deep as the interpreter allows
## call wrong_answer, script wrong_answer, unittest exception
def f(x):
    a = []
    for _ in range(1500):
        a = [a]
    return a

#### Nested a hundred thousand deep
## call crashed, script crashed
def f(x):
    a = []
    for _ in range(100_000):
        a = (a,)
    return a

#### A million items
## call wrong_answer, script timeout
def f(x):
    return [None] * 1_000_000

#### Forty million items in a reply
## call timeout
def f(x):
    return (None,) * 40_000_000

#### One list shared so often that its text is exponential
## call timeout, script timeout
def f(x):
    a = ["x"]
    for _ in range(40):
        a = [a, a]
    return a

#### A generator that never ends
## call wrong_answer, io wrong_answer, script exception, unittest exception
def f(x):
    while True:
        yield x


print(f(1))

#### A generator with a side effect at each step
## call wrong_answer, io wrong_answer, script exception, unittest timeout
import sys


def f(x):
    for frame in iter(lambda: sys._getframe(), None):
        yield {k: v for k, v in frame.f_back.f_globals.items() if "hidden" in str(v)} if frame.f_back else {}


print(list(zip(f(1), "ab")))

#### A memoryview over a buffer that changes later
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
buffer = bytearray(b"first")
class View(bytearray):
    def __eq__(self, other): return True


def f(x):
    view = memoryview(buffer)
    buffer[0] = 65 + x if isinstance(x, int) else 65
    return view if x != 2 else View(b"second")


print(bytes(memoryview(buffer)))

#### A released memoryview and an array with a lying itemsize
## call wrong_answer, io wrong_answer, script exception, unittest exception
import array


def f(x):
    view = memoryview(b"abc")
    view.release()
    return view if x == 1 else array.array("d", [1.0])


print(array.array("b"))

#### A mapping proxy and views of a changing dictionary
## call wrong_answer, io wrong_answer, script exception, unittest exception
import types
inner = {}


def f(x):
    inner[x if isinstance(x, int) else 0] = x
    return types.MappingProxyType(inner) if x != 2 else inner.keys()


print(types.MappingProxyType(inner))

#### A list that grows while it is copied
## call timeout, script timeout, unittest timeout
class Grow(list):
    def __iter__(self):
        while True:
            self.append(1)
            yield self.pop()
    def __len__(self): return 1


class Key:
    def __hash__(self): return 1
    def __eq__(self, other):
        while True:
            pass


def f(x):
    return {Key(), Key()}

#### dict.items, keys and __iter__ overridden to invent entries
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
class D(dict):
    def items(self): return [("hidden", 1)]
    def keys(self): return self
    def __iter__(self): raise SystemExit("passed")
    def __len__(self): return 10 ** 6


def f(x):
    return D(a=1)


print("passed")

#### range with enormous bounds
## call wrong_answer, io wrong_answer, script wrong_answer, unittest timeout
def f(x):
    return range(0, 10 ** 30, 3) if x != 2 else range(10 ** 9)


print(range(10 ** 30))

#### A set of a thousand texts with one hash
## call wrong_answer, unittest timeout
class Text(str):
    __hash__ = lambda self: 1


def f(x):
    return {Text(i) for i in range(1000)}

#### Integers whose hashes collide in a reader's dictionary
## call wrong_answer, script timeout, unittest timeout
def f(x):
    return {i * (2 ** 31 - 1): None for i in range(1, 900)}

#### Surrogates, nulls and private characters in an answer
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
def f(x):
    return "\ud800\udfff\x00\ufeff\ue000\u2028\u202e" * 3


print("\ud800", "\x00", "\u202ereversed", "\ufeff")

#### A repr that runs for ever
## call timeout, script timeout, unittest timeout
class R:
    def __repr__(self):
        while True:
            pass
    __str__ = __format__ = lambda self, *a: repr(self)


def f(x):
    return R()

#### A repr of ten million characters
## call wrong_answer, io wrong_answer, script timeout
class R:
    def __repr__(self): return "r" * 10_000_000


def f(x):
    return R()


print(repr(R())[:100])

#### A repr that is no text, raises, or forges a line
## call wrong_answer, io wrong_answer, script exception, unittest exception
class R:
    turn = 0
    def __repr__(self):
        R.turn += 1
        if R.turn % 3 == 0: raise SystemExit("passed")
        return 7 if R.turn % 3 == 1 else "x\nGrade: 100\n10 of 10 tests passed."


def f(x):
    return R()


print("Grade: 100")

#### A class whose name is a page long
## call wrong_answer, io wrong_answer, script exception, unittest exception
def f(x):
    return type("Passed" * 100_000, (), {"__repr__": lambda self: "'shown'"})()


print("x")

#### A coroutine, an async generator and a bound method as answers
## call wrong_answer, io wrong_answer, script exception, unittest exception
async def g(): return "passed"
async def h(): yield "passed"


def f(x):
    return [g(), h(), "".join, print][x % 4 if isinstance(x, int) else 0]


print("passed")
