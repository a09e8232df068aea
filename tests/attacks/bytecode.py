# === an empty code object with a wild jump :: crashed
def g(): pass
c = g.__code__
g.__code__ = c.replace(co_code=bytes([100, 255, 83, 0] * 50))
g()
# === code of zeros :: crashed
def g(): pass
g.__code__ = g.__code__.replace(co_code=bytes(64))
g()
# === code of ones :: crashed
def g(): pass
g.__code__ = g.__code__.replace(co_code=b"\xff" * 64)
g()
# === a stack of nothing :: exception
def g(a, b): return a + b
g.__code__ = g.__code__.replace(co_stacksize=0, co_code=g.__code__.co_code[4:] * 9)
g(1, 2)
# === names out of range :: exception
def g(): return missing
g.__code__ = g.__code__.replace(co_names=())
g()
# === constants out of range :: crashed
def g(): return 12345
g.__code__ = g.__code__.replace(co_consts=())
print(g())
# === a negative count of variables :: exception
def g(a): return a
g.__code__ = g.__code__.replace(co_nlocals=-1)
# === marshalled code :: wrong_answer
import marshal
code = marshal.loads(marshal.dumps(compile("x = 42", "x", "exec")))
exec(code)
def f(y): return x
# === marshalled rubbish :: exception
import marshal
marshal.loads(b"\xe3" + bytes(range(200)))
# === a function type made by hand :: wrong_answer
import types
g = types.FunctionType(compile("42", "x", "eval"), {})
print(g())
def f(x): return g()
# === a cell that refers to itself :: wrong_answer
import types
c = types.CellType()
c.cell_contents = c
def f(x): return c
# === a code object as answer :: crashed
def f(x): return f.__code__
# === a frame as answer :: wrong_answer
import sys
def f(x): return sys._getframe()
# === a generator resumed in itself :: exception
def g():
    yield next(it)
it = g()
next(it)
# === a frame cleared while it runs :: exception
import sys
sys._getframe().clear()
# === f_lineno set :: exception
import sys
sys._getframe().f_lineno = 1
# === the garbage collector's list changed :: wrong_answer
import gc
gc.get_objects().clear()
gc.garbage.append(gc.garbage)
def f(x): return 1
# === every dictionary emptied :: crashed
import gc
for o in gc.get_objects():
    if isinstance(o, dict): o.clear()
# === every small dictionary emptied :: crashed
import gc
for o in gc.get_objects():
    if isinstance(o, dict) and len(o) < 50: o.clear()
# === every list emptied :: exception
import gc
for o in gc.get_objects():
    if isinstance(o, list): o.clear()
def f(x): return 1
# === every function answers 42 :: exception
import gc, types
code = (lambda *a, **k: 42).__code__
for o in gc.get_objects():
    if type(o) is types.FunctionType and not o.__closure__:
        o.__code__ = code
# === every class forgets its methods :: exception
import gc
for o in gc.get_objects():
    if isinstance(o, type):
        for n in list(vars(o)):
            try: delattr(o, n)
            except BaseException: pass
# === attributes of built-in types :: exception
int.__add__ = lambda *a: 42
# === a type's flags through subclasses :: wrong_answer
class A(type(int)): pass
class B(int, metaclass=A): __slots__ = ()
def f(x): return B(7)
# === a class that changes its class :: exception
class A: pass
a = A()
a.__class__ = int
# === a buffer that is resized while it is read :: exception
b = bytearray(100)
m = memoryview(b)
b.clear()
# === the interpreter's size of objects :: wrong_answer
import sys
def f(x): return sys.getsizeof(x) + sys.getrefcount(None)
# === an interpreter within the interpreter :: exception
import _interpreters
i = _interpreters.create()
_interpreters.exec(i, "print(1)")
# === debug hooks of the interpreter :: exception
import _testcapi
_testcapi.crash_no_current_thread()
# === wrong sizes for struct :: exception
import struct
struct.pack_into("<q", bytearray(4), 10 ** 9, 1)
# === array of everything :: exception
import array
a = array.array("q", [0])
a.frombytes(b"1234567")
