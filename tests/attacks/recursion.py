#### A function that calls itself for ever
## exception
def f(x):
    return f(x)


f(1)

#### The recursion limit lifted first
## timeout
import sys
sys.setrecursionlimit(10 ** 8)


def f(x):
    return f(x)


f(1)

#### A repr, an equality and a hash that call themselves
## call wrong_answer, io exception, script exception, unittest exception
class R:
    def __repr__(self): return repr([self])
    def __eq__(self, other): return [self] == [other]
    def __hash__(self): return hash((self,))
    def __str__(self): return str({1: self})


def f(x):
    return R()


if __name__ == "__main__":
    print({R(): R()})

#### __getattr__ that asks itself
## exception
class G:
    def __getattr__(self, name): return getattr(self, name + "x")
    def __getattribute__(self, name): return getattr(self, name)


def f(x):
    return G()


G().x

#### The comparison of two lists a hundred thousand deep
## call timeout, io timeout, script timeout
a, b = [], []
for _ in range(100_000):
    a, b = [a], [b]
a == b

#### JSON of two hundred thousand brackets
## call crashed, io crashed, script crashed
import json
json.loads("[" * 200_000)

#### A regular expression of nested groups
## call exception, io exception, script exception
import re
re.compile("(" * 20_000 + ")" * 20_000)

#### A copy of a structure that is too deep
## call crashed, io crashed, script crashed
import copy, sys
a = []
for _ in range(50_000):
    a = [a]
copy.deepcopy(a)

#### An expression of a hundred thousand brackets compiled
## call out_of_memory, io out_of_memory, script out_of_memory
eval("(" * 100_000 + ")" * 100_000)

#### A sum of a hundred thousand terms compiled
## call timeout, io timeout, script timeout
eval("+".join(["1"] * 100_000))

#### Attribute access a hundred thousand long parsed
## call out_of_memory, io out_of_memory, script out_of_memory
import ast
ast.literal_eval("-" * 100_000 + "1")

#### Generators that delegate to each other without end
## exception
def g(n):
    yield from g(n + 1)


def f(x):
    return list(g(x))


f(1)

#### Decorators, properties and metaclasses that call each other
## exception
class M(type):
    def __call__(cls, *args): return cls(*args)


class C(metaclass=M):
    pass


def f(x):
    return C(x)


f(1)

#### An exception raised while an exception is handled, ten thousand times
## exception
def f(x):
    error = None
    for n in range(10_000):
        try:
            raise ValueError(n) from error
        except ValueError as caught:
            error = caught
    raise error


f(1)

#### RecursionError caught and gone on from
## timeout
def f(x):
    while True:
        try:
            return f(x)
        except RecursionError:
            pass


f(1)

#### A destructor chain a million links long
## call timeout, io timeout, script timeout
class Link:
    pass


head = None
for _ in range(150_000):
    link = Link()
    link.next = head
    head = link
del link
head = None
raise MemoryError
