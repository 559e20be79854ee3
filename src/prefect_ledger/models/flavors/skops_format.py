"""Floor 4. Models in skops' format: written, looked through for the types that opening them has to trust, and read within bounds."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from prefect_ledger.errors import InvalidValue, MissingExtra
from prefect_ledger.models.flavors.base import Entry

_FREE, _TIMES = 64 << 20, 64  # a file may unpack to so many bytes, and to so many times its size
# Of these, class and module alone decide whether skops trusts them; functions and what holds them are looked at by skops itself.
_PLAIN = frozenset(
    "ObjectNode DictNode ListNode TupleNode SetNode JsonNode NdArrayNode BytesNode BytearrayNode SliceNode MaskedArrayNode TypeNode "
    "DTypeNode RandomStateNode SparseMatrixNode TreeNode LossNode".split()
)
_Kind = tuple[Any, Any, Any]  # a node's class, module and loader
_trusted: set[_Kind] = set()  # those that skops was seen to trust by itself, in this process


def dump(model: Any, path: Path, reviewed: AbstractSet[str], extra: str, maker: str) -> frozenset[str] | str:
    """Write it; the types that opening must trust, or why it cannot be opened by ``reviewed`` types alone. No file is left then."""
    try:
        from skops import io
    except ImportError:
        return f"the package 'skops' is not installed (pip install 'prefect-ledger[{extra}]')"
    try:
        io.dump(model, path)
        needed = _needed(path, reviewed)
    except Exception as error:  # noqa: BLE001  # the methods of what is saved are called
        path.unlink(missing_ok=True)
        return f"{type(error).__name__}: {error}"
    if strange := sorted(needed - reviewed):
        path.unlink(missing_ok=True)
        return f"it holds {', '.join(strange[:3])}{' and more' if len(strange) > 3 else ''}, which is not {maker}'s"
    return needed


def _needed(path: Path, reviewed: AbstractSet[str]) -> frozenset[str]:
    """What ``skops.io.get_untrusted_types`` says, which takes half as long as writing the file: it is asked once for each kind of node."""
    from skops import io

    kinds: set[_Kind] = set()

    def note(node: dict[str, Any]) -> None:
        if "__loader__" in node:
            kinds.add((node.get("__class__"), node.get("__module__"), node["__loader__"]))

    with zipfile.ZipFile(path) as packed:
        json.loads(packed.read("schema.json"), object_hook=note)
    named = {kind: f"{kind[1]}.{kind[0]}" for kind in kinds}
    if all(kind[2] in _PLAIN and (kind in _trusted or name in reviewed) for kind, name in named.items()):
        return frozenset(named[kind] for kind in kinds - _trusted)
    needed = frozenset(io.get_untrusted_types(file=path))
    _trusted.update(kind for kind, name in named.items() if kind[2] in _PLAIN and name not in needed)
    return needed


def danger(path: Path, entry: Entry, reviewed: AbstractSet[str], maker: str) -> str:
    """What would run code of its maker when a model in skops' format, or pickled in its place, is opened; "" when nothing would."""
    if entry.get("serialization_format") != "skops":
        return f"a pickle ({path.name})"
    strange = sorted(_asked_types(entry) - reviewed)
    return f"types that are not {maker}'s ({', '.join(strange)})" if strange else ""


def load(path: Path, entry: Entry, reviewed: AbstractSet[str], extra: str, maker: str) -> Any:
    """The model in ``path``. Types that are ``reviewed`` are trusted, and those that its MLmodel file names, for which somebody answers
    where they are not reviewed.

    Raises:
        InvalidValue: it does not read as one, holds other types, or unpacks to far more than its size. MissingExtra: skops is missing.
    """
    asked = _asked_types(entry)
    try:
        from skops import io
        from skops.io.exceptions import UntrustedTypesFoundException
    except ImportError as error:
        raise MissingExtra("skops", extra, need="opening a model in skops' format") from error
    try:
        check_size(path)
        try:
            return io.load(path, trusted=sorted(asked))  # each name more costs time at each node
        except UntrustedTypesFoundException:
            return io.load(path, trusted=sorted(reviewed | asked))
    except Exception as error:  # the file may be anything
        raise InvalidValue(f"{path} does not open as a {maker} model: {type(error).__name__}: {error}") from error


def _asked_types(entry: Entry) -> frozenset[str]:
    """The types that an MLmodel file names as those to be trusted.

    Raises:
        InvalidValue: it says something else there.
    """
    told = entry.get("skops_trusted_types") or []
    if not isinstance(told, list) or not all(isinstance(name, str) for name in told):
        raise InvalidValue(f"skops_trusted_types in the MLmodel file is no list of types but {told!r:.80}")
    return frozenset(told)


def check_size(path: Path) -> None:
    """Refuse a file that would fill the memory.

    Raises:
        ValueError: it unpacks to far more than its size. BadZipFile: it is no such file.
    """
    with zipfile.ZipFile(path) as packed:
        size = sum(one.file_size for one in packed.infolist())
    if size > max(_FREE, _TIMES * path.stat().st_size):
        raise ValueError(f"it unpacks to {size:,} bytes, from {path.stat().st_size:,}")


def schema(path: Path) -> Any:
    """What a file says of its model, as JSON has it.

    Raises:
        ValueError, KeyError, BadZipFile: it is no such file.
    """
    with zipfile.ZipFile(path) as packed:
        return json.loads(packed.read("schema.json"))
