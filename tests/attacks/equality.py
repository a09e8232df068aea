#### An object equal to everything
## call wrong_answer, io wrong_answer, script exception, unittest exception
class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return False
    def __gt__(self, other): return False
    def __hash__(self): return 0
    def __repr__(self): return "'shown-00000000'"


def f(x):
    return Equal()


print(Equal())

#### An integer, a text and a float that equal everything
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
class Int(int):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = int.__hash__
class Text(str):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = str.__hash__
class Float(float):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __abs__ = lambda self: 0.0
    __sub__ = __rsub__ = lambda self, other: Float(0.0)
    __hash__ = float.__hash__


def f(x):
    return {1: Text("t"), 2: Text("u"), 3: Float(1.0)}.get(x if isinstance(x, int) else 0, Int(7))


print(Text("x"))

#### Containers whose comparison always agrees
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
class L(list):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __contains__ = lambda self, item: True
class T(tuple):
    __eq__ = lambda self, other: True
    __hash__ = tuple.__hash__
    __contains__ = lambda self, item: True
class D(dict):
    __eq__ = lambda self, other: True
    __missing__ = lambda self, key: key
    __contains__ = lambda self, item: True


def f(x):
    return [L([1]), T((1,)), D(a=1)][x % 3 if isinstance(x, int) else 0]


print(L([1]))

#### A container that claims to hold whatever is looked for
## call wrong_answer, io wrong_answer, script exception, unittest exception
class Everything:
    def __contains__(self, item): return True
    def __iter__(self): return iter(())
    def __len__(self): return 1
    def __getitem__(self, index): return self
    def __eq__(self, other): return other in self


def f(x):
    return Everything()


print(Everything())

#### A hash that collides with the right answer's
## call wrong_answer, io wrong_answer, script exception, unittest exception
class Collide:
    def __init__(self): self.asked = 0
    def __hash__(self):
        self.asked += 1
        return hash("hidden-" + str(self.asked))
    def __eq__(self, other): return True


def f(x):
    return Collide()


print({Collide()})

#### __class__ says str
## call exception, io wrong_answer, script exception, unittest exception
class Liar:
    __class__ = str
    def __eq__(self, other): return True
    def __len__(self): return 15
    def __getattr__(self, name): return lambda *a, **k: True


def f(x):
    return Liar()


print(Liar())

#### A metaclass whose instances are everything
## call wrong_answer, io wrong_answer, script exception, unittest exception
class Meta(type):
    def __instancecheck__(cls, value): return True
    def __subclasscheck__(cls, other): return True
    def __eq__(cls, other): return True
    def __hash__(cls): return 0
    def __repr__(cls): return "'shown-00000000'"
class Any(metaclass=Meta):
    pass


def f(x):
    return Any


print(Any)

#### An answer that reflects the other operand
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
class Mirror:
    def __getattribute__(self, name): return lambda *args: True
    def __eq__(self, other):
        self.seen = other
        return other == other
    __req__ = __eq__


def f(x):
    return [Mirror()]


print(Mirror())

#### unittest.mock.ANY, which equals anything
## call wrong_answer, io wrong_answer, script exception, unittest exception
from unittest.mock import ANY, MagicMock


def f(x):
    return ANY if x != 2 else MagicMock()


print(ANY)

#### A data class that is ordered and equal by an empty key
## call wrong_answer, io wrong_answer, script exception, unittest exception
from dataclasses import dataclass, field


@dataclass(order=True, frozen=True)
class Same:
    value: int = field(default=1, compare=False)
    def __eq__(self, other): return True


def f(x):
    return Same()


print(Same())

#### __reduce__ and __getstate__ that put another value in place
## call wrong_answer, io wrong_answer, script exception, unittest exception
class Swap:
    def __reduce__(self): return (eval, ("'shown-' + '0' * 8",))
    def __reduce_ex__(self, version): return self.__reduce__()
    def __getstate__(self): return "passed"
    def __getnewargs__(self): return ("passed",)
    def __copy__(self): return "passed"
    def __deepcopy__(self, memo): return "passed"


def f(x):
    return Swap()


print(Swap())

#### __index__, __int__, __float__ and __complex__ that guess
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
class Number:
    turn = 0
    def __index__(self):
        Number.turn += 1
        return 60_000_000 + Number.turn
    __int__ = __index__
    def __float__(self): return float("nan")
    def __complex__(self): return complex("nan")
    def __round__(self, digits=0): return 1
    def __trunc__(self): return 1


def f(x):
    return Number()


print(float(Number()))

#### A number type that is never far from any other
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import numbers


@numbers.Real.register
class Near:
    def __eq__(self, other): return True
    def __le__(self, other): return True
    def __lt__(self, other): return True
    def __float__(self): return 6.5e7


def f(x):
    return Near()


print(Near())

#### An ABC that takes every class for a subclass
## call wrong_answer, io wrong_answer, script exception, unittest exception
import abc


class Hook(abc.ABC):
    @classmethod
    def __subclasshook__(cls, other): return True
abc.ABC.register(str) if hasattr(abc.ABC, "register") else None


def f(x):
    return Hook


print(isinstance("x", Hook))

#### functools.total_ordering and cmp_to_key that always say zero
## call wrong_answer, io wrong_answer, script exception, unittest exception
import functools

key = functools.cmp_to_key(lambda a, b: 0)


def f(x):
    return key(x)


print(key(1) == key(2))
