"""Floor 5. What a run remembers of a scoring: the model that was asked, the data it was asked about, and the data that came of it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_ledger.errors import InvalidName
from prefect_ledger.names import check_key
from prefect_ledger.tracking.datasets import COLUMNS, describe

if TYPE_CHECKING:
    from prefect_ledger.scoring.sources import Source
    from prefect_ledger.tracking.runs import ActiveRun

_NAMES = {"model_id": "model_id", "name": "model_name", "version": "model_version", "digest": "model_digest", "uri": "model_uri"}


def remember(run: ActiveRun, about: Mapping[str, str], params: Mapping[str, str]) -> None:
    """Say which model a run asks: as parameters, and its id as a tag, by which all runs that asked it are found."""
    said = {text: about[key] for key, text in _NAMES.items() if about.get(key)}
    run.log_params({**params, **said})
    run.set_tags({key: said[key] for key in ("model_id", "model_name", "model_version") if key in said})


def scored(run: ActiveRun, source: Source, digest: str, rows: int, types: Mapping[str, str]) -> None:
    """Say what the model was asked about."""
    schema = dict(islice(types.items(), COLUMNS))
    run.record_dataset(_name(source.name, "source"), digest, context="source", source=source.place, rows=rows, schema=schema)


def predictions(run: ActiveRun, written: Path, place: Path, rows: int, types: Mapping[str, str]) -> None:
    """Say what came of it: ``written`` holds what will be at ``place``."""
    digest = describe(written, name="predictions").digest
    schema = dict(islice(types.items(), COLUMNS))
    run.record_dataset(_name(place.name, "predictions"), digest, context="predictions", source=str(place), rows=rows, schema=schema)


def _name(text: str, other: str) -> str:
    try:
        return check_key(text, "dataset")
    except InvalidName:  # a file may be called anything
        return other
