"""Floor 3. What the latest of matching runs have: which parameters, metrics and tags, how many of them, and with which values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_ledger.database import rows
from prefect_ledger.expressions import Operand
from prefect_ledger.queries.details import OF_USERS

if TYPE_CHECKING:
    import sqlalchemy as sa

LATEST = 100  # runs that are looked at: what they have is what the others have, but for what was logged long ago alone
_ASKED = {
    "sqlite": "json_each(?) a JOIN runs r ON r.id = a.value",
    "postgresql": "unnest(?::text[]) AS a (value) JOIN runs r ON r.id = a.value",
}
_OWN = "x.run_id = r.id AND x.attempt = r.attempt"
_KEYS = {
    "param": f"SELECT x.key, COUNT(*), MIN(x.head), MAX(x.head) FROM {{asked}} JOIN params x ON {_OWN} GROUP BY x.key",
    "metric": f"SELECT x.key, COUNT(*), MIN(x.lv), MAX(x.lv) FROM {{asked}} JOIN metrics x ON {_OWN} WHERE {OF_USERS.format(key='x.key')}"
    " GROUP BY x.key",
    "tag": "SELECT x.key, COUNT(*), MIN(x.value), MAX(x.value) FROM {asked} JOIN tags x ON x.run_id = r.id WHERE x.value IS NOT NULL"
    " GROUP BY x.key",
}
_VALUES = {
    "param": f"SELECT x.key, x.value, COUNT(*) FROM {{asked}} JOIN params x ON {_OWN} WHERE x.value = x.head GROUP BY x.key, x.value",
    "tag": "SELECT x.key, x.value, COUNT(*) FROM {asked} JOIN tags x ON x.run_id = r.id WHERE LENGTH(x.value) <= 64"
    " GROUP BY x.key, x.value",
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key that runs have: how many of those that were looked at, and whether it is the same in all that have it."""

    operand: Operand
    runs: int
    same: bool


@dataclass(frozen=True, slots=True)
class Census:
    """What was found in ``runs`` runs: keys of each kind, those that most have first, then by name."""

    runs: int
    keys: tuple[Key, ...]


def keys(tx: sa.Connection, ids: Sequence[str]) -> Census:
    """The keys that these runs have; metrics of the machine are not among them."""
    found = [Key(Operand(kind, key), count, low == high) for kind, text in _KEYS.items() for key, count, low, high in _rows(tx, text, ids)]  # type: ignore[arg-type]
    return Census(len(ids), tuple(sorted(found, key=lambda one: (-one.runs, one.operand.kind, one.operand.key))))


def values(tx: sa.Connection, ids: Sequence[str], most: int) -> list[tuple[Operand, str, int]]:
    """Short values of parameters and tags, and how many of these runs have them: by key, those that most have first.

    Keys with more than ``most`` values are left out, for a value of theirs says little about others.
    """
    by_key: dict[Operand, list[tuple[str, int]]] = {}
    for kind, text in _VALUES.items():
        for key, value, count in _rows(tx, text, ids):
            by_key.setdefault(Operand(kind, key), []).append((value, count))  # type: ignore[arg-type]
    return [
        (operand, value, count)
        for operand, found in sorted(by_key.items(), key=lambda pair: (pair[0].kind, pair[0].key))
        if len(found) <= most
        for value, count in sorted(found, key=lambda pair: (-pair[1], pair[0]))
    ]


def _rows(tx: sa.Connection, text: str, ids: Sequence[str]) -> list[tuple[Any, ...]]:
    one = list(ids) if tx.dialect.name == "postgresql" else json.dumps(list(ids))
    return rows(tx, text.format(asked=_ASKED[tx.dialect.name]), [one])
