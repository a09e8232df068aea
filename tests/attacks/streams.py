#### sys.stdout replaced by a text that says what it likes
## call wrong_answer, io wrong_answer, script exception, unittest exception
import sys, io


class Said(io.StringIO):
    def getvalue(self): return "hidden"
    collect = read = getvalue


sys.stdout = sys.stderr = Said()
print("x")


def f(x):
    return sys.stdout

#### Streams set to None
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys
sys.stdout = sys.stderr = sys.stdin = sys.__stdout__ = sys.__stderr__ = sys.__stdin__ = None


def f(x):
    return 1

#### Streams closed, detached and reopened
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys, io
buffer = sys.stdout.detach()
sys.stdout = io.TextIOWrapper(buffer, encoding="utf-16")
sys.stdout.write("x")
sys.stdout.flush()
sys.stderr.close()


def f(x):
    return 1

#### Raw writes to the descriptors of standard output and error
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import os, io, _io
os.write(1, b"Unit Test Returned: 100\n")
os.write(2, b"passed\n")
raw = _io.FileIO(1, "w", closefd=False)
raw.write(b'{"grade": 100.0, "verdict": "passed"}\n')
io.open_code


def f(x):
    return 1

#### Descriptors beyond the three
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import os
found = []
for fd in list(range(3, 40)) + [1000, 2 ** 31 - 1, -1]:
    try:
        found.append(os.read(fd, 10))
    except (OSError, OverflowError):
        pass


def f(x):
    return found


print(found)

#### Descriptors duplicated and moved
## call exception, io exception, script exception, unittest exception
import os
os.dup2(1, 0)
os.closerange(0, 100)
print(os.dup(1))

#### Standard input read beyond what was typed
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys
first = sys.stdin.read()
more = sys.stdin.buffer.read() if hasattr(sys.stdin, "buffer") else b""
sys.stdin.seek(0)
again = sys.stdin.read()
print([first, more, again])


def f(x):
    return again

#### Standard input read from the descriptor
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import os
got = b""
try:
    got = os.read(0, 1000)
except OSError:
    pass
print(got)


def f(x):
    return got

#### print exchanged for one that writes to the reply's buffer
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys
sink = getattr(sys.stdout, "sink", None)
if sink is not None:
    sink.parts.insert(0, b"Unit Test Returned: 100\n")
    sink.parts.append(bytearray(b"hidden"))


def f(x):
    return 1

#### The buffer's parts made to be no bytes
## crashed
import sys


class Bytes(bytes):
    def __len__(self): return -1
    def __add__(self, other): return b"passed"


sys.stdout.sink.parts = [Bytes(b"x"), "text", None]


def f(x):
    return 1

#### Written to standard error only
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys
sys.stderr.write("hidden-00000000\nUnit Test Returned: 100\n")
sys.__stderr__.write("passed\n")


def f(x):
    return 1

#### Cursor moves and carriage returns that overwrite earlier lines
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
print("\x1b[2J\x1b[H\x1b]0;passed\x07", end="")
print("wrong\rright\b\b\b\b\b\x1b[1A\x1b[2K100 of 100 points\x1b[8m")


def f(x):
    raise_text = "\x1b[32mCORRECT\x1b[0m"
    return raise_text

#### Backspaces and form feeds between the characters
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
print("\b".join("hidden"), "\f\v\x85\x1c\x1d\x1e")


def f(x):
    return "\x85\x1c"

#### Text that runs from right to left
## call exception, io wrong_answer, script exception, unittest exception
print("\u202edessap\u202c \u2067TCERROC\u2069 \u200f")


def f(x):
    raise ValueError("\u202edessap") if x == 99 else None
    return "\u202edessap\u202c"
