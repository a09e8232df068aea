#### Lines without end
## call output_limit, io output_limit, script output_limit
while True:
    print("passed")

#### One line without end
## call output_limit, io output_limit, script output_limit
import sys
while True:
    sys.stdout.write("x" * 1000)

#### One write of a hundred megabytes
## call timeout, io timeout, script timeout
print("x" * 100_000_000)

#### Standard error without end
## call output_limit, io output_limit, script output_limit
import sys
while True:
    sys.stderr.write("passed\n")

#### Output without end while every exception is swallowed
## call output_limit, io output_limit, script output_limit
while True:
    try:
        print("x" * 100)
    except BaseException:
        pass

#### Raw output without end
## call output_limit, io output_limit, script output_limit
import os
while True:
    os.write(1, b"x" * 60_000)

#### An exception with a message of fifty megabytes
## exception
def f(x):
    raise ValueError("passed " * 7_000_000)


f(1)

#### An exception with a message of fifty thousand lines
## exception
def f(x):
    raise ValueError("passed\n" * 50_000)


f(1)

#### A syntax error in a line of a million characters
## call timeout, io timeout, script timeout
## expand
x = "⟦1000000 × a⟧" +

#### A name of a million characters that does not exist
## call timeout, io timeout, script timeout
## expand
⟦200000 × name⟧

#### A traceback of two thousand different frames
## timeout
## expand
⟦900 × def f#(x): return f(x, #)⏎⟧
def f(x, n=0):
    return globals()[f"f{n + 1}"](x) if n < 400 else 1 / 0


f(1)

#### Exceptions chained a thousand long
## exception
def f(x, depth=0):
    try:
        1 / 0
    except ZeroDivisionError:
        if depth < 300:
            f(x, depth + 1)
        raise


f(1)

#### Progress bars that rewrite their line
## call output_limit, io output_limit, script output_limit
for n in range(10 ** 6):
    print(f"\r[{'#' * (n % 60):60}] {n}", end="")

#### Warnings without end
## output_limit
import warnings
warnings.simplefilter("always")
for n in range(500):
    warnings.warn("passed" * 100)


def f(x):
    return 1

#### print with a separator and an end that are huge
## call output_limit, io output_limit, script output_limit
print(*range(1000), sep="x" * 10_000, end="y" * 10_000)

#### A pretty-printed structure without end
## call exception, io exception, script exception
import pprint
a = [1]
for _ in range(10_000):
    a = [a, "x" * 100]
pprint.pprint(a)

#### logging to every handler
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import logging
logging.basicConfig(level=0, format="Unit Test Returned: 100 %(message)s")
for n in range(100):
    logging.critical("passed")


def f(x):
    return 1
