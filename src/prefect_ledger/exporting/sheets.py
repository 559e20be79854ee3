"""Floor 5. Tables as text files, CSV, JSON and JSON lines, without any package but what is always there. Every value is exact."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson

from prefect_ledger.exporting.columns import Batch, Coded, Field, Values, listed, spoken_object, spoken_times
from prefect_ledger.unfinished import sync

_QUOTED = re.compile(r'[",\r\n]|^\s|\s$|^$')
_CALCULATES = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of a formula
_ROWS = 1 << 16  # whose texts are in memory at once
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Sheet(Protocol):
    """A table that is being written to a file."""

    def write(self, batch: Batch) -> None:
        """Add rows."""
        ...

    def close(self, *, whole: bool) -> None:
        """No more come; ``whole``: all were written, and the file is forced to the disk."""
        ...


class CsvSheet:
    """CSV of RFC 4180 in UTF-8: nothing is an empty cell, empty text a quoted one; ``NaN``, ``inf`` and ``-inf`` as such.

    ``harmless`` puts an apostrophe before text that a spreadsheet would take for a formula.
    """

    def __init__(self, path: Path, fields: Sequence[Field], *, harmless: bool = False) -> None:
        self._path, self._fields = path, fields
        self._text = _harmless if harmless else _cell
        self._file = path.open("w", encoding="utf-8", newline="")
        self._file.write(",".join(self._text(field.name) for field in fields) + "\n")

    def write(self, batch: Batch) -> None:
        """Add rows."""
        for piece in batch.pieces(_ROWS):
            columns = [self._spoken(field, values) for field, values in zip(self._fields, piece, strict=True)]
            self._file.write("\n".join(map(",".join, zip(*columns, strict=True))) + "\n")

    def close(self, *, whole: bool) -> None:
        """No more come."""
        _close(self._file, self._path, whole=whole)

    def _spoken(self, field: Field, values: Values) -> list[str]:
        if field.kind == "text":
            return _each(values, self._text, "")
        if field.kind == "time":
            return [text or "" for text in spoken_times(values)]
        return _numbers(values, "", ("NaN", "inf", "-inf"))


class JsonSheet:
    """JSON in UTF-8, an object a row: one array, or with ``lines`` a line each. ``"NaN"``, ``"Infinity"`` and ``"-Infinity"`` are texts."""

    def __init__(self, path: Path, fields: Sequence[Field], *, lines: bool) -> None:
        self._path, self._fields, self._lines = path, fields, lines
        self._row = "{" + ",".join(f"{_json_text(field.name)}:".replace("%", "%%") + "%s" for field in fields) + "}"
        self._file = path.open("w", encoding="utf-8", newline="")
        self._rows = 0

    def write(self, batch: Batch) -> None:
        """Add rows."""
        between = "\n" if self._lines else ",\n"
        for piece in batch.pieces(_ROWS):
            columns = [self._spoken(field, values) for field, values in zip(self._fields, piece, strict=True)]
            self._file.write(between if self._rows else "" if self._lines else "[\n")
            self._file.write(between.join(map(self._row.__mod__, zip(*columns, strict=True))))
            self._rows += len(columns[0])

    def close(self, *, whole: bool) -> None:
        """No more come."""
        if whole and self._lines:
            self._file.write("\n" if self._rows else "")
        elif whole:
            self._file.write("\n]\n" if self._rows else "[]\n")
        _close(self._file, self._path, whole=whole)

    def _spoken(self, field: Field, values: Values) -> list[str]:
        if field.kind == "text":
            return _each(values, _json_text, "null")
        if field.kind == "time":
            return [f'"{text}"' if text else "null" for text in spoken_times(values)]
        if field.kind == "object":
            return [orjson.dumps(spoken_object(value)).decode() for value in listed(values)]
        return _numbers(values, "null", ('"NaN"', '"Infinity"', '"-Infinity"'))


def _json_text(text: str) -> str:
    return orjson.dumps(text).decode()


def _close(file: Any, path: Path, *, whole: bool) -> None:
    file.close()
    if whole:
        sync(path)


def _each(values: Values, spoken: Callable[[str], str], nothing: str) -> list[str]:
    """Each text as it is written; the same one is looked at once."""
    if isinstance(values, Coded):
        words = [spoken(word) for word in values.words]
        return [words[code] for code in values.codes.tolist()]
    texts = listed(values)
    known = {text: nothing if text is None else spoken(text) for text in set(texts)}
    return [known[text] for text in texts]


def _numbers(values: Values, nothing: str, odd: tuple[str, str, str]) -> list[str]:
    """Each number in as many digits as it needs; ``odd`` are NaN and the infinities."""
    numbers = listed(values)
    if isinstance(values, np.ndarray) and (values.dtype.kind == "i" or np.isfinite(values).all()):
        return list(map(repr, numbers))
    spoken = {"None": nothing, "nan": odd[0], "inf": odd[1], "-inf": odd[2]}
    return [spoken.get(text, text) for text in map(repr, numbers)]


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _harmless(text: str) -> str:
    return _cell(f"'{text}" if text.startswith(_CALCULATES) and not _NUMBER.fullmatch(text) else text)
