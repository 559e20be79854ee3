"""Floor 4. Opens a saved model from its folder: as its framework's own object, or as a predictor."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect_ledger.models import flavors, trust
from prefect_ledger.models.flavors.base import Entry, Flavor
from prefect_ledger.models.model_file import ModelFile, read
from prefect_ledger.models.predictor import Predictor

_importing = threading.RLock()


@dataclass(frozen=True, slots=True)
class Opened:
    """A model that was opened: itself, what its MLmodel file says, and the flavor it was opened in."""

    model: Any
    file: ModelFile
    flavor: Flavor
    entry: Entry

    def predictor(self, about: dict[str, Any] | None = None) -> Predictor:
        """Something to ask."""
        return Predictor(self.flavor.predictor(self.model, self.entry), self.file, about or {})


def open_folder(folder: Path, *, trusted: bool = False, place: str = "") -> Opened:
    """Open the model in ``folder``; ``place`` names it in errors.

    Raises:
        UntrustedModel: opening runs code, and it is not ``trusted``. InvalidValue: no model, or one that does not open.
        MissingExtra: its framework is not installed.
    """
    file = read(folder)
    flavor, entry = flavors.of_file(file)
    trust.check(place or str(folder), trust.dangers(folder, file, flavor, entry), trust=trusted)
    with _with_code(trust.code_folder(folder, file, entry)):
        return Opened(flavor.load(folder, entry), file, flavor, entry)


@contextlib.contextmanager
def _with_code(code: Path | None) -> Iterator[None]:
    """Have the model's own modules found while it is opened; afterwards those that were not imported are found no more."""
    if code is None:
        yield
        return
    with _importing:
        sys.path.insert(0, str(code))
        try:
            yield
        finally:
            with contextlib.suppress(ValueError):
                sys.path.remove(str(code))
