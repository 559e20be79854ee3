"""Floor 4. What the expressions of gates compare: constants, what one side has, and what is computed of them.

Numbers are computed exactly, as the decimals that they are written as: 0.91 - 0.002 is 0.908. What is missing, not-a-number or divided by
zero has no value.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from prefect_ledger.expressions import number_of
from prefect_ledger.gates.evidence import Evidence
from prefect_ledger.gates.wording import near, said

Number: TypeAlias = Fraction | float  # floats are infinities alone
Value: TypeAlias = Number | str | None


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
