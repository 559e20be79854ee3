"""Floor 5. Puts the files of a model where a deployment serves them from, every one checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prefect_ledger.models.manifest import folder_digest
from prefect_ledger.models.model_file import ModelFile, read


@dataclass(frozen=True, slots=True)
class Placed:
    """A model whose files lie in ``folder``: the reference it was asked for with, its id ("" where it has none), the digest of its files.

    ``trusted``: its files are those that this ledger recorded, so that whoever opens the folder may run what they bring.
    """

    folder: Path
    reference: str
    model_id: str
    digest: str
    trusted: bool
    file: ModelFile


def place(reference: str, folder: Path, *, trust: bool = False) -> Placed:
    """Copy the model that ``reference`` means into the new or empty folder ``folder``.

    ``trust`` is the caller's word for a model that is not of the ledger, such as a folder.

    Raises:
        As :func:`prefect_ledger.load_predictor`, but nothing is opened here.
    """
    from prefect_ledger.tracking import models

    folder.mkdir(parents=True, exist_ok=True)
    known = models.copy_to(reference, folder)
    file = read(folder)
    found = known.digest if known else folder_digest(folder)
    return Placed(folder, reference, known.id if known else file.model_id, found, bool(known) or trust, file)
