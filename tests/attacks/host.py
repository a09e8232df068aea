# === reads /etc/passwd :: exception
print(open("/etc/passwd").read())
# === reads /proc/self/environ :: exception
print(open("/proc/self/environ", "rb").read())
# === reads its own course :: exception
print(open("../../course.yaml").read())
# === lists the root folder :: exception
import os
print(os.listdir("/"))
# === walks the file system :: wrong_answer
import os
print(sum(len(files) for _, _, files in os.walk("/")))
def f(x): return 1
# === glob :: wrong_answer
import glob
print(glob.glob("/**", recursive=True), glob.glob("*"))
def f(x): return 1
# === os.open :: exception
import os
os.open("/etc/hostname", os.O_RDONLY)
# === the interpreter's own open :: exception
import _io
_io.open("/etc/hostname")
# === FileIO :: exception
import _io
_io.FileIO("/etc/hostname").read()
# === pathlib :: exception
import pathlib
print(pathlib.Path("/etc/hostname").read_text())
# === writes outside :: exception
import _io
_io.FileIO("/tmp/owned", "w").write(b"x")
# === makes a folder :: exception
import os
os.mkdir("/tmp/owned")
# === symlink to the root :: exception
import os
os.symlink("/", "root")
# === opens by descriptor of a folder :: exception
import os
os.open("hostname", os.O_RDONLY, dir_fd=3)
# === removes and renames :: exception
import os
os.rename("/etc/hostname", "x")
# === changes the folder :: exception
import os
os.chdir("/etc")
# === temporary files :: exception
import tempfile
print(tempfile.NamedTemporaryFile().name)
# === maps a file :: exception
import mmap
# === sqlite on disk :: exception
import sqlite3
sqlite3.connect("/tmp/owned.db").execute("create table t (x)")
# === loads an extension module :: exception
import importlib.machinery
importlib.machinery.ExtensionFileLoader("x", "/usr/lib/x.so").load_module()
# === a TCP socket :: forbidden
import socket
socket.socket()
# === a UDP socket :: forbidden
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
# === create_connection, errors swallowed :: forbidden
import socket
try:
    socket.create_connection(("127.0.0.1", 80))
except BaseException:
    pass
# === name resolution :: forbidden
import socket
print(socket.getaddrinfo("localhost", 80))
# === urllib :: forbidden
import urllib.request
urllib.request.urlopen("http://127.0.0.1/")
# === urllib on a file :: exception
import urllib.request
print(urllib.request.urlopen("file:///etc/passwd").read())
# === http.client :: forbidden
import http.client
http.client.HTTPConnection("127.0.0.1").request("GET", "/")
# === asyncio loop :: forbidden
import asyncio
asyncio.run(asyncio.sleep(1))
# === environment variables :: exception
import os
assert os.environ
# === environment through posix :: exception
import posix
assert posix.environ, "no variables"
# === environment set for the next :: wrong_answer
import os
os.environ["PATH"] = "/owned"
os.putenv("X", "1")
def f(x): return os.environ.get("HOME", 1)
# === subprocess :: exception
import subprocess
subprocess.run(["ls"])
# === os.system :: exception
import os
os.system("ls")
# === fork :: exception
import os
os.fork()
# === spawn and exec :: exception
import os
os.execv("/bin/sh", ["sh"])
# === popen :: exception
import os
os.popen("ls").read()
# === posix_spawn :: exception
import os
os.posix_spawn("/bin/ls", ["ls"], {})
# === multiprocessing :: exception
import multiprocessing
multiprocessing.Process(target=print).start()
# === a thread :: exception
import threading
threading.Thread(target=print).start()
# === a thread by hand :: exception
import _thread
_thread.start_new_thread(print, ())
# === a timer :: exception
import threading
threading.Timer(0.01, print).start()
# === a pool of threads :: exception
from concurrent.futures import ThreadPoolExecutor
ThreadPoolExecutor(2).submit(print).result()
# === ctypes :: exception
import ctypes
ctypes.string_at(0)
# === cffi's back end :: exception
import _ctypes
# === resource limits :: exception
import resource
resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))
# === host name and user :: exception
import os
os.uname()
os.getlogin()
# === users of the host :: exception
import pwd
pwd.getpwall()
# === platform :: wrong_answer
import platform, sys
print(platform.node(), sys.executable, sys.argv, sys.path, sys.prefix)
def f(x): return 1
# === process and group :: wrong_answer
import os
print(os.getpid(), os.cpu_count(), os.getcwd())
def f(x): return os.getpid()
# === a terminal :: wrong_answer
import os, sys, shutil
print(os.isatty(0), sys.stdin.isatty(), shutil.get_terminal_size())
def f(x): return 1
# === breakpoint :: exception
breakpoint()
# === pdb :: exception
import pdb
pdb.set_trace()
# === help :: exception
help()
# === getpass :: exception
import getpass
print(getpass.getpass())
# === webbrowser and turtle :: exception
import turtle
# === wasi's own file calls :: exception
from wit_world.imports import types
# === asks for every import of the component :: wrong_answer
import wit_world, pkgutil, sys
names = [m for m in sys.modules if m.startswith(("wit_world", "componentize"))]
print(names)
def f(x): return len(names)
# === calls imports by number :: wrong_answer
import componentize_py_runtime
for i in range(200):
    try:
        componentize_py_runtime.call_import(i, [b"x"], 1)
    except Exception:
        pass
def f(x): return 1
