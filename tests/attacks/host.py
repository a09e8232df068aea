#### Files of the host opened by absolute path
## exception
def f(x):
    return open("/etc/passwd").read()


print(f(1))

#### Files of the host opened through os and io
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import os, io, _io, pathlib, posix
found = []
for path in ("/etc/passwd", "/etc/hostname", "/proc/self/environ", "/proc/self/cmdline", "/proc/version", "/dev/urandom", "/dev/mem", "../../etc/passwd", "..", "/", "C:\\", "//server/share", "/proc/self/fd/0", "file:///etc/passwd"):
    for reach in (lambda p: os.open(p, os.O_RDONLY), lambda p: _io.FileIO(p).read(), lambda p: pathlib.Path(p).read_text(),
                  os.listdir, os.stat, os.readlink, posix.scandir, io.open_code, lambda p: list(os.walk(p))[0]):
        try:
            found.append((path, reach(path)))
        except (OSError, ValueError, AttributeError, IndexError):
            pass


def f(x):
    return found


print(found)

#### The environment, the user, the machine
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import os, platform, getpass, socket, sys, sysconfig
found = [dict(os.environ), os.getcwd() if False else "", sys.argv, sys.executable]
for ask in (getpass.getuser, os.getlogin if hasattr(os, "getlogin") else str, lambda: os.uname().nodename, platform.node,
            lambda: os.path.expanduser("~"), lambda: open("/etc/machine-id").read()):
    try:
        found.append(ask())
    except (OSError, ImportError, KeyError, AttributeError, ModuleNotFoundError):
        found.append(None)


def f(x):
    return found


print(found)

#### Paths of the harness printed
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sys
paths = sorted({str(getattr(m, "__file__", "")) for m in list(sys.modules.values()) if "guest" in str(getattr(m, "__name__", ""))})
frame = sys._getframe()
while frame.f_back:
    frame = frame.f_back
    paths.append(frame.f_code.co_filename)


def f(x):
    return [p for p in paths if p.startswith("/work") or p.startswith("/root") or p.startswith("/home")]


print(f(1), sys.path[:0])

#### A socket
## forbidden
import socket
socket.socket()

#### A socket while nothing may be raised
## forbidden
import socket
try:
    socket.create_connection(("127.0.0.1", 80), timeout=1)
except BaseException:
    pass


def f(x):
    return 1

#### A name looked up
## forbidden
import socket
print(socket.getaddrinfo("example.org", 80))

#### A page fetched
## forbidden
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8000/expected").read())

#### A server that listens
## exception
import http.server, socketserver
socketserver.TCPServer(("", 8080), http.server.BaseHTTPRequestHandler)

#### ssl, ctypes, mmap and other modules that reach out of Python
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
found = []
for name in ("ctypes", "_ctypes", "mmap", "fcntl", "resource", "termios", "pty", "pwd", "grp", "readline", "curses", "_posixsubprocess", "_multiprocessing", "winreg", "msvcrt", "cffi", "numpy", "js", "pyodide", "wasmtime"):
    try:
        found.append(__import__(name).__name__)
    except ImportError:
        pass


def f(x):
    return found


print(found)

#### Programs started
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import os, subprocess, shutil
found = []
for start in (lambda: subprocess.run(["ls", "/"], capture_output=True).stdout, lambda: os.popen("id").read(), lambda: os.system("id"),
              lambda: os.execv("/bin/sh", ["sh"]), lambda: os.fork(), lambda: os.posix_spawn("/bin/sh", ["sh"], {}), lambda: subprocess.getoutput("id"),
              lambda: shutil.which("sh")):
    try:
        found.append(start())
    except (OSError, AttributeError, NotImplementedError):
        pass


def f(x):
    return [item for item in found if item]


print(f(1))

#### Processes of multiprocessing and concurrent.futures
## exception
import concurrent.futures


def f(x):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return pool.submit(pow, 2, 3).result()


f(1)

#### Threads, timers and daemons left behind
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import threading, _thread
started = []
for start in (lambda: threading.Thread(target=print, daemon=True).start(), lambda: threading.Timer(0.01, print).start(),
              lambda: _thread.start_new_thread(print, ("passed",)), lambda: threading.Thread(target=exec, args=("while True: pass",)).start()):
    try:
        start()
        started.append(1)
    except RuntimeError:
        pass


def f(x):
    return started


print(started)

#### An event loop
## forbidden
import asyncio


async def main():
    await asyncio.sleep(0.01)
    return "passed"


print(asyncio.run(main()))

#### A database in a file
## exception
import sqlite3
connection = sqlite3.connect("/tmp/answers.db")
connection.execute("create table t (x)")


def f(x):
    return 1

#### A database that attaches files and loads extensions
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import sqlite3
memory = sqlite3.connect(":memory:")
found = []
for query in ("attach '/etc/passwd' as p", "select load_extension('/lib/x.so')", "pragma temp_store_directory = '/'", "vacuum into '/tmp/x.db'",
              "select writefile('/tmp/x', 'x')", "select readfile('/etc/passwd')"):
    try:
        found += memory.execute(query).fetchall()
    except sqlite3.Error:
        pass


def f(x):
    return found


print(found)

#### Temporary files, copies, links and permissions
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import os, shutil, tempfile, pathlib
found = []
for make in (lambda: tempfile.NamedTemporaryFile().name, tempfile.mkdtemp, lambda: os.mkdir("/x"), lambda: os.symlink("/etc/passwd", "link"),
             lambda: shutil.copy("/etc/passwd", "copy"), lambda: os.chmod("/", 0o777), lambda: pathlib.Path("/x").touch(), lambda: os.mkfifo("/x"),
             lambda: os.truncate("/etc/passwd", 0), lambda: os.rename("/etc", "/x"), lambda: os.chroot("/"), lambda: os.setuid(0), lambda: os.nice(-20)):
    try:
        found.append(make())
    except (OSError, AttributeError, shutil.Error):
        pass


def f(x):
    return found


print(found)

#### Preopened folders of WASI searched
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import os
found = []
for fd in range(0, 20):
    for reach in (lambda: os.listdir(fd), lambda: os.open("x", os.O_RDONLY, dir_fd=fd), lambda: os.fstat(fd).st_ino, lambda: os.stat(".", dir_fd=fd)):
        try:
            found.append((fd, reach()))
        except (OSError, TypeError, NotImplementedError, AttributeError):
            pass


def f(x):
    return [item for item in found if isinstance(item[1], list)]


print(f(1))

#### The sandbox's own import functions called one by one
## exception
import sys
wit = [m for n, m in sys.modules.items() if n.startswith("wit_world")]
sockets = __import__("_socket")
sockets.socket(2, 1, 0).connect(("10.0.0.1", 1))

#### /dev/tty, getpass and a terminal
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import os, getpass, sys, io
found = []
for ask in (lambda: os.get_terminal_size(), lambda: os.ttyname(0), lambda: os.isatty(0) or None, lambda: open("/dev/tty"), lambda: os.openpty()):
    try:
        found.append(ask())
    except (OSError, AttributeError, ValueError):
        pass


def f(x):
    return [item for item in found if item]


print(f(1))
