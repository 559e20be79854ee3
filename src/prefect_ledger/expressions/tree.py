"""Floor 1. The tree of a filter: what can be asked of a run, and the nodes that ask it.

Nodes are frozen, hashable and refuse what no filter can say, so that whoever compiles or evaluates one need not check it again.
Nothing in a tree is SQL: keys and values are data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from prefect_ledger.entities import RunStatus
from prefect_ledger.errors import InvalidValue

Kind: TypeAlias = Literal["metric", "param", "tag", "attribute", "dataset"]
Op: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">=", "LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE", "IN", "NOT IN"]
Value: TypeAlias = str | int | float
Type: TypeAlias = Literal["number", "whole", "time", "text", "id", "status"]

AGGREGATES = ("first", "last", "min", "max", "mean", "count")
STATUSES = tuple(status.value for status in RunStatus)
DATASET_FIELDS = ("name", "digest", "context")
ATTRIBUTES: dict[str, Type] = {
    "run_id": "id",
    "run_name": "text",
    "user_id": "text",
    "status": "status",
    "start_time": "time",
    "end_time": "time",
    "duration": "number",
    "artifact_uri": "text",
    "experiment_id": "whole",
    "experiment": "text",
    "parent_run_id": "id",
    "description": "text",
    "attempt": "whole",
}
VERSION_ATTRIBUTES: dict[str, Type] = {  # of a version of a registered model
    "name": "text",
    "version": "whole",
    "stage": "text",
    "alias": "text",
    "author": "text",
    "description": "text",
    "digest": "text",
    "run_id": "id",
    "created": "time",
    "updated": "time",
}
_ALL_ATTRIBUTES = {**ATTRIBUTES, **VERSION_ATTRIBUTES}
PREFIXES: dict[Kind, str] = {"metric": "metrics", "param": "params", "tag": "tags", "attribute": "attributes", "dataset": "datasets"}

_ORDERED: tuple[Op, ...] = ("=", "!=", "<", "<=", ">", ">=", "IN", "NOT IN")
_TEXTUAL: tuple[Op, ...] = ("=", "!=", "LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE", "IN", "NOT IN")
ALLOWED: dict[Type, tuple[Op, ...]] = {
    "number": _ORDERED,
    "whole": _ORDERED,
    "time": _ORDERED,
    "text": _TEXTUAL,
    "id": _TEXTUAL,
    "status": ("=", "!=", "IN", "NOT IN"),
}


@dataclass(frozen=True, slots=True)
class Operand:
    """What a run is asked for. An attribute's key is one of `ATTRIBUTES` (or `VERSION_ATTRIBUTES`), a dataset's of `DATASET_FIELDS`; only
    metrics aggregate.

    `position` is where the filter's text names it; it takes no part in equality.
    """

    kind: Kind
    key: str
    aggregate: str = "last"
    position: int = field(default=0, compare=False, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        keys = {"attribute": tuple(_ALL_ATTRIBUTES), "dataset": DATASET_FIELDS}.get(self.kind, (self.key,))
        if self.kind not in PREFIXES or not self.key or self.key not in keys:
            raise InvalidValue(f"a run has no {self.kind} {self.key!r}")
        if self.aggregate not in AGGREGATES or (self.aggregate != "last" and self.kind != "metric"):
            raise InvalidValue(f"{self.aggregate!r} is not taken of a {self.kind}; of metrics: {', '.join(AGGREGATES)}")

    def type(self, *, textual: bool) -> Type:
        """How it is compared; only a parameter's depends on whether text or a number stands beside it."""
        if self.kind == "attribute":
            return _ALL_ATTRIBUTES[self.key]
        return "number" if self.kind == "metric" or (self.kind == "param" and not textual) else "text"

    def __str__(self) -> str:
        name = self.key if self.kind == "attribute" else f"{PREFIXES[self.kind]}.{self.key}"
        return name if self.aggregate == "last" else f"{self.aggregate}({name})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left op right`; `right` is a tuple beside IN and NOT IN. All its values are text, or all are numbers (never NaN).

    Numbers are floats beside metrics, parameters and `duration`, else ints; times are microseconds since 1970, UTC.
    """

    left: Operand
    op: Op
    right: Value | tuple[Value, ...]

    def __post_init__(self) -> None:
        values = self.values
        type_ = self.left.type(textual=self.textual)
        if self.op not in ALLOWED[type_] or isinstance(self.right, tuple) != (self.op in ("IN", "NOT IN")) or not values:
            raise InvalidValue(f"{self.left} {self.op} {self.right!r} is no comparison")
        if any(isinstance(v, str) != (type_ in ("text", "id", "status")) or (isinstance(v, float) and math.isnan(v)) for v in values):
            raise InvalidValue(f"{self.left} is not compared with {self.right!r}")

    @property
    def values(self) -> tuple[Value, ...]:
        """The right side as a tuple."""
        return self.right if isinstance(self.right, tuple) else (self.right,)

    @property
    def textual(self) -> bool:
        """Whether text is compared; a parameter beside numbers is not."""
        return isinstance(self.values[0], str) if self.values else False


@dataclass(frozen=True, slots=True)
class Null:
    """`left IS NULL`, or IS NOT NULL: always true or false."""

    left: Operand
    negated: bool = False


@dataclass(frozen=True, slots=True)
class NaN:
    """`left = nan`, or `left != nan`, of a metric: unknown where it is missing."""

    left: Operand
    negated: bool = False

    def __post_init__(self) -> None:
        if self.left.kind != "metric":
            raise InvalidValue(f"{self.left} is never NaN; only metrics are")


@dataclass(frozen=True, slots=True)
class And:
    """True where all items are, false where one is false, else unknown."""

    items: tuple[Node, ...]

    def __post_init__(self) -> None:
        _check_several(self.items)


@dataclass(frozen=True, slots=True)
class Or:
    """True where one item is, false where all are false, else unknown."""

    items: tuple[Node, ...]

    def __post_init__(self) -> None:
        _check_several(self.items)


@dataclass(frozen=True, slots=True)
class Not:
    """True where the item is false, unknown where it is unknown."""

    item: Node


Node: TypeAlias = Comparison | Null | NaN | And | Or | Not


@dataclass(frozen=True, slots=True)
class Order:
    """One key of an order."""

    operand: Operand
    descending: bool = False


def _check_several(items: tuple[Node, ...]) -> None:
    if len(items) < 2:
        raise InvalidValue(f"'and' and 'or' join two items or more, not {len(items)}")
