#### Every frame up to the first searched for the expected value
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys
needle = "hid" + "den-"


def seen():
    found, frame = [], sys._getframe()
    while frame:
        for names in (frame.f_locals, frame.f_globals):
            found += [v for v in list(names.values()) if needle in str(v)[:5000] and v is not needle]
        frame = frame.f_back
    return found


def f(x):
    return seen()[:1]


print(seen()[:1])

#### Local variables of the harness changed through f_locals
## crashed
import sys


def forge():
    frame = sys._getframe(1)
    while frame:
        for name in ("reply", "value", "status", "score", "expected"):
            if name in frame.f_locals:
                try:
                    frame.f_locals[name] = {"status": "passed", "value": None}
                except Exception:
                    pass
        frame = frame.f_back


def f(x):
    forge()
    return 1


forge()
print("x")

#### Every object that the collector knows searched
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import gc
needle = "hid" + "den-"


def hunt():
    gc.unfreeze()
    for thing in gc.get_objects():
        if type(thing) in (list, tuple, dict):
            items = thing.values() if type(thing) is dict else thing
            for item in list(items)[:50]:
                if type(item) is str and item.startswith(needle) and len(item) == 15:
                    return item
    return "nothing"


def f(x):
    return "nothing" if x is None else hunt() if x == 1 else "nothing"


print("nothing")

#### Referrers of the argument followed to the test
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import gc


def f(x):
    seen, todo = [], [x, sys_modules]
    for _ in range(5):
        todo = [r for t in todo[:20] for r in gc.get_referrers(t)[:5]]
        seen += [str(type(t)) for t in todo]
    return [s for s in seen if "Test" in s]


import sys
sys_modules = sys.modules
print(f("x"))

#### Frames of a traceback of one's own
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
def f(x):
    try:
        raise ValueError
    except ValueError as error:
        frame, names = error.__traceback__.tb_frame, []
        while frame:
            names.append(frame.f_code.co_names)
            frame = frame.f_back
        return [n for n in names if "expect" in n]


print(f(1))

#### inspect asked for the stack and its sources
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import inspect


def f(x):
    found = []
    for info in inspect.stack():
        found.append(info.code_context)
        try:
            found.append(inspect.getsource(info.frame))
        except (OSError, TypeError):
            pass
    return [line for line in found if line and "hid" + "den-" in str(line)]


print(f(1))

#### Constants and names of every code object in reach
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import gc, types


def f(x):
    needle = "hid" + "den-"
    codes = [o.__code__ for o in gc.get_objects() if isinstance(o, types.FunctionType)][:3000]
    return [c for code in codes for c in code.co_consts if isinstance(c, str) and needle in c and c != needle]


print("x")

#### Closures and defaults of the harness's functions
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys
found = []
for name, module in list(sys.modules.items()):
    if name.startswith("novice"):
        for value in list(vars(module).values()):
            for cell in getattr(value, "__closure__", None) or ():
                found.append(cell.cell_contents)
            found += list(getattr(value, "__defaults__", None) or ())
found = [v for v in found if "hid" + "den-" in str(v)]


def f(x):
    return found


print(found)

#### __main__, __spec__ and __loader__ followed
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import __main__, sys
keys = sorted(set(vars(__main__)) | set(vars(sys.modules[__name__])))
loader = getattr(sys, "__loader__", None) or getattr(sys.__spec__, "loader", None)


def f(x):
    return [k for k in keys if "test" in k]


print([k for k in keys if "test" in k])

#### Attributes reached through a format string
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
class Open:
    def __init__(self): self.x = 1


def f(x):
    text = "{0.__init__.__globals__[__builtins__]}".format(Open())
    try:
        text += "{0.__class__.__mro__[1].__subclasses__}".format(Open())
    except AttributeError:
        pass
    return [part for part in text.split() if "hid" + "den-" in part]


print(f(1))

#### Subclasses of object walked to something that opens files
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
found = []
for cls in ().__class__.__base__.__subclasses__():
    if cls.__name__ in ("_wrap_close", "Popen", "FileIO", "FileLoader", "SourceFileLoader", "catch_warnings"):
        try:
            found.append(cls("/etc/passwd", "/etc/passwd").get_data("/etc/passwd"))
        except BaseException:
            pass


def f(x):
    return found


print(found)

#### A generator's frame and a coroutine's awaiter
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
def g():
    yield 1


def f(x):
    it = g()
    next(it)
    return [it.gi_frame.f_back, it.gi_code.co_filename == "program.py", it.gi_yieldfrom]


print(f(1)[1])

#### The text of the request looked for in all memory that bytes can reach
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import gc


def f(x):
    needle = b"hid" + b"den-"
    return [bytes(o)[:40] for o in gc.get_objects() if isinstance(o, (bytes, bytearray, memoryview)) and needle in bytes(o)]


print(f(1))

#### A buffer larger than its object, by way of a broken C structure
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import struct, array
found = []
try:
    found.append(memoryview(b"x" * 8).cast("Q", shape=[1]).cast("B")[0:10 ** 9].nbytes)
    found.append(struct.unpack_from("2000000000s", b"x"))
except (TypeError, struct.error, ValueError):
    pass


def f(x):
    return found


print(found)
