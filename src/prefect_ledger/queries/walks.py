"""Floor 3. The orders that an index can be read in, or at least looked through without the rows: where a page's runs stand first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from prefect_ledger.expressions import Operand, Order
from prefect_ledger.queries.filters import Sql
from prefect_ledger.queries.page import Place

METRIC_COLUMNS = {"last": "lv", "first": "fv", "min": "vmin", "max": "vmax", "mean": "mean", "count": "n"}
HEAD = 64  # characters of a parameter that ``params.head`` has


class Step(NamedTuple):
    """How far a walk goes in one key of the order: ``value`` is the first that it leaves out; None: it goes through all values."""

    position: int
    sign: str
    value: Any


class Start(NamedTuple):
    """What narrows a search: a query for ids, and how far it goes in the order; ``bound``: without ids, that is asked of the order's table.

    ``among`` is another query for ids, all of whose answer is cheaper than to look up each run that stands first in the order.
    """

    ids: Sql | None = None
    bound: Step | None = None
    steps: tuple[Step, ...] = ()
    among: Sql | None = None


class Level(NamedTuple):
    """Runs in the order of one sort key, those that have a value; ``having``: they, and those whose value is NaN."""

    position: int
    id: str
    value: str
    source: Sql
    having: Sql | None
    descending: bool
    indexed: bool
    joined: bool = False  # no index has the order, but the table is best joined first all the same

    @property
    def sign(self) -> str:
        """What a value that comes earlier is, compared with one that comes later."""
        return ">" if self.descending else "<"

    def edge(self, count: int) -> Sql:
        """The value of the run that ``count`` others stand before; NULL where there are no more."""
        order = f" ORDER BY {self.value}{' DESC' if self.descending else ''} LIMIT 1 OFFSET ?"
        return Sql(f"SELECT {self.value} FROM {self.source.text}{order}", (*self.source.params, count))

    def ids(self, edge: Any, *, nan: bool = False) -> Sql:
        """The runs before the edge; where there is none, all that have a value (or ``nan``)."""
        if edge is not None:
            return Sql(f"SELECT {self.id} FROM {self.source.text} AND {self.value} {self.sign} ?", (*self.source.params, edge))
        source = (self.having if nan else None) or self.source
        return Sql(f"SELECT {self.id} FROM {source.text}", source.params)

    def begins_with(self, ids: Sql | None) -> bool:
        """Whether the runs that ``ids`` asks for are the very ones that an index in this order has first."""
        if ids is None or not self.indexed or self.having is None:
            return False
        first = f"SELECT {self.id} FROM {self.having.text} AND {self.value} {'>' if self.descending else '<'}"
        return ids.text.startswith(first) and ids.params[:1] == self.having.params

    def start(self, edge: Any) -> Start:
        """A search among the runs before the edge."""
        step = Step(self.position, self.sign, edge)
        if self.position or not (self.indexed or self.joined):
            return Start(self.ids(edge), steps=(step,))
        return Start(bound=step)

    def restricted(self, place: Place | None) -> Level:
        """The part of it that is not before ``place``."""
        if place is None or place[self.position][1]:
            return self
        later = f" AND {self.value} {'<=' if self.descending else '>='} ?"
        return self._replace(source=self.source.plus(later, place[self.position][0]))


class Walk(NamedTuple):
    """The order's first key, and the one that decides among runs tied there; ``place``: that of the page."""

    first: Level
    second: Level | None
    place: Place | None

    def beyond(self, edge: Any, most: int) -> Sql | None:
        """Where many runs tie at the edge, or few have a value at all: how many (up to ``most``) come before those, and the second key's
        edge among all runs. None where the second key has no such order."""
        if self.second is None or (edge is None and self.first.having is None):
            return None
        if isinstance(edge, str) and len(edge) >= HEAD:  # longer texts that begin so are not tied
            return None
        few, then = self.first.ids(edge, nan=True), self._then(edge).edge(most)
        return Sql(f"SELECT (SELECT COUNT(*) FROM ({few.text} LIMIT ?) AS few), ({then.text})", (*few.params, most, *then.params))

    def both(self, edge: Any, then: Any) -> Start:
        """A search among the runs before the edge of the first key, and those tied there that are before ``then`` in the second."""
        assert self.second is not None  # else there is no ``then``
        few, others = self.first.ids(edge, nan=True), self._then(edge).ids(then)
        steps = (Step(self.first.position, self.first.sign, edge), Step(self.second.position, self.second.sign, then))
        return Start(Sql(f"{few.text} UNION {others.text}", few.params + others.params), steps=steps)

    def _then(self, edge: Any) -> Level:
        assert self.second is not None
        tied_with_place = self.place is not None and tuple(self.place[self.first.position]) == (edge, 0)
        return self.second.restricted(self.place) if tied_with_place else self.second


def walk(order: Sequence[Order], experiments: Sequence[int] | None, place: Place | None, dialect: str) -> Walk | None:
    """How the runs after ``place`` can be walked through in this order; None where no index helps."""
    position = 0
    while place is not None and position < len(place) and place[position][1] == 2:
        position += 1  # all that follow lack this one too
    levels = [_level(at, order[at], experiments, dialect) for at in range(position, min(position + 2, len(order)))]
    first = levels[0] if levels else None
    if first is None or (place is not None and place[position][1]):
        return None
    return Walk(first.restricted(place), levels[1] if len(levels) > 1 else None, place)


def _level(position: int, key: Order, experiments: Sequence[int] | None, dialect: str) -> Level | None:
    operand = key.operand
    if operand.kind == "metric":
        column, having = METRIC_COLUMNS[operand.aggregate], Sql("metrics WHERE key = ?", (operand.key,))
        there, indexed = having.plus(f" AND {column} IS NOT NULL"), column == "lv"
        return Level(position, "run_id", column, there, having, key.descending, indexed, joined=dialect == "postgresql")
    if operand.kind == "param" and dialect == "postgresql":  # SQLite reads the row wherever a generated column is read, index or not
        having = Sql("params WHERE key = ?", (operand.key,))
        return Level(position, "run_id", 'head COLLATE "C"', having, having, key.descending, indexed=False)
    if operand == Operand("attribute", "start_time"):
        source = Sql("runs WHERE started IS NOT NULL")
        if experiments is not None and len(experiments) == 1:
            source = source.plus(" AND experiment_id = ?", *experiments)
        return Level(position, "id", "started", source, None, key.descending, indexed=True)
    return None
