"""A private file system in memory: the files that the problem hands out, and those that the program writes.

`open` and the few functions of `os` and `os.path` that beginners use are served from a dictionary. Everything else of `os`
meets an empty WASI file system and fails with FileNotFoundError.
"""

import builtins
import io
import os

_real_open = open
_real_exists, _real_isfile, _real_remove, _real_listdir = os.path.exists, os.path.isfile, os.remove, os.listdir
_files = {}


def reset(files):
    """Forget everything written and hand out `files` (name → bytes) again."""
    _files.clear()
    _files.update(files)


def _key(path):
    name = os.fspath(path)
    if isinstance(name, bytes):
        name = name.decode("utf-8", "surrogateescape")
    return name[2:] if name.startswith("./") else name


class _Written(io.BytesIO):
    """A file open for writing: its bytes are stored at every flush and at close."""

    def __init__(self, key, start):
        super().__init__(start)
        self.key = key

    def flush(self):
        if not self.closed:
            _files[self.key] = self.getvalue()

    def close(self):
        self.flush()
        super().close()


def open_file(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
    """`open` over the private file system."""
    if isinstance(file, int):
        return _real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    name, key = os.fspath(file), _key(file)
    if not isinstance(mode, str) or sum(mode.count(c) for c in "rwax") != 1:
        raise ValueError("must have exactly one of create/read/write/append mode")
    binary, writing = "b" in mode, any(c in mode for c in "wax+")
    if "r" in mode and key not in _files:
        raise FileNotFoundError(2, "No such file or directory", name)
    if "x" in mode and key in _files:
        raise FileExistsError(17, "File exists", name)
    start = b"" if ("w" in mode or "x" in mode) else _files.get(key, b"")
    if writing:
        raw = _Written(key, start)
        _files[key] = start
        if "a" in mode:
            raw.seek(0, 2)
    else:
        raw = io.BytesIO(start)
    if binary:
        return raw
    text = io.TextIOWrapper(raw, encoding or "utf-8", errors, newline, write_through=writing)
    text.mode = mode
    return text


open_file.__name__ = open_file.__qualname__ = "open"
open_file.__module__ = "_io"


def exists(path):
    return _key(path) in _files or _real_exists(path)


def isfile(path):
    return _key(path) in _files or _real_isfile(path)


def remove(path, *, dir_fd=None):
    if _files.pop(_key(path), None) is None:
        _real_remove(path)


def listdir(path="."):
    return sorted(_files) if path in (".", "./", "") else _real_listdir(path)


def install():
    builtins.open = io.open = open_file
    os.path.exists, os.path.isfile, os.remove, os.unlink, os.listdir = exists, isfile, remove, remove, listdir
