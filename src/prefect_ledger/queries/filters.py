"""Floor 3. A filter's tree as an SQL condition: keys and values become parameters, never text of the statement.

What an operand is in SQL is asked of a :class:`Columns`, so that runs and experiments share one compiler. The condition is true where
:func:`prefect_ledger.expressions.evaluate` says True of the same row, and nowhere else; False and unknown are not told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from prefect_ledger.expressions import And, Comparison, NaN, Node, Not, Null, Op, Operand, Or

if TYPE_CHECKING:
    import sqlalchemy as sa

_OPPOSITE: dict[Op, Op] = {
    "=": "!=",
    "<": ">=",
    "<=": ">",
    "LIKE": "NOT LIKE",
    "ILIKE": "NOT ILIKE",
    "IN": "NOT IN",
}
_OPPOSITE |= {there: here for here, there in _OPPOSITE.items()}
_GROUP = 8


class Sql(NamedTuple):
    """A piece of a statement and the values of the ``?`` in it."""

    text: str
    params: tuple[Any, ...] = ()

    def plus(self, text: str, *params: Any) -> Sql:
        """This piece, then ``text``."""
        return Sql(self.text + text, self.params + params)


@dataclass(frozen=True, slots=True)
class Column:
    """What an operand is in SQL; NULL where it is missing.

    ``nan`` (metrics alone) is 1 where the value is NaN, which ``value`` has as NULL, else 0. Where ``among`` is given, the operand has
    several values: ``value`` in each row of that subquery.
    """

    value: Sql
    nan: Sql | None = None
    among: Sql | None = None

    def is_null(self, *, negated: bool) -> Sql:
        """Whether it is missing, or is not."""
        if self.among is not None:
            return Sql(f"{'' if negated else 'NOT '}EXISTS ({self.among.text})", self.among.params)
        return (self.nan or self.value).plus(" IS NOT NULL" if negated else " IS NULL")


class Columns(Protocol):
    """Where operands are found. A parameter beside a number is another column than beside text."""

    def column(self, operand: Operand, *, textual: bool) -> Column:
        """The column; raises InvalidFilter for an operand these rows do not have."""
        ...


def condition(node: Node, columns: Columns) -> Sql:
    """The tree as a condition over rows of ``columns``.

    Raises:
        InvalidFilter: it asks for something these rows do not have.
    """
    return _piece(node, columns, negated=False).sql


def know_letters(tx: sa.Connection) -> None:
    """Give SQLite's connection a lower() that knows more than ASCII, once, so that ILIKE is what it is in memory."""
    if tx.dialect.name == "sqlite" and not tx.info.get("ledger_letters"):
        driver: Any = tx.connection.driver_connection
        driver.create_function("lower", 1, lambda text: text if text is None else str(text).lower(), deterministic=True)
        tx.info["ledger_letters"] = True


class _Piece(NamedTuple):
    """A condition and how many places it takes on the stack of SQLite's parser, which has 100 (up to 3.45)."""

    sql: Sql
    stack: int


def _piece(node: Node, columns: Columns, *, negated: bool) -> _Piece:
    match node:
        case Not(item):  # pushed down to the comparisons, which have opposites; below "and" and "or" unknown is then as good as false
            return _piece(item, columns, negated=not negated)
        case And(items) | Or(items):
            word = " AND " if isinstance(node, And) != negated else " OR "
            return _joined(word, [_piece(item, columns, negated=negated) for item in items])
        case Null(left):
            return _leaf(columns.column(left, textual=True).is_null(negated=node.negated != negated))
        case NaN(left):
            return _leaf(_is_nan(columns.column(left, textual=False), negated=node.negated != negated))
        case Comparison(left):
            return _leaf(_compared(columns.column(left, textual=node.textual), node, negated=negated))


def _joined(word: str, pieces: list[_Piece]) -> _Piece:
    """The pieces with ``word`` between; the deepest stands first, where its depth costs least, the others in balanced groups."""
    first, *rest = sorted(pieces, key=lambda piece: piece.stack, reverse=True)
    others = _balanced(word, [piece.sql for piece in rest])
    text = f"({first.sql.text}{word}({others.text}))"
    return _Piece(Sql(text, first.sql.params + others.params), max(first.stack + 1, rest[0].stack + 4 + len(rest).bit_length()))


def _balanced(word: str, pieces: Sequence[Sql]) -> Sql:
    if len(pieces) <= _GROUP:
        return Sql(word.join(piece.text for piece in pieces), tuple(value for piece in pieces for value in piece.params))
    half = len(pieces) // 2
    low, high = _balanced(word, pieces[:half]), _balanced(word, pieces[half:])
    return Sql(f"({low.text}){word}({high.text})", low.params + high.params)


def _leaf(sql: Sql) -> _Piece:
    return _Piece(sql, 8)


def _is_nan(column: Column, *, negated: bool) -> Sql:
    if column.nan is not None:
        return column.nan.plus(" = 0" if negated else " = 1")
    return column.value.plus(" IS NOT NULL") if negated else Sql("1 = 0")  # an aggregate is never NaN


def _compared(column: Column, node: Comparison, *, negated: bool) -> Sql:
    if column.among is not None:
        one, several = _beside(column.value, node.op, node), column.among
        if not negated:
            return Sql(f"EXISTS ({several.text} AND {one.text})", several.params + one.params)
        return Sql(f"(EXISTS ({several.text}) AND NOT EXISTS ({several.text} AND {one.text}))", several.params * 2 + one.params)
    found = _beside(column.value, _OPPOSITE[node.op] if negated else node.op, node)
    if column.nan is not None and (node.op in ("!=", "NOT IN")) != negated:  # NaN is unequal to every number, and no other relation holds
        return Sql(f"({found.text} OR {column.nan.text} = 1)", found.params + column.nan.params)
    return found


def _beside(value: Sql, op: Op, node: Comparison) -> Sql:
    if op in ("IN", "NOT IN"):
        return value.plus(f" {op} ({', '.join('?' * len(node.values))})", *node.values)
    if op in ("LIKE", "NOT LIKE"):
        return value.plus(f" {op} ? ESCAPE '\\'", node.right)
    if op in ("ILIKE", "NOT ILIKE"):
        like = op.replace("ILIKE", "LIKE")
        return Sql(f"lower({value.text}) {like} lower(CAST(? AS TEXT)) ESCAPE '\\'", (*value.params, node.right))
    return value.plus(f" {op} ?", node.right)
