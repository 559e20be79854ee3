"""What these tests ask again and again."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Coroutine
from typing import Any, TypeVar

from prefect_ledger import Run, search_runs

T = TypeVar("T")


def the_run(experiment: str) -> Run:
    """The one run of this experiment."""
    (run,) = search_runs(experiment)
    return run


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run``, without a word about the sockets that Prefect's client leaves to the collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            return asyncio.run(work)
        finally:
            gc.collect()
