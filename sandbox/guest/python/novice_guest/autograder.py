"""The module `autograder` (also `cs110.autograder`) that FalconCode's test scripts import.

Same names, arguments and return values as the course's own client; running the student's program is left to the host,
which does it in another instance. What the functions print is what students were shown.
"""

import random
import sys
import types

from . import proxies

# Whether the submission draws from the script's own random numbers (the published grader's deviation `shared_random`).
shared_random = False


def get_inputs(input_list):
    """The inputs as the text that is typed: one a line."""
    return "\n".join(str(item) for item in input_list)


def print_styled(style, text, last_char="\n"):
    """Print `text`. Styles were for a coloured terminal."""
    print(text, end=last_char)


def run_script(filename, input_list=(), timeout_in_seconds=10, *_ignored, **_also_ignored):
    """Run the student's program with these inputs → (what it printed, its traceback or "")."""
    text = get_inputs(input_list)
    if text:
        text += "\n"
    try:
        if shared_random:
            reply = proxies.request("main", text, random.getstate())
            try:
                random.setstate(reply["drawn"])
            except Exception:
                pass  # no state of `random`: the submission rewrote its harness
        else:
            reply = proxies.request("main", text)
        out = reply["out"].decode("utf-8", "replace")
        err = reply["err"].decode("utf-8", "replace") + reply["trace"]
    except proxies.SubjectStopped as stopped:
        out, err = "", str(stopped) + "\n"
    if err:
        print("Error Occurred:")
        print(err)
    print("Feedback:")
    return out, err


def code_compiles(filename):
    """Whether the student's program has no syntax error."""
    return proxies.request("compiles")["status"] == "ok"


def equals(value, expected, delta=0.01):
    """Equal as numbers within `delta`, or else equal."""
    try:
        return abs(float(value) - float(expected)) <= delta
    except (TypeError, ValueError, OverflowError):
        return value == expected


def compare_strings(student_lines, expected_lines, auto_trim=True, check_order=True):
    """Print a verdict for each line → how many are right."""
    right = 0
    trim = (lambda s: s.strip()) if auto_trim else (lambda s: s)
    expected = [trim(line) for line in expected_lines]
    remaining = list(expected)
    for number, line in enumerate(student_lines):
        line = trim(line)
        print(f"Line {number + 1}: ", end="")
        if check_order:
            hit = number < len(expected) and line == expected[number]
        else:
            hit = line in remaining
            if hit:
                remaining.remove(line)
        if hit:
            print("CORRECT")
            right += 1
        elif number < len(expected) and check_order:
            print(f"INCORRECT (Expected: '{expected[number]}')")
        else:
            print(f"INCORRECT (Unexpected Line: '{line}')")
    print(f"{right} out of {len(expected)} lines match")
    return right


FUNCTIONS = (get_inputs, print_styled, run_script, code_compiles, equals, compare_strings)


def install():
    """Put fresh modules where scripts import them from."""
    module = types.ModuleType("autograder")
    for function in FUNCTIONS:
        setattr(module, function.__name__, function)
    package = types.ModuleType("cs110")
    package.__path__ = []
    package.autograder = module
    for function in FUNCTIONS:
        setattr(package, function.__name__, function)
    sys.modules["autograder"] = sys.modules["cs110.autograder"] = module
    sys.modules["cs110"] = package
