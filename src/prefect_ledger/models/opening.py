"""Floor 4. Opens a saved model from its folder: as its framework's own object, or as a predictor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect_ledger.models import digests, flavors, own_code, rehearsal, trust
from prefect_ledger.models.flavors.base import Entry, Flavor
from prefect_ledger.models.model_file import FUNCTION, ModelFile, read
from prefect_ledger.models.predictor import Predictor


@dataclass(frozen=True, slots=True)
class Opened:
    """A model that was opened: itself, what its MLmodel file says, and the flavor it was opened in."""

    model: Any
    file: ModelFile
    flavor: Flavor
    entry: Entry
    folder: Path

    @property
    def needs_folder(self) -> bool:
        """Whether the model may still read from its folder: one with code of its own, or with files that it knows as paths."""
        return self.flavor.name == FUNCTION or trust.code_folder(self.folder, self.file, self.entry) is not None

    def predictor(self, about: dict[str, Any] | None = None) -> Predictor:
        """Something to ask."""
        return Predictor(self.flavor.predictor(self.model, self.entry, self.folder), self.file, about or {})


def open_folder(folder: Path, *, trusted: bool = False, place: str = "", rehearsed: bool = False) -> Opened:
    """Open the model in ``folder``; ``place`` names it in errors.

    A file that could end the process where it is damaged, and of which the MLmodel file has no digest, is opened by another process first:
    not where the caller says that this was ``rehearsed``.

    Raises:
        UntrustedModel: opening runs code, and it is not ``trusted``. InvalidValue: no model, or one that does not open.
        MissingExtra: its framework is not installed.
    """
    file = read(folder)
    flavor, entry = flavors.of_file(file)
    trust.check(place or str(folder), trust.dangers(folder, file, flavor, entry), trust=trusted)
    digests.check(folder, file)
    if not rehearsed and (brittle := flavor.brittle(folder, entry)) and not digests.covers(folder, file, brittle):
        rehearsal.check(folder, brittle, trusted=trusted)
    with own_code.importable(code := trust.code_folder(folder, file, entry)):
        model = flavor.load(folder, entry)
    own_code.belongs(code, model)
    return Opened(model, file, flavor, entry, folder)
