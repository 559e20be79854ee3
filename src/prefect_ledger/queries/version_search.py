"""Floor 3. Which versions of registered models match, and in which order: the language of run searches, over versions and their runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from prefect_ledger.database import rows
from prefect_ledger.errors import InvalidFilter
from prefect_ledger.expressions import VERSION_ATTRIBUTES, Node, Operand, Order, parse_filter, parse_order, unparse
from prefect_ledger.queries.columns import RunColumns
from prefect_ledger.queries.filters import Column, Sql, condition, know_letters
from prefect_ledger.queries.page import SortKey, following, place_of, read_token, token
from prefect_ledger.queries.registered import by_place
from prefect_ledger.queries.search import MOST_KEYS, check_lifecycle, check_limit, listed
from prefect_ledger.registered import ModelVersion

if TYPE_CHECKING:
    import sqlalchemy as sa

    from prefect_ledger.queries.search import Lifecycle

_LAST = (Order(Operand("attribute", "name")), Order(Operand("attribute", "version"), descending=True))
_FROM = "FROM model_versions v JOIN registered_models m ON m.id = v.model_id LEFT JOIN runs r ON r.id = v.run_id"
_ATTRIBUTES = {
    "name": "m.name",
    "version": "v.version",
    "stage": "v.stage",
    "author": "v.author",
    "description": "NULLIF(v.description, '')",
    "digest": "v.digest",
    "run_id": "v.run_id",
    "created": "v.created",
    "updated": "v.updated",
}
_ALIASES = "SELECT 1 FROM model_aliases a WHERE a.model_id = v.model_id AND a.version = v.version"
_TAG = "(SELECT t.value FROM model_tags t WHERE t.model_id = v.model_id AND t.version = v.version AND t.key = ?)"


class VersionPage(list[ModelVersion]):
    """Versions in order. ``next_page`` is what ``page=`` takes for those that follow; None at the end."""

    next_page: str | None

    def __init__(self, versions: Iterable[ModelVersion] = (), next_page: str | None = None) -> None:
        super().__init__(versions)
        self.next_page = next_page


def search(
    tx: sa.Connection,
    filter: str = "",  # noqa: A002 - the public name
    order_by: Sequence[str] | str | None = None,
    limit: int = 1_000,
    page: str | None = None,
    lifecycle: Lifecycle = "active",
) -> VersionPage:
    """Versions that match. Attributes, tags and aliases are the version's; metrics, parameters and datasets those of its run.

    Raises:
        InvalidFilter: filter or order does not parse. InvalidValue: limit, lifecycle or page.
    """
    node, order = parse_filter(filter, VERSION_ATTRIBUTES), parse_order(order_by, VERSION_ATTRIBUTES)
    if len(order) > MOST_KEYS:
        raise InvalidFilter(f"order_by has {len(order)} keys, at most {MOST_KEYS} are sorted by")
    limit, lifecycle = check_limit(limit), check_lifecycle(lifecycle)
    know_letters(tx)
    columns = _Columns()
    keys = [_sort_key(key, columns, tx.dialect.name) for key in (*order, *_LAST)]
    asked = repr(("versions", node and unparse(node), [(str(key.operand), key.descending) for key in order], lifecycle))
    where = _where(node, columns, lifecycle)
    if page is not None:
        where.append(following(keys, read_token(page, asked, keys)))
    found = rows(tx, *_statement(keys, columns, where, limit))
    versions = by_place(tx, [(row[0], row[1]) for row in found[:limit]])
    return VersionPage(versions, token(asked, place_of(keys, found[limit - 1][2:])) if len(found) > limit else None)


def _statement(keys: Sequence[SortKey], columns: _Columns, where: Sequence[Sql], limit: int) -> Sql:
    select, joins, conditions = listed([part for key in keys for part in key.selected], ", "), columns.runs.joins, listed(where, " AND ")
    positions = itertools.accumulate((len(key.selected) for key in keys), initial=3)
    order = ", ".join(key.order(at) for key, at in zip(keys, positions, strict=False))
    found = Sql(f"SELECT v.model_id, v.version, {select.text} {_FROM}{joins.text}", select.params + joins.params)
    return found.plus(f" WHERE {conditions.text}", *conditions.params).plus(f" ORDER BY {order} LIMIT ?", limit + 1)


class _Columns:
    """What a filter can ask of a version."""

    def __init__(self) -> None:
        self.runs = RunColumns()

    def column(self, operand: Operand, *, textual: bool) -> Column:
        if operand.kind == "tag":
            return Column(Sql(_TAG, (operand.key,)))
        if operand.kind != "attribute":
            return self.runs.column(operand, textual=textual)
        if operand.key == "alias":
            return Column(Sql("a.alias"), among=Sql(_ALIASES))
        return Column(Sql(_ATTRIBUTES[operand.key]))


def _where(node: Node | None, columns: _Columns, lifecycle: str) -> list[Sql]:
    live = "(m.deleted IS NULL AND v.deleted IS NULL)"
    where = [Sql({"active": live, "deleted": f"NOT {live}"}.get(lifecycle, "1 = 1"))]
    return where if node is None else [*where, condition(node, columns)]


def _sort_key(key: Order, columns: _Columns, dialect: str) -> SortKey:
    operand = key.operand
    if operand.kind == "attribute" and operand.key == "alias":
        raise InvalidFilter("a version has several aliases or none: order by name, version, stage or created")
    kind = operand.type(textual=True)
    textual = kind in ("text", "id")
    column = columns.column(operand, textual=textual)
    if textual and dialect == "postgresql":  # by code point, as SQLite has it, whatever the database's locale
        column = Column(column.value.plus(' COLLATE "C"'))
    return SortKey(column, key.descending, textual)
