"""Floor 4. Whether a saved model may be opened: what would run its maker's code is opened only when somebody answers for it.

The ledger answers for a model that it has stored itself and whose bytes have the digests it recorded; else the caller does, by
``trust=True``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prefect_ledger.errors import InvalidValue, UntrustedModel
from prefect_ledger.models.model_file import FUNCTION, inside

if TYPE_CHECKING:
    from prefect_ledger.models.flavors.base import Entry, Flavor
    from prefect_ledger.models.model_file import ModelFile


def dangers(folder: Path, file: ModelFile, flavor: Flavor, entry: Entry) -> list[str]:
    """What runs when the model is opened, in words; nothing for a format that only holds data."""
    found = [said] if (said := flavor.danger(folder, entry)) else []
    if code := code_folder(folder, file, entry):
        found.append(f"code that came with it ({code.name}/)")
    return found


def code_folder(folder: Path, file: ModelFile, entry: Entry) -> Path | None:
    """The folder of code that belongs to the model, if it has one.

    Raises:
        InvalidValue: what the MLmodel file names as such is none, or lies outside of the model's folder.
    """
    name = entry.get("code") or file.flavors.get(FUNCTION, {}).get("code")
    if name and not (found := inside(folder, str(name))).is_dir():
        raise InvalidValue(f"the model in {folder} names as the folder of its code what is none: {str(name)!r:.80}")
    return found if name else None


def check(place: str, dangers_: list[str], *, trust: bool) -> None:
    """Refuse to go on.

    Raises:
        UntrustedModel: opening runs code, and nobody answers for it.
    """
    if dangers_ and not trust:
        raise UntrustedModel(
            f"the model at {place} is not opened: it holds {' and '.join(dangers_)}, which runs code, and it does not come from this "
            f"ledger with the digest it was stored with. If you know who made it: trust=True"
        )
