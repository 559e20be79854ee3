"""Floor 4. The tree of a gate's expression, and its three-valued truth over one evidence, with what was found on the way.

Numbers are computed exactly, as the decimals that they are written as: 0.91 - 0.002 is 0.908. What is missing, not-a-number or divided by
zero has no value, and a comparison of it is unknown: it never passes, below ``not`` neither.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from prefect_ledger.expressions import like, number_of
from prefect_ledger.gates.evidence import Evidence
from prefect_ledger.gates.wording import near, said

Number: TypeAlias = Fraction | float  # floats are infinities alone
Value: TypeAlias = Number | str | None
Truth: TypeAlias = bool | None


@dataclass
class Notes:
    """What evaluating found: each comparison with its truth, and why a value is not there."""

    lines: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def lacks(self, what: str, why: str) -> None:
        self.values[what] = None
        if why not in self.lines:
            self.lines.append(why)


class Term:
    """What has a value: ``text`` as it was written, ``textual`` where it can only be compared with text."""

    __slots__ = ()
    text: str
    textual: Any

    def read(self, evidence: Evidence, notes: Notes, *, textual: bool) -> Value:
        """The value as it is compared; None, with a note, where there is none."""
        raise NotImplementedError


class Condition:
    """What has a truth."""

    __slots__ = ()
    text: str

    def truth(self, evidence: Evidence, notes: Notes) -> Truth:
        """Whether it holds; None, with a note, where that is unknown."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Constant(Term):
    """A number or a text."""

    value: Fraction | float | str
    text: str
    textual: bool

    def read(self, evidence: Evidence, notes: Notes, *, textual: bool) -> Value:  # noqa: ARG002
        return self.value


@dataclass(frozen=True, slots=True)
class Reference(Term):
    """What one side has: a metric, parameter or tag of a key, or an attribute."""

    side: Literal["candidate", "champion"]
    kind: Literal["metrics", "params", "tags", "attributes"]
    key: str
    text: str

    @property
    def textual(self) -> bool:
        """Whether it can only be compared with text."""
        return self.kind == "tags" or (self.kind == "attributes" and self.key in ("name", "digest"))

    @property
    def numeric(self) -> bool:
        """Whether it can only be compared with numbers."""
        return self.kind == "metrics" or (self.kind == "attributes" and not self.textual)

    def raw(self, evidence: Evidence) -> Any:
        """What is there, None where nothing is."""
        side = evidence.candidate if self.side == "candidate" else evidence.champion
        if side is None:
            return None
        return getattr(side, self.key) if self.kind == "attributes" else getattr(side, self.kind).get(self.key)

    def read(self, evidence: Evidence, notes: Notes, *, textual: bool) -> Value:
        """The value as it is compared; None, with a note, where there is none."""
        found = self.raw(evidence)
        if found is None:
            notes.lacks(self.text, self._missing(evidence))
            return None
        if isinstance(found, str) and textual:
            notes.values[self.text] = found
            return found
        value = exact(number_of(found) if isinstance(found, str) else found)
        if value is None:
            notes.lacks(self.text, f"{self.text} is {said(found)}, which is no number")
            return None
        notes.values[self.text] = found
        return value

    def _missing(self, evidence: Evidence) -> str:
        side = evidence.candidate if self.side == "candidate" else evidence.champion
        if side is None:
            return f"there is no champion that {self.text} could be of"
        if self.kind == "attributes":
            return f"the {self.side} has no {self.key} on record"
        noun = {"metrics": "metric", "params": "parameter", "tags": "tag"}[self.kind]
        hint = "; - and / belong to a key, so write spaces around them to compute" if set("-/") & set(self.key) else ""
        return f"the {self.side} has no {noun} {self.key!r}{near(self.key, getattr(side, self.kind))}{hint}"


@dataclass(frozen=True, slots=True)
class Computed(Term):
    """Two numbers, and + - * or / between them."""

    op: str
    left: Term
    right: Term
    text: str
    textual: bool = False

    def read(self, evidence: Evidence, notes: Notes, *, textual: bool) -> Value:  # noqa: ARG002
        """The number; None, with a note, where there is none."""
        left, right = (one.read(evidence, notes, textual=False) for one in (self.left, self.right))
        if left is None or right is None or isinstance(left, str) or isinstance(right, str):
            return None
        if self.op == "/" and right == 0:
            notes.lacks(self.text, f"{self.text} divides by zero")
            return None
        try:
            found = exact(_COMPUTE[self.op](left, right))
        except OverflowError:
            found = None
        if found is None:
            notes.lacks(self.text, f"{self.text} is not a number")
            return None
        notes.values[self.text] = shown(found)
        return found


@dataclass(frozen=True, slots=True)
class Comparison(Condition):
    """Two terms, or a term and a list, and an operator between them."""

    op: str
    left: Term
    right: tuple[Term, ...]
    textual: bool
    text: str

    def truth(self, evidence: Evidence, notes: Notes) -> Truth:
        """Whether it holds; None, with a note, where that is unknown."""
        left = self.left.read(evidence, notes, textual=self.textual)
        others = [one.read(evidence, notes, textual=self.textual) for one in self.right]
        if left is None or None in others:
            return None
        right = others if self.op in ("IN", "NOT IN") else others[0]
        found = bool(_COMPARE[self.op](left, right))
        beside = [float(one) for one in map(shown, (left, *others)) if isinstance(one, int | float)]
        parts = [f"{one.text} is {said(shown(value), *beside)}" for one, value in self._told(left, others)]
        notes.lines.append(f"{self.text} {'holds' if found else 'does not hold'}{': ' if parts else ''}{', '.join(parts)}")
        return found

    def _told(self, left: Value, others: list[Value]) -> Iterator[tuple[Term, Value]]:
        seen: set[str] = set()
        for one, value in zip((self.left, *self.right), (left, *others), strict=True):
            if not isinstance(one, Constant) and one.text not in seen:
                seen.add(one.text)
                yield one, value


@dataclass(frozen=True, slots=True)
class Null(Condition):
    """Whether something is missing: always true or false."""

    left: Reference
    negated: bool
    text: str

    def truth(self, evidence: Evidence, notes: Notes) -> Truth:
        """Whether it holds."""
        found = self.left.raw(evidence)
        notes.values[self.left.text] = found
        holds = (found is None) != self.negated
        notes.lines.append(f"{self.text} {'holds' if holds else 'does not hold'}")
        return holds


@dataclass(frozen=True, slots=True)
class Joined(Condition):
    """Several conditions, all of them or one."""

    word: Literal["and", "or"]
    items: tuple[Condition, ...]
    text: str

    def truth(self, evidence: Evidence, notes: Notes) -> Truth:
        """As in SQL; every item is asked, so that the report has them all."""
        found = [one.truth(evidence, notes) for one in self.items]
        decided = self.word == "or"
        return decided if decided in found else None if None in found else not decided


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """The opposite; unknown stays unknown."""

    item: Condition
    text: str

    def truth(self, evidence: Evidence, notes: Notes) -> Truth:
        """As in SQL."""
        found = self.item.truth(evidence, notes)
        if found is None:
            return None
        notes.lines.append(f"so {self.text} {'does not hold' if found else 'holds'}")
        return not found


def references(node: Condition | Term) -> Iterator[Reference]:
    """Every reference in a tree."""
    below: Iterable[Condition | Term] = ()
    match node:
        case Reference():
            yield node
        case Computed(_, left, right):
            below = (left, right)
        case Comparison(_, left, rights):
            below = (left, *rights)
        case Null(left) | Not(left):
            below = (left,)
        case Joined(_, items):
            below = items
    for one in below:
        yield from references(one)


def exact(value: float | Fraction | None) -> Number | None:
    """A number as the decimal it is written as; None for not-a-number."""
    if value is None or isinstance(value, Fraction):
        return value
    if not math.isfinite(value):
        return None if math.isnan(value) else value
    return Fraction(repr(value))


def shown(value: Value) -> float | str | None:
    """A value as a report has it."""
    if not isinstance(value, Fraction):
        return value
    if value.denominator == 1 and abs(value.numerator) < 1 << 53:
        return value.numerator
    try:
        return float(value)
    except OverflowError:
        return f"{'-' if value < 0 else ''}2^{abs(int(value)).bit_length() - 1} and more"


_COMPUTE: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
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
