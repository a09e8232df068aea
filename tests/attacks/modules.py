#### sys.modules emptied
## exception
import sys
sys.modules.clear()


def f(x):
    return 1

#### sys.modules exchanged for a dictionary that invents modules
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys, types


class Modules(dict):
    def __missing__(self, name): return types.ModuleType(name)
    def get(self, name, default=None): return types.ModuleType(name)


sys.modules = Modules()


def f(x):
    return 1


print("x")

#### A fake autograder in sys.modules
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys, types
fake = types.ModuleType("autograder")
fake.run_script = lambda *args: ("hidden", "")
fake.equals = lambda *args, **kwargs: True
fake.compare_strings = lambda *args, **kwargs: 1
fake.autograder = fake
for name in ("autograder", "cs110", "cs110.autograder"):
    sys.modules[name] = fake


def f(x):
    return 1


print("x")

#### The modules `program` and `task` exchanged for an object with every attribute
## call wrong_answer, io wrong_answer, script exception, unittest exception
import sys


class Anything:
    def __getattr__(self, name): return lambda *args, **kwargs: self
    def __eq__(self, other): return True
    __hash__ = object.__hash__


sys.modules["program"] = sys.modules["task"] = sys.modules[__name__] = Anything()


def f(x):
    return Anything()


print("x")

#### The class of the own module changed
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys, types


class Module(types.ModuleType):
    def __getattribute__(self, name):
        if name == "f":
            return lambda x: True
        return super().__getattribute__(name)
    def __eq__(self, other): return True
    __hash__ = None


def f(x):
    return 1


sys.modules[__name__].__class__ = Module
print("x")

#### json, re, math, random and string made to lie
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import json, re, math, random, string, operator, marshal, struct
json.loads = json.dumps = lambda *args, **kwargs: "100"
re.match = re.search = re.fullmatch = lambda *args, **kwargs: True
math.isclose = lambda *args, **kwargs: True
math.isnan = lambda x: False
random.randint = random.random = random.choice = lambda *args: 1
operator.eq = lambda a, b: True
struct.pack = lambda *args: b"passed"


def f(x):
    return math.pi


print("x")

#### A finder that invents every missing module
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys, importlib.abc, importlib.machinery


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None): return importlib.machinery.ModuleSpec(name, self)
    def create_module(self, spec): return None
    def exec_module(self, module): module.test_passed = lambda: 100.0


sys.meta_path.insert(0, Finder())
import grader_of_the_course


def f(x):
    return grader_of_the_course.test_passed()


print(grader_of_the_course.test_passed())

#### Path hooks and a path entry that claim to hold the test
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys, importlib


class Hook:
    def __init__(self, path): pass
    def find_spec(self, name, target=None): return importlib.machinery.ModuleSpec(name, self)
    def create_module(self, spec): return None
    def exec_module(self, module): module.score = 100


sys.path_hooks.insert(0, Hook)
sys.path_importer_cache.clear()
sys.path.insert(0, "/")
sys.dont_write_bytecode = False
try:
    import testcase
    found = testcase.score
except ImportError:
    found = "x"


def f(x):
    return found


print(found)

#### Modules of the course looked for under every name
## call wrong_answer, io wrong_answer, script exception, unittest exception
found = []
for name in ("cs110", "autograder", "testcase", "test", "tests", "solution", "grader", "answers", "conftest", "course", "expected"):
    try:
        found.append(__import__(name))
    except ImportError:
        pass


def f(x):
    return found[0] if found else "nothing"


print(found)

#### A module that changes when it is imported again
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys, importlib
runs = sys.__dict__.setdefault("runs_of_this", [])
runs.append(__name__)
try:
    importlib.reload(sys.modules[__name__])
except BaseException:
    pass


def f(x):
    return len(runs)


print(len(runs))

#### zipimport, runpy and pkgutil asked for the test's files
## call exception, io exception, script exception, unittest exception
import runpy, pkgutil
names = [m.name for m in pkgutil.iter_modules()]
print(names)
runpy.run_module("testcase", run_name="__main__")

#### importlib.resources and metadata asked for packages
## call exception, io exception, script exception, unittest exception
import importlib.resources, importlib.metadata
print([d.name for d in importlib.metadata.distributions()])
print(importlib.resources.files("cs110").joinpath("autograder.py").read_text())
