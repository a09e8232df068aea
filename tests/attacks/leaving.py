#### sys.exit with a status that means success
## call exception, io wrong_answer, script exception, unittest exception
import sys
print("x")
sys.exit(0)

#### os._exit before anything is compared
## call exception, io wrong_answer, script exception, unittest exception
import os
os._exit(0)

#### os.abort, os.kill and signals to oneself
## crashed
import os, signal
for leave in (lambda: os.kill(os.getpid(), 9), lambda: signal.raise_signal(signal.SIGKILL), lambda: signal.alarm(1), os.abort):
    try:
        leave()
    except (AttributeError, OSError, ValueError):
        pass

#### A subclass of SystemExit that is hard to look at
## call exception, io wrong_answer, script exception, unittest exception
class Leave(SystemExit):
    code = property(lambda self: 1 / 0)
    def __str__(self): raise KeyboardInterrupt
    def __getattribute__(self, name): raise GeneratorExit


raise Leave(100)

#### KeyboardInterrupt
## exception
def f(x):
    raise KeyboardInterrupt("passed")


f(1)

#### GeneratorExit
## exception
def f(x):
    raise GeneratorExit


f(1)

#### StopIteration, which ends a loop over cases
## exception
def f(x):
    raise StopIteration(True)


f(1)

#### StopAsyncIteration
## exception
def f(x):
    raise StopAsyncIteration


f(1)

#### unittest.SkipTest
## exception
import unittest


def f(x):
    raise unittest.SkipTest("passed")


f(1)

#### The exceptions with which unittest marks expected failures
## exception
import unittest.case


def f(x):
    raise unittest.case._ShouldStop if x % 2 else unittest.case._UnexpectedSuccess


f(1)

#### A class of exception named AssertionError that is none
## exception
class AssertionError(BaseException):
    pass


def f(x):
    raise AssertionError("passed")


f(1)

#### An exception that is not one
## exception
def f(x):
    raise "passed"


f(1)

#### The harness's own OutputLimit raised by the program
## output_limit
import sys


def f(x):
    raise sys.modules["novice_guest.streams"].OutputLimit


f(1)

#### MemoryError raised without any memory used
## out_of_memory
def f(x):
    raise MemoryError("passed")


f(1)

#### A doctest failure and a failure's exception
## exception
import doctest


def f(x):
    raise doctest.UnexpectedException(None, None, (ValueError, ValueError("passed"), None)) if x == 1 else unittest_failure


f(1)

#### The process ended through WASI
## crashed
import posix
posix._exit(0)
