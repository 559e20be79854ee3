"""Floor 2. What is done around a fork, in an order of ours, whichever module was imported first.

Before the fork hooks run in rising order, in the parent afterwards in falling order, in the child in rising order. None may raise.

``logging`` is imported first, because it takes its lock at every fork, and hooks that were registered later run earlier: else ours
would wait, with that lock taken, for threads that import modules which ask for loggers.
"""

from __future__ import annotations

import logging as _registers_first  # noqa: F401
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

Hook = Callable[[], None]


def _nothing() -> None:
    """No hook."""


@dataclass(frozen=True)
class _Around:
    order: int
    before: Hook
    in_parent: Hook
    in_child: Hook


PATIENCE = 2.0  # seconds that a fork waits in all for threads that use the store
_hooks: list[_Around] = []
_waits_until: float | None = None
_one = threading.RLock()  # one fork at a time: what a hook holds for one thread must not be let go by another


def around(order: int, *, before: Hook = _nothing, in_parent: Hook = _nothing, in_child: Hook = _nothing) -> None:
    """Have these run around every fork of this process. Hooks with the lower ``order`` are the outer ones."""
    _hooks.append(_Around(order, before, in_parent, in_child))
    _hooks.sort(key=lambda hook: hook.order)


def patience_left() -> float:
    """Seconds that this fork may still wait for threads that use the store: the hooks share them, from the first that asks on."""
    global _waits_until
    now = time.monotonic()
    if _waits_until is None:
        _waits_until = now + PATIENCE
    return max(0.0, _waits_until - now)


def _before() -> None:
    global _waits_until
    _one.acquire()
    _waits_until = None
    done: list[_Around] = []
    # Asked anew each time: while a hook waits for a thread that is importing, that thread may bring the next hook.
    while (hook := next((hook for hook in _hooks if hook not in done), None)) is not None:
        hook.before()
        done.append(hook)


def _in_parent() -> None:
    for hook in reversed(_hooks):
        hook.in_parent()
    _one.release()


def _in_child() -> None:
    global _one
    _one = threading.RLock()
    for hook in _hooks:
        hook.in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
