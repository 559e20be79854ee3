"""Floor 1. The audit log as a chain: each row's hash covers its whole text and the hash of the row before it. Pure.

A chain of hashes is old craft (Haber and Stornetta, "How to time-stamp a digital document", Journal of Cryptology 3, 1991): whoever knows
its head can tell that no row before it was changed, removed or put in. Whoever can rewrite every row and the head too can forge the whole,
so a head that is to prove something is kept where the database's owner does not reach.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from operator import itemgetter
from typing import Any

from orjson import loads

GENESIS = "0" * 64  # the hash before the first row
COLUMNS = ("seq", "at", "action", "model_id", "version", "actor", "strength", "evidence")  # of the text, which a row also has as columns
_columns = itemgetter(*COLUMNS)


def canonical(fields: Mapping[str, Any]) -> str:
    """One text for the same fields, in whatever order they come.

    Example:
        >>> canonical({"b": 1, "a": "é"})
        '{"a":"é","b":1}'
    """
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


def link(previous: str, content: str) -> str:
    """The hash of a row: sha256 (hex) of the previous row's hash, a line break and its text."""
    return sha256(f"{previous}\n{content}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Verified:
    """What walking the chain found. ``broken`` is the number of the first row that does not hold, None when all do; ``disagreements`` say
    where the registry's tables are not what the log says."""

    rows: int
    head: str
    broken: int | None = None
    reason: str = ""
    disagreements: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether every row holds, and the tables are what they say."""
        return self.broken is None and not self.disagreements


def verify(
    rows: Iterable[tuple[Any, ...]], seq: int, head: str, anchor: str = "", each: Callable[[Mapping[str, Any]], object] | None = None
) -> Verified:
    """Walk all rows, in order, from the first to the head.

    Args:
        rows: :data:`COLUMNS`, then content and hash.
        seq: the number of the last row.
        head: its hash, as the head says.
        anchor: a hash that some row must have: one that was kept elsewhere.
        each: is given what each row says that holds.
    """
    previous, number, met = GENESIS, 0, anchor in ("", GENESIS)
    width = len(COLUMNS)
    for expected, row in enumerate(rows, 1):
        content, found = row[width], row[width + 1]
        if row[0] != expected:
            lost = f"row {expected} is missing" if row[0] > expected else f"row {row[0]} stands where row {expected} ought to"
            return Verified(number, previous, expected, lost)
        if sha256(f"{previous}\n{content}".encode("utf-8", "surrogatepass")).hexdigest() != found:
            return Verified(number, previous, expected, f"row {expected} was changed, or one before it: its hash is not that of its text")
        try:
            text = _decoded(content)
            same = _columns(text) == row[:width]
        except (ValueError, TypeError, KeyError, RecursionError):
            same = False
        if not same:
            return Verified(number, previous, expected, f"row {expected} was changed: its columns are not what its text says")
        if each is not None:
            each(text)
        previous, number, met = found, expected, met or found == anchor
    return _ended(number, previous, seq, head, "" if met else anchor)


def _decoded(content: str) -> Any:
    """What a text says: by the quick way where that can, which knows no numbers beyond 64 bits.

    Raises:
        ValueError, RecursionError: it is no JSON.
    """
    try:
        return loads(content)
    except ValueError:
        return json.loads(content)


def _ended(number: int, last: str, seq: int, head: str, missed: str) -> Verified:
    """What is found of rows that all hold: whether they end where the head says, and whether an anchor was missed."""
    if number > seq:
        return Verified(number, last, seq + 1, f"row {seq + 1} is beyond the head, which says that the last row is {seq}")
    if number < seq:
        return Verified(number, last, number + 1, f"row {number + 1} is missing: the head says that the last row is {seq}")
    if last != head:
        return Verified(number, last, number, f"the head says that row {number} has the hash {head}, it has {last}")
    if missed:
        return Verified(number, last, 1, f"no row has the hash {missed} that was kept: the chain was written anew")
    return Verified(number, last)
