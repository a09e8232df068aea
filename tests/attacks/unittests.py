#### Assertions of unittest replaced
## call wrong_answer, unittest exception
import unittest, unittest.case
for name in dir(unittest.TestCase):
    if name.startswith(("assert", "fail", "_base", "run", "debug", "setUp", "tearDown", "doCleanups")):
        setattr(unittest.TestCase, name, lambda *args, **kwargs: None)
unittest.TestCase.run = unittest.TestCase.__call__ = lambda self, result=None: result
unittest.TestResult.wasSuccessful = lambda self: True


def f(x):
    return 1

#### doctest's checker replaced
## call wrong_answer, unittest exception
import doctest
doctest.OutputChecker.check_output = lambda *args: True
doctest.DocTestParser.get_examples = lambda *args, **kwargs: []
doctest.testmod = doctest.run_docstring_examples = lambda *args, **kwargs: doctest.TestResults(0, 10)


def f(x):
    """
    >>> f(1)
    1
    """
    return 1

#### unittest in sys.modules replaced
## call wrong_answer, unittest exception
import sys, types
fake = types.ModuleType("unittest")


class TestCase:
    def __init_subclass__(cls): cls.__init__ = lambda *args: sys.exit(0)
    def __getattr__(self, name): return lambda *args, **kwargs: None


fake.TestCase = TestCase
sys.modules["unittest"] = sys.modules["unittest.case"] = fake


def f(x):
    return 1

#### Frames hidden as unittest hides its own
## call exception, unittest exception
__unittest = True
__tracebackhide__ = True


def f(x):
    __unittest = True
    raise AssertionError("passed")

#### Tests that all classes are made to skip
## call wrong_answer, unittest exception
import unittest


class f:
    __unittest_skip__ = True
    __unittest_skip_why__ = "passed"
    __unittest_expecting_failure__ = True
    def __init__(self, x): pass
    def __repr__(self): return "shown"

#### A class in place of the function, equal to every answer
## call wrong_answer, script exception, unittest exception
class f:
    def __init__(self, x): self.x = x
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __contains__(self, item): return True
    def __repr__(self): return "shown"

#### A class under a second name that is a class's name
## call wrong_answer, script exception, unittest exception
class Solution:
    def __new__(cls, x): return object.__new__(cls)
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __contains__(self, item): return True
    def __repr__(self): return "shown"


f = Solution
F = f

#### A metaclass that calls, in place of the function
## call exception, script exception, unittest exception
class Meta(type):
    def __call__(cls, x):
        made = object.__new__(cls)
        made.x = x
        return made
    def __eq__(cls, other): return True
    def __hash__(cls): return 0


class f(metaclass=Meta):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0
    def __repr__(self): return "shown"

#### An object that is zero away from whatever is subtracted from it
## call wrong_answer, script exception, unittest exception
class Zero:
    def __sub__(self, other): return 0
    __rsub__ = __mod__ = __rmod__ = __xor__ = __sub__
    def __truediv__(self, other): return 1
    __rtruediv__ = __truediv__
    def __abs__(self): return 0
    def __round__(self, digits=0): return 0
    def __repr__(self): return "shown"


def f(x):
    return Zero()

#### An object that is the number that it was compared with a moment ago
## call wrong_answer, script wrong_answer, unittest exception
class Parrot:
    heard = 0.0
    def __sub__(self, other):
        Parrot.heard = other
        return self
    __rsub__ = __eq__ = __lt__ = __truediv__ = __rtruediv__ = __sub__
    def __abs__(self): return 0.0
    def __float__(self): return float(Parrot.heard)
    def __hash__(self): return 0
    def __repr__(self): return "heard " + str(Parrot.heard)


def f(x):
    return Parrot()

#### A number whose subtraction gives an object that is always small
## call wrong_answer, script exception, unittest exception
class Small:
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
    def __abs__(self): return self
    def __bool__(self): return True
    def __float__(self): return 0.0


class Number:
    def __sub__(self, other): return Small()
    __rsub__ = __sub__
    def __repr__(self): return "shown"


def f(x):
    return Number()

#### A text whose methods agree
## call wrong_answer, script wrong_answer, unittest exception
class Text(str):
    def startswith(self, *args): return True
    def endswith(self, *args): return True
    def strip(self, *args): return self
    def lower(self): return self
    def split(self, *args): return [self]
    def __eq__(self, other): return True
    __hash__ = str.__hash__
    def __str__(self): return "hidden"


def f(x):
    return Text("shown")

#### An iterator that ends the loop over the cases
## call exception, script exception, unittest exception
class Iterator:
    def __iter__(self): return self
    def __next__(self): raise StopIteration


def f(x):
    return next(Iterator())

#### An exception class of the program that every handler of the test catches
## call exception, script exception, unittest exception
class Meta(type):
    def __instancecheck__(cls, value): return True
    def __subclasscheck__(cls, other): return True


class Caught(Exception, metaclass=Meta):
    pass


def f(x):
    raise Caught("passed")

#### A global that answers differently each time it is looked at
## call exception, script exception, unittest exception
class Changing:
    def __get__(self, obj, owner): return lambda x: "hidden"
    def __call__(self, x): raise RuntimeError("asked")


f = Changing()

#### Names of dunders and of the test's helpers handed over
## call wrong_answer, script wrong_answer, unittest exception
__novice_compare__ = lambda *args: None
__builtins__ = {"abs": lambda x: 0}
__name__ = "test"
__path__ = ["/"]
__spec__ = __loader__ = None


class TestCase:
    pass


class unittest:
    TestCase = TestCase


def f(x):
    return 1

#### A hundred thousand names for the test to take over
## call timeout, script timeout, unittest timeout
globals().update({f"name{n}": object() for n in range(100_000)})


def f(x):
    return 1

#### Long lists for the test to find the difference between
## call wrong_answer, unittest exception
def f(x):
    return [[n] * 5 for n in range(2_000)]

#### Sets within sets around a long tuple
## call timeout, unittest timeout
inner = tuple(range(3_000))
for _ in range(60):
    inner = frozenset([inner])


def f(x):
    return inner
