# === rewrites the encoder :: exception
import sys
v = sys.modules["novice_guest.values"]
real = v.encode
v.encode = lambda value, *a: real(7)
def f(x): return 1
# === the encoder returns no bytes :: crashed
import sys
sys.modules["novice_guest.values"].encode = lambda *a: 42
def f(x): return 1
# === the encoder returns code :: crashed
import sys, marshal
sys.modules["novice_guest.values"].encode = lambda *a: marshal.dumps((0, compile("1", "x", "eval")), 2)
def f(x): return 1
# === observe always succeeds :: crashed
import sys
sys.modules["novice_guest.program"].Program.observe = lambda *a, **k: {"status": "passed", "value": None}
def f(x): return 1
# === observe without fields :: crashed
import sys
sys.modules["novice_guest.program"].Program.observe = lambda *a, **k: {}
def f(x): return 1
# === observe says ok without a value :: crashed
import sys
sys.modules["novice_guest.program"].Program.observe = lambda *a, **k: {"status": "ok", "out": b"", "err": b"", "value": None, "trace": "", "error": "", "types": ()}
def f(x): return 1
# === operations replaced :: crashed
import sys
e = sys.modules["novice_guest.entry"]
for k in list(e.OPERATIONS):
    e.OPERATIONS[k] = lambda *a: {"status": "passed", "score": 100.0, "earned": 1.0}
def f(x): return 1
# === operations removed :: crashed
import sys
sys.modules["novice_guest.entry"].OPERATIONS.clear()
def f(x): return 1
# === handle replaced :: crashed
import sys
e = sys.modules["novice_guest.entry"]
e.handle = lambda request: b"N"
def f(x): return 1
# === the component's own class :: crashed
import wit_world
wit_world.WitWorld.handle = lambda self, request: b"passed"
import sys
for name in list(sys.modules):
    m = sys.modules[name]
    if hasattr(m, "WitWorld"):
        m.WitWorld.handle = lambda self, request: b"passed"
def f(x): return 1
# === asks the host to stop :: output_limit
from wit_world.imports import host
host.ask(b"output")
def f(x): return 1
# === asks the host as the examiner does :: forbidden
from wit_world.imports import host
import marshal
host.ask(marshal.dumps(("main", "1\n"), 2))
def f(x): return 1
# === asks the host with rubbish :: forbidden
from wit_world.imports import host
try:
    host.ask(b"\xff" * 10 ** 6)
except BaseException:
    pass
def f(x): return 1
# === claims an endless loop :: wrong_answer
import time
for _ in range(10000):
    time.clock_getres(time.CLOCK_MONOTONIC)
    time.clock_getres(time.CLOCK_REALTIME)
def f(x): return 1
# === monitors everything :: wrong_answer
import sys
m = sys.monitoring
for tool in range(6):
    try:
        m.use_tool_id(tool, "x")
    except ValueError:
        m.free_tool_id(tool)
        m.use_tool_id(tool, "x")
    m.register_callback(tool, m.events.CALL, lambda *a: None)
m.set_events(2, m.events.CALL | m.events.LINE | m.events.JUMP)
def f(x): return 1
# === the proxies are told lies :: wrong_answer
import sys
p = sys.modules["novice_guest.proxies"]
p.Remote.__eq__ = lambda *a: True
p.make = lambda *a: 42
p.request = lambda *a: {"status": "ok", "out": b"42", "err": b"", "trace": "", "value": None}
def f(x): return 1
# === the autograder of its own instance :: wrong_answer
import sys
a = sys.modules["novice_guest.autograder"]
a.run_script = lambda *a, **k: ("42", "")
a.equals = lambda *a, **k: True
a.install()
import autograder
def f(x): return autograder.equals(1, 2)
# === runs an examiner of its own :: wrong_answer
import sys
e = sys.modules["novice_guest.examiner"].Examiner(None)
e.script("def test_passed(): return 100", False, "", ("p.py",), ("p",), {}, 1, 1000)
def f(x): return 1
# === the handle table is swapped :: crashed
import sys
s = sys.modules["novice_guest.entry"]._subject
s.handles = None
s.numbers = None
s.number = None
def f(x): return 1
# === the program object is gone :: crashed
import sys
sys.modules["novice_guest.entry"]._subject.program = None
def f(x): return 1
# === streams that say other things :: wrong_answer
import sys
s = sys.modules["novice_guest.streams"]
s.Output.collect = lambda self: "not bytes"
s.text_input = lambda text: None
def f(x): return 1
# === streams collect megabytes :: crashed
import sys
sys.modules["novice_guest.streams"].Output.collect = lambda self: b"x" * (40 << 20)
def f(x): return 1
# === the sink has no limit :: timeout
import sys
s = sys.modules["novice_guest.streams"]
s.Sink.write = lambda self, data: self.parts.append(bytes(data)) or len(data)
while True:
    print("x" * 100000)
# === deep trees from the encoder :: exception
import sys, marshal
node = ("v", 1)
for _ in range(900):
    node = ("l", [node])
data = marshal.dumps((1, node), 2)
sys.modules["novice_guest.values"].encode = lambda *a: data
def f(x): return 1
# === an opaque object with forged fields :: crashed
import sys, marshal
data = marshal.dumps((1, ("o", -(1 << 40), "int", "7", "class", ("int", "object"))), 2)
sys.modules["novice_guest.values"].encode = lambda *a: data
def f(x): return 1
# === a claim of trust :: exception
import sys, marshal
data = marshal.dumps((1, ("o", 1, "int", "7", "trusted", ())), 2)
sys.modules["novice_guest.values"].encode = lambda *a: data
def f(x): return 1
# === a dictionary of module names with traps :: exception
import sys, marshal
data = marshal.dumps((0, {"__class__": 1, "__spec__": 2, "__path__": ["/"], "__getattr__": 3, 7: 8, "test_f": 9, "abs": 10, "__novice_compare__": 11}), 2)
sys.modules["novice_guest.subject"].Subject.encode = lambda self, value: data
def f(x): return 1
# === changed arguments that are none :: crashed
import sys, marshal
s = sys.modules["novice_guest.subject"].Subject
real = s.operate
def operate(self, *a):
    r = real(self, *a)
    r["after"] = [(7, marshal.dumps((0, 42), 2)), (0, b"x"), (-1, None), 5]
    r["value"] = 5
    return r
sys.modules["novice_guest.entry"].OPERATIONS["operate"] = lambda *a: operate(sys.modules["novice_guest.entry"]._subject, *a)
def f(x): return 1
# === an error of a class that is none :: exception
import sys
def observe(self, action, stdin=""):
    return {"status": "error", "out": b"", "err": b"", "value": None, "trace": "t", "error": "passed", "types": ("print", "exit", "BaseExceptionGroup", "type"), "line": 1}
sys.modules["novice_guest.program"].Program.observe = observe
def f(x): return 1
# === replies with status of other replies :: crashed
import sys
def observe(self, action, stdin=""):
    return {"status": "exit", "out": b"42", "err": b"", "value": b"", "trace": "", "error": "SystemExit: passed", "types": ("AssertionError",), "score": 100.0}
sys.modules["novice_guest.program"].Program.observe = observe
def f(x): return 1
