"""Floor 5. Which columns of a source the model is given, and which ones stand beside its answers. Pure."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import InvalidValue, SignatureMismatch

if TYPE_CHECKING:
    from prefect_ledger.models.schema import Signature

_ID = re.compile(r"(?:.*[_\-. ])?(?:id|uuid|guid|key)|(?:id|uuid|guid|key)[_\-. ].*|.*[a-z](?:Id|ID|Uuid|UUID|Key)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Choice:
    """Columns of a source: those for the ``model``, in its order, those that are ``kept``, and ``all`` to be read."""

    model: tuple[str, ...]
    kept: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Each of them once."""
        return tuple(dict.fromkeys(self.model + self.kept))


def is_id(name: str) -> bool:
    """Whether a column is kept when nobody says which ones are.

    Example:
        >>> [is_id(name) for name in ("id", "customer_id", "customerId", "ID_2", "paid", "age")]
        [True, True, True, True, False, False]
    """
    return any(_ID.fullmatch(text) for text in (name, name.lower()))


def choose(names: Sequence[str], signature: Signature | None, *, keep: Sequence[str] | None, columns: Sequence[str] | None) -> Choice:
    """Choose among the columns ``names`` of a source.

    ``keep`` are names and patterns such as ``*``; left out, columns whose names look like an id's. The model is given ``columns``, else
    those of its signature, else all that are not kept.

    Raises:
        InvalidValue: ``keep`` or ``columns`` mean nothing that is there. SignatureMismatch: the source lacks a column of the signature.
    """
    kept = tuple(name for name in names if is_id(name)) if keep is None else _kept(names, keep)
    if columns is not None:
        if lacks := next((name for name in columns if name not in names), None):
            raise InvalidValue(f"the source has no column {lacks!r}{_near(lacks, names)}")
        return Choice(tuple(columns), kept)
    wanted = _signed(names, signature)
    return Choice(tuple(name for name in names if name not in kept) if wanted is None else wanted, kept)


def _kept(names: Sequence[str], keep: Sequence[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for pattern in keep:
        matching = [pattern] if pattern in names else fnmatch.filter(names, pattern)
        if not matching:
            raise InvalidValue(f"no column of the source is meant by keeping {pattern!r}{_near(pattern, names)}")
        found |= dict.fromkeys(matching)
    return tuple(name for name in names if name in found)


def _signed(names: Sequence[str], signature: Signature | None) -> tuple[str, ...] | None:
    if signature is None or signature.inputs is None or not signature.inputs.named:
        return None
    fields: Sequence[Any] = signature.inputs.fields
    by_text = {str(one.name): one for one in fields}
    for text, one in by_text.items():
        if text not in names and getattr(one, "required", True):
            kind = str(getattr(one, "type", one))
            said = f"the source lacks the column {text!r}, which the model wants ({one}){_near(text, names)}"
            raise SignatureMismatch(said, field=text, found="missing", wanted=kind)
    return tuple(text for text in by_text if text in names)


def _near(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, names, 3) or list(names[:8])
    return f"; it has {', '.join(map(repr, close))}{'' if len(close) == len(names) else ', …'}"


def arrow_types(signature: Signature | None) -> Mapping[str, Any]:
    """Arrow's types of the columns that a signature names, for sources that are text."""
    if signature is None or signature.inputs is None or not signature.inputs.named or signature.inputs.tensors:
        return {}
    import pyarrow as pa

    known = {
        "long": pa.int64(),
        "integer": pa.int32(),
        "double": pa.float64(),
        "float": pa.float32(),
        "boolean": pa.bool_(),
        "string": pa.string(),
        "datetime": pa.timestamp("us"),
    }
    fields: Sequence[Any] = signature.inputs.fields
    return {str(one.name): known[str(one.type)] for one in fields if str(one.type) in known}
