"""Floor 5. Data as what a run remembers of it: name, digest, rows and schema; the data itself is not kept.

Frameworks are recognised only where they are loaded already, and never imported. The digest is of content: equal data, equal digest,
in every process; another cell, column name, dtype or order, another digest. How the data lies in memory does not matter.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.entities import Dataset as Described
from prefect_ledger.errors import InvalidName, InvalidValue
from prefect_ledger.masking import mask_text
from prefect_ledger.names import check_key

if TYPE_CHECKING:
    from prefect_ledger.tracking.folders import Read

__all__ = ["Described", "check_context", "describe", "family_of", "is_tabular"]

SUPPORTED = "pandas and polars frames and series, pyarrow tables, numpy arrays, scipy sparse matrices, lists of dicts, files and folders"
COLUMNS = 1_000  # of a schema that are kept
_CONTEXT_LIMIT = 250
_TABULAR: Mapping[str, tuple[str, ...]] = {
    "pandas": ("DataFrame", "Series"),
    "numpy": ("ndarray",),
    "polars": ("DataFrame", "Series"),
    "pyarrow": ("Table", "RecordBatch"),
    "scipy.sparse": ("sparray", "spmatrix"),
}


class Content(NamedTuple):
    """What data holds: sha256 as hex, number of rows where it has some, and column → dtype."""

    digest: str
    rows: int | None
    schema: dict[str, Any]


def is_tabular(value: object) -> bool:
    """Whether ``value`` is a frame, series, table or array that :func:`describe` takes: data, not a parameter.

    Touches nothing of the value but its type; an array without dimensions is a number.
    """
    family = family_of(value)
    return family is not None and (family != "numpy" or getattr(value, "ndim", 0) > 0)


def describe(data: Any, *, name: str, context: str = "", cache: Path | None = None, progress: bool | None = None) -> Described:
    """The dataset ``data`` as ``name``: digest (64 hex digits of sha256), rows and schema.

    ``schema`` maps columns to dtypes; of arrays it is ``{"shape": [...], "dtype": ...}``, of files and folders ``{"bytes": ...,
    "files": ...}``. A file's digest is that of its bytes, as ``sha256sum`` prints it. The index of a pandas
    frame counts unless it only numbers the rows. Reads all of the data once: one to five seconds per GB of numbers, about a second per
    two million texts.

    Raises:
        InvalidName: ``name`` cannot name a dataset.
        InvalidValue: data of another kind, or with elements that have no stable form; the message says what is taken.

    Example:
        >>> found = describe([{"x": 1, "y": "a"}], name="train")
        >>> found.rows, found.schema
        (1, {'x': 'int', 'y': 'str'})
    """
    return described(data, name=name, context=context, cache=cache, progress=progress)[0]


def described(
    data: Any, *, name: str, context: str = "", cache: Path | None = None, progress: bool | None = None
) -> tuple[Described, Read | None]:
    """As :func:`describe`; beside it what was read of a file or folder, None for other data."""
    check_key(name, "dataset")
    check_context(context)
    found: Read | None = None
    try:
        if isinstance(data, str | os.PathLike):
            content, source, found = _of_path(_existing(data), cache, progress)
        else:
            content, source = _read(data)
    except InvalidValue as error:
        raise InvalidValue(f"dataset {name!r}: {error}") from error
    except Exception as error:  # a framework raises what it likes for a dtype it cannot convert; callers need to know one class only
        kind = f"{type(data).__module__}.{type(data).__qualname__}"
        raise InvalidValue(f"dataset {name!r}: this {kind} cannot be read: {type(error).__name__}: {error}") from error
    schema = dict(islice(content.schema.items(), COLUMNS))
    if len(content.schema) > COLUMNS:
        schema["…"] = f"{len(content.schema) - COLUMNS:,} more columns"
    return Described(name=name, digest=content.digest, context=context, source=source, rows=content.rows, schema=schema), found


def name_of(data: Any) -> str:
    """The name that ``data`` itself has: a file's or folder's, a Series'; else "dataset"."""
    named = getattr(data, "name", None) if family_of(data) in ("pandas", "polars") and getattr(data, "ndim", 1) == 1 else None
    if isinstance(data, str | os.PathLike):
        named = os.path.basename(os.path.abspath(data))  # noqa: PTH119  # text that is no path is refused later, in words
    try:
        return check_key(named, "dataset")
    except InvalidName:  # a file may be called anything
        return "dataset"


def check_context(context: object) -> None:
    """Refuse what cannot say how a run used its data.

    Raises:
        InvalidValue: not text, or longer than 250 characters.
    """
    if not isinstance(context, str) or len(context) > _CONTEXT_LIMIT:
        raise InvalidValue(f"a dataset's context is a text of at most {_CONTEXT_LIMIT} characters, such as 'train', not {context!r:.80}")


def check_copy(data: object, copy: object) -> None:
    """Refuse a copy of what is not in files.

    Raises:
        InvalidValue.
    """
    if not isinstance(copy, bool):
        raise InvalidValue(f"copy is True or False, not {copy!r:.80}")
    if copy and not isinstance(data, str | os.PathLike):
        raise InvalidValue(
            f"copy=True is for files and folders, not for a {type(data).__name__}: write it to a file and log that, or log_table keeps it"
        )


def family_of(value: object) -> str | None:
    """The module of the frame, table or array that ``value`` is, such as "pandas"; None for anything else."""
    kind = type(value)
    for module, names in _TABULAR.items():
        loaded = sys.modules.get(module)
        if loaded is not None and any(isinstance(c := getattr(loaded, n, None), type) and issubclass(kind, c) for n in names):
            return module
    return None


def _read(data: Any) -> tuple[Content, str]:
    """What ``data`` holds, and where it came from."""
    from prefect_ledger.tracking import frames  # brings numpy

    kind, family = type(data), family_of(data)
    if family is not None:
        readers: dict[str, Callable[[Any], Content]] = {
            "pandas": frames.of_pandas,
            "numpy": frames.of_array,
            "polars": frames.of_polars,
            "pyarrow": frames.of_arrow,
            "scipy.sparse": frames.of_sparse,
        }
        return readers[family](data), f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
    if isinstance(data, list | tuple) and data and all(isinstance(row, Mapping) for row in data):
        return frames.of_records(data), "records"
    raise InvalidValue(f"a {kind.__module__}.{kind.__qualname__} is not data that can be described; taken are {SUPPORTED}")


# --- files -------------------------------------------------------------------------------------------------------------


def _existing(data: os.PathLike[str] | str) -> Path:
    try:
        path = Path(data)
        path.stat()
        if data != "":  # else it would be the folder in which the program runs
            return path
    except (OSError, ValueError):
        pass
    shown = mask_text(os.fspath(data)[:200])
    raise InvalidValue(f"there is no file or folder {shown!r} to describe; taken are {SUPPORTED}") from None


def _of_path(path: Path, cache: Path | None, progress: bool | None) -> tuple[Content, str, Read]:
    from prefect_ledger.tracking import folders

    try:
        found = folders.read(path, cache=cache, progress=progress)
    except OSError as error:
        raise InvalidValue(f"{error.filename or path} cannot be read: {error.strerror or error}") from error
    listing = found.listing
    content = Content(listing.digest, None, {"bytes": listing.size, "files": len(listing.files)})
    return content, mask_text(path.absolute().as_posix()), found
