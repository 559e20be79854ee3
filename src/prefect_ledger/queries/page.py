"""Floor 3. One page of runs, and the token that leads to the next: the sort values of the last row, and of which search they are.

A page begins after those values, not after a number of rows: what is inserted or deleted meanwhile neither hides a run nor shows one twice.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from prefect_ledger import formats, html
from prefect_ledger.entities import Run
from prefect_ledger.errors import InvalidValue
from prefect_ledger.queries.filters import Column, Sql

Place: TypeAlias = Sequence[
    tuple[float | int | str | None, int]
]  # per sort key: the value and whether it is NaN (1), missing (2) or neither (0)
_DIGEST = 8
_SHOWN, _COLUMNS = 25, 6  # rows, and parameters and metrics each, that a notebook shows


class Page(list[Run]):
    """Runs in order. ``next_page`` is what ``page=`` takes for those that follow; None at the end."""

    next_page: str | None

    def __init__(self, runs: Iterable[Run] = (), next_page: str | None = None) -> None:
        super().__init__(runs)
        self.next_page = next_page

    def _repr_html_(self) -> str:
        """What a notebook shows: a row a run, with the parameters that differ and the metrics that most of them have."""
        if not self:
            return "no runs"
        shown = self[:_SHOWN]
        params = [key for key in _often(run.params for run in shown) if len({run.params.get(key) for run in shown}) > 1][:_COLUMNS]
        metrics = _often(run.metrics for run in shown)[:_COLUMNS]
        lines = [
            [
                *(html.text(run.id[:8]), html.text(run.name, longest=40), html.status(str(run.status))),
                *(html.text(formats.moment(run.started_at)), html.text(formats.duration(run.duration))),
                *(html.text(run.params.get(key, ""), longest=40) for key in params),
                *(html.text(formats.number(run.metrics[key]) if key in run.metrics else "") for key in metrics),
            ]
            for run in shown
        ]
        more = [f"{len(self) - _SHOWN:,} more here"] if len(self) > _SHOWN else []
        more += ["others on the next page: page=found.next_page"] if self.next_page else []
        return html.rows(["id", "name", "status", "started", "took", *params, *metrics], lines) + "; ".join(more)


class SortKey(NamedTuple):
    """One column of an order. Values come first in both directions, then NaN, then what is missing."""

    column: Column
    descending: bool
    textual: bool

    def fits(self, place: Any) -> bool:
        """Whether a token can have this as its place in the column."""
        match place:
            case [str(), 0]:
                return self.textual
            case [float() | int() as value, 0]:
                return not self.textual and (isinstance(value, float) or (not isinstance(value, bool) and abs(value) < 2**63))
            case [None, 1 | 2]:
                return True
        return False

    @property
    def selected(self) -> list[Sql]:
        """What a statement must select of it: the value, and whether it is missing where NaN could be taken for that."""
        nan = self.column.nan
        flag = [] if nan is None else [Sql(f"CASE WHEN {nan.text} IS NULL THEN 1 ELSE 0 END", nan.params)]
        return [self.column.value, *flag]

    def order(self, position: int, *, all_there: bool = False) -> str:
        """ORDER BY of what was selected from ``position`` on. ``all_there``: no value is NaN or missing, and an index may help."""
        by = f"{position} {'DESC' if self.descending else 'ASC'}"
        if all_there:
            return by
        return f"{by} NULLS LAST" if self.column.nan is None else f"{by} NULLS LAST, {position + 1}"

    def equal(self, value: Any, kind: int) -> Sql:
        """Rows of the same place."""
        if kind == 0:
            return self.column.value.plus(" = ?", value)
        if kind == 1 and self.column.nan is not None:
            return self.column.nan.plus(" = 1")
        return self.column.is_null(negated=False)

    def after(self, value: Any, kind: int) -> Sql | None:
        """Rows that come later; None where there can be none."""
        if kind == 2:
            return None
        if kind == 1:
            return self.column.is_null(negated=False)
        found = self.column.value
        later = found.plus(f" {'<' if self.descending else '>'} ?", value)
        return Sql(f"({later.text} OR {found.text} IS NULL)", later.params + found.params)


def place_of(keys: Sequence[SortKey], row: Iterable[Any]) -> Place:
    """The place of a row, from what was selected of its sort keys."""
    values = iter(row)
    place: list[tuple[Any, int]] = []
    for key in keys:
        value = next(values)
        missing = 1 if key.column.nan is None else next(values)
        place.append((value, 0 if value is not None else 1 + missing))
    return place


def following(keys: Sequence[SortKey], place: Place) -> Sql:
    """The condition of all rows after ``place``: later by the first key, or tied there and later by the second, and so on."""
    later: list[Sql] = []
    tied = Sql("")
    for key, (value, kind) in zip(keys, place, strict=True):
        if (after := key.after(value, kind)) is not None:
            later.append(Sql(f"({tied.text}{after.text})", tied.params + after.params))
        same = key.equal(value, kind)
        tied = tied.plus(f"{same.text} AND ", *same.params)
    return Sql(f"({' OR '.join(part.text for part in later)})", tuple(value for part in later for value in part.params))


def token(search: str, place: Place) -> str:
    """The token of the page after ``place`` of the search that ``search`` describes."""
    content = json.dumps(place, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_digest(search.encode()) + _digest(content) + content).decode().rstrip("=")


def read_token(text: object, search: str, keys: Sequence[SortKey]) -> Place:
    """The place in a token.

    Raises:
        InvalidValue: not a token, changed, or one of another search.
    """
    whole = b""
    if isinstance(text, str):
        try:
            whole = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            whole = b""
    asked, sound, content = whole[:_DIGEST], whole[_DIGEST : 2 * _DIGEST], whole[2 * _DIGEST :]
    if not content or _digest(content) != sound:
        raise InvalidValue(f"page={str(text)[:60]!r} is not a token of search_runs: give the next_page of its result, unchanged, or None")
    if asked != _digest(search.encode()):
        raise InvalidValue(
            "page= is the token of another search: repeat it with the same experiment, filter, order_by and lifecycle,"
            " or begin with page=None"
        )
    place = json.loads(content)
    if not isinstance(place, list) or len(place) != len(keys) or not all(key.fits(found) for key, found in zip(keys, place, strict=True)):
        raise InvalidValue("page= is a token of another version of prefect-ledger: begin again with page=None")
    return place


def _often(sides: Iterable[Mapping[str, Any]]) -> list[str]:
    """The keys, those that most have first."""
    counts = Counter(key for side in sides for key in side)
    return sorted(counts, key=lambda key: (-counts[key], key))


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:_DIGEST]
