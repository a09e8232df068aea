"""Tell the host of every turn of the submission's loops, so that it can prove a loop endless.

Used only when a test is run again after it took long. At each backward jump of the submission's code the host looks at the
whole memory: had it the same content at an earlier turn, the program will go round for ever (`engine::watch` in the host has the
argument). That argument needs every frame of C code below the loop to be suspended at the same place; the host knows such turns by
the stack pointer, which the calibrating loops here show it.

Where a loop has turned often, what only adds up in it (`accumulators`) stays as it is from then on. Should that loop end
after all, the run is worth nothing any more, and the host is told so.
"""

import array
import sys
import time
import types

from . import accumulators

TOOL = 4
armed = False
# The signals to the host are looks at the resolution of a clock: calls that allocate nothing that lasts. `_MARK` begins a
# calibration; once nothing adds up any more, it stops the counting of the program's fuel, or starts it again.
_signal, _TURN, _MARK = time.clock_getres, time.CLOCK_MONOTONIC, time.CLOCK_REALTIME

# What the host reads at a turn: how things stand; the most bytes that what does not add up any more would have taken since the turn before
# (and in a place of its own what it comes to until the turn is over); whether loops of other frames turn in between; and whether a sum
# is made by the program and only assigned here.
_slate = array.array("I", (0, 0, 0, 0, 0))
_STATE, _GROWTH, _GROWING, _ELSEWHERE, _ASSIGNED = 0, 1, 2, 3, 4
_HOLDING, _VOID = 1, 2

# Turns of a loop in one frame, after which nothing adds up in it. Few: the allocator counts how often a block of 256 bytes or more is
# returned, so a list that is copied at each turn had better be short.
_PATIENCE = 48
# Of a list, so many of the last items are known: to collect the same object again takes no memory but its place.
_KNOWN = 512
# Bytes of a place in a growing list, and for each byte of a growing text: more than what its reallocations may take, which copy it.
_PLACE, _COPIES = 16, 4
_UNKNOWN_SIZE, _EMPTY_TEXT = 1 << 20, sys.getsizeof("")


# Loops of 12 turns that show the outermost frame; the last turn counts, when the interpreter has specialised the way to the signal. They
# must be called from the very place that calls the submission: each call is specialised on its own.
RUN = compile("[0 for _ in (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)]", "<base>", "exec")
EVALUATE = compile("[0 for _ in (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)]", "<base>", "eval")


def turn_some():
    for _ in (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0):
        pass


class _Object:
    turn_some = turn_some


METHOD = _Object().turn_some


def calibrate():
    """Say that one of these loops comes next. What did not add up in an earlier run may have changed how it ended."""
    if _slate[_STATE]:
        _slate[_STATE] = _VOID
    _signal(_MARK)


# -- turns

# Loops in which something adds up, the file that they are in, and of each jump, (code, origin, target), its loop or None.
_nests, _filename, _places = [], "", {}
# The loop in which nothing adds up any more, the frame that runs it, and lists that nothing but a variable of that frame holds: by
# identity, the identities of their last items.
_nest = _frame = None
_lists = {}


def _place(code, origin, target):
    jump = (code, origin, target)
    if jump not in _places:
        _places[jump] = _find(code, origin, target)
    return _places[jump]


def _find(code, origin, target):
    if code.co_filename != _filename:
        return None
    positions = list(code.co_positions())
    for nest in _nests:
        if nest.holds(positions[origin // 2]) and nest.holds(positions[target // 2]):
            return nest
    return None


def _turn(code, origin, target):
    """A turn of a program in which nothing adds up."""
    _signal(_TURN)


def _turn_counted(code, origin, target):
    """A turn, as long as everything adds up."""
    nest = _place(code, origin, target)
    if nest is not None:
        frame = sys._getframe(1)
        if nest.frame is not frame:
            nest.frame, nest.turns = frame, 0
        nest.turns += 1
        if nest.turns >= _PATIENCE:
            _hold(nest, frame)
    _signal(_TURN)


def _turn_held(code, origin, target):
    """A turn, when nothing adds up any more."""
    _signal(_MARK)
    if sys._getframe(1) is not _frame:
        _slate[_ELSEWHERE] = 1
        _signal(_MARK)
        return
    if _place(code, origin, target) is not _nest:
        _slate[_STATE] = _VOID
    _slate[_GROWTH], _slate[_GROWING] = _slate[_GROWING], 0
    _signal(_TURN)


def _hold(nest, frame):
    """From now on nothing adds up in this loop."""
    global _nest, _frame
    _nest, _frame = nest, frame
    variables = frame.f_locals
    for name in nest.names:
        value = variables.get(name)
        if type(value) is list and sys.getrefcount(value) == _references(("value",), {"value": []}):
            _lists[id(value)] = frozenset(map(id, value[-_KNOWN:]))
    value = variables = None
    for function, held in _HELD.items():
        function.__code__ = held.__code__
    _slate[_STATE] = _HOLDING
    sys.monitoring.register_callback(TOOL, sys.monitoring.events.JUMP, _turn_held)


def _references(names, variables):
    """What `sys.getrefcount` says of an object that one variable holds, asked as it is above."""
    for name in names:
        value = variables.get(name)
        return sys.getrefcount(value)


# -- what a loop calls to add up

def _add(value, more):
    value += more
    return value


def _subtract(value, less):
    value -= less
    return value


def _assign(value, new):
    return new


def _append(value, item):
    value.append(item)


# -- and the code of these functions once nothing adds up any more

# Kinds of which the second is added to the first without a change of kind, and without an error that depends on the first.
_NUMBERS = {(int, int), (int, bool), (float, float), (float, int), (float, bool)}


def _add_held(value, more):
    _signal(_MARK)
    try:
        if _is_free(value):
            value += more
        elif type(value) is list:
            _grow(_of_items(more, _lists[id(value)]) if type(more) is list else _UNKNOWN_SIZE)
        elif type(value) is str is type(more):
            _grow(_COPIES * (sys.getsizeof(more) - _EMPTY_TEXT))
        elif (type(value), type(more)) not in _NUMBERS:
            _slate[_STATE] = _VOID
    finally:
        _signal(_MARK)
    return value


def _subtract_held(value, less):
    _signal(_MARK)
    try:
        if _is_free(value):
            value -= less
        elif (type(value), type(less)) not in _NUMBERS:
            _slate[_STATE] = _VOID
    finally:
        _signal(_MARK)
    return value


def _assign_held(value, new):
    _signal(_MARK)
    _slate[_ASSIGNED] = 1
    try:
        if _is_free(value):
            value = new
        elif type(value) is not type(new):
            _slate[_STATE] = _VOID
        elif type(value) is list:
            more = len(new) - len(value)
            _grow(_of_items(new[:more] + new[-more:], _lists[id(value)]) if more > 0 else 0)
        elif type(value) is str:
            _grow(_COPIES * max(sys.getsizeof(new) - sys.getsizeof(value), 0))
        elif type(value) is not int and type(value) is not float:
            _slate[_STATE] = _VOID
    finally:
        _signal(_MARK)
    return value


def _append_held(value, item):
    _signal(_MARK)
    try:
        if type(value) is not list or _is_free(value):
            value.append(item)
        else:
            _grow(_of_items((item,), _lists[id(value)]))
    finally:
        _signal(_MARK)


_HELD = {_add: _add_held, _subtract: _subtract_held, _assign: _assign_held, _append: _append_held}


def _is_free(value):
    """Whether this is a variable of another frame, or an object that something else may hold."""
    return sys._getframe(2) is not _frame or type(value) is list and id(value) not in _lists


def _grow(size):
    _slate[_GROWING] = min(_slate[_GROWING] + size, 1 << 30)


def _of_items(items, known):
    """Bytes that these would take in a list."""
    return sum([_PLACE + (0 if id(item) in known else _size(item, 3)) for item in items])


def _size(value, depth):
    """Bytes of an object, with what a container holds."""
    kind = type(value)
    if value is None or kind is bool or kind is int and -5 <= value <= 256:
        return 0
    if kind in (int, float, str, bytes):
        return sys.getsizeof(value) + 16
    if kind in (tuple, list) and depth and len(value) <= 64:
        return sys.getsizeof(value) + 16 + sum([_size(item, depth - 1) for item in value])
    return _UNKNOWN_SIZE


def _code_within(codes):
    """These code objects and those in them."""
    waiting = list(codes)
    while waiting:
        code = waiting.pop()
        yield code
        waiting += [c for c in code.co_consts if type(c) is types.CodeType]


def arm(codes, filename, source, prelude):
    """Watch these code objects and all within them.

    → code to run in their place, where code and the harness's own lie in memory, as (address, size), and the address of the slate.
    `source`: the text in which variables may add up; `prelude`: the problem's, before it.
    """
    global armed, _nests, _filename
    armed = True
    callback = _turn
    try:
        nests, code = accumulators.prepare(source, filename, prelude, (_add, _subtract, _assign, _append))
    except BaseException:
        nests = []
    if nests:
        callback, codes, _nests, _filename = _turn_counted, [*codes[:-1], code], nests, filename
    monitoring = sys.monitoring
    monitoring.use_tool_id(TOOL, "loops")
    monitoring.register_callback(TOOL, monitoring.events.JUMP, callback)
    found = [value.__code__ for value in globals().values() if type(value) is types.FunctionType]
    for code in _code_within((RUN, EVALUATE, turn_some.__code__, *codes)):
        found.append(code)
        monitoring.set_local_events(TOOL, code, monitoring.events.JUMP)
    places = tuple((id(code), code.__sizeof__()) for code in {id(code): code for code in found}.values())
    return codes, places, _slate.buffer_info()[0]
