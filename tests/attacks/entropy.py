#### The same number from every clock
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import time, datetime
seen = [time.time(), time.time_ns(), time.monotonic(), time.perf_counter(), time.process_time(), str(datetime.datetime.now()), time.localtime()[0], time.tzname]


def f(x):
    return seen


print(seen)

#### The same bytes from every source of entropy
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import os, random, secrets, uuid
seen = [os.urandom(8), random.SystemRandom().random(), secrets.token_hex(4), str(uuid.uuid4()), random.Random().random()]


def f(x):
    return seen


print(seen)

#### Addresses, hashes and the order of sets as a source of entropy
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
seen = [id(object()), hash("a"), list({"a", "b", "c", "d"}), hash(object()), id(seen_by) if (seen_by := []) else id(None)]


def f(x):
    return seen


print(seen)

#### A sleep of a year, and one of a negative time
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import time, select, threading
start = time.time()
time.sleep(365 * 86400)
threading.Event().wait(0.1) if False else None
try:
    time.sleep(-1)
except ValueError:
    pass


def f(x):
    return round(time.time() - start)


print(round(time.time() - start))

#### A wait until the clock of the wall shows another time
## call timeout, io timeout, script timeout
import time
while time.time() < 4e9:
    pass

#### Entropy by the gigabyte
## call timeout, io timeout, script timeout
import os
while True:
    os.urandom(1 << 20)

#### Time measured to tell a right guess from a wrong one
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
import time


def f(x):
    best = None
    for guess in ("hidden-0", "hidden-f", "shown-0"):
        start = time.perf_counter_ns()
        guess == str(x)
        best = max(best or (0, ""), (time.perf_counter_ns() - start, guess))
    return best[1]


print(f(1))

#### Sleeps until the clock can go no further
## exception
import time
for _ in range(4):
    time.sleep(9_000_000_000)
end = [time.monotonic_ns(), time.monotonic_ns(), time.time() > 1e9]


def f(x):
    return end


print(end)
