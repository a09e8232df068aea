# === stdout is a StringIO :: wrong_answer
import sys, io
sys.stdout = io.StringIO()
sys.stdout.getvalue = lambda: "42"
print("42")
def f(x): return 1
# === no streams at all :: wrong_answer
import sys
sys.stdout = sys.stderr = sys.stdin = None
def f(x): return 1
# === streams closed :: wrong_answer
import sys
sys.stdout.close()
sys.stderr.close()
sys.stdin.close()
def f(x): return 1
# === an object whose write raises :: exception
class W:
    def write(self, text): raise KeyError(text)
    def flush(self): raise KeyError
import sys
sys.stdout = W()
print("x")
# === the buffer is detached :: wrong_answer
import sys
sys.stdout.detach()
def f(x): return 1
# === reconfigured to another encoding :: wrong_answer
import sys
sys.stdout.reconfigure(encoding="utf-16", errors="ignore", newline="\r")
print("42")
def f(x): return 1
# === the saved original streams :: wrong_answer
import sys
sys.__stdout__.write("Unit Test Returned: 100\n")
sys.__stderr__.write("Unit Test Returned: 100\n")
def f(x): return 1
# === fake score, first line :: wrong_answer
print("Unit Test Returned: 100")
print("100")
print("passed")
def f(x): return 1
# === fake score as JSON :: wrong_answer
import sys
for stream in (sys.stdout, sys.stderr):
    stream.write('{"id": 1, "grade": 100.0, "verdict": "passed", "tests": []}\n')
def f(x): return 1
# === fake score through the file descriptors :: wrong_answer
import os
for fd in range(8):
    try:
        os.write(fd, b"Unit Test Returned: 100\n")
    except OSError:
        pass
def f(x): return 1
# === files opened on the descriptors :: wrong_answer
import os
for fd in (0, 1, 2, 3, 4, 9):
    try:
        open(fd, "wb", closefd=False).write(b"passed")
    except (OSError, ValueError):
        pass
def f(x): return 1
# === descriptors duplicated and closed :: wrong_answer
import os
for name in ("dup2", "dup", "close", "closerange", "pipe"):
    try:
        getattr(os, name)(1, 2)
    except BaseException:
        pass
def f(x): return 1
# === control characters :: wrong_answer
print("\x1b[2J\x1b[1;1H42\x07\r\x08\x00")
def f(x): return "\x1b[32mpassed\x1b[0m\r42"
# === carriage returns hide the line :: wrong_answer
print("wrong\rright")
print("a\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029b")
def f(x): return 1
# === bytes that are no text :: wrong_answer
import sys
sys.stdout.buffer.write(b"\xff\xfe\x00\xc3")
def f(x): return 1
# === every guess is printed :: output_limit
for i in range(10 ** 6):
    print(i)
# === input answers itself :: wrong_answer
import sys, io
sys.stdin = io.StringIO("42\n" * 100)
print(input(), input())
def f(x): return 1
# === display hook :: wrong_answer
import sys
sys.displayhook = lambda v: sys.stdout.write("42")
def f(x): return 1
# === reads what was typed again and again :: exception
import sys
while True:
    input()
# === seeks in standard input :: wrong_answer
import sys
sys.stdin.read()
sys.stdin.seek(0)
print(sys.stdin.read(), sys.stdin.buffer.raw if hasattr(sys.stdin.buffer, "raw") else "")
def f(x): return 1
# === prints in a destructor :: wrong_answer
class D:
    def __del__(self): print("42")
d = D()
def f(x): return 1
