"""Floor 1. A filter over one run, in memory: the same three-valued verdict that a search in the store gives."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeAlias

from prefect_ledger.expressions.tree import And, Comparison, NaN, Node, Not, Null, Operand, Or, Value

Truth: TypeAlias = bool | None

_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+|(?i:infinity|inf))")
_PATTERN_PART = re.compile(r"\\.|.", re.DOTALL)


class Subject(Protocol):
    """One run, as `evaluate` asks it."""

    def value(self, operand: Operand) -> Value | tuple[str, ...] | None:
        """What the run has: parameters and tags as text, times in microseconds, datasets as a tuple of all; None where missing."""


def evaluate(node: Node | None, subject: Subject) -> bool | None:
    """Whether the run matches: True, False, or None where the answer is unknown because something is missing. Only True matches.

    No filter (None) matches every run. What is already decided is not asked for any more.

    Example:
        >>> class Run:
        ...     def value(self, operand):
        ...         return {"auc": 0.91}.get(operand.key)
        >>> from prefect_ledger.expressions.parser import parse_filter
        >>> evaluate(parse_filter("metrics.auc > 0.9"), Run()), evaluate(parse_filter("metrics.loss != 1"), Run())
        (True, None)
    """
    match node:
        case None:
            return True
        case And(items):
            return _all(evaluate(item, subject) for item in items)
        case Or(items):
            return _not(_all(_not(evaluate(item, subject)) for item in items))
        case Not(item):
            return _not(evaluate(item, subject))
        case Null(left, negated):
            return (subject.value(left) in (None, ())) != negated
        case NaN(left, negated):
            value = subject.value(left)
            return None if value is None else (isinstance(value, float) and math.isnan(value)) != negated
        case Comparison():
            return _compared(node, subject.value(node.left))


def number_of(text: str) -> float | None:
    """The number a parameter's text stands for beside a number; None where it is none (NaN is none, inf is one).

    Plain ASCII decimal notation as Python and JSON write it: no spaces, no underscores, no hexadecimal.

    Example:
        >>> number_of("1e-3"), number_of("auto")
        (0.001, None)
    """
    return float(text) if _NUMBER.fullmatch(text) else None


def like(text: str, pattern: str, *, ignore_case: bool = False) -> bool:
    r"""Whether the whole text matches: `%` is any text, `_` any one character, a backslash takes the next one as it is.

    Takes at most len(text) * len(pattern) steps, whatever the pattern.

    Example:
        >>> like("val/auc", "val%"), like("50%", r"50\%"), like("AUC", "auc"), like("AUC", "auc", ignore_case=True)
        (True, True, False, True)
    """
    if ignore_case:
        text, pattern = text.lower(), pattern.lower()
    parts = _PATTERN_PART.findall(pattern)
    at = part = resume = 0
    star = -1
    while at < len(text):
        if part < len(parts) and parts[part] == "%":
            star, resume, part = part, at, part + 1
        elif part < len(parts) and (parts[part] == "_" or parts[part][-1] == text[at]):
            at, part = at + 1, part + 1
        elif star >= 0:  # the latest % takes one character more; earlier ones never need to
            resume += 1
            at, part = resume, star + 1
        else:
            return False
    return all(rest == "%" for rest in parts[part:])


def _compared(node: Comparison, value: Value | tuple[str, ...] | None) -> Truth:
    if isinstance(value, tuple):
        return any(OPERATIONS[node.op](one, node.right) for one in value) if value else None
    if node.left.kind == "param" and not node.textual and isinstance(value, str):
        value = number_of(value)
    return None if value is None else OPERATIONS[node.op](value, node.right)


def _all(truths: Iterable[Truth]) -> Truth:
    result: Truth = True
    for truth in truths:
        if truth is False:
            return False
        result = truth if truth is None else result
    return result


def _not(truth: Truth) -> Truth:
    return None if truth is None else not truth


# What each operator asks of its two sides. Any: the trees guarantee that both are text or both numbers.
OPERATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "IN": lambda value, values: value in values,
    "NOT IN": lambda value, values: value not in values,
    "LIKE": like,
    "NOT LIKE": lambda value, pattern: not like(value, pattern),
    "ILIKE": lambda value, pattern: like(value, pattern, ignore_case=True),
    "NOT ILIKE": lambda value, pattern: not like(value, pattern, ignore_case=True),
}
