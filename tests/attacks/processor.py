#### An endless loop
## call timeout, io timeout, script timeout
while True:
    pass

#### An endless loop that swallows every exception
## call timeout, io timeout, script timeout
while True:
    try:
        while True:
            pass
    except BaseException:
        continue
    finally:
        continue

#### A loop in the function only
## call timeout, script timeout, unittest timeout
def f(x):
    while x is not None:
        x = x

#### A power with an enormous exponent
## call timeout, io timeout, script timeout
x = 9 ** 9 ** 9

#### A modular power with enormous numbers
## call timeout, io timeout, script timeout
x = pow(3, 10 ** 5000, 10 ** 5000 + 1)

#### A regular expression that backtracks
## call timeout, io timeout, script timeout
import re
re.match(r"(a|a)*$|(a+)+$", "a" * 64 + "b")

#### A sort whose key never agrees with itself
## call timeout, io timeout, script timeout
class Key:
    def __init__(self, value): self.value = value
    def __lt__(self, other):
        while True:
            self.value = not self.value


x = sorted(range(100), key=Key)

#### A sum over an endless iterator
## call timeout, io timeout, script timeout
import itertools
x = sum(itertools.repeat(0))

#### A membership test in an endless iterator
## call timeout, io timeout, script timeout
import itertools
x = -1 in itertools.count()

#### Digits of an enormous factorial
## call timeout, io timeout, script timeout
import math, sys
sys.set_int_max_str_digits(0)
x = str(math.factorial(300_000))

#### A text searched in a text it almost is
## call timeout, io timeout, script timeout
x = ("a" * 4_000_000).count("a" * 1_000_000 + "b" + "a" * 1_000_000)
while True:
    x = ("a" * 100_000 + "b").find("a" * 50_000 + "b")

#### Collisions in a dictionary
## call timeout, io timeout, script timeout
x = {}
for n in range(1, 10 ** 7):
    x[n * (2 ** 31 - 1)] = n

#### A metaclass's conflict resolved for ever
## call timeout, io timeout, script timeout
class Meta(type):
    def mro(cls):
        while True:
            pass


class C(metaclass=Meta):
    pass

#### A descriptor that is never set
## call timeout, io timeout, script timeout
class Never:
    def __set_name__(self, owner, name):
        while True:
            pass


class C:
    x = Never()

#### A yield that is sent values for ever
## call timeout, io timeout, script timeout
def g():
    while True:
        yield


it = g()
next(it)
while True:
    it.send(None)

#### An import that never ends
## call timeout, io timeout, script timeout
import sys


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        while True:
            pass


sys.meta_path.insert(0, Finder)
import anything

#### A decimal with a precision of a million digits
## call timeout, io timeout, script timeout
import decimal
decimal.getcontext().prec = 1_000_000
x = decimal.Decimal(2).sqrt() ** 3

#### The source compiled again and again
## call timeout, io timeout, script timeout
source = "x = [" + "1, " * 2000 + "]"
while True:
    compile(source, "x", "exec")

#### A difference of long sequences
## call timeout, io timeout, script timeout
import difflib
x = difflib.SequenceMatcher(None, "ab" * 5000, "ba" * 5000, autojunk=False).ratio()

#### A query of SQL that counts for ever
## call timeout, io timeout, script timeout
import sqlite3
sqlite3.connect(":memory:").execute("with recursive t(n) as (select 1 union all select n + 1 from t) select count(*) from t").fetchall()

#### Entities of XML that multiply
## call timeout, io timeout, script timeout
import xml.etree.ElementTree as tree
entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
tree.fromstring(f'<!DOCTYPE x [<!ENTITY e0 "lol">{entities}]><x>&e11;</x>')

#### A hash of a very long text, many times
## call timeout, io timeout, script timeout
import hashlib
text = b"x" * (1 << 20)
while True:
    hashlib.sha256(text).digest()

#### A time limit that is reached in an except clause while the output is full
## call timeout, io timeout, script timeout
import sys
while True:
    try:
        sys.stdout.write("")
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass

#### Time used up in __del__ after the answer
## timeout
class Slow:
    def __del__(self):
        while True:
            pass


def f(x):
    s = Slow()
    return 1


Slow()

#### Time used up while the module's names are listed
## call wrong_answer, io wrong_answer, script timeout, unittest timeout
class Name(str):
    def startswith(self, *args):
        while True:
            pass
    __hash__ = str.__hash__


globals()[Name("name")] = 1


def f(x):
    return 1
