"""What makes the snapshot quick to run from."""

import marshal
import random

_fillers = []


def exercise(handle):
    """One request of each sort, answers thrown away."""

    def ask(*request):
        return marshal.loads(handle(marshal.dumps(request, 2)))

    program = 'x = int(input("? "))\nprint(f"{x:.2f}", [1, 2], {"a": 1})\n\ndef f(a):\n    return a[5]\n'
    prelude, call = ask("compile", (("g = 1\n", "prelude.py", "exec"), ("f([1])", "<test>", "eval")))["codes"]
    assert ask("load", program, "program.py", "program", ("g = 1\n", prelude), {"a.txt": b"1\n"}, 1000, ())["status"] == "ok"
    assert ask("main", "3\n", 1)["out"] == b"? 3.00 [1, 2] {'a': 1}\n"
    assert ask("main", "", 1, random.getstate())["status"] == "error"
    ask("load", "def f(a):\n    return a[5]\ndef g():\n    return object()\n", "program.py", "program", None, {}, 1000, ())
    assert ask("call", call, 1)["types"][0] == "IndexError"
    assert ask("call", "f((1, 2, 3, 4, 5, 'a'))", 1)["value"] == marshal.dumps((0, "a"), 2)
    assert ask("call", "g()", 1)["status"] == "ok"
    assert len(ask("several", (("call", call, 1), ("main", "", 1)))["replies"]) == 2
    assert ask("call", "range(f)", 1)["types"][0] == "TypeError"
    assert ask("load", "x = (\n", "program.py", "program", None, {}, 1000, ())["status"] == "syntax"
    ask("load", "print(undefined_name)\n", "program.py", "program", None, {}, 1000, ())
    assert ask("main", "", 1)["error"].startswith("NameError")
    assert ask("literal", "[1, 'a']")["status"] == "ok"
    script = "from cs110 import autograder\nimport random\ndef test_passed():\n    return 66.5\n"
    assert ask("script", script, None, False, "", ("program.py",), ("program",), {}, 42, 1000)["score"] == 66.5
    unit = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(1, 2)\n"
    tests = ask("discover", unit)["tests"]
    assert [name for name, _ in tests] == ["T.test_a"], tests


def grow_heap(size=24 << 20):
    """Take memory from the system now. A run that stays within it never grows the memory, so it can be reset."""
    block = bytearray(size)
    del block


def fill_holes():
    """Fill every hole in the heap and keep the fillers.

    The interpreter's `malloc` is dlmalloc, whose free lists point all over the snapshot: each allocation of a run would touch
    another page. With the holes filled a run allocates from one contiguous region.
    """
    slots = [None] * 400000
    used = 0
    probe = bytes(1 << 20)
    top = id(probe)
    del probe
    for size in [1 << k for k in range(19, 12, -1)] + list(range(4096, 1, -8)):
        misses = 0
        while misses < 2 and used < 390000:
            block = bytes(size)
            if id(block) >= top:
                misses += 1
            else:
                slots[used] = block
                used += 1
    misses = 0
    while misses < 2 and used < 399000:
        block = object()
        if id(block) >= top:
            misses += 1
        else:
            slots[used] = block
            used += 1
    _fillers.append(tuple(slots[:used]))
