# === an import hook for the test's modules :: wrong_answer
import sys, types
class F:
    def find_spec(self, name, path=None, target=None):
        import importlib.machinery
        return importlib.machinery.ModuleSpec(name, self)
    def create_module(self, spec): return types.ModuleType(spec.name)
    def exec_module(self, m): m.expected = m.score = 100
sys.meta_path.insert(0, F())
import answers
def f(x): return answers.score
# === path hooks :: wrong_answer
import sys
sys.path_hooks.insert(0, lambda p: None)
sys.path.insert(0, "/")
sys.path_importer_cache.clear()
def f(x): return 1
# === meta_path emptied :: wrong_answer
import sys
sys.meta_path.clear()
def f(x): return 1
# === an audit hook :: wrong_answer
import sys
events = []
sys.addaudithook(lambda name, args: events.append((name, args)))
print(len(events))
def f(x): return 1
# === an audit hook that raises :: crashed
import sys
def hook(name, args):
    raise RuntimeError("no")
sys.addaudithook(hook)
open("x")
# === excepthook and unraisablehook :: exception
import sys
sys.excepthook = sys.unraisablehook = lambda *a: print("42")
raise ValueError("passed")
# === breakpointhook :: wrong_answer
import sys
sys.breakpointhook = lambda *a: 42
print(breakpoint())
def f(x): return 1
# === async generator hooks :: wrong_answer
import sys
sys.set_asyncgen_hooks(print, print)
sys.set_coroutine_origin_tracking_depth(100)
def f(x): return 1
# === recursion limit of nothing :: wrong_answer
import sys
try:
    sys.setrecursionlimit(60)
except RecursionError:
    pass
def f(x): return 1
# === switch interval and other settings :: wrong_answer
import sys
sys.setswitchinterval(1e9)
sys.set_int_max_str_digits(640)
sys.intern("x" * 100000)
def f(x): return 1
# === a coroutine that is never awaited :: wrong_answer
async def g(): return 42
def f(x): return g()
# === a coroutine driven by hand :: wrong_answer
async def g(): return 7
try: g().send(None)
except StopIteration as s: v = s.value
def f(x): return v
# === contextvars :: wrong_answer
import contextvars
v = contextvars.ContextVar("score")
v.set(100)
contextvars.copy_context().run(print, v.get())
def f(x): return v.get()
# === locale :: wrong_answer
import locale
try: locale.setlocale(locale.LC_ALL, "")
except locale.Error: pass
def f(x): return 1
# === codecs registered :: wrong_answer
import codecs
codecs.register(lambda name: codecs.lookup("utf-8"))
codecs.register_error("backslashreplace", lambda e: ("42", e.end))
print("\ud800")
def f(x): return 1
# === the displayed text of types :: exception
import sys
sys.modules[__name__].__class__ = type("M", (type(sys),), {"__getattribute__": lambda s, n: 42})
def f(x): return 1
# === decorators that hide the function :: wrong_answer
import functools
@functools.cache
def f(x): return 1
f.__name__ = "passed"
f.__wrapped__ = lambda x: 42
# === f is a class :: wrong_answer
class f(int):
    def __new__(cls, x): return object.__new__(type("o", (), {"__eq__": lambda s, o: True}))
# === f is a callable object :: wrong_answer
class F:
    def __call__(self, x): return self
    def __eq__(self, o): return True
    __hash__ = None
f = F()
# === f is a partial :: wrong_answer
import functools
f = functools.partial(max, 1)
# === f is a property of the module :: wrong_answer
import sys
class M(type(sys)):
    @property
    def f(self): return lambda x: 1
sys.modules[__name__].__class__ = M
f = lambda x: 1
# === annotations that run code :: wrong_answer
def f(x: print("annotation")) -> exit: return 1
