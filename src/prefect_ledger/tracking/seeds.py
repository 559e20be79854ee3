"""Floor 5. One seed for all generators of random numbers of a process, recorded with its runs."""

from __future__ import annotations

import os
import secrets
import sys
from typing import Any, SupportsIndex

from prefect_ledger.errors import InvalidValue
from prefect_ledger.tracking import context

VARIABLE = "PREFECT_LEDGER_SEED"  # what a process was told that is to draw what another drew
_LIMIT = 1 << 32  # what numpy takes
# These draw from the functions of ``random``, in threads of their own and whenever it suits them: delays, and identifiers of pings.
_BESIDE: tuple[str, ...] = ("prefect.utilities.math", "prefect._internal._observation_delivery", "websockets.client")
_BESIDE += ("websockets.asyncio.connection", "websockets.sync.connection", "websockets.legacy.protocol", "websockets.legacy.client")
_said: dict[str, Any] = {}


def set_seed(seed: SupportsIndex | None = None) -> int:
    """Seed ``random``, numpy and, where they are imported, PyTorch and TensorFlow; returns the seed, which runs record.

    Without ``seed`` one is drawn: a run that is run again is given the same. Seeds alone do not make every program draw the same:
    threads, GPUs and sets of texts (``PYTHONHASHSEED``) have an order of their own. What Prefect draws beside a flow, for its delays, is
    taken from another generator.

    Raises:
        InvalidValue: no whole number of 0 to 2**32 - 1.

    Example:
        >>> import random
        >>> from prefect_ledger import set_seed
        >>> set_seed(7), random.random()
        (7, 0.32383276483316237)
    """
    number = _number(seed)
    seeded = list(_seed_all(number))
    _said.clear()
    _said.update(seed=number, of=seeded, hash=os.environ.get("PYTHONHASHSEED", "random"))
    if (run := context.current() or (context.resolver() if context.resolver is not None else None)) is not None:
        run.describe({"seeds": said()})
    return number


def said() -> dict[str, Any]:
    """What was seeded in this process, and with what; empty where nothing was."""
    return dict(_said)


def _number(seed: object) -> int:
    if seed is None:
        given = os.environ.get(VARIABLE, "")
        return int(given) if given.isdigit() and int(given) < _LIMIT else secrets.randbelow(_LIMIT)
    try:
        number = seed.__index__() if not isinstance(seed, bool) else -1  # type: ignore[attr-defined]  # what has none raises
    except AttributeError:
        number = -1
    if not 0 <= number < _LIMIT:
        raise InvalidValue(f"a seed is a whole number of 0 to {_LIMIT - 1}, not {seed!r:.80}")
    return int(number)


def _seed_all(number: int) -> Any:
    import random

    for beside in (sys.modules.get(name) for name in _BESIDE):
        if getattr(beside, "random", None) is random:
            beside.random = random.Random()  # type: ignore[union-attr]  # noqa: S311  # theirs, so that a flow's draws are its alone
    random.seed(number)
    yield "random"
    for name, seeding in (("numpy", _numpy), ("torch", _torch), ("tensorflow", _tensorflow)):
        if name == "numpy" or name in sys.modules:
            try:
                seeding(number)
            except ImportError:  # it is not installed
                continue
            yield name


def _numpy(number: int) -> None:
    import numpy as np

    np.random.seed(number)  # the one that code uses which was given no generator of its own


def _torch(number: int) -> None:
    sys.modules["torch"].manual_seed(number)  # of all devices


def _tensorflow(number: int) -> None:
    sys.modules["tensorflow"].random.set_seed(number)
