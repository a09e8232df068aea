"""Tracebacks as a learner should see them: the submission's own frames, real line numbers, nothing of the harness.

The form is CPython's without the `~~^^` markers. Chained exceptions are kept, frames that repeat are folded, and all
lengths are bounded, so that the text is short and the same on every run.
"""

import itertools
import linecache
import sys
import traceback

FRAMES_HEAD, FRAMES_TAIL = 4, 6
REPEATED = 3
MESSAGE_LIMIT = 400
CHAIN_LIMIT = 3
CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"


def lines_of(source):
    """Lines as the compiler counts them (`str.splitlines` also breaks at form feeds and the like)."""
    return source.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def clip(text, limit):
    return text if len(text) <= limit else text[: limit - 1] + "…"


def describe(exc):
    """The last line of a traceback: class and message, with CPython's "Did you mean" where it has one."""
    cls = type(exc)
    name = cls.__qualname__
    if cls.__module__ != "builtins" and cls.__module__.partition(".")[0] in sys.stdlib_module_names - {"__main__"}:
        name = f"{cls.__module__}.{name}"
    try:
        text = str(exc.msg if isinstance(exc, SyntaxError) else exc)
    except BaseException:
        text = "<exception str() failed>"
    if isinstance(exc, (NameError, AttributeError, ImportError)):
        text += _suggestion(exc)
    text = clip(text, MESSAGE_LIMIT)
    return f"{name}: {text}" if text else name


def _suggestion(exc):
    wrong = exc.name_from if isinstance(exc, ImportError) else exc.name
    if wrong is None:
        return ""
    try:
        guess = traceback._compute_suggestion_error(exc, exc.__traceback__, wrong)
    except BaseException:
        guess = None
    return f". Did you mean: '{guess}'?" if guess else ""


def last_line_number(exc, sources):
    """The line of the submission at which `exc` arose, or None."""
    if isinstance(exc, SyntaxError) and exc.filename in sources:
        return exc.lineno
    number, step = None, exc.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename in sources:
            number = step.tb_lineno
        step = step.tb_next
    return number


def _frames(exc, sources):
    """Lines of the frames that lie in `sources` (file name → list of lines); the middle of a long list is left out."""
    found, step = [], exc.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if code.co_filename in sources:
            found.append((code.co_filename, step.tb_lineno, code.co_name))
        step = step.tb_next
    groups = [[frame, len(list(same))] for frame, same in itertools.groupby(found)]
    dropped = len(groups) - FRAMES_HEAD - FRAMES_TAIL
    out = []
    for i, ((filename, number, name), count) in enumerate(groups):
        if dropped > 0 and FRAMES_HEAD <= i < FRAMES_HEAD + dropped:
            if i == FRAMES_HEAD:
                out.append(f"  [{sum(n for _, n in groups[i:i + dropped])} more frames]\n")
            continue
        lines = sources[filename]
        text = f'  File "{filename}", line {number}, in {name}\n'
        if number and 0 < number <= len(lines) and lines[number - 1].strip():
            text += f"    {clip(lines[number - 1].strip(), 160)}\n"
        out.append(text * min(count, REPEATED))
        if count > REPEATED:
            out.append(f"  [Previous line repeated {count - REPEATED} more times]\n")
    return "".join(out)


def _syntax(exc):
    """The place that a SyntaxError points at, as CPython shows it."""
    out = [f'  File "{exc.filename}", line {exc.lineno}\n']
    if exc.text:
        text = exc.text.rstrip("\n")
        bare = text.lstrip(" \n\f")
        out.append(f"    {clip(bare, 160)}\n")
        if exc.offset and exc.offset > 0:
            column = exc.offset - 1 - (len(text) - len(bare))
            if 0 <= column <= 160:
                blank = "".join(c if c.isspace() else " " for c in bare[:column])
                width = (exc.end_offset or 0) - exc.offset if exc.end_lineno == exc.lineno else 1
                out.append("    " + blank + "^" * max(1, min(width, len(bare) - column)) + "\n")
    return "".join(out)


def render(exc, sources):
    """The whole text, ending in a newline."""
    parts, seen = [], set()
    while exc is not None and id(exc) not in seen and len(seen) < CHAIN_LIMIT:
        seen.add(id(exc))
        frames = _frames(exc, sources)
        text = "Traceback (most recent call last):\n" + frames if frames else ""
        if isinstance(exc, SyntaxError) and exc.filename in sources:
            text += _syntax(exc)
        parts.append(text + describe(exc) + "\n")
        if exc.__cause__ is not None:
            parts.append(CAUSE)
            exc = exc.__cause__
        elif exc.__context__ is not None and not exc.__suppress_context__:
            parts.append(CONTEXT)
            exc = exc.__context__
        else:
            exc = None
    if parts and parts[-1] in (CAUSE, CONTEXT):
        parts.pop()
    return "".join(reversed(parts))


def forget():
    linecache.cache.clear()
