# === an endless loop :: timeout
while True: pass
# === an endless loop that catches everything :: timeout
while True:
    try:
        while True: pass
    except BaseException: pass
# === an endless loop in finally :: timeout
try:
    1 / 0
finally:
    while True: pass
# === counts for ever :: timeout
i = 0
while True: i += 1
# === an endless generator in a for loop :: timeout
def g():
    while True: yield 1
for _ in g(): pass
# === an endless loop in a class body :: timeout
class A:
    while True: pass
# === an endless loop in a comparison :: timeout
class A:
    def __lt__(self, o):
        while True: pass
sorted([A(), A()])
# === an endless loop in a destructor :: timeout
class A:
    def __del__(self):
        while True: pass
A()
# === an endless loop in an import hook :: timeout
import sys
class F:
    def find_spec(self, *a):
        while True: pass
sys.meta_path.insert(0, F())
import nothing
# === an endless loop in C :: timeout
sum(iter(int, 1))
# === an endless deque :: timeout
import collections, itertools
collections.deque(itertools.repeat(0), maxlen=0)
# === a power of powers :: timeout
x = 9 ** 9 ** 9
# === a factorial :: timeout
import math
math.factorial(10 ** 6)
# === a product of huge numbers :: timeout
x = 7 ** 2000000 * 3 ** 2000000
# === the digits of a huge number :: timeout
import sys
sys.set_int_max_str_digits(0)
print(len(str(1 << 10 ** 7)))
# === a number of many digits :: exception
print(str(1 << 10 ** 6))
# === a modular power :: timeout
pow(3, 1 << 100000, (1 << 100000) - 1)
# === a regular expression that goes back for ever :: timeout
import re
re.match("(a+)+$", "a" * 40 + "b")
# === a regular expression of a million groups :: timeout
import re
re.compile("(a)" * 10 ** 6)
# === nested repetition :: timeout
import re
re.match("(((a{0,100}){0,100}){0,100}){0,100}b", "a" * 200)
# === difflib on long texts :: timeout
import difflib
difflib.SequenceMatcher(None, "ab" * 5000, "ba" * 5000, False).ratio()
# === a template of formats :: out_of_memory
x = "{:>200000000}".format(1)
# === a list of a thousand million :: out_of_memory
x = [0] * 10 ** 9
# === a list that doubles :: timeout
x = [0]
while True: x += x
# === a string that doubles :: out_of_memory
x = "a"
while True: x += x
# === a dictionary that grows :: timeout
d = {}
while True: d[len(d)] = d.copy()
# === bytes and more bytes :: out_of_memory
x = [bytes(10 ** 7) for _ in range(1000)]
# === MemoryError is caught for ever :: timeout
x = []
while True:
    try: x.append(bytes(10 ** 6))
    except MemoryError: pass
# === a bytearray that is shifted :: out_of_memory
x = bytearray(1 << 27) + bytearray(1 << 27)
# === a zip bomb :: timeout
import zlib
x = zlib.decompress(zlib.compress(bytes(1 << 26)), bufsize=1 << 30)
# === an infinite list of permutations :: timeout
import itertools
list(itertools.permutations(range(12)))
# === product of products :: timeout
import itertools
itertools.product(range(10 ** 6), repeat=10 ** 3)
# === recursion :: exception
def g(n): return g(n + 1)
g(0)
# === recursion without a limit :: timeout
import sys
sys.setrecursionlimit(10 ** 8)
def g(n): return g(n + 1)
g(0)
# === recursion through C :: exception
import sys
sys.setrecursionlimit(10 ** 8)
class A:
    def __repr__(self): return repr(self)
repr(A())
# === recursion in comparison :: crashed
a, b = [], []
a.append(b)
b.append(a)
a == b
# === recursion caught at every level :: timeout
def g():
    try: g()
    finally: g()
g()
# === a deep list's repr :: timeout
x = []
for _ in range(10 ** 5): x = [x]
repr(x)
# === a deep list's destruction :: crashed
x = []
for _ in range(10 ** 5): x = [x]
del x
def f(x): return 1
# === deep JSON :: crashed
import json
json.loads("[" * 200000)
# === deep parentheses :: out_of_memory
eval("(" * 100000)
# === a deep expression :: out_of_memory
eval("-" * 100000 + "1")
# === a deep attribute :: timeout
eval("a" + ".a" * 100000)
# === a source of a million lines :: timeout
exec("x = 1\n" * 10 ** 6)
# === nested functions :: exception
exec("".join(" " * i + "def f():\n" for i in range(200)) + " " * 200 + "pass")
# === a constant expression that explodes :: exception
exec("x = " + "(" * 50 + "'a' * 4096" + " * 100)" * 50)
# === pickle recursion :: crashed
import pickle
x = []
for _ in range(10 ** 5): x = [x]
pickle.dumps(x)
# === copy.deepcopy recursion :: exception
import copy
x = []
for _ in range(10 ** 4): x = [x]
copy.deepcopy(x)
# === an XML bomb :: timeout
import xml.etree.ElementTree as E
doc = "<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'>" + "".join(f"<!ENTITY {chr(98 + i)} '{('&' + chr(97 + i) + ';') * 10}'>" for i in range(9)) + "]><d>&j;</d>"
E.fromstring(doc)
# === prints for ever :: output_limit
while True: print("x")
# === prints for ever and catches :: output_limit
while True:
    try: print("x" * 100)
    except BaseException: pass
# === one huge line :: output_limit
print("x" * 10 ** 7)
# === prints to standard error for ever :: output_limit
import sys
while True: sys.stderr.write("x" * 1000)
# === raw writes for ever :: output_limit
import os
while True: os.write(1, b"x" * 1000)
# === sleeps a year :: wrong_answer
import time
time.sleep(3600 * 24 * 365)
def f(x): return 1
# === sleeps a moment for ever :: timeout
import time
while True: time.sleep(0.001)
# === waits for a lock :: exception
import threading
lock = threading.Lock()
lock.acquire()
lock.acquire(timeout=1)
raise SystemExit
# === waits for an event :: wrong_answer
import threading
threading.Event().wait(10 ** 6)
def f(x): return 1
# === waits for an empty queue :: timeout
import queue
queue.Queue().get(timeout=5)
# === selects for ever :: exception
import select
select.select([], [], [], 10 ** 6)
select.poll().poll(10)
# === randomness without end :: timeout
import os
while True: os.urandom(10 ** 5)
# === the clock without end :: timeout
import time
while True: time.time_ns()
# === garbage in circles :: timeout
while True:
    a = []
    a.append(a)
# === objects that come back :: timeout
class A:
    def __del__(self): A()
A()
while True: A()
# === a hash of the same value for all :: timeout
class H:
    def __hash__(self): return 1
    def __eq__(self, o): return self is o
{H() for _ in range(10 ** 5)}
# === strings of the same hash :: wrong_answer
d = {i << 61: 1 for i in range(2000)}
def f(x): return len(d)
# === decimal digits :: timeout
import decimal
decimal.getcontext().prec = 10 ** 6
decimal.Decimal(2).sqrt().ln()
# === fractions of giants :: timeout
from fractions import Fraction
x = Fraction(1, 3)
while True: x = x * x + 1
# === a sum of strings :: out_of_memory
x = ["a" * 10 ** 6] * 1000
print(len("".join(x)))
# === an AST of a million nodes :: timeout
import ast
ast.parse("+".join(["1"] * 10 ** 6))
# === random samples for ever :: timeout
import random
while True: random.sample(range(10 ** 6), 100)
