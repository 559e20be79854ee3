"""Floor 5. A sha256 of data as values: the same for equal columns and arrays, however they lie in memory, in every process.

Everything that is fed carries its kind and length, so that no two different sequences of feeds look alike. Numbers are little-endian
and go in pieces of bounded size; NaN is one value, as is zero; a missing element is one value whatever it is written with.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any
from uuid import UUID

import numpy as np

from prefect_ledger.errors import InvalidValue

PIECE = 1 << 20  # numbers at a time
TEXTS = 1 << 16  # texts at a time
DEPTH = 32  # levels of nesting in one element
_VERSION = b"prefect-ledger data 1"
_PLAIN = (Decimal, Fraction, UUID, PurePath, dt.timedelta, complex)

Array = np.ndarray[Any, np.dtype[Any]]


class Digest:
    """Takes data in a fixed order and ends in 64 hex digits.

    Example:
        >>> one = Digest("demo")
        >>> one.array(np.array([1.0, 2.0]))
        >>> len(one.hexdigest())
        64
    """

    def __init__(self, kind: str) -> None:
        self._hash = hashlib.sha256(_VERSION)
        self.text(kind)

    def hexdigest(self) -> str:
        """The digest of everything fed so far."""
        return self._hash.hexdigest()

    def text(self, text: str) -> None:
        """Feed one text, such as a name or a dtype."""
        self._framed(b"t", text.encode("utf-8", "surrogatepass"))

    def number(self, number: int) -> None:
        """Feed one whole number, such as a length."""
        self._framed(b"n", number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True))

    def array(self, array: Array) -> None:
        """Feed an array: its dtype, shape and elements in C order, however they lie in memory.

        Raises:
            InvalidValue: an element that has no stable form.
        """
        if isinstance(array, np.ma.MaskedArray):
            self.array(np.ma.getmaskarray(array))
            array = array.filled(np.zeros(1, array.dtype)[0])
        self.text("T" if array.dtype.kind == "T" else array.dtype.newbyteorder("<").str)
        self.text(str(array.shape))
        if array.dtype.names is not None:
            for name in array.dtype.names:  # one by one: between the fields may lie bytes of no meaning
                self.text(name)
                self.array(np.asarray(array[name]))
            return
        for piece in _pieces(array):
            self._piece(piece)

    def texts(self, items: Sequence[Any], missing: Sequence[bool] | Array) -> None:
        """Feed the texts ``items``, of shape (n,), of which those do not count where ``missing``, of shape (n,), is true.

        Raises:
            InvalidValue: an element that has no stable form; other objects than texts are taken one by one.
        """
        for low in range(0, len(items), TEXTS):
            pairs = list(zip(items[low : low + TEXTS], missing[low : low + TEXTS], strict=True))
            if all(gone or type(item) is str for item, gone in pairs):
                coded = [b"" if gone else item.encode("utf-8", "surrogatepass") for item, gone in pairs]
                lengths = [-1 if gone else len(text) for (_, gone), text in zip(pairs, coded, strict=True)]
                self.coded(np.array(lengths, np.int64), b"".join(coded))
            else:
                self.elements([None if gone else item for item, gone in pairs])

    def coded(self, lengths: Array, data: Any) -> None:
        """Feed one piece of at most TEXTS texts: ``lengths`` int64 (n,) in bytes, -1 where missing, and all their UTF-8 in a row."""
        self._framed(b"l", lengths.astype("<i8").tobytes())
        self._framed(b"u", data)

    def elements(self, items: Sequence[Any]) -> None:
        """Feed objects of any kind, one by one: numbers, texts, bytes, times, lists, mappings, sets, arrays.

        Raises:
            InvalidValue: an element that has no stable form.
        """
        self.number(len(items))
        for item in items:
            self._element(item, 0)

    def _framed(self, kind: bytes, data: Any) -> None:
        view = memoryview(data)
        self._hash.update(kind + struct.pack("<q", view.nbytes))
        self._hash.update(view)

    def _piece(self, piece: Array) -> None:
        """Elements alone: the shape that went before tells their number, so that it does not matter how they were cut."""
        dtype = piece.dtype
        if dtype.kind in "OT" or dtype.char in "gG":  # long doubles hold bytes of no meaning
            for item in (piece.astype(str) if dtype.char in "gG" else piece).tolist():
                self._element(item, 0)
            return
        if dtype.kind in "mM":
            piece = piece.view(np.dtype("i8").newbyteorder(dtype.byteorder))
        elif dtype.kind == "c":
            piece = piece.view(np.dtype(f"f{dtype.itemsize // 2}").newbyteorder(dtype.byteorder))
        if piece.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                piece = piece + piece.dtype.type(0)  # a copy, in which -0.0 is 0.0
            piece[np.isnan(piece)] = np.nan
        self._hash.update(np.ascontiguousarray(piece.astype(piece.dtype.newbyteorder("<"), copy=False)).tobytes())

    def _element(self, item: Any, depth: int) -> None:
        kind = type(item)
        if depth > DEPTH:
            raise InvalidValue(f"data nested deeper than {DEPTH} levels, or holding itself, has no digest")
        if is_missing(item):
            self._framed(b"-", b"")
        elif kind is str:
            self.text(item)
        elif kind is bool or kind is int or kind is float:
            self._scalar(item)
        elif isinstance(item, Mapping):
            self._many(b"{", [part for pair in item.items() for part in pair], depth)
        elif isinstance(item, list | tuple):
            self._many(b"[", item, depth)
        elif isinstance(item, set | frozenset):
            self._framed(b"s", "".join(sorted(_alone(part, depth + 1) for part in item)).encode())
        else:
            self._rare(item)

    def _many(self, kind: bytes, parts: Sequence[Any], depth: int) -> None:
        self._framed(kind, struct.pack("<q", len(parts)))
        for part in parts:
            self._element(part, depth + 1)

    def _scalar(self, item: bool | int | float) -> None:
        if isinstance(item, bool):
            self._framed(b"b", b"1" if item else b"0")
        elif isinstance(item, int):
            self.number(item)
        else:
            self._framed(b"f", struct.pack("<d", item + 0.0))

    def _rare(self, item: Any) -> None:
        if isinstance(item, np.generic):
            plain = item.item() if item.dtype.kind in "biuf" else item
            return self.array(np.asarray(item)) if isinstance(plain, np.generic) else self._element(plain, 0)
        if isinstance(item, np.ndarray):
            return self.array(item)
        if isinstance(item, bytes | bytearray | memoryview):
            return self._framed(b"x", bytes(item))
        if isinstance(item, dt.datetime | dt.date | dt.time):
            return self._named(item, item.isoformat())
        if isinstance(item, Enum):
            return self._named(item, item.name)
        if isinstance(item, str):
            return self.text(str.__str__(item))
        if isinstance(item, _PLAIN) or type(item).__module__.partition(".")[0] == "pandas":  # Period, Interval
            return self._named(item, str(item))
        raise InvalidValue(
            f"a {type(item).__module__}.{type(item).__qualname__} in data has no digest: make it text, numbers or bytes first"
        )

    def _named(self, item: Any, text: str) -> None:
        self._framed(b"o", type(item).__name__.encode())
        self.text(text)


def is_missing(item: Any) -> bool:
    """Whether ``item`` is None, NaN, or one of pandas' words for nothing."""
    if item is None:
        return True
    if isinstance(item, float):
        return math.isnan(item)
    pandas = sys.modules.get("pandas")
    return pandas is not None and (item is getattr(pandas, "NaT", None) or item is getattr(pandas, "NA", None))


def _alone(item: Any, depth: int) -> str:
    digest = Digest("element")
    digest._element(item, depth)
    return digest.hexdigest()


def _pieces(array: Array) -> Iterator[Array]:
    """``array`` in C order as one-dimensional pieces of about PIECE elements; no copy of the whole is made."""
    if array.ndim == 0 or array.flags.c_contiguous:
        flat = np.asarray(array).reshape(-1)
        yield from (flat[low : low + PIECE] for low in range(0, flat.size, PIECE))
        return
    rows = max(1, PIECE * len(array) // max(1, array.size))
    for low in range(0, len(array), rows):
        yield from _pieces(np.ascontiguousarray(array[low : low + rows]))
