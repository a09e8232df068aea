"""Grade the same programs in four ways, in the same run, and print how their throughputs compare. See README.md."""

import argparse
import base64
import json
import multiprocessing
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import time

SUITE_SECONDS = 5.0  # of the published grader: wall time for all tests of a submission


def run_tests(code, tests, seconds=None):
    """What every native way does within its process: a fresh namespace and one evaluation for each test → grade, 0 to 100."""
    import contextlib
    import io

    try:
        compiled = compile(code, "program.py", "exec")
    except (SyntaxError, ValueError):
        return 0.0
    passed = 0
    for call, expected in tests:
        namespace = {"__name__": "program"}
        if seconds:
            signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compiled, namespace)
                passed += eval(call, namespace) == eval(expected)
        except BaseException:
            pass
        finally:
            if seconds:
                signal.setitimer(signal.ITIMER_REAL, 0)
    return 100.0 * passed / len(tests)


# What the published grader writes into its temporary file: the problem inside, the result by way of a second file.
SCRIPT = """import base64, pickle, sys
sys.path.insert(0, {folder!r})
from grading import run_tests
code, tests = pickle.loads(base64.b64decode({data!r}))
with open({result!r}, "wb") as file:
    pickle.dump(run_tests(code, tests), file)
"""


def published(job):
    """One fresh, unprotected Python process a submission; the parent's environment, a temporary folder, a pickled result."""
    with tempfile.TemporaryDirectory() as folder:
        script, result = os.path.join(folder, "run.py"), os.path.join(folder, "result.pkl")
        data = base64.b64encode(pickle.dumps(job)).decode()
        with open(script, "w") as file:
            file.write(SCRIPT.format(folder=os.path.dirname(os.path.abspath(__file__)), data=data, result=result))
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            subprocess.run([sys.executable, script], cwd=folder, env=environment, timeout=SUITE_SECONDS, capture_output=True)
            with open(result, "rb") as file:
                return pickle.load(file)
        except (subprocess.TimeoutExpired, FileNotFoundError, EOFError):
            return 0.0


def forked(job):
    """`os.fork` of a warm interpreter: no isolation but a process, no start of an interpreter either."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.write(write, repr(run_tests(*job)).encode())
        os._exit(0)
    os.close(write)
    ready, _, _ = select.select([read], [], [], SUITE_SECONDS)
    answer = os.read(read, 100) if ready else b""
    if not answer:
        os.kill(child, signal.SIGKILL)
    os.close(read)
    os.waitpid(child, 0)
    return float(answer or 0)


def _interrupt(*_):
    raise TimeoutError


def warm(job):
    """`exec` in one warm process: no isolation at all. Half a second a test, as the sets were recorded."""
    signal.signal(signal.SIGALRM, _interrupt)
    return run_tests(*job, seconds=0.5)


def native(way, jobs, workers):
    """Grades, and seconds with so many processes at work."""
    with multiprocessing.Pool(workers) as pool:
        pool.map(len, [()] * workers)  # started
        start = time.perf_counter()
        grades = pool.map(way, jobs, chunksize=8)
        return grades, time.perf_counter() - start


def novice(binary, course, lines, workers):
    """The sandbox, result cache off; process start, course and JSON included. Machine code is in its cache after the first line."""
    command = [binary, "grade", "--course", course, "--no-cache", "--threads", str(workers), "--feedback", "none"]
    subprocess.run(command, input=lines[0], capture_output=True, check=True, text=True)
    start = time.perf_counter()
    out = subprocess.run(command, input="".join(lines), capture_output=True, check=True, text=True).stdout
    seconds = time.perf_counter() - start
    return [json.loads(line)["grade"] for line in out.splitlines()], seconds


def read(folder, set_name, every, skip_endless):
    import yaml

    with open(os.path.join(folder, "course.yaml")) as file:
        problems = {p["id"]: p for p in yaml.safe_load(file)["problems"]}
    jobs, lines, recorded = [], [], []
    with open(os.path.join(folder, set_name)) as file:
        rows = [json.loads(line) for line in file]
    if skip_endless:
        rows = [row for row in rows if "timeout" not in row.get("tests", [])]
    for row in rows[::every]:
        problem = problems[row["problem"]]
        prelude = problem.get("prelude", "")
        jobs.append((f"{prelude}\n{row['code']}", [(t["call"], str(t["expect"])) for t in problem["tests"]]))
        lines.append(json.dumps({"id": len(lines), "problem": row["problem"], "code": row["code"]}) + "\n")
        recorded.append(row["grade"])
    return jobs, lines, recorded


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="holds course.yaml and the submissions")
    parser.add_argument("set", help="the file of submissions, JSON lines")
    parser.add_argument("--novice", default="target/release/novice")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--every", type=int, default=1, help="take every n-th submission")
    parser.add_argument("--skip-endless", action="store_true", help="leave out submissions with a recorded timeout")
    options = parser.parse_args()
    jobs, lines, recorded = read(options.folder, options.set, options.every, options.skip_endless)
    course = os.path.join(options.folder, "course.yaml")
    print(f"{len(jobs)} submissions, {options.workers} at a time, Python {sys.version.split()[0]}")
    ways = [
        ("published: a process each", lambda: native(published, jobs, options.workers)),
        ("fork of a warm interpreter", lambda: native(forked, jobs, options.workers)),
        ("exec in a warm process", lambda: native(warm, jobs, options.workers)),
        ("novice grade --no-cache", lambda: novice(options.novice, course, lines, options.workers)),
    ]
    base = None
    for name, way in ways:
        grades, seconds = way()
        rate = len(jobs) / seconds
        base = base or rate
        same = sum(abs(a - b) < 1e-9 for a, b in zip(grades, recorded, strict=True))
        print(f"{name:28} {seconds:8.2f} s {rate:8.1f}/s {rate / base:7.1f}x   {same} of {len(jobs)} grades as recorded")


if __name__ == "__main__":
    main()
