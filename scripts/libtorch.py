#!/usr/bin/env python3
"""Puts a CPU libtorch into a folder, once: the libraries that Novice links, the headers, nothing else.

    libtorch.py FOLDER           make sure that FOLDER is a usable libtorch
    libtorch.py --check FOLDER   only say whether it is (exit status 0 or 1)

In this order, whatever is found first is used:

1. FOLDER, when it is complete and of the right version. Nothing is written, nothing is fetched.
2. $LIBTORCH: FOLDER becomes a link to it, so that cargo finds it without the variable, too.
3. torch of the right version in the Python that runs this (a virtual environment, say): FOLDER becomes a link to it.
4. The torch wheel, fetched by pip into a temporary folder. Of its 530 MB the CPU libraries and the headers are kept.
   The wheel's libtorch_cpu.so names two CUDA libraries that only its GPU profiler calls; stubs stand in for them.

FOLDER appears complete or not at all. The Python environment is not changed. Standard library only; Python 3.8 or newer.
"""

import fcntl
import glob
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

VERSION = "2.13.0"  # what the pinned tch crate is made for
WHEEL_TAG = "cp311"  # any Python's wheel has the same libraries; this one exists for every platform below
PLATFORMS = {"x86_64": "manylinux_2_28_x86_64", "aarch64": "manylinux_2_28_aarch64"}
ROOTS = ("libtorch_cpu.so", "libc10.so")  # what a program that uses tch needs at run time
STUBBED = re.compile(r"^lib(cudart|cupti)\.so")
HEADERS = ("include/ATen/ATen.h", "include/torch/csrc/api/include/torch/torch.h")
NO_DEVICE = 100  # cudaErrorNoDevice: what a stub answers if it is called after all
DISK_BYTES = 1_600_000_000  # wheel and unpacked libraries side by side


class SetupError(Exception):
    """Something that the user has to put right. The text says what."""


def say(text):
    print(f"   {text}", file=sys.stderr, flush=True)


def problem(folder):
    """Why `folder` is no libtorch that Novice can use; None when it is one."""
    for name in [f"lib/{root}" for root in ROOTS] + list(HEADERS):
        if not os.path.isfile(os.path.join(folder, name)):
            return f"{name} is missing"
    found = version_of(folder)
    if found is not None and found.split("+")[0] != VERSION:
        return f"it is version {found}, needed is {VERSION}"
    return None


def version_of(folder):
    """The version that a libtorch says it has: the file of an unpacked one, or of one inside a Python package."""
    try:
        with open(os.path.join(folder, "build-version"), encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        pass
    try:
        with open(os.path.join(folder, "version.py"), encoding="utf-8") as file:
            match = re.search(r"__version__\s*=\s*['\"]([^'\"]+)['\"]", file.read())
            return match.group(1) if match else None
    except OSError:
        return None


def loads(folder):
    """Loads the library in a process of its own, as a program would; the error's text, or None."""
    code = "import ctypes, os, sys; ctypes.CDLL(sys.argv[1], os.RTLD_LAZY)"
    library = os.path.join(os.path.abspath(folder), "lib", ROOTS[0])
    result = subprocess.run([sys.executable, "-c", code, library], capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return None
    silent = f"lib/{ROOTS[0]} cannot be loaded (status {result.returncode}); it may be cut off"
    return (result.stderr.strip().splitlines() or [silent])[-1]


def unusable(folder):
    """Why a program could not be linked with and run on this libtorch; None when it can."""
    return problem(folder) or loads(folder)


def installed_torch():
    """The folder of this Python's torch, without importing it; None when there is none of the right version."""
    try:
        spec = importlib.util.find_spec("torch")
    except (ImportError, ValueError):
        return None
    folder = os.path.dirname(spec.origin) if spec and spec.origin else None
    if folder is None or version_of(folder) is None or unusable(folder):
        return None
    return folder


def link(folder, target):
    """Makes `folder` a link to `target`, in one step."""
    temporary = f"{folder}.link-{os.getpid()}"
    os.symlink(os.path.abspath(target), temporary)
    os.replace(temporary, folder)


def run(command, what):
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SetupError(f"{what} failed: {' '.join(command[:3])} …\n{result.stderr.strip()[-2000:]}")
    return result.stdout


def tool(*names):
    """The first of these programs that is installed."""
    for name in names:
        if name and shutil.which(name.split()[0]):
            return name.split()[0]
    raise SetupError(f"none of {', '.join(filter(None, names))} is installed; install a C++ compiler and binutils "
                     "(Debian, Ubuntu: apt-get install build-essential)")


def fetch_wheel(folder):
    """Downloads the wheel with pip; gives its path."""
    machine = platform.machine()
    if platform.system() != "Linux" or machine not in PLATFORMS:
        raise SetupError(f"no libtorch can be fetched for {platform.system()} {machine} (Linux on "
                         f"{' or '.join(PLATFORMS)} only); install libtorch {VERSION} and export LIBTORCH=its folder")
    free = shutil.disk_usage(folder).free
    if free < DISK_BYTES:
        raise SetupError(f"{free // 1_000_000} MB are free on this disk, {DISK_BYTES // 1_000_000} are needed for a moment")
    environment = dict(os.environ, PIP_REQUIRE_VIRTUALENV="false", PIP_DISABLE_PIP_VERSION_CHECK="1")
    terminal = [] if sys.stderr.isatty() else ["--quiet"]
    command = [*pip(folder), "download", *terminal, "--no-deps", "--no-cache-dir", "--only-binary=:all:",
               "--implementation", "cp", "--python-version", "3.11", "--abi", WHEEL_TAG,
               "--platform", PLATFORMS[machine], "--dest", folder, f"torch=={VERSION}"]
    say(f"fetching libtorch {VERSION}: one download of about 530 MB, once")
    done = subprocess.run(command, env=environment, stdout=sys.stderr, check=False)
    wheels = glob.glob(os.path.join(glob.escape(folder), "torch-*.whl"))
    if done.returncode != 0 or not wheels:
        raise SetupError(f"pip could not fetch torch {VERSION} (see above). With a network connection run this again; without, "
                         f"export LIBTORCH=the folder of a libtorch {VERSION}")
    return wheels[0]


def pip(folder):
    """A command that runs pip: this Python's, or that of a throw-away environment where this Python has none."""
    mine = [sys.executable, "-m", "pip"]
    if subprocess.run([*mine, "--version"], capture_output=True, check=False).returncode == 0:
        return mine
    throwaway = os.path.join(folder, "python")
    made = subprocess.run([sys.executable, "-m", "venv", throwaway], capture_output=True, check=False)
    if made.returncode == 0:
        return [os.path.join(throwaway, "bin", "python"), "-m", "pip"]
    raise SetupError(f"{sys.executable} has no pip; install it (Debian, Ubuntu: apt-get install python3-pip)")


def needed(library):
    """Names of the libraries that `library` asks for."""
    return re.findall(r"\(NEEDED\).*\[(.+)\]", run([tool("readelf"), "-d", library], "reading a library"))


def unpack(wheel, folder):
    """Takes the headers, the libraries that programs need, and the libraries that those need, out of the wheel."""
    libraries = os.path.join(folder, "torch", "lib")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(folder, [n for n in names if n.startswith("torch/include/")])
        waiting, seen = list(ROOTS), set()
        while waiting:
            name = waiting.pop()
            if name in seen or f"torch/lib/{name}" not in names:
                continue  # had before, or a library of the system, or one that gets a stub
            seen.add(name)
            archive.extract(f"torch/lib/{name}", folder)
            waiting += needed(os.path.join(libraries, name))
    return os.path.join(folder, "torch")


def stub_profiler(torch, folder):
    """Writes small libraries in place of the CUDA ones that libtorch_cpu.so names, with the functions it looks up."""
    libraries = os.path.join(torch, "lib")
    main = os.path.join(libraries, ROOTS[0])
    symbols = run([tool("nm"), "-D", "--undefined-only", main], "listing symbols").split()
    compiler = tool(os.environ.get("CC"), "cc", "gcc", "clang")
    for name in filter(STUBBED.match, needed(main)):
        functions = [s.split("@")[0] for s in symbols if s.endswith(f"@{name}")]
        source, versions = os.path.join(folder, "stub.c"), os.path.join(folder, "stub.map")
        with open(source, "w", encoding="utf-8") as file:
            file.writelines(f"int {f}(void) {{ return {NO_DEVICE}; }}\n" for f in functions)
        with open(versions, "w", encoding="utf-8") as file:
            exported = f"global: {'; '.join(functions)}; " if functions else ""
            file.write(f"{name} {{ {exported}local: *; }};\n")
        run([compiler, "-shared", "-fPIC", "-O1", "-w", source, "-o", os.path.join(libraries, name),
             f"-Wl,-soname,{name}", f"-Wl,--version-script,{versions}"], "compiling a stub")
    # torch-sys passes -ltorch to the linker; nothing of it is used, so nothing has to be in it.
    empty = os.path.join(folder, "empty.c")
    with open(empty, "w", encoding="utf-8"):
        pass
    run([compiler, "-shared", "-fPIC", empty, "-o", os.path.join(libraries, "libtorch.so"), "-Wl,-soname,libtorch.so"],
        "compiling a stub")


def build(folder):
    """Fetches, unpacks, checks, and moves into place."""
    parent = os.path.dirname(folder)
    for left in glob.glob(os.path.join(glob.escape(parent), ".libtorch-*")):
        shutil.rmtree(left, ignore_errors=True)  # by one that was killed: the lock says that none is running
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=".libtorch-", dir=parent) as temporary:
        wheel = fetch_wheel(temporary)
        say("unpacking the CPU libraries and the headers")
        torch = unpack(wheel, temporary)
        os.remove(wheel)
        stub_profiler(torch, temporary)
        with open(os.path.join(torch, "build-version"), "w", encoding="utf-8") as file:
            file.write(f"{VERSION}\n")
        wrong = unusable(torch)
        if wrong:
            raise SetupError(f"the unpacked libtorch cannot be used: {wrong}")
        old = None
        if os.path.lexists(folder):
            old = os.path.join(temporary, "old")
            os.rename(folder, old)
            if os.path.islink(old):
                os.remove(old)
        os.rename(torch, folder)
    size = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(folder) for name in names)
    say(f"libtorch {VERSION} is in {folder}: {size // 1_000_000} MB, {time.monotonic() - began:.0f} s")


def ensure(folder):
    """The order of the module's text."""
    exported = os.environ.get("LIBTORCH")
    if exported:
        wrong = "a full path is needed" if not os.path.isabs(exported) else unusable(exported)
        if wrong:
            raise SetupError(f"LIBTORCH={exported} cannot be used: {wrong}; export another one, or unset it to have "
                             f"libtorch {VERSION} fetched")
    if exported and os.path.realpath(exported) != os.path.realpath(folder):
        if not os.path.lexists(folder) or os.path.islink(folder):
            link(folder, exported)
            say(f"libtorch: the one that LIBTORCH names, {exported}; {folder} is a link to it now")
        else:
            say(f"libtorch: the one that LIBTORCH names, {exported} ({folder} serves when the variable is not set)")
        return
    wrong = unusable(folder)
    if wrong is None:
        say(f"libtorch: {os.path.realpath(folder)} is ready")
        return
    if os.path.isdir(folder) or os.path.islink(folder):
        say(f"libtorch: {folder} cannot be used: {wrong}")
    found = installed_torch()
    if found and (os.path.islink(folder) or not os.path.lexists(folder)):
        link(folder, found)
        say(f"libtorch: the one inside this Python's torch; {folder} is a link to {found} now")
        return
    build(folder)


def main(arguments):
    check = arguments[:1] == ["--check"]
    if len(arguments) != (2 if check else 1):
        print(__doc__, file=sys.stderr)
        return 2
    folder = os.path.abspath(arguments[-1])
    if check:
        wrong = unusable(folder)
        say(f"{folder}: {wrong or 'usable'}")
        return 1 if wrong else 0
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    try:
        with open(os.path.join(os.path.dirname(folder), ".lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a second set-up waits for the first and finds its work done
            ensure(folder)
    except SetupError as error:
        print(f"error: libtorch: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
