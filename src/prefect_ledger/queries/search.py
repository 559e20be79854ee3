"""Floor 3. Which runs match, and in which order: their ids, and the token of the page that follows.

Only ids and sort values are sorted; what else a run has is loaded for those that are on the page.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from prefect_ledger.database import rows
from prefect_ledger.errors import InvalidFilter, InvalidValue
from prefect_ledger.expressions import ATTRIBUTES, Node, Operand, Order, parse_filter, parse_order, unparse
from prefect_ledger.queries import experiments, plan, walks
from prefect_ledger.queries.columns import MOST_JOINS, RunColumns
from prefect_ledger.queries.filters import Column, Sql, condition, know_letters
from prefect_ledger.queries.page import Place, SortKey, following, place_of, read_token, token

if TYPE_CHECKING:
    import sqlalchemy as sa

LIMIT = 50_000
MOST_KEYS = 20
Lifecycle: TypeAlias = Literal["active", "deleted", "all"]
_LAST = (Order(Operand("attribute", "start_time"), descending=True), Order(Operand("attribute", "run_id")))


@dataclass(frozen=True, slots=True)
class Search:
    """A question about runs, checked. ``experiments`` None means all."""

    filter: Node | None
    order: tuple[Order, ...]
    lifecycle: Lifecycle
    limit: int
    experiments: tuple[int, ...] | None = None

    def __str__(self) -> str:
        """What a page token belongs to: everything but the limit."""
        order = [(key.operand.kind, key.operand.key, key.operand.aggregate, key.descending) for key in self.order]
        return repr((self.experiments, self.filter and unparse(self.filter), order, self.lifecycle))


@dataclass(frozen=True, slots=True)
class Found:
    """The ids of a page's runs, in order."""

    ids: list[str]
    next_page: str | None


def read_search(filter: str, order_by: Sequence[str] | str | None, lifecycle: Lifecycle, limit: int) -> Search:  # noqa: A002 - the public name
    """Check a question.

    Raises:
        InvalidFilter: the filter or the order does not parse. InvalidValue: limit or lifecycle.
    """
    order = parse_order(order_by)
    if len(order) > MOST_KEYS:
        raise InvalidFilter(f"order_by has {len(order)} keys, at most {MOST_KEYS} are sorted by")
    return Search(parse_filter(filter), order, check_lifecycle(lifecycle), check_limit(limit))


def check_lifecycle(lifecycle: Lifecycle) -> Lifecycle:
    """``lifecycle`` if it is one.

    Raises:
        InvalidValue: otherwise.
    """
    if lifecycle not in get_args(Lifecycle):
        raise InvalidValue(f"lifecycle={lifecycle!r}: it is one of {', '.join(map(repr, get_args(Lifecycle)))}")
    return lifecycle


def check_limit(limit: Any) -> int:
    """``limit`` as an int of 1 to 50,000.

    Raises:
        InvalidValue: otherwise.
    """
    try:
        number = 0 if isinstance(limit, bool) else operator.index(limit)
    except TypeError:
        number = 0
    if not 1 <= number <= LIMIT:
        raise InvalidValue(f"limit={limit!r}: a whole number from 1 to {LIMIT:,}; next_page leads to more")
    return number


def find(tx: sa.Connection, search: Search, page: str | None) -> Found:
    """The runs of one page.

    Raises:
        InvalidValue: ``page`` is not a token of this search.
    """
    if search.experiments == ():
        return Found([], None)
    know_letters(tx)
    keys = _sort_keys(search, RunColumns(), tx.dialect.name)
    place = None if page is None else read_token(page, str(search), keys)

    def ask(start: walks.Start | None) -> plan.Rows:
        statement = _statement(search, place, start, tx.dialect.name)
        return rows(tx, statement.text, statement.params)

    walk = walks.walk((*search.order, *_LAST), search.experiments, place, tx.dialect.name)
    parts = plan.narrowing(search.filter, search.experiments)
    plan.few_rows(tx)
    found = plan.first_rows(tx, parts, walk, ask, search.limit + 1)
    if found is None:
        plan.many_rows(tx)
        found = ask(None)
    ids = [row[0] for row in found[: search.limit]]
    if len(found) <= search.limit:
        return Found(ids, None)
    return Found(ids, token(str(search), place_of(keys, found[search.limit - 1][1:])))


def count(tx: sa.Connection, search: Search) -> int:
    """How many runs match, on all pages."""
    if search.experiments == ():
        return 0
    know_letters(tx)
    columns = RunColumns()
    where, joins = listed(_where(search, columns), " AND "), columns.joins
    text = f"SELECT COUNT(*) FROM runs r{joins.text}" + (f" WHERE {where.text}" if where.text else "")
    return int(rows(tx, text, [*joins.params, *where.params])[0][0])


def within(tx: sa.Connection, search: Search, experiment: str | int | Iterable[str | int] | None) -> Search:
    """The same question about one experiment, given by name or id, or about several.

    Raises:
        ExperimentNotFound: one is not there; the message offers near names. InvalidValue: neither text nor a number.
    """
    if experiment is None:
        return search
    wanted = [experiment] if isinstance(experiment, str | int) or not isinstance(experiment, Iterable) else list(experiment)
    return replace(search, experiments=tuple(sorted({experiments.find(tx, one) for one in wanted})))


def _where(search: Search, columns: RunColumns) -> list[Sql]:
    where = []
    if search.lifecycle != "all":
        where.append(Sql("r.lifecycle = ?", (search.lifecycle,)))
    if search.experiments is not None:
        where.append(Sql(f"r.experiment_id IN ({', '.join('?' * len(search.experiments))})", search.experiments))
    if search.filter is not None:
        where.append(condition(search.filter, columns))
    return where


def _sort_keys(search: Search, columns: RunColumns, dialect: str) -> list[SortKey]:
    return [_sort_key(key, columns, dialect) for key in (*search.order, *_LAST)]


def _sort_key(key: Order, columns: RunColumns, dialect: str) -> SortKey:
    operand = key.operand
    textual = operand.kind in ("param", "tag") or (operand.kind == "attribute" and ATTRIBUTES[operand.key] in ("text", "id", "status"))
    column = columns.column(operand, textual=textual)
    if textual and operand.key != "run_id" and dialect == "postgresql":  # by code point, as SQLite has it, whatever the database's locale
        column = Column(column.value.plus(' COLLATE "C"'))
    return SortKey(column, key.descending, textual)


def _statement(search: Search, place: Place | None, start: walks.Start | None, dialect: str) -> Sql:
    """The ids of matching runs in order, each with its sort values."""
    walked = start is not None and start.bound is not None
    # Where few runs are looked at, nothing but what is walked is joined: a planner could begin there, or read a whole table to join it.
    columns = RunColumns(MOST_JOINS if start is None else int(walked and search.order != () and search.order[0].operand.kind == "metric"))
    keys = _sort_keys(search, columns, dialect)
    if walked and keys[0].column.nan is not None:  # what has a value is not NaN, and the index has no more
        keys[0] = keys[0]._replace(column=replace(keys[0].column, nan=Sql("0")))
    where = _where(search, columns)
    if place is not None:
        where.append(following(keys, place))
    if start is not None and start.steps:
        where.append(_walked(keys, start.steps))
    if start is not None:
        where = [*_narrow(keys, start), *(Sql(f"({part.text}) IS TRUE", part.params) for part in where)]  # same truth, but no way in
    positions = itertools.accumulate((len(key.selected) for key in keys), initial=2)
    order = [key.order(at, all_there=walked and at == 2) for key, at in zip(keys, positions, strict=False)]
    select, joins, conditions = listed([part for key in keys for part in key.selected], ", "), columns.joins, listed(where, " AND ")
    found = Sql(f"SELECT r.id, {select.text} FROM runs r{joins.text}", select.params + joins.params)
    if where:
        found = found.plus(f" WHERE {conditions.text}", *conditions.params)
    return found.plus(f" ORDER BY {', '.join(order)} LIMIT ?", search.limit + 1)


def _narrow(keys: Sequence[SortKey], start: walks.Start) -> list[Sql]:
    run = "r.id"
    if start.bound is not None:
        value = keys[0].column.value
        narrow = value.plus(" IS NOT NULL") if start.bound.value is None else _before(keys[0], start.bound)
        table = value.text.partition(".")[0]
        run = run if table == "r" else f"{table}.run_id"  # in the walked index itself, so that others' rows of ``runs`` are not read
    else:
        narrow = Sql(f"r.id IN ({start.ids.text})", start.ids.params) if start.ids is not None else Sql("1 = 1")
    return [narrow, *([] if start.among is None else [Sql(f"({run} IN ({start.among.text})) IS TRUE", start.among.params)])]


def _before(key: SortKey, step: walks.Step) -> Sql:
    """Whether a run is in the part of the order that a step goes through."""
    if step.value is not None:
        return key.column.value.plus(f" {step.sign} ?", step.value)
    return key.column.is_null(negated=True)


def _walked(keys: Sequence[SortKey], steps: Sequence[walks.Step]) -> Sql:
    """Whether a run is in the part of the order that was walked through: no other run stands before one of those."""
    step, *later = steps
    key = keys[step.position]
    found = _before(key, step)
    if not later:
        return found
    rest = _walked(keys, later)
    if step.value is not None:  # where it is None, a run that is not before it lacks the value
        same = key.equal(step.value, 0)
        rest = Sql(f"({same.text} AND {rest.text})", same.params + rest.params)
    return Sql(f"({found.text} OR {rest.text})", found.params + rest.params)


def listed(pieces: Sequence[Sql], between: str) -> Sql:
    """Pieces one after the other."""
    return Sql(between.join(piece.text for piece in pieces), tuple(value for piece in pieces for value in piece.params))
