"""Floor 3. A filter's tree as an SQL condition: keys and values become parameters, never text of the statement.

What an operand is in SQL is asked of a :class:`Columns`, so that runs and experiments share one compiler. The condition has the truth that
:func:`prefect_ledger.expressions.evaluate` finds over the same row, unknown included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from prefect_ledger.expressions import And, Comparison, NaN, Node, Not, Null, Operand, Or

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

    @property
    def missing(self) -> Sql:
        """A condition that is true or false, never unknown."""
        if self.among is not None:
            return Sql(f"NOT EXISTS ({self.among.text})", self.among.params)
        return (self.nan or self.value).plus(" IS NULL")


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


class _Piece(NamedTuple):
    """A condition and how many places it takes on the stack of SQLite's parser, which has 100 (up to 3.45)."""

    sql: Sql
    stack: int


def _piece(node: Node, columns: Columns, *, negated: bool) -> _Piece:
    match node:
        case Not(item):  # pushed down to the comparisons: each NOT would take a place on the stack
            return _piece(item, columns, negated=not negated)
        case And(items) | Or(items):
            word = " AND " if isinstance(node, And) != negated else " OR "
            return _joined(word, [_piece(item, columns, negated=negated) for item in items])
        case _:
            found = _leaf(node, columns)
            return _Piece(Sql(f"NOT ({found.text})", found.params) if negated else found, 8)


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


def _leaf(node: Comparison | Null | NaN, columns: Columns) -> Sql:
    column = columns.column(node.left, textual=isinstance(node, Comparison) and node.textual)
    match node:
        case Null(_, negated):
            return Sql(f"NOT ({column.missing.text})", column.missing.params) if negated else column.missing
        case NaN(_, negated):
            if column.nan is not None:
                return column.nan.plus(" = 0" if negated else " = 1")
            sign = "=" if negated else "<>"  # never NaN: the same answer for every row that has a value
            return Sql(f"{column.value.text} {sign} {column.value.text}", column.value.params * 2)
    if column.among is None:
        return _compared(column, node)
    one = _compared(column, node)
    several = column.among
    text = f"CASE WHEN EXISTS ({several.text}) THEN EXISTS ({several.text} AND {one.text}) END"
    return Sql(text, several.params * 2 + one.params)


def _compared(column: Column, node: Comparison) -> Sql:
    value, op = column.value, node.op
    if op in ("IN", "NOT IN"):
        found = value.plus(f" {op} ({', '.join('?' * len(node.values))})", *node.values)
    elif op in ("LIKE", "NOT LIKE"):
        found = value.plus(f" {op} ? ESCAPE '\\'", node.right)
    elif op in ("ILIKE", "NOT ILIKE"):
        like = op.replace("ILIKE", "LIKE")
        found = Sql(f"lower({value.text}) {like} lower(CAST(? AS TEXT)) ESCAPE '\\'", (*value.params, node.right))
    else:
        found = value.plus(f" {op} ?", node.right)
    if column.nan is None:
        return found
    beside, word = (" = 1", "OR") if op in ("!=", "NOT IN") else (" = 0", "AND")  # NaN is unequal to every number, and nothing else
    return Sql(f"({found.text} {word} {column.nan.text}{beside})", found.params + column.nan.params)
