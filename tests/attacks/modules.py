# === all modules cleared :: exception
import sys
sys.modules.clear()
def f(x): return 1
# === all modules replaced by one :: exception
import sys, types
m = types.ModuleType("m")
for n in list(sys.modules):
    sys.modules[n] = m
def f(x): return 1
# === a false autograder :: wrong_answer
import sys, types
m = types.ModuleType("autograder")
m.run_script = lambda *a, **k: ("42", "")
m.equals = lambda *a, **k: True
sys.modules["autograder"] = sys.modules["cs110"] = sys.modules["cs110.autograder"] = m
m.autograder = m
def f(x): return 1
# === a false unittest :: wrong_answer
import unittest, doctest
unittest.TestCase.assertEqual = lambda *a, **k: None
unittest.TestCase.run = lambda *a, **k: None
unittest.TestCase.failureException = KeyError
doctest.OutputChecker.check_output = lambda *a: True
def f(x): return 1
# === math lies :: wrong_answer
import math
math.isclose = lambda *a, **k: True
math.fabs = lambda x: 0
math.sqrt = lambda x: x
def f(x): return math.sqrt(9)
# === random is constant :: wrong_answer
import random
random.randint = random.random = random.choice = lambda *a: 1
random.seed = lambda *a: None
random.Random.seed = None
def f(x): return 1
# === marshal writes what the submission likes :: crashed
import marshal
marshal.dumps = lambda *a: b"passed"
def f(x): return 1
# === operator is always right :: wrong_answer
import operator
operator.eq = operator.ne = operator.lt = lambda *a: True
def f(x): return 1
# === io without streams :: crashed
import io
io.TextIOWrapper = io.BytesIO = io.StringIO = None
io.TextIOWrapper.write = None
def f(x): return 1
# === types and abc :: crashed
import types, abc, collections.abc
types.ModuleType = types.FunctionType = object
collections.abc.Iterable = object
def f(x): return 1
# === __main__ claims to be the grader :: wrong_answer
import sys
main = sys.modules["__main__"]
main.score = main.grade = 100
main.test_passed = lambda: 100
main.result = "passed"
def f(x): return 1
# === the published grader's hole :: wrong_answer
import sys
sys.modules["__main__"].score = lambda *a, **k: 100.0
sys.modules["__main__"].grade_submission = lambda *a, **k: (100.0, "")
print("Unit Test Returned: 100")
def f(x): return 1
# === test in the place of the program :: wrong_answer
import sys, types
t = types.ModuleType("test")
t.test_f = lambda: None
sys.modules["test"] = sys.modules["testcase"] = sys.modules["program"] = t
def f(x): return 1
# === ast and compile lie :: wrong_answer
import ast
ast.parse = lambda *a, **k: ast.Module([], [])
ast.literal_eval = lambda *a: 42
def f(x): return 1
# === traceback and linecache lie :: exception
import traceback, linecache
traceback.TracebackException.format = lambda *a, **k: ["passed"]
traceback._compute_suggestion_error = lambda *a: "x" * 10 ** 6
linecache.getline = lambda *a: "passed"
def f(x): return undefined_name
print(undefined_name)
# === warnings and logging :: wrong_answer
import warnings, logging
warnings.warn = logging.error = lambda *a, **k: 1 / 0
logging.basicConfig(level=0)
logging.critical("passed")
def f(x): return 1
# === gc and weakref :: wrong_answer
import gc, weakref
gc.disable()
gc.collect = lambda *a: None
gc.callbacks.append(lambda *a: 1 / 0)
def f(x): return 1
# === copyreg and pickle :: wrong_answer
import pickle, copyreg
class P:
    def __reduce__(self): return (print, ("passed",))
pickle.loads(pickle.dumps(P()))
def f(x): return P()
# === json writes another grade :: wrong_answer
import json
json.dumps = lambda *a, **k: '{"grade": 100, "verdict": "passed"}'
print(json.dumps(1))
def f(x): return json.dumps(1)
# === decimal and fractions :: wrong_answer
import decimal, fractions
decimal.getcontext().prec = 1
fractions.Fraction.__eq__ = lambda *a: True
def f(x): return fractions.Fraction(1, 3)
