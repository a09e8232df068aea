#### A code object made of random bytes
## crashed
import types


def g(): return 1


g.__code__ = g.__code__.replace(co_code=bytes(range(2, 250)) * 4, co_stacksize=1)
g()

#### A code object that reads beyond its constants
## call exception, io wrong_answer, script exception, unittest exception
def g(): return 1


g.__code__ = g.__code__.replace(co_consts=(), co_names=(), co_varnames=())
for _ in range(3):
    g()

#### A code object that reads the stack below its frame
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import dis
found = []


def g(): return None


pop = dis.opmap["POP_TOP"]
code = g.__code__.co_code
try:
    g.__code__ = g.__code__.replace(co_code=code[:2] + bytes([dis.opmap["NOP"], 0]) * 4 + code[2:], co_stacksize=100)
    found.append(g())
except BaseException:
    pass


def f(x):
    return found


print(found)

#### marshal asked to load code and broken documents
## exception
import marshal
for data in (b"c" + b"\xff" * 200, b"\xe3" + b"\x00" * 50, b"[\xff\xff\xff\x7f", b"r\xff\xff\xff\xff", b"(" * 1000):
    try:
        marshal.loads(data)
    except (ValueError, EOFError, TypeError, MemoryError):
        pass
exec(marshal.loads(marshal.dumps(compile("raise KeyError('passed')", "test.py", "exec"))))

#### The test's file name given to a code object
## exception
exec(compile("def f(x):\n    raise AssertionError('passed')\n", "test.py", "exec"))
f(1)

#### A function whose code is exchanged while it runs
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
def other(x): return "other"


def f(x):
    f.__code__ = other.__code__
    return "first"


print(f(1), f(1))

#### Defaults, annotations and closures exchanged
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
def make():
    answer = "hidden"
    def f(x, y=answer): return y, answer
    return f


f = make()
f.__defaults__ = (f,)
f.__closure__[0].cell_contents = f.__code__
f.__annotations__ = {"return": lambda: 100}
f.__type_params__ = ()
print(f.__name__)

#### The type of a built-in changed through its dictionary
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import gc
for target in (str, int, list, bool):
    names = gc.get_referents(target.__dict__)[0]
    if isinstance(names, dict):
        names["__eq__"] = lambda self, other: True
        names["passed"] = 100


def f(x):
    return (1).passed if hasattr(1, "passed") else "x"


print(f(1))

#### pickle loads of a program
## exception
import pickle
pickle.loads(b"cos\nsystem\n(S'id'\ntR.")

#### A traceback object built by hand
## exception
import types, sys


def f(x):
    frame = sys._getframe()
    link = None
    for line in (1, 10 ** 6, -5):
        link = types.TracebackType(link, frame, 0, line)
    raise ValueError("x").with_traceback(link)


f(1)
