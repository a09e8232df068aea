"""The submission as a test script sees it: modules, functions, classes and objects that live in another instance.

Plain values cross by copy. Anything else is a `Remote` that asks the host for each operation. What a submission *returns*
must not be able to pass for an answer, so a returned object never equals a plain value, never orders against or adds to one, and is
searched item by item; an object of a class that the *test itself* called, under a name that begins with a capital (the class
is what is being tested), has its full semantics. Student exceptions arrive as the nearest built-in exception and are marked.
"""

import builtins
import io
import marshal
import sys
import types

from . import streams, values

_ask = None
_original_input = None
_exception_classes = {}
INPUT_ANSWERS = 64


class SubjectStopped(BaseException):
    """The submission's instance was ended (time, memory, forbidden): the test cannot go on."""


def connect(ask):
    global _ask
    _ask = ask


def request(*message):
    """Send a message to the host and give its reply, a dictionary."""
    reply = marshal.loads(_ask(marshal.dumps(message, 2)))
    if reply["status"] == "stopped":
        raise SubjectStopped(reply["error"])
    return reply


def _student_exception(reply, operation):
    """An exception of the submission, as this side raises it.

    `StopIteration` ends loops of the test only when the test asked for the next item: a function that raises it would else end
    an `all(map(…))` before anything is compared (PEP 479 does the same in generators).
    """
    base = Exception
    for name in reply["types"]:
        found = getattr(builtins, name, None)
        if isinstance(found, type) and issubclass(found, BaseException):
            base = found
            break
    name, _, text = reply["error"].partition(": ")
    if base.__name__ == name or name not in _exception_classes:
        cls = base
    else:
        cls = _exception_classes[name]
    if issubclass(cls, (StopIteration, StopAsyncIteration, GeneratorExit)) and operation != "next":
        cls, text = RuntimeError, reply["error"]
    try:
        exc = cls(text)
    except Exception:
        exc = Exception(reply["error"])
    exc.student_trace = reply["trace"]
    exc.student_error = reply["error"]
    return exc


def _pending_input():
    """What the submission may read: the rest of a replaced `sys.stdin`, or the answers of a replaced `input`."""
    if builtins.input is not _original_input and builtins.input is not streams.read_line:
        lines = []
        try:
            while len(lines) < INPUT_ANSWERS:
                lines.append(str(builtins.input("")))
        except BaseException:
            pass
        return "".join(line + "\n" for line in lines)
    if isinstance(sys.stdin, io.StringIO):
        return sys.stdin.read()
    return ""


def _receive(reply, arguments=(), operation=None):
    """Pass on what was printed, copy changed arguments back, raise or return."""
    out = reply["out"].decode("utf-8", "replace")
    if out:
        sys.stdout.write(out)
    for index, data in reply.get("after", ()):
        _overwrite(arguments[index], values.decode(data, make))
    if reply["status"] != "ok":
        raise _student_exception(reply, operation)
    return reply["value"]


def _overwrite(old, new):
    if isinstance(old, list) and isinstance(new, list):
        old[:] = new
    elif isinstance(old, (dict, set)) and type(old) is type(new):
        old.clear()
        old.update(new)


def _handle_of(value):
    handle = object.__getattribute__(value, "_handle") if isinstance(value, Remote) else 0
    if not handle:
        handle = getattr(value, "_student_handle", 0)
    if not handle:
        raise TypeError(f"a {type(value).__name__} of the test cannot be handed to the program")
    return handle


def operate(handle, operation, *args, **kwargs):
    """Do something to object number `handle` of the submission."""
    data = values.encode((args, kwargs), _handle_of)
    reply = request("operate", handle, operation, data, _pending_input())
    result = _receive(reply, args, operation)
    return None if result is None else values.decode(result, make)


class Remote:
    """An object of the submission. `_trusted`: made by calling a class that the test knows by a class's name, or such a class."""

    __slots__ = ("_handle", "_type", "_text", "_trusted")

    def __init__(self, opaque, trusted=False):
        for name, value in zip(Remote.__slots__, (opaque.handle, opaque.type_name, opaque.text, trusted)):
            object.__setattr__(self, name, value)

    def __getattr__(self, name):
        return operate(self._handle, "get", name)

    def __setattr__(self, name, value):
        operate(self._handle, "set", name, value)

    def __delattr__(self, name):
        operate(self._handle, "del", name)

    def __call__(self, *args, **kwargs):
        return operate(self._handle, "call", *args, **kwargs)

    def __repr__(self):
        return operate(self._handle, "repr")

    def __str__(self):
        return operate(self._handle, "str")

    def __format__(self, spec):
        return operate(self._handle, "format", spec)

    def __bool__(self):
        return operate(self._handle, "bool")

    def __len__(self):
        return operate(self._handle, "len")

    def __int__(self):
        return operate(self._handle, "int")

    def __float__(self):
        return operate(self._handle, "float")

    def __hash__(self):
        return operate(self._handle, "hash")

    def __iter__(self):
        return iter(operate(self._handle, "iter"))

    def __next__(self):
        return operate(self._handle, "next")

    def __getitem__(self, key):
        return operate(self._handle, "item", key)

    def __setitem__(self, key, value):
        operate(self._handle, "setitem", key, value)

    def __delitem__(self, key):
        operate(self._handle, "delitem", key)

    def __enter__(self):
        return operate(self._handle, "enter")

    def __exit__(self, *_):
        return operate(self._handle, "exit")

    def __dir__(self):
        return operate(self._handle, "dir")

    def __contains__(self, item):
        if self._trusted:
            return bool(operate(self._handle, "contains", item))
        return any(item is x or item == x for x in self)

    def _may_compare(self, other):
        return self._trusted or isinstance(other, Remote)

    def __eq__(self, other):
        if self is other:
            return True
        if not self._may_compare(other):
            return False
        if isinstance(other, Remote) and other._handle == self._handle:
            return True
        return operate(self._handle, "op", "eq", other) is True

    def __ne__(self, other):
        if not self._may_compare(other):
            return True
        return operate(self._handle, "op", "ne", other) is not False


def _ordering(name):
    def method(self, other):
        if not self._may_compare(other):
            return NotImplemented
        return operate(self._handle, "op", name, other)

    return method


def _arithmetic(name, operation="op"):
    """An operator. A returned object never gets to see a plain value: it could be the answer (`f(1) - 42`, `assertAlmostEqual`)."""

    def method(self, other):
        if not self._may_compare(other):
            return NotImplemented
        result = operate(self._handle, operation, name, other)
        if self._trusted and isinstance(result, Remote) and result._type == self._type:
            object.__setattr__(result, "_trusted", True)
        return result

    return method


def _reflected(name):
    return _arithmetic(name, "rop")


for _name in ("lt", "le", "gt", "ge"):
    setattr(Remote, f"__{_name}__", _ordering(_name))
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor", "lshift", "rshift", "matmul"):
    setattr(Remote, f"__{_name.rstrip('_')}__", _arithmetic(_name))
    setattr(Remote, f"__r{_name.rstrip('_')}__", _reflected(_name))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(Remote, f"__{_name}__", lambda self, _n=_name: operate(self._handle, "op", _n))


class RemoteFunction(Remote):
    """A function or method of the submission."""

    __slots__ = ()


class RemoteClass(Remote):
    """A class of the submission; `isinstance` and `issubclass` work. A trusted class makes trusted objects."""

    __slots__ = ()

    def __call__(self, *args, **kwargs):
        made = operate(self._handle, "call", *args, **kwargs)
        if self._trusted and isinstance(made, Remote):
            object.__setattr__(made, "_trusted", True)
        return made

    def __instancecheck__(self, value):
        return isinstance(value, Remote) and operate(self._handle, "isinstance", value) is True

    def __subclasscheck__(self, value):
        return isinstance(value, RemoteClass) and operate(value._handle, "issubclass", self) is True


def _exception_class(opaque):
    """An exception class of the submission, as a class that `except` and `assertRaises` accept."""
    name = opaque.text.partition("'")[2].partition("'")[0].rpartition(".")[2] or "StudentError"
    if name not in _exception_classes:
        base = Exception
        for base_name in opaque.detail:
            found = getattr(builtins, base_name, None)
            if isinstance(found, type) and issubclass(found, BaseException):
                base = found
                break
        _exception_classes[name] = type(name, (base,), {"_student_handle": opaque.handle})
    return _exception_classes[name]


def make(opaque):
    """The proxy for an opaque object."""
    if opaque.handle == 0:
        return opaque
    if opaque.kind == "function":
        return RemoteFunction(opaque)
    if opaque.kind == "class":
        return RemoteClass(opaque)
    if opaque.kind == "error":
        return _exception_class(opaque)
    return Remote(opaque)


class RemoteModule(types.ModuleType):
    """The submission, imported. Attributes that were not there at import are asked for."""

    def __init__(self, name, names):
        super().__init__(name)
        names = {n: v for n, v in names.items() if type(n) is str and not n.startswith("__")}
        for n, v in names.items():
            # Where a test calls `area(2)` a class `area` is no class under test, but an answer with an `__eq__` of its own.
            if isinstance(v, RemoteClass) and n.lstrip("_")[:1].isupper():
                object.__setattr__(v, "_trusted", True)
        self.__dict__.update(names)
        self.__dict__["__all__"] = [n for n in names if not n.startswith("_")]
        self.__dict__["__file__"] = name + ".py"

    def __getattribute__(self, name):
        if name.startswith("__"):
            return super().__getattribute__(name)
        value = super().__getattribute__("__dict__").get(name)
        if isinstance(value, (RemoteFunction, RemoteClass, type)):
            return value
        return operate(1, "get", name)  # module variables may have changed since

    def __setattr__(self, name, value):
        if not name.startswith("__"):
            operate(1, "set", name, value)
        super().__setattr__(name, value)


def open_module(name):
    """Import the submission in its instance (once a test) and give its proxy."""
    global _original_input
    reply = request("module", _pending_input())
    data = _receive(reply)
    return RemoteModule(name, values.decode(data, make))


def begin_test():
    """A new test: nothing of the last one is known any more."""
    _exception_classes.clear()
