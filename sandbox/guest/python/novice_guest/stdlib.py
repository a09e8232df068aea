"""Import the standard library while the guest is built.

There is no file system at run time: only what is imported here can be imported by a submission. Modules that could
never work (no threads, no processes, no network) are here too where programs import them without using them.
"""

import importlib
import sys

# Not worth their size, or with effects when imported, or for building and developing Python itself.
LEFT_OUT = {
    "this", "antigravity", "idlelib", "lib2to3", "ensurepip", "venv", "turtledemo", "tkinter", "turtle", "test", "pip",
    "distutils", "curses", "_curses", "_curses_panel", "dbm", "webbrowser", "pyclbr", "compileall", "py_compile", "zipapp",
    "pydoc", "pydoc_data", "_pydecimal", "_pyio", "_pydatetime", "_pyrepl", "_sysconfigdata", "imaplib", "smtplib", "ftplib",
    "poplib", "mailbox", "xmlrpc", "wsgiref", "tarfile", "pickletools", "modulefinder", "cProfile", "profile", "pstats",
    "_osx_support", "_apple_support", "_android_support", "_ios_support", "_aix_support", "nturl2path",
}
SUBMODULES = """
asyncio.runners collections.abc concurrent.futures.thread email.message email.mime.text encodings.ascii encodings.cp1252
encodings.idna encodings.latin_1 encodings.utf_16 encodings.utf_8_sig encodings.unicode_escape html.entities html.parser http.client
importlib.abc importlib.machinery importlib.metadata importlib.resources importlib.util json.tool logging.handlers multiprocessing.pool
os.path re._casefix unittest.async_case unittest.mock urllib.error urllib.parse urllib.request xml.dom.minidom
xml.etree.ElementTree xml.sax
""".split()


def load():
    """Import all that can be imported; what cannot (no threads, no terminal, not built) is left out."""
    missing = []
    for name in sorted(sys.stdlib_module_names - LEFT_OUT) + SUBMODULES:
        try:
            importlib.import_module(name)
        except BaseException:
            missing.append(name)
    return missing


MISSING = load()
