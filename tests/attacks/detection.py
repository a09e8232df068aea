#### Different answers for a function that is watched
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys


def f(x):
    names = []
    frame = sys._getframe()
    while frame:
        names.append(frame.f_code.co_filename)
        frame = frame.f_back
    return "graded" if "<test>" in names else "free"


print("graded" if "pytest" in sys.modules else "free")

#### The call's own text read from the caller's code
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys


def f(x):
    code = sys._getframe(1).f_code
    return [code.co_consts, code.co_names, list(code.co_lines())]


print(f(1)[0] is None)

#### Answers by the position of the call
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys


def f(x):
    frame = sys._getframe(1)
    return (frame.f_lasti, frame.f_lineno, list(frame.f_code.co_positions())[:3])


print(f(1)[1] > 0)

#### The sandbox recognised, and nothing gained
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys, platform, os
marks = [sys.platform, platform.system(), sys.maxsize, os.name, sys.implementation.name, hasattr(os, "fork"), "wit_world" in sys.modules]


def f(x):
    return "in a sandbox" if sys.platform == "wasi" else 1


print(marks[0] == "x")

#### Every earlier argument remembered for a later question
## call exception, io wrong_answer, script exception, unittest exception
import statistics
seen = statistics.__dict__.setdefault("seen", [])


def f(x):
    seen.append(x)
    return seen


print(input(), seen)

#### Guesses by a table of likely answers
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import hashlib


def f(x):
    return [hashlib.sha256(f"hidden-{n}".encode()).hexdigest()[:8] for n in range(3)] + [None, True, 0, 1, "", "yes"]


print("\n".join(["yes", "no", "True", "False", "0", "1", "42", "Hello, World!", "Error"]))
