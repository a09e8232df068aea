"""Standard input, output and error of one program run: in memory, bounded."""

import builtins
import io
import sys


class OutputLimit(BaseException):
    """The program wrote more than it may. Not an `Exception`, so that `except Exception` lets it pass."""


class Sink(io.RawIOBase):
    """The raw end of standard output: keeps what fits, then raises. Reached once per 8 KiB, not once per print."""

    def __init__(self):
        self.parts = []
        self.left = 0
        self.overflowed = False
        self.stop = None

    def writable(self):
        return True

    def write(self, data):
        size = len(data)
        if size <= self.left:
            self.parts.append(bytes(data))
            self.left -= size
            return size
        if self.overflowed:
            self.stop()  # it caught the first OutputLimit and goes on writing: end the instance's run
        self.parts.append(bytes(data[: self.left]))
        self.left = 0
        self.overflowed = True
        raise OutputLimit()


class Output(io.TextIOWrapper):
    """What `sys.stdout` and `sys.stderr` are during a run."""

    def __init__(self):
        self.sink = Sink()
        buffered = io.BufferedWriter(self.sink, 8192)
        super().__init__(buffered, encoding="utf-8", errors="backslashreplace", newline="\n")

    def collect(self):
        """All bytes written so far."""
        try:
            io.TextIOWrapper.flush(self)
        except BaseException:
            pass
        return b"".join(self.sink.parts)


def _input():
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace")


# Streams made while the guest is built. To make one takes as long as a short run, and every submission finds them all again.
_outputs, _inputs = [], []


def stock(outputs=40, inputs=20):
    """Lay in streams."""
    _outputs.extend(Output() for _ in range(outputs))
    _inputs.extend(_input() for _ in range(inputs))


def output(limit, stop):
    """An output that takes `limit` bytes."""
    new = _outputs.pop() if _outputs else Output()
    new.sink.left, new.sink.stop = limit, stop
    return new


def text_input(text):
    """What `sys.stdin` is during a run."""
    new = _inputs.pop() if _inputs else _input()
    if text:
        new.buffer.write(text.encode("utf-8", "surrogatepass"))
        new.buffer.seek(0)
    return new


class Streams:
    """The three streams of a program's runs; what a run left untouched serves the next."""

    def __init__(self, limit, stop):
        self.limit, self.stop = limit, stop
        self.out = self.err = self.empty = None

    def take(self, stdin):
        """Streams for a run that finds `stdin` typed."""
        if not _untouched(self.out):
            self.out = output(self.limit, self.stop)
        if not _untouched(self.err):
            self.err = output(self.limit, self.stop)
        if stdin:
            return self.out, self.err, text_input(stdin)
        if self.empty is None or self.empty.closed:
            self.empty = text_input("")
        return self.out, self.err, self.empty


def _untouched(output):
    try:
        return not (output is None or output.closed or output.sink.parts or len(output.__dict__) != 1)
    except BaseException:
        return False


# Names of the published grader's deviations that are in force (`Deviation` in the host says what each does).
deviations = frozenset()
# Where `input` reads when standard input is left alone.
_typed = None


def read_line(prompt="", /):
    """`input` without the flush after every prompt. The prompt goes to standard output, as at a terminal."""
    if prompt != "" and "silent_prompts" not in deviations:
        sys.stdout.write(str(prompt))
    line = (_typed or sys.stdin).readline()
    if not line and "empty_at_eof" not in deviations:
        raise EOFError("EOF when reading a line")
    return line[:-1] if line.endswith("\n") else line


read_line.__name__ = read_line.__qualname__ = "input"
read_line.__module__ = "builtins"


class Redirect:
    """Put streams in place of the interpreter's and put the old ones back."""

    def __init__(self, out, err, inp):
        global _typed
        _typed = None
        if "input_only" in deviations:
            _typed, inp = inp, text_input("")
        self.new = (out, err, inp)

    def __enter__(self):
        self.old = (sys.stdout, sys.stderr, sys.stdin)
        sys.stdout, sys.stderr, sys.stdin = self.new
        sys.__stdout__, sys.__stderr__, sys.__stdin__ = self.new
        return self

    def __exit__(self, *_):
        sys.stdout, sys.stderr, sys.stdin = self.old
        sys.__stdout__, sys.__stderr__, sys.__stdin__ = self.old
        return False


def install():
    builtins.input = read_line
