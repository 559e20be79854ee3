"""Floor 4. The digests that a model's own folder holds of the files it is opened from: damage is found before a framework reads it.

They tell what was damaged or mixed up on its way, not who made it: whoever forges the files can forge them too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_ledger.errors import ArtifactCorrupt
from prefect_ledger.models.model_file import inside

if TYPE_CHECKING:
    from prefect_ledger.models.model_file import ModelFile

KEY = "sha256"  # in the MLmodel file; a key that MLflow does not know, and keeps


def of_folder(folder: Path) -> dict[str, str]:
    """The sha256 of every file there is below ``folder``, by its path in it."""
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def check(folder: Path, file: ModelFile) -> None:
    """Hold the files of ``folder`` against the digests in its MLmodel file, where it has some.

    Raises:
        ArtifactCorrupt: a file is not what was saved. InvalidValue: it is not there, or lies outside of the folder.
    """
    told = file.extra.get(KEY)
    for name, digest in told.items() if isinstance(told, Mapping) else ():
        if _sha256(inside(folder, str(name))) != digest:
            raise ArtifactCorrupt(f"{folder / str(name)} is not what was saved: its sha256 differs from the one in MLmodel; copy it again")


def covers(folder: Path, file: ModelFile, path: Path) -> bool:
    """Whether the MLmodel file has a digest of ``path``, which :func:`check` has held it against."""
    told = file.extra.get(KEY)
    return isinstance(told, Mapping) and any(inside(folder, str(name)) == path for name in told)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
