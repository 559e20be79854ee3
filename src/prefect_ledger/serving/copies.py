"""Floor 5. Models that are served from private copies of their files, each of which goes when its predictor does.

A server that follows a reference opens one model after another, and would otherwise fill its disk.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger.models.opening import open_folder
from prefect_ledger.tracking.models import copy_to, load_predictor
from prefect_ledger.tracking.references import parse

if TYPE_CHECKING:
    from prefect_ledger.models.predictor import Predictor

_ends: weakref.WeakKeyDictionary[Predictor, weakref.finalize[Any, Predictor]] = weakref.WeakKeyDictionary()


def open_copy(reference: str, *, trust: bool = False) -> Predictor:
    """As :func:`prefect_ledger.load_predictor`; the copy that the model may read from goes with the predictor, or by :func:`drop_copy`."""
    meant = parse(reference)
    if meant.kind == "place" and "://" not in meant.text:
        return load_predictor(reference, trust=trust)
    folder = Path(tempfile.mkdtemp(prefix="prefect-ledger-model-"))
    try:
        model = copy_to(reference, folder)
        about: dict[str, Any] = {"uri": meant.text}
        if model is not None:
            about = {"uri": model.uri, "model_id": model.id, "run_id": model.run_id, "name": model.name, "digest": model.digest}
        opened = open_folder(folder, trusted=trust or model is not None, place=about["uri"])
        predictor = opened.predictor(about)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _ends[predictor] = weakref.finalize(predictor, shutil.rmtree, folder, ignore_errors=True)
    if not opened.needs_folder:
        drop_copy(predictor)
    return predictor


def drop_copy(predictor: Predictor) -> None:
    """Remove the copy now; the predictor is asked no more."""
    if (end := _ends.get(predictor)) is not None:
        end()
