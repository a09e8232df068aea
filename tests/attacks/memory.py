#### One list of a billion zeros
## call out_of_memory, io out_of_memory, script out_of_memory
## 300 ms
x = [0] * 10 ** 9

#### A text that doubles until it does not fit
## call out_of_memory, io out_of_memory, script out_of_memory
## 300 ms
x = "a"
while True:
    x += x

#### Many small objects
## call timeout, io timeout, script timeout
x = []
while True:
    x.append([len(x)])

#### An integer that doubles its digits
## call timeout, io timeout, script timeout
x = 3
while True:
    x *= x

#### A bytearray that takes all there is, and again
## call out_of_memory, io out_of_memory, script out_of_memory
## 300 ms
x = []
while True:
    x.append(bytearray(1 << 24))

#### Memory taken while MemoryError is swallowed
## call timeout, io timeout, script timeout
x = []
while True:
    try:
        x.append(bytearray(1 << 20))
    except MemoryError:
        pass

#### A dictionary that grows
## call timeout, io timeout, script timeout
x = {}
n = 0
while True:
    x[n] = n
    n += 1

#### A compressed nothing of sixty-four megabytes
## call out_of_memory, io out_of_memory, script out_of_memory
## 300 ms
import zlib
packed = zlib.compress(bytes(1 << 20))
x = [zlib.decompress(packed, bufsize=1 << 28)]

#### A text repeated past the address space
## call exception, io exception, script exception
x = "a" * 2 ** 31

#### A format with a width of a billion
## call out_of_memory, io out_of_memory, script out_of_memory
## 300 ms
x = f"{1:1000000000}"

#### A percent format with a precision of half a billion
## call out_of_memory, io out_of_memory, script out_of_memory
## 300 ms
x = "%.500000000f" % 1.0

#### A join, a replace and a translate that multiply
## call out_of_memory, io out_of_memory, script out_of_memory
## 300 ms
x = ("a" * 20_000).replace("a", "b" * 20_000)

#### A product of ranges made into a list
## call out_of_memory, io out_of_memory, script out_of_memory
## 300 ms
import itertools
x = [bytes(10 ** 6) for _ in itertools.count()]

#### A range of 10**30 asked for its length
## call exception, io exception, script exception
x = len(range(10 ** 30))

#### A bit shift by ten thousand million
## call out_of_memory, io out_of_memory, script out_of_memory
## 300 ms
x = 1 << 8 * 10 ** 9 if False else 1 << 2_000_000_000

#### A bytes object from a buffer that lies about its size
## call exception, io exception, script exception
class Huge:
    def __len__(self): return 2 ** 31 - 1
    def __bytes__(self): return b"x" * (2 ** 31 - 1)
    def __length_hint__(self): return 2 ** 31 - 1
    def __iter__(self): raise ValueError("none")


x = list(Huge())

#### An array extended by itself
## call out_of_memory, io out_of_memory, script out_of_memory
## 300 ms
import array
x = array.array("d", [1.0])
while True:
    x.extend(x)

#### A deque and a cache without bounds
## call timeout, io timeout, script timeout
import functools


@functools.cache
def g(n):
    return [n] * 10


n = 0
while True:
    n += 1
    g(n)

#### Memory that is only returned, never kept
## call out_of_memory, script out_of_memory
## 300 ms
def f(x):
    return [bytes(1 << 22)] * 100

#### StringIO and BytesIO seeks far past the end
## call out_of_memory, io out_of_memory, script out_of_memory
## 300 ms
import io
x = io.BytesIO()
x.seek(2 ** 31 - 100)
x.write(b"x")
