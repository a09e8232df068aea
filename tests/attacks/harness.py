#### Every function of the harness replaced by one that says passed
## crashed
import sys
for name, module in list(sys.modules.items()):
    if name.startswith("novice"):
        for key, value in list(vars(module).items()):
            if callable(value) and not isinstance(value, type):
                setattr(module, key, lambda *args, **kwargs: b"passed")


def f(x):
    return 1

#### A reply that says passed with a score
## crashed
import sys, marshal
entry = sys.modules["novice_guest.entry"]
dumps = marshal.dumps


class Lying:
    loads = staticmethod(marshal.loads)
    dumps = staticmethod(lambda *args: dumps({"status": "passed", "score": 100.0, "earned": 1.0, "grade": 100.0}, 2))


entry.marshal = Lying


def f(x):
    return 1

#### A reply that is no document
## crashed
import sys, marshal
class Lying:
    loads = staticmethod(marshal.loads)
    dumps = staticmethod(lambda *args: b"(\xff\xff\xff\x7f")
sys.modules["novice_guest.entry"].marshal = Lying


def f(x):
    return 1

#### A reply of lists that each claim to be as long as the message
## crashed
import sys, marshal
class Lying:
    loads = staticmethod(marshal.loads)
    dumps = staticmethod(lambda *args: b"[\x00\x00\x0f\x00" * 2000 + b"N" * 900000)
sys.modules["novice_guest.entry"].marshal = Lying


def f(x):
    return 1

#### A reply of twenty million values
## call output_limit, script output_limit
import sys, marshal
class Lying:
    loads = staticmethod(marshal.loads)
    dumps = staticmethod(lambda *args: b"[\x00\x00\x40\x01" + b"N" * (20 << 20))
sys.modules["novice_guest.entry"].marshal = Lying


def f(x):
    return 1

#### A reply that repeats the request
## crashed
import sys
entry = sys.modules["novice_guest.entry"]
for name in list(entry.OPERATIONS):
    entry.OPERATIONS[name] = lambda *args: {"status": "ok", "value": args, "out": str(args).encode()}


def f(x):
    return 1

#### Requests kept and printed in the next answer
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys
entry = sys.modules["novice_guest.entry"]
kept = entry.__dict__.setdefault("kept", [])
call = entry.OPERATIONS["call"]


def keep(*args):
    kept.append(args)
    return call(*args)


entry.OPERATIONS["call"] = keep


def f(x):
    return [kept, "hid" + "den-" in str(kept)]


print(kept)

#### The protocol answered by the program itself
## call wrong_answer, io wrong_answer, script exception, unittest exception
import sys, marshal
entry = sys.modules["novice_guest.entry"]


def answer(request):
    value = marshal.dumps((0, "passed"), 2)
    reply = {"status": "ok", "out": b"passed\n", "err": b"", "trace": "", "error": "", "types": (), "value": value, "after": []}
    return marshal.dumps(reply, 2)


entry.handle = answer


def f(x):
    return 1

#### Values that claim to be other values by their tags
## call wrong_answer, io wrong_answer, script exception, unittest exception
import sys, marshal
values = sys.modules["novice_guest.values"]
tree = ("o", 1, "str", "'shown-00000000'", "object", ())
values.encode = lambda value, handle=None: marshal.dumps((1, tree), 2)


def f(x):
    return 1

#### A tree with tags that do not exist and handles out of range
## call crashed, io wrong_answer, script crashed, unittest crashed
import sys, marshal
values = sys.modules["novice_guest.values"]
trees = [("x", 1), ("o", -1, "a", "b", "c", ()), ("r", 0, 10, 0), ("d", [1]), ("v", ("v", 1)), ("o", 2 ** 62, "a", "b", "class", ("int",))]


def encode(value, handle=None):
    trees.append(trees.pop(0))
    return marshal.dumps((1, trees[-1]), 2)


values.encode = encode


def f(x):
    return 1

#### Handles of objects that nobody handed out
## call wrong_answer, io wrong_answer, script exception, unittest exception
import sys, marshal
values = sys.modules["novice_guest.values"]
values.encode = lambda value, handle=None: marshal.dumps((1, ("o", 1, "Remote", "x", "object", ())), 2)


def f(x):
    return 1

#### Changed arguments invented for the test script
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys, marshal
subject = sys.modules["novice_guest.subject"].Subject
operate = subject.operate


def more(self, *args):
    reply = operate(self, *args)
    reply["after"] = [(i, marshal.dumps((0, [1]), 2)) for i in range(-3, 3)]
    return reply


subject.operate = more


def f(x):
    return 1

#### Built-in classes of an exception invented
## exception
import sys
program = sys.modules["novice_guest.program"].Program
note = program.note


def forged(self, reply, exc):
    note(self, reply, exc)
    reply["types"] = ("StopIteration", "GeneratorExit", "SystemExit", "KeyboardInterrupt")
    reply["error"] = "SkipTest: passed"


program.note = forged


def f(x):
    raise ValueError(x)


f(1)

#### The output limit lifted from inside
## output_limit
import sys
streams = sys.modules["novice_guest.streams"]
sys.stdout.sink.left = sys.stderr.sink.left = 10 ** 9
print("x" * 300_000)


def f(x):
    return 1

#### Output that was never written put into the reply
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys
streams = sys.modules["novice_guest.streams"]
streams.Output.collect = lambda self: b"Unit Test Returned: 100\n"
print("x")


def f(x):
    return 1

#### The limits of recursion, of digits and of collection lifted
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys, gc
sys.modules["novice_guest.program"].RECURSION_LIMIT = 10 ** 8
sys.setrecursionlimit(10 ** 6)
sys.set_int_max_str_digits(0)
sys.setswitchinterval(1e-6)
gc.disable()
gc.set_threshold(0)
gc.unfreeze()


def f(x):
    return sys.getrecursionlimit()


print(sys.getrecursionlimit())

#### The examiner's channel called from the program
## forbidden
from wit_world.imports import host
print(host.ask(b"main"))

#### The examiner's channel called while nothing may be raised
## forbidden
import sys
try:
    sys.modules["novice_guest.entry"]._host(b"operate")
except BaseException:
    pass


def f(x):
    return 1

#### The examiner run inside the submission's instance
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys
entry = sys.modules["novice_guest.entry"]
script = "def test_passed():\n    return 100\n"
verdict = entry._examiner.script(script, "", ("program.py",), ("program",), {}, 42, 1000) if entry._examiner.script.__code__.co_argcount == 8 else {}


def f(x):
    return verdict


print(verdict)

#### A stop asked for by the program
## output_limit
import sys
sys.modules["novice_guest.entry"].stop()

#### The canonical ABI's functions called with wild pointers
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys
found = [name for name in sys.modules if "componentize" in name or "wit" in name]
for name in found:
    for key, value in list(vars(sys.modules[name]).items()):
        if callable(value) and key.startswith("call"):
            try:
                value(-1, 2 ** 31 - 1)
            except Exception:
                pass


def f(x):
    return found[:0]


print("x")

#### Fillers of the snapshot searched for the expected values
## call wrong_answer, io wrong_answer, script wrong_answer
import sys
fillers = sys.modules["novice_guest.snapshot"]._fillers
needle = b"hid" + b"den-"
found = [block for group in fillers for block in group[:2000] if isinstance(block, bytes) and needle in block]


def f(x):
    return found


print(found)
