"""Floor 5. Whether a model that is logged can still be used: fetched, checked, opened, and asked for its own example."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from prefect_ledger.errors import LedgerError, ModelUnusable
from prefect_ledger.tracking.models import copy_to


class Tried(NamedTuple):
    """What was tried: the model's id and digest, whether it had an example to predict, and the seconds of opening and of that.

    ``example`` is that example, data and parameters, and ``answer`` what the model said to it.
    """

    model_id: str
    digest: str
    predicted: bool
    opening: float
    predicting: float
    example: tuple[Any, Mapping[str, Any] | None] | None = None
    answer: Any = None


def try_model(ref: str, *, trust: bool = False) -> Tried:
    """Fetch the model that ``ref`` means, every digest checked, open it, and have it predict its input example where it has one.

    Raises:
        ModelUnusable: it does not open, or raises for its own example; the message has its words. What ``load_model`` raises where it is
        not there or not what was logged.

    Example:
        >>> from prefect_ledger import start_run
        >>> with start_run(experiment="docs") as run:
        ...     logged = run.log_model(lambda data: [2 * x for x in data], "double", input_example=[1.0, 2.0])
        >>> try_model(logged.uri).predicted
        True
    """
    from prefect_ledger.models import examples
    from prefect_ledger.models.opening import open_folder

    with tempfile.TemporaryDirectory(prefix="prefect-ledger-model-", ignore_cleanup_errors=True) as name:
        folder, begun = Path(name), time.perf_counter()
        model = copy_to(ref, folder)
        try:
            opened = open_folder(folder, trusted=trust or model is not None, place=ref)
            predictor = opened.predictor({})
            opening, begun = time.perf_counter() - begun, time.perf_counter()
            example = examples.read(folder, predictor.file.example) if predictor.file.example else None
            answer = None if example is None else predictor.predict(*example)
        except LedgerError as error:
            raise ModelUnusable(f"{ref} cannot be used: {error}") from error
        except Exception as error:  # a model's own code
            raise ModelUnusable(f"{ref} cannot be used: {type(error).__name__}: {error}") from error
        told = ("", "") if model is None else (model.id, model.digest)
        return Tried(*told, example is not None, opening, time.perf_counter() - begun, example, answer)
