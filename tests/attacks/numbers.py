#### Not a number, for a comparison with a tolerance
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
def f(x):
    return float("nan")


print("nan")

#### Infinity minus infinity
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
def f(x):
    return float("inf") if x == 3 else [float("inf")] * 3


print("inf")

#### A complex number with a nan part
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
def f(x):
    return complex(float("nan"), float("inf"))


print("nan 1e999 -nan(0x8000)")

#### Text that parses as nan or infinity where a number is printed
## call exception, io wrong_answer, script exception, unittest exception
import sys
print("NaN" if input() == "3" else "+infinity")


def f(x):
    return "nan"

#### Minus zero, subnormals and the largest float
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
def f(x):
    return [-0.0, 5e-324, 1.7976931348623157e308, -1e-320][x - 1] if isinstance(x, int) else -0.0


print(-0.0, 5e-324)

#### An integer of a million digits
## call wrong_answer, io wrong_answer, unittest exception
def f(x):
    return 1 << 3_400_000


print(hex(1 << 200_000))

#### Integers as large as messages can be
## call timeout
def f(x):
    return [1 << (8 * 4_000_000), -(1 << (8 * 2_000_000))]

#### Decimal and Fraction subclasses that agree with everything
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
from decimal import Decimal
from fractions import Fraction
class D(Decimal):
    __eq__ = lambda self, other: True
    __hash__ = Decimal.__hash__
class F(Fraction):
    __eq__ = lambda self, other: True
    __hash__ = Fraction.__hash__
    _richcmp = lambda self, other, op: True


def f(x):
    return D("1") if x == 1 else F(1, 3)


print(D("1"))

#### True in place of every answer
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
def f(x):
    return True


print(True)

#### bool made to be subclassed by way of its type
## call exception, io exception, script exception, unittest exception
def f(x):
    return None


class B(bool):
    __eq__ = lambda self, other: True

#### NotImplemented and Ellipsis as answers
## call wrong_answer, io wrong_answer, script exception, unittest exception
def f(x):
    return NotImplemented if x % 2 else ...


print(NotImplemented)

#### Digits of another script that look like numbers
## call wrong_answer, io wrong_answer, script wrong_answer, unittest exception
def f(x):
    return "６００００００１.5" if x == 3 else "٦"


print("６００００００１.5")

#### Every number in one line of output
## io output_limit
for n in range(60_000_000, 70_000_000):
    print(n + 0.5, end=" ")

#### Every answer at once where the output must contain one
## io output_limit
import itertools
for digits in itertools.product("0123456789abcdef", repeat=8):
    print("hidden-" + "".join(digits))
