"""Floor 5. Whether an error came out of a signal handler: such a one is nobody's mistake here, and goes on to whoever waits for it.

A handler runs wherever the main thread happens to be, which may be the middle of a call that makes the best of whatever a stranger's
object raises. A timeout that is told by a signal must not be taken for such.
"""

from __future__ import annotations

import signal
from types import CodeType
from typing import Any


def interrupted(error: BaseException) -> bool:
    """Whether ``error`` was raised by a signal handler that is installed now."""
    frames = set()
    trace = error.__traceback__
    while trace is not None:
        frames.add(trace.tb_frame.f_code)
        trace = trace.tb_next
    return bool(frames & _handlers())


def _handlers() -> set[CodeType]:
    found = (_code(signal.getsignal(number)) for number in signal.valid_signals())
    return {code for code in found if code is not None}


def _code(handler: Any) -> CodeType | None:
    while hasattr(handler, "func"):  # partial
        handler = handler.func
    for one in (handler, getattr(handler, "__func__", None), getattr(type(handler), "__call__", None)):  # noqa: B004  # the function is wanted
        code = getattr(one, "__code__", None)
        if isinstance(code, CodeType):
            return code
    return None
