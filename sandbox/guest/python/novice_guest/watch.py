"""Tell the host of every turn of the submission's loops, so that it can prove a loop endless.

Used only when a test is run again after it took long. At each backward jump of the submission's code the host looks at the
whole memory: had it the same content at an earlier turn, the program will go round for ever (`engine::watch` in the host has the
argument). That argument needs every frame of C code below the loop to be suspended at the same place; the host knows such turns by
the stack pointer, which the calibrating loops here show it.
"""

import sys
import time
import types

TOOL = 4
armed = False
# The signals to the host are looks at the resolution of a clock: calls that allocate nothing that lasts.
_signal, _TURN, _CALIBRATE = time.clock_getres, time.CLOCK_MONOTONIC, time.CLOCK_REALTIME


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
    """Say that one of these loops comes next."""
    _signal(_CALIBRATE)


def _jump(code, origin, target):
    _signal(_TURN)


def arm(codes):
    """Watch these code objects and all within them → where they and the harness's own lie in memory, as (address, size)."""
    global armed
    armed = True
    monitoring = sys.monitoring
    monitoring.use_tool_id(TOOL, "loops")
    monitoring.register_callback(TOOL, monitoring.events.JUMP, _jump)
    found = [(id(_jump.__code__), _jump.__code__.__sizeof__())]
    waiting = [RUN, EVALUATE, turn_some.__code__, *codes]
    while waiting:
        code = waiting.pop()
        found.append((id(code), code.__sizeof__()))
        monitoring.set_local_events(TOOL, code, monitoring.events.JUMP)
        waiting += [c for c in code.co_consts if type(c) is types.CodeType]
    return tuple(found)
