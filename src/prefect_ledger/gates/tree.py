"""Floor 4. The conditions of a gate's expression, and their three-valued truth over one evidence, with what was found on the way.

A comparison of what has no value is unknown: it never passes, below ``not`` neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from prefect_ledger.expressions import OPERATIONS
from prefect_ledger.gates.evidence import Evidence
from prefect_ledger.gates.operands import Computed, Constant, Notes, Reference, Term, Value, shown
from prefect_ledger.gates.wording import said

Truth: TypeAlias = bool | None


class Condition:
    """What has a truth."""

    __slots__ = ()
    text: str

    def truth(self, evidence: Evidence, notes: Notes) -> Truth:
        """Whether it holds; None, with a note, where that is unknown."""
        raise NotImplementedError


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
        found = bool(OPERATIONS[self.op](left, right))
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
