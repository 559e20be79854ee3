"""Floor 5. Models that are served from private copies of their files, each of which goes when its predictor does.

A server that follows a reference opens one model after another, and would otherwise fill its disk.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from prefect_ledger.tracking import models

if TYPE_CHECKING:
    from prefect_ledger.models.predictor import Predictor

_ends: weakref.WeakKeyDictionary[Predictor, weakref.finalize[Any, Predictor]] = weakref.WeakKeyDictionary()


def open_copy(reference: str, *, trust: bool = False) -> Predictor:
    """As :func:`prefect_ledger.load_predictor`; the copy that the model may read from goes with the predictor, or by :func:`drop_copy`."""
    opened, about, folder = models.open_copy(reference, trust)
    predictor = opened.predictor(about)
    if folder is not None:
        _ends[predictor] = weakref.finalize(predictor, folder.cleanup)
    return predictor


def drop_copy(predictor: Predictor) -> None:
    """Remove the copy now; the predictor is asked no more."""
    if (end := _ends.get(predictor)) is not None:
        end()
