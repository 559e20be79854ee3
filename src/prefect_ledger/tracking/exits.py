"""Floor 5. How this program is being left: what a run that was opened without a ``with`` block ends with.

Python tells an exit handler of an uncaught exception, and of SystemExit nothing at all: neither that there was one, nor its code. So the
frame of the main module is kept, which shows where it stopped, and ``sys.exit``, ``exit`` and ``quit`` are replaced by functions that do
the same and remember the code. A SystemExit raised by hand leaves no code behind. Raised in a function, it counts as a failure. Raised
by the main module itself, its code is read where the text says it, as in ``raise SystemExit(3)``, also through a variable; where it is
worked out, as in ``raise SystemExit(main())``, it is taken for the end of a program that went through.
"""

from __future__ import annotations

import itertools
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import ast

_UNKNOWN = object()
_main: FrameType | None = None
_code: object = _UNKNOWN  # of the last sys.exit in the main thread


def watch() -> None:
    """From here on, know how the program is left. Again is the same as once."""
    global _main
    if _main is None:
        _main = _main_frame()
    if sys.exit is not _exit:
        pythons, sys.exit = sys.exit, _exit
        names = _main.f_globals if _main is not None else {}
        names.update({name: _exit for name, value in names.items() if value is pythons})  # from sys import exit
        _remember_quitters()


def error_left_with() -> BaseException | None:
    """What the program is being left with: None when it went through, or at a prompt, where an error is only the last thing that went
    wrong."""
    if hasattr(sys, "ps1"):
        return None
    shown: BaseException | None = getattr(sys, "last_value", None)
    if shown is not None or _main is None:
        return shown
    stopped = _stopped_at(_main)
    if stopped.startswith("RETURN"):
        return None
    if stopped == "RAISE_VARARGS":  # not by sys.exit, whatever was called before
        code = _written(_main)
        return None if code is _UNKNOWN else SystemExit(code)
    if _code is not _UNKNOWN:
        return SystemExit(_code)
    return None if _runs(_main) else SystemExit("of unknown code")


def _exit(status: Any = None, /) -> NoReturn:
    """As Python's own."""
    _remember(status)
    raise SystemExit(status)


def _remember(status: object) -> None:
    global _code
    if threading.current_thread() is threading.main_thread():
        _code = status


def _remember_quitters() -> None:
    """``exit`` and ``quit``, which are there for prompts and are used in scripts as well."""
    import builtins

    kind: Any = type(getattr(builtins, "exit", None))
    call = getattr(kind, "__call__", None)  # noqa: B004  # it is to be replaced
    if kind.__module__ == "_sitebuiltins" and call is not None:

        def quit_remembered(self: object, code: object = None) -> None:
            _remember(code)
            call(self, code)

        kind.__call__ = quit_remembered


def _main_frame() -> FrameType | None:
    """The frame in which the main module's own code runs."""
    names = getattr(sys.modules.get("__main__"), "__dict__", None)
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None and (frame.f_globals is not names or frame.f_code.co_name != "<module>"):
        frame = frame.f_back
    return frame


def _stopped_at(frame: FrameType) -> str:
    """The instruction it came to."""
    import dis

    return dis.opname[frame.f_code.co_code[frame.f_lasti]] if frame.f_lasti >= 0 else ""


def _written(frame: FrameType) -> object:
    """The code of the ``raise SystemExit(code)`` at which it stopped, as far as the program's text says it."""
    import ast
    import linecache

    first, last, left, right = next(itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), (None,) * 4)
    try:
        tree = ast.parse("".join(linecache.getlines(frame.f_code.co_filename)))
    except (SyntaxError, ValueError, RecursionError):  # not Python's text, or another one by now
        return _UNKNOWN
    for node in ast.walk(tree):
        match node:
            case ast.Raise(exc=ast.Call(func=ast.Name("SystemExit"), args=[code], keywords=[])) if (
                node.lineno,
                node.end_lineno,
                node.col_offset,
                node.end_col_offset,
            ) == (first, last, left, right):
                return _value(code, frame.f_globals)
    return _UNKNOWN


def _value(code: ast.expr, names: dict[str, Any]) -> object:
    """What stands there, or in that variable."""
    import ast

    if isinstance(code, ast.Name):
        return names.get(code.id, _UNKNOWN)
    try:
        found: object = ast.literal_eval(code)
    except ValueError:
        return _UNKNOWN
    return found


def _runs(frame: FrameType) -> bool:
    """Whether it still runs, as in a forked child that never comes back to it."""
    here = sys._current_frames().get(threading.main_thread().ident or 0)
    while here is not None and here is not frame:
        here = here.f_back
    return here is frame
