"""Values between the interpreter and the host: exact in type, never a live object.

A value made only of exact built-in types travels as one `marshal` (version 2) document `(0, value)`: written in C. Everything else
travels as a tree of tagged tuples `(1, node)`: instances of subclasses become their built-in base (so an overridden
`__eq__` is left behind), ranges are spelled out, and what has no value of its own is opaque: a number, a type and a text.

    ("v", leaf) ("l", nodes) ("t", nodes) ("s", nodes) ("f", nodes) ("d", [(node, node)…]) ("r", start, stop, step)
    ("o", handle, type name, repr, kind, detail)   kind: "object", "function", "class", "error", "module", "deep"
"""

import marshal

DEPTH_LIMIT = 150
_LEAVES = (type(None), bool, int, float, complex, str, bytes, type(...))


class Opaque:
    """What stands for an object of the other side where no proxy is made for it."""

    def __init__(self, handle, type_name, text, kind, detail):
        self.handle, self.type_name, self.text, self.kind, self.detail = handle, type_name, text, kind, detail

    def __repr__(self):
        return self.text


def short_repr(value):
    try:
        text = repr(value)
    except BaseException:
        return f"<{type(value).__name__} object>"
    return text if len(text) <= 200 else text[:199] + "…"


def kind_of(value):
    if isinstance(value, type):
        return "error" if issubclass(value, BaseException) else "class"
    if isinstance(value, type(marshal)):
        return "module"
    return "function" if callable(value) and hasattr(value, "__name__") else "object"


def _no_handle(value):
    return 0


def _node(value, handle, depth):
    cls = type(value)
    if cls in _LEAVES:
        return ("v", value)
    if depth > DEPTH_LIMIT:
        return ("o", 0, cls.__name__, "…", "deep", ())
    if isinstance(value, int):
        return ("v", int.__add__(value, 0))
    if isinstance(value, float):
        return ("v", float.__add__(value, -0.0))
    if isinstance(value, complex):
        return ("v", complex.__add__(value, 0))
    if isinstance(value, str):
        return ("v", str.__str__(value))
    if isinstance(value, (bytes, bytearray)):
        return ("v", bytes(memoryview(value)))
    if isinstance(value, range):
        return ("r", value.start, value.stop, value.step)
    for base, tag in ((list, "l"), (tuple, "t"), (set, "s"), (frozenset, "f")):
        if isinstance(value, base):
            return (tag, [_node(item, handle, depth + 1) for item in base.__iter__(value)])
    if isinstance(value, dict):
        pairs = [(_node(k, handle, depth + 1), _node(v, handle, depth + 1)) for k, v in dict.items(value)]
        return ("d", pairs)
    kind = kind_of(value)
    if kind == "class":
        detail = tuple(b.__name__ for b in value.__mro__)
    elif kind == "error":
        detail = tuple(b.__name__ for b in value.__mro__ if b.__module__ == "builtins")
    else:
        detail = ()
    return ("o", handle(value), cls.__name__, short_repr(value), kind, detail)


def encode(value, handle=_no_handle):
    """`value` as bytes. `handle(object)` gives the number under which an opaque object can be reached later."""
    try:
        return marshal.dumps((0, value), 2)
    except ValueError:
        return marshal.dumps((1, _node(value, handle, 0)), 2)


def _value(node, proxy):
    tag = node[0]
    if tag == "v":
        return node[1]
    if tag == "l":
        return [_value(n, proxy) for n in node[1]]
    if tag == "t":
        return tuple([_value(n, proxy) for n in node[1]])
    if tag == "s":
        return {_value(n, proxy) for n in node[1]}
    if tag == "f":
        return frozenset([_value(n, proxy) for n in node[1]])
    if tag == "d":
        return {_value(k, proxy): _value(v, proxy) for k, v in node[1]}
    if tag == "r":
        return range(node[1], node[2], node[3])
    return proxy(Opaque(*node[1:]))


def decode(data, proxy):
    """The value in `data`, which the host wrote; `proxy` makes something of an `Opaque`."""
    kind, body = marshal.loads(data)
    return body if kind == 0 else _value(body, proxy)
