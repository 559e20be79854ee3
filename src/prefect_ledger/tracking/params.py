"""Floor 5. Parameters as text: whatever a caller may pass becomes flat ``a.b`` keys with short, masked text.

Two manners. *Strict*, for what a person logs: anything that cannot be a parameter raises at the caller's line. Otherwise, for arguments
that are logged by themselves: nothing raises, keys are made valid, long texts are cut, and data is described and not read.
In both, unknown objects are never iterated, measured or compared; of a stranger only ``str`` is asked, and only if it is no array.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import count, islice
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any
from uuid import UUID

from prefect_ledger.errors import InvalidName, InvalidValue, LedgerError
from prefect_ledger.masking import MASK, is_secret_name, mask_argv, mask_text, mask_value
from prefect_ledger.names import KEY_LIMIT, PARAM_VALUE_LIMIT, check_key
from prefect_ledger.tracking.interruptions import interrupted
from prefect_ledger.tracking.nesting import Entry, entries, unwrapped

KEYS = 1_000  # keys of one call
DEPTH = 10  # levels of nesting
# Masking looks at this much of a text; more is never kept, and a secret that begins in the part kept ends before it.
_WINDOW = 4 * PARAM_VALUE_LIMIT

_BAD = re.compile(r"[^/\w.\- :]")
_PATHED_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(?=[^/]*@)")
_ADDRESS = re.compile(r"\b0x[0-9A-Fa-f]{6,}")
_SEQUENCES = (list, tuple, set, frozenset, deque)
_BYTES = (bytes, bytearray, memoryview)
_SELF_NAMED = (FunctionType, BuiltinFunctionType, MethodType, type)
_AS_STR = (complex, Decimal, Fraction, UUID, timedelta, range)
_KEYS_AS_TEXT = (type(None), int, float, Enum, UUID, date, PurePath, Decimal)
_ARRAY_TALK = ("__array__", "__dataframe__", "__arrow_c_stream__", "__arrow_c_array__")
_CHEAP_SHAPES = frozenset({"numpy", "pandas", "polars", "pyarrow", "scipy", "torch", "jax", "jaxlib", "cupy", "tensorflow"})


def flatten(values: Mapping[str, Any], *, strict: bool = True) -> dict[str, str]:
    """``values`` as parameters: nested values under ``a.b``, lists of scalars as ``[1, 2, 3]``, secrets masked.

    Mappings, dataclasses, pydantic models, attrs classes, named tuples, namespaces and partials are nested; lists that hold such are
    numbered. What a class keeps out of its repr is masked. At most 1,000 keys, 10 levels and 6,000 characters a value; beyond,
    ``strict`` raises, and otherwise a marker that begins with ``…`` or ends the text says what was left out.

    Raises:
        InvalidName: (strict) a key that cannot name a parameter.
        InvalidValue: (strict) a frame or array, an object without a text of its own, too long, too deep, or one key twice.

    Example:
        >>> flatten({"model": {"depth": 6, "betas": (0.9, 0.999)}, "api_key": "xyz"})
        {'model.depth': '6', 'model.betas': '[0.9, 0.999]', 'api_key': '********'}
    """
    if not isinstance(values, Mapping):
        raise InvalidValue(f"parameters are a mapping of names to values, not {type(values).__name__}")
    walk = _Walk(strict)
    try:
        walk.branch("", entries(values) or (), 0)
    except Exception as error:  # a stranger's mapping may raise anything; what it gave until then is kept
        if strict or interrupted(error):
            raise
    return walk.out


class _Walk:
    """One call of :func:`flatten`: the keys so far, and where in the structure it stands."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.out: dict[str, str] = {}
        self.full = False
        self._inside: set[int] = set()

    def branch(self, key: str, parts: Iterable[Entry], depth: int) -> None:
        """Add every part below ``key``; a branch without any stands as ``{}``."""
        empty = True
        for name, value, shown in parts:
            empty = False
            if len(self.out) >= KEYS and not self.full:
                self.full = True
                self._left_out(key, f"over {KEYS:,} keys, the rest was left out")
            if self.full:
                return
            part = self._part(key, name)
            whole = f"{key}.{part}" if key else part
            if shown:
                self.add(whole, part, value, depth)
            else:
                self._put(whole, MASK)
        if empty and depth:  # nothing at all was given where there is no depth yet
            self._put(key, "{}")

    def add(self, key: str, name: str, value: object, depth: int) -> None:
        """Add one value, whose own code may do anything."""
        try:
            self._add(key, name, value, depth)
        except LedgerError:
            raise
        except Exception as error:  # whatever a stranger's __str__ or items() raises, it is not to end the run that was given it
            if interrupted(error):
                raise
            if self.strict:
                raise InvalidValue(f"parameter {key!r}: a {type_name(value)} that cannot be read: {type(error).__name__}") from error
            self._put(key, type_name(value))

    def _add(self, key: str, name: str, value: object, depth: int) -> None:
        value = unwrapped(value)
        parts = entries(value)
        sequence = parts is None and issubclass(type(value), _SEQUENCES)
        if parts is None and not sequence:
            return self._put(key, self._leaf(key, name, value))
        if is_secret_name(name):
            return self._put(key, MASK)
        if id(value) in self._inside:
            return self._left_out(key, "it holds itself")
        if depth >= DEPTH:
            return self._left_out(key, f"nested deeper than {DEPTH} levels")
        self._inside.add(id(value))
        try:
            return self.branch(key, parts, depth + 1) if parts is not None else self._sequence(key, value, depth + 1)
        finally:
            self._inside.discard(id(value))

    def _sequence(self, key: str, value: Any, depth: int) -> None:
        text, whole = _list_text(value, 1)
        if text is None:
            return self.branch(key, ((index, item, True) for index, item in enumerate(value)), depth)
        if not whole:
            self._refuse(key, f"a {type(value).__name__} of {len(value):,} items is too long: log_dict keeps it whole")
            marker = f", … ({len(value):,} items)]"
            text = text[: PARAM_VALUE_LIMIT - len(marker)].rpartition(", ")[0] + marker  # no number cut in the middle
        return self._put(key, text)

    def _leaf(self, key: str, name: str, value: Any) -> str:
        kind = type(value)
        if issubclass(kind, _BYTES) and not is_secret_name(name):
            self._refuse(key, f"{kind.__name__} are not text: decode them, or log them as an artifact")
            return f"{kind.__name__} ({memoryview(value).nbytes:,})"
        value = mask_value(name, self._windowed(key, str.__str__(value)) if issubclass(kind, str) else value)
        text = scalar(value)
        if text is not None:
            return text
        if _is_array(kind):
            self._refuse(key, f"a {type_name(value)} is data, not a parameter: log it with a Dataset annotation")
            return _describe_array(value)
        return self._own_text(key, value)

    def _own_text(self, key: str, value: object) -> str:
        text = str(value)
        if not text or _ADDRESS.search(text, 0, _WINDOW):
            if callable(value) and isinstance(getattr(value, "__qualname__", None), str):
                return _qualified(value)  # a function in a wrapper, such as numpy.mean
            self._refuse(key, f"a {type_name(value)} has no text of its own: log what matters of it, such as its name or settings")
            return type_name(value)
        return mask_text(self._windowed(key, text))

    def _windowed(self, key: str, text: str) -> str:
        if len(text) <= _WINDOW:
            return text
        self._refuse_length(key, len(text))
        return _cut(mask_text(text[:_WINDOW]), f"… ({len(text):,} characters)")

    def _part(self, key: str, name: object) -> str:
        """One part of a key."""
        if self.strict:
            return key_part(name, "parameter", key)
        if issubclass(type(name), str):
            return mask_text(str.__str__(name)[:_WINDOW])
        return _item_text(name, 1) or type_name(name)

    def _put(self, key: str, text: str) -> None:
        if not self.strict:
            self.out[self._free(_valid(key))] = _cut(text, f"… ({len(text):,} characters)") if len(text) > PARAM_VALUE_LIMIT else text
            return
        check_key(key, "parameter")
        if key in self.out:
            raise InvalidValue(f"parameter {key!r} is given twice, once nested and once by its whole name, or as text and as a number")
        if len(text) > PARAM_VALUE_LIMIT:
            self._refuse_length(key, len(text))
        self.out[key] = text

    def _free(self, key: str) -> str:
        if key not in self.out:
            return key
        numbered = (f"{key[: KEY_LIMIT - 1 - len(str(n))]}_{n}" for n in count(2))
        return next(name for name in numbered if name not in self.out)

    def _left_out(self, key: str, why: str) -> None:
        self._refuse(key, f"{why}; log_dict keeps a structure of this size")
        self._put(key or "left_out", f"… ({why})")

    def _refuse_length(self, key: str, length: int) -> None:
        self._refuse(key, f"{length:,} characters, at most {PARAM_VALUE_LIMIT:,}: log_text keeps long texts")

    def _refuse(self, key: str, why: str) -> None:
        if self.strict:
            raise InvalidValue(f"parameter {key!r}: {why}" if key else f"parameters: {why}")


# --- texts -------------------------------------------------------------------------------------------------------------


def type_name(value: object) -> str:
    """The qualified name of the type of ``value``, without ``builtins``."""
    return _qualified(type(value))


def key_part(name: object, kind: str, inside: str = "") -> str:
    """``name`` as one part of a key: texts as they are; numbers, enums, dates and the like, as keys of mappings are, by their text.

    Raises:
        InvalidName: anything else.
    """
    if issubclass(type(name), str):
        return str.__str__(name)
    if issubclass(type(name), _KEYS_AS_TEXT) or _numpy_scalar(name):
        return scalar(name) or ""
    raise InvalidName(f"{kind} names are text, not {type_name(name)}" + (f" (in {inside!r})" if inside else ""))


def scalar(value: Any) -> str | None:
    """The text of one plain value, masked; None when it is not plain. Subclasses are read as their base, whatever they override."""
    kind = type(value)
    if value is None or kind is bool:
        return str(value)
    if issubclass(kind, Enum):
        return scalar(value.value) if isinstance(value.value, str | int | float) else str(value.name)
    if issubclass(kind, str):
        return mask_text(str.__str__(value))
    if issubclass(kind, int):
        # Python refuses to write numbers of more than 4,300 digits.
        return int.__repr__(value) if (bits := int.bit_length(value)) < 14_000 else f"int of {bits:,} bits"
    if issubclass(kind, float):
        return float.__repr__(value)
    if issubclass(kind, date | time):
        return str(value.isoformat())
    if issubclass(kind, PurePath):
        return mask_text(_PATHED_URL.sub(r"\1://", str(value)))  # Path("s3://user:secret@host") has lost a slash
    if issubclass(kind, _AS_STR):
        return mask_text(str(value))
    if issubclass(kind, _SELF_NAMED):
        return _qualified(value)
    if issubclass(kind, ModuleType):
        return str(value.__name__)
    return _numpy_text(value) if _numpy_scalar(value) else None


def _numpy_scalar(value: object) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and issubclass(type(value), getattr(numpy, "generic", ()))


def _numpy_text(value: Any) -> str:
    # Times would become bare numbers, and long doubles stay what they are.
    item = value if value.dtype.kind in "mMV" else value.item()
    return mask_text(str(item)) if _numpy_scalar(item) else scalar(item) or mask_text(str(item))


def _list_text(value: Any, depth: int) -> tuple[str | None, bool]:
    """The text of a list of scalars, or of such lists, and whether it is whole; (None, True) when it holds something else."""
    items = list(islice(iter(value), PARAM_VALUE_LIMIT // 2))  # more than can be shown: each takes two characters at least
    if items and all(issubclass(type(item), str) for item in items):
        items = mask_argv([str.__str__(item)[:_WINDOW] for item in items])  # a command line: what follows --token is one
    texts: list[str] = []
    size = 0
    for item in items:
        text = _item_text(item, depth)
        if text is None:
            return None, True
        texts.append(text)
        size += len(text) + 2
        if size > PARAM_VALUE_LIMIT:
            break
    if issubclass(type(value), set | frozenset):
        texts.sort()  # the order of a set of texts differs from process to process
    return "[" + ", ".join(texts) + "]", len(texts) == len(value)


def _item_text(item: Any, depth: int) -> str | None:
    """A scalar as it stands in a list, texts quoted; a list of scalars in brackets; None for anything else."""
    item = unwrapped(item)
    if entries(item) is not None or issubclass(type(item), _BYTES):
        return None
    if issubclass(type(item), _SEQUENCES):
        return _list_text(item, depth + 1)[0] if depth < DEPTH else None
    if issubclass(type(item), str):
        return repr(mask_text(str.__str__(item)[:_WINDOW]))
    return scalar(mask_value("", item))


def _qualified(thing: Any) -> str:
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if not isinstance(name, str):
        return type_name(thing)
    return f"{module}.{name}" if isinstance(module, str) and module != "builtins" else name


def _cut(text: str, marker: str) -> str:
    return text[: PARAM_VALUE_LIMIT - len(marker)] + marker


def _valid(key: str) -> str:
    """``key`` as a key that names.check_key takes."""
    key = _BAD.sub("_", key)[:KEY_LIMIT] or "_"
    try:
        return check_key(key, "parameter")
    except InvalidName:
        key = key.replace("/", "_")
        bare = key.lstrip(".")
        return "_" * (len(key) - len(bare)) + bare


# --- arrays and frames -------------------------------------------------------------------------------------------------


def _is_array(kind: type) -> bool:
    if any(hasattr(kind, name) for name in _ARRAY_TALK) or kind.__name__ in ("DataFrame", "LazyFrame"):
        return True
    return hasattr(kind, "shape") and hasattr(kind, "dtype")


def _describe_array(value: Any) -> str:
    """Such as ``ndarray float64 (3, 4)``; only where asking for it is known to compute nothing, else the type."""
    kind = type(value)
    roots = {base.__module__.partition(".")[0] for base in kind.__mro__}
    if not roots & _CHEAP_SHAPES or not hasattr(kind, "shape"):
        return type_name(value)
    dtype = f" {value.dtype}".replace(" torch.", " ") if hasattr(kind, "dtype") else ""
    return f"{kind.__name__}{dtype} {tuple(int(n) for n in value.shape)}"
