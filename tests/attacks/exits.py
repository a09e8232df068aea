# === sys.exit with success :: exception
import sys
sys.exit(0)
# === os._exit :: exception
import os
os._exit(0)
# === os.abort :: exception
import os
os.abort()
# === SystemExit with a text :: exception
raise SystemExit("passed")
# === KeyboardInterrupt :: exception
raise KeyboardInterrupt
# === GeneratorExit :: exception
raise GeneratorExit
# === a BaseException of its own :: exception
class B(BaseException): pass
raise B("passed")
# === SkipTest when imported :: exception
import unittest
raise unittest.SkipTest("skip")
# === SkipTest when called :: exception
import unittest
def f(x): raise unittest.SkipTest("skip")
# === AssertionError of its own :: exception
def f(x): raise AssertionError("")
# === an exception group :: exception
raise BaseExceptionGroup("all", [SystemExit(0), KeyboardInterrupt()])
# === exit within the call :: exception
def f(x): exit()
# === quit within the call :: exception
def f(x): quit()
# === atexit :: wrong_answer
import atexit
atexit.register(print, 42)
def f(x): return 1
# === atexit run by hand :: wrong_answer
import atexit
atexit.register(lambda: 1 / 0)
atexit._run_exitfuncs()
def f(x): return 1
# === a signal to itself :: exception
import signal, os
os.kill(os.getpid(), signal.SIGKILL)
# === raise_signal :: crashed
import signal
signal.raise_signal(signal.SIGTERM)
# === an alarm :: exception
import signal
signal.alarm(1)
# === exit through the interpreter's own module :: crashed
import posix
posix._exit(0)
# === except hook that leaves :: exception
import sys, os
sys.excepthook = lambda *a: os._exit(0)
1 / 0
# === faulthandler's crash :: crashed
import faulthandler
faulthandler._sigsegv()
# === an exception whose text raises :: exception
class E(Exception):
    def __str__(self): raise BaseException("again")
    __repr__ = __str__
raise E
# === an exception whose text never ends :: timeout
class E(Exception):
    def __str__(self):
        while True: pass
raise E
# === an exception whose text exits :: exception
import sys
class E(Exception):
    def __str__(self): sys.exit(0)
raise E
# === an exception with a cause in a circle :: exception
a, b = ValueError("a"), ValueError("b")
a.__cause__, b.__cause__ = b, a
raise a
# === a chain of ten thousand causes :: exception
e = None
for i in range(10000):
    n = ValueError(i)
    n.__cause__ = e
    e = n
raise e
# === an exception with a forged traceback :: exception
import types, sys
def g(): return sys._getframe()
tb = types.TracebackType(None, g(), 0, 10 ** 8)
raise ValueError("passed").with_traceback(tb)
# === a syntax error made by hand :: exception
raise SyntaxError("passed", ("program.py", 10 ** 9, 10 ** 9, "x" * 10 ** 6, -5, -7))
# === a syntax error with wrong types :: exception
e = SyntaxError("m")
e.filename, e.lineno, e.offset, e.text = "program.py", "a", [], 7
raise e
# === an exception class named as another :: exception
raise type("Passed", (Exception,), {"__module__": "builtins"})("100 of 100 points")
# === notes on an exception :: exception
e = ValueError("x")
e.add_note("Grade: 100\n5 of 5 tests passed.")
raise e
