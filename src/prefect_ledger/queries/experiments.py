"""Floor 3. Experiments as values: by name or id, and by filter. A deleted one keeps its name."""

from __future__ import annotations

import itertools
from types import MappingProxyType
from typing import TYPE_CHECKING

from prefect_ledger.database import rows
from prefect_ledger.entities import Experiment, to_datetime
from prefect_ledger.errors import ExperimentNotFound, InvalidFilter, InvalidValue
from prefect_ledger.events import clean
from prefect_ledger.expressions import Operand, parse_filter
from prefect_ledger.names import DEFAULT_EXPERIMENT
from prefect_ledger.queries.filters import Column, Sql, condition, know_letters

if TYPE_CHECKING:
    import sqlalchemy as sa

_PART = 1_000
_ATTRIBUTES = {
    "run_name": "e.name",
    "experiment": "e.name",
    "experiment_id": "e.id",
    "start_time": "e.created",
    "description": "NULLIF(e.description, '')",
}


def find(tx: sa.Connection, wanted: str | int) -> int:
    """The id of the experiment of this name, else of this id (also as text); a deleted one too.

    Raises:
        ExperimentNotFound: there is none; the message offers near names. InvalidValue: neither text nor a number.
    """
    if isinstance(wanted, bool) or not isinstance(wanted, str | int):
        raise InvalidValue(f"an experiment is given by its name or id, not by {type(wanted).__name__}: {wanted!r}")
    by_name = "SELECT id FROM experiments WHERE name = ?"
    if isinstance(wanted, str) and clean(wanted) == wanted and (found := rows(tx, by_name, [wanted])):
        return int(found[0][0])
    text = str(wanted)
    if text.isascii() and text.isdecimal() and len(text) <= 18 and rows(tx, "SELECT 1 FROM experiments WHERE id = ?", [int(text)]):
        return int(text)
    raise _not_found(tx, text)


def get(tx: sa.Connection, number: int) -> Experiment:
    """The experiment of this id.

    Raises:
        ExperimentNotFound.
    """
    found = _read(tx, Sql("SELECT id, name, lifecycle, created, description FROM experiments WHERE id = ?", (number,)))
    if not found:
        raise _not_found(tx, str(number))
    return found[0]


def search(tx: sa.Connection, filter: str = "", *, lifecycle: str = "active", limit: int = 1_000) -> list[Experiment]:  # noqa: A002
    """Experiments that match, the latest made first. A filter knows name, experiment_id, created, description and ``tags.<key>``.

    Raises:
        InvalidFilter: it does not parse, or asks for something an experiment does not have.
    """
    know_letters(tx)
    where = [] if lifecycle == "all" else [Sql("e.lifecycle = ?", (lifecycle,))]
    if (node := parse_filter(filter)) is not None:
        where.append(condition(node, _Columns(filter)))
    statement = Sql("SELECT e.id, e.name, e.lifecycle, e.created, e.description FROM experiments e")
    for word, part in zip(itertools.chain([" WHERE "], itertools.repeat(" AND ")), where, strict=False):
        statement = statement.plus(word + part.text, *part.params)
    return _read(tx, statement.plus(" ORDER BY e.created DESC, e.id LIMIT ?", limit))


def run_counts(tx: sa.Connection) -> dict[int, tuple[int, int]]:
    """How many active and how many deleted runs each experiment has that has any."""
    text = """SELECT experiment_id, SUM(CASE WHEN lifecycle = 'active' THEN 1 ELSE 0 END),
              SUM(CASE WHEN lifecycle = 'active' THEN 0 ELSE 1 END) FROM runs WHERE experiment_id IS NOT NULL GROUP BY experiment_id"""
    return {row[0]: (int(row[1]), int(row[2])) for row in rows(tx, text)}


def _read(tx: sa.Connection, statement: Sql) -> list[Experiment]:
    found = rows(tx, statement.text, statement.params)
    tags: dict[int, dict[str, str]] = {row[0]: {} for row in found}
    for low in range(0, len(found), _PART):
        part = [row[0] for row in found[low : low + _PART]]
        text = f"SELECT experiment_id, key, value FROM experiment_tags WHERE experiment_id IN ({', '.join('?' * len(part))}) ORDER BY key"
        for number, key, value in rows(tx, text, part):
            tags[number][key] = value
    return [
        Experiment(number, name, lifecycle, to_datetime(created), MappingProxyType(tags[number]), description)
        for number, name, lifecycle, created, description in found
    ]


class _Columns:
    """What a filter can ask of an experiment."""

    def __init__(self, text: str) -> None:
        self._text = text

    def column(self, operand: Operand, *, textual: bool) -> Column:  # noqa: ARG002 - nothing here depends on what stands beside it
        if operand.kind == "tag":
            return Column(Sql("(SELECT t.value FROM experiment_tags t WHERE t.experiment_id = e.id AND t.key = ?)", (operand.key,)))
        if operand.kind != "attribute" or operand.key not in _ATTRIBUTES:
            message = f"an experiment has no {str(operand)!r}; it has name, experiment_id, created, description and tags.<key>"
            raise InvalidFilter(message, text=self._text, position=operand.position)
        return Column(Sql(_ATTRIBUTES[operand.key]))


def _not_found(tx: sa.Connection, wanted: str) -> ExperimentNotFound:
    from difflib import get_close_matches

    names = [row[0] for row in rows(tx, "SELECT name FROM experiments ORDER BY updated DESC, id LIMIT 1000")]
    near = get_close_matches(wanted[:500], names, 3, 0.5) or names[:5] or [DEFAULT_EXPERIMENT]
    return ExperimentNotFound(f"there is no experiment {wanted[:200]!r}; there is {', '.join(map(repr, near))}")
