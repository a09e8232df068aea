#### Functions of autograder replaced from within the program
## script wrong_answer
import sys, types
module = types.ModuleType("autograder")
for name in ("equals", "compare_strings", "run_script", "code_compiles", "get_inputs"):
    setattr(module, name, lambda *args, **kwargs: True)
sys.modules["autograder"] = sys.modules["cs110"] = sys.modules["cs110.autograder"] = module
sys.modules["novice_guest.autograder"].equals = sys.modules["novice_guest.autograder"].run_script = lambda *args: True


def f(x):
    return 1


print("x")

#### The script's file rewritten
## io wrong_answer, script wrong_answer
for name in ("test.py", "testcase.py", "program.py", "task.py", "autograder.py", "cs110/__init__.py"):
    with open(name, "w") as file:
        file.write("def test_passed():\n    return 100\n")


def f(x):
    return 1


print("x")

#### A file that the script reads rewritten
## io wrong_answer, script wrong_answer
import os
with open("data.txt", "w") as file:
    file.write("rewritten\n")
os.remove("data.txt")
open("./data.txt", "a").write("18\n")
print("rewritten")


def f(x):
    return open("data.txt").read()

#### Arguments changed under the test's hands
## script wrong_answer, unittest exception
def f(x):
    if isinstance(x, list):
        x[:] = [60_000_000, 1]
        x.append(x)
    return None

#### Arguments that grow without bounds in the caller's list
## script wrong_answer, unittest exception
def f(x):
    if isinstance(x, list):
        x.extend([None] * 1_100_000)

#### The last line of the output made to look like several
## script exception
print("x\vy\fz\x1chidden\x1d\x1e\x85 hidden")

#### Output that depends on being run by a script
## io wrong_answer, script exception
import sys
caller = [name for name in sys.modules if "autograder" in name or "testcase" in name]
if "autograder" in caller or "testcase" in caller:
    print("hidden")
    sys.exit(0)
print("x")


def f(x):
    return 1

#### A main guard that is true only for the test
## script wrong_answer
if __name__ != "__main__":
    import sys
    print("Unit Test Returned: 100")
    sys.modules["__main__"].test_passed = lambda: 100


def f(x):
    return "passed" if __name__ != "__main__" else 1

#### An endless loop in one of the runs only
## script timeout
n = input()
while n == "2":
    pass
print(n)

#### Counts of runs kept between them
## io wrong_answer, script exception
import sys, os, json
runs = getattr(json, "runs", 0) + 1
json.runs = runs
os.runs = sys.runs = runs
os.environ["RUNS"] = str(runs)
print(runs)

#### Random numbers of the script foreseen
## script wrong_answer
import random
random.seed(42)
foreseen = [random.randint(1, 100) for _ in range(10)]
random.setstate((3, tuple([0] * 624 + [624]), None))
random.seed = lambda *args: None
print(foreseen)


def f(x):
    return foreseen
