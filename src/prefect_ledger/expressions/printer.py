"""Floor 1. A tree as text: canonical, and read back it is the same tree."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from prefect_ledger.expressions.tree import PREFIXES, And, Comparison, NaN, Node, Not, Null, Operand, Or, Value

_BARE_KEY = re.compile(r"[\w./-]+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT_FLOAT = 2**53


def unparse(node: Node) -> str:
    """The filter's canonical text; `parse_filter(unparse(node)) == node`.

    Example:
        >>> from prefect_ledger.expressions.parser import parse_filter
        >>> unparse(parse_filter('METRICS."val auc">=.50 AND NOT attributes.status="finished"'))
        "metrics.`val auc` >= 0.5 and not status = 'COMPLETED'"
    """
    match node:
        case And(items):
            return " and ".join(f"({unparse(item)})" if isinstance(item, And | Or) else unparse(item) for item in items)
        case Or(items):
            return " or ".join(f"({unparse(item)})" if isinstance(item, Or) else unparse(item) for item in items)
        case Not(item):
            return f"not ({unparse(item)})" if isinstance(item, And | Or) else f"not {unparse(item)}"
        case Null(left, negated):
            return f"{_operand(left)} is {'not ' if negated else ''}null"
        case NaN(left, negated):
            return f"{_operand(left)} {'!=' if negated else '='} nan"
        case Comparison(left, op):
            time = left.type(textual=node.textual) == "time"
            values = [_time(value) if time and isinstance(value, int) else _value(value) for value in node.values]
            right = f"({', '.join(values)})" if isinstance(node.right, tuple) else values[0]
            return f"{_operand(left)} {op.lower()} {right}"


def _operand(operand: Operand) -> str:
    if operand.kind == "attribute":
        return operand.key
    key = operand.key if _BARE_KEY.fullmatch(operand.key) else _quoted(operand.key, "`")
    name = f"{PREFIXES[operand.kind]}.{key}"
    return name if operand.aggregate == "last" else f"{operand.aggregate}({name})"


def _value(value: Value) -> str:
    if isinstance(value, str):
        return _quoted(value, "'")
    whole = isinstance(value, int) or (value.is_integer() and abs(value) < _EXACT_FLOAT)
    return str(int(value)) if whole else repr(value)


def _time(microseconds: int) -> str:
    try:
        return _quoted((_EPOCH + timedelta(microseconds=microseconds)).isoformat(), "'")
    except OverflowError:  # beyond the year 9999
        return f"{Decimal(microseconds).scaleb(-3):f}"


def _quoted(text: str, quote: str) -> str:
    return f"{quote}{text.replace(quote, quote * 2)}{quote}"
