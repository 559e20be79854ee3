"""Floor 4. The numbers, texts and names of a gate's text, and the arithmetic between them."""

from __future__ import annotations

import math
from typing import Any, Literal

from prefect_ledger.expressions.reading import INFINITE, Reading
from prefect_ledger.expressions.tokens import SHOWN_LIMIT, Token, shown
from prefect_ledger.gates.operands import Computed, Constant, Reference, Term, exact
from prefect_ledger.gates.tree import Condition
from prefect_ledger.gates.wording import near

COMPUTATION_LIMIT = 100

_KINDS = {
    **dict.fromkeys(("metrics", "metric"), "metrics"),
    **dict.fromkeys(("params", "param", "parameters", "parameter"), "params"),
    **dict.fromkeys(("tags", "tag"), "tags"),
}
_ATTRIBUTES = ("size", "version", "name", "digest")
_KEYWORDS = frozenset(("and", "or", "not", "in", "is", "null", "like", "ilike"))

Node = Condition | Term


class Terms(Reading):
    """The numbers, texts and names that are read of a text's words."""

    levels = "parentheses, signs and 'not'"

    def __init__(self, text: str) -> None:
        super().__init__(text, more="+-*/")
        self.computations = 0

    def since(self, start: int) -> str:
        return self.text[start : self.tokens[self.at - 1].end]

    def either(self, word: Literal["or", "and"]) -> Node:
        """What parentheses hold: a condition or a term."""
        raise NotImplementedError

    # --- numbers: + and -, * and /, signs, parentheses, names, literals

    def term(self) -> Term:
        start = self.next.start
        node = self.sum()
        if not isinstance(node, Term):
            raise self.fail(start, f"expected a number, a text or a name, found the condition {shown(node.text)}")
        return node

    def sum(self) -> Node:
        start = self.next.start
        node = self.product()
        while isinstance(node, Term):
            here = self.next.start
            if op := self.accept("+", "-"):
                right = self.product()
            elif self.next.kind == "number" and self.next.text[0] in "+-":  # x -1 is a difference, though -1 is one word
                op, right = "+", self.product()
            else:
                break
            node = self.computed(op, node, right, start, here)
        return node

    def product(self) -> Node:
        start = self.next.start
        node = self.signed()
        while isinstance(node, Term) and self.next.low in ("*", "/"):
            here, op = self.next.start, self.take().low
            node = self.computed(op, node, self.signed(), start, here)
        return node

    def computed(self, op: str, left: Node, right: Node, start: int, here: int) -> Computed:
        self.computations += 1
        if self.computations > COMPUTATION_LIMIT:
            raise self.fail(here, f"more than {COMPUTATION_LIMIT} computations in one gate")
        for one in (left, right):
            if not isinstance(one, Term) or kind(one) == "text":
                raise self.fail(here, f"{op} computes with numbers, and {shown(one.text)} is none")
        assert isinstance(left, Term)
        assert isinstance(right, Term)
        return Computed(op, left, right, self.since(start))

    def signed(self) -> Node:
        start = self.next.start
        if self.next.low not in ("+", "-"):
            return self.primary()
        op = self.take().low
        self.deeper(start)
        node = self.computed(op, Constant(exact(0.0) or 0.0, "0", textual=False), self.signed(), start, start)
        self.depth -= 1
        return node

    def primary(self) -> Node:
        token = self.take()
        if token.low == "(":
            self.deeper(token.start)
            node = self.either("or")
            self.expect(")", f"'and', 'or' or the ')' for the '(' at position {token.start}")
            self.depth -= 1
            return node
        if token.kind == "string":
            return Constant(token.text, self.text[token.start : token.end], textual=True)
        if token.kind == "number" or token.low in INFINITE:
            return self.number(token)
        if token.low == "nan":
            raise self.fail(token.start, "no gate compares with nan: what is not a number never passes")
        if token.kind != "word" or token.low in _KEYWORDS:
            raise self.fail(token.start, f"expected a name such as metrics.auc or champion.size, or a number, found {token.found}")
        if self.next.low == "(":
            raise self.fail(token.start, f"there are no functions such as {shown(token.text)} in a gate: the evidence has last values")
        return self.reference(token)

    def number(self, token: Token) -> Constant:
        value = self.amount(token)
        if math.isnan(value):
            raise self.fail(token.start, "no gate compares with nan: what is not a number never passes")
        found = exact(value)
        assert found is not None
        return Constant(found, token.text, textual=False)

    def reference(self, token: Token) -> Reference:
        side: Literal["candidate", "champion"] = "candidate"
        rest, offset = token.text, 0
        first, dot, behind = rest.partition(".")
        if first.lower() in ("champion", "candidate"):
            side = "champion" if first.lower() == "champion" else "candidate"
            rest, offset = behind, len(first) + 1
            if not dot or not behind:
                raise self.fail(token.end, f"expected what of the {side}, as in {side}.metrics.auc, found {self.next.found}")
        prefix, dot, key = rest.partition(".")
        kind: Any = _KINDS.get(prefix.lower())
        if kind is None and not dot and prefix.lower() in _ATTRIBUTES:
            return Reference(side, "attributes", prefix.lower(), self.since(token.start))
        if kind is None:
            raise self.fail(token.start + offset, f"there is no {shown(prefix)}{_near(prefix)}")
        if not dot:
            raise self.fail(token.end, f"expected {prefix}.<key>, found {self.next.found} right after {token.found}")
        key = self.key(token, prefix, key)
        return Reference(side, kind, key, self.since(token.start))


def kind(term: Term) -> str:
    """ "text" or "number", "" for a parameter, which may be either."""
    if term.textual:
        return "text"
    return "" if isinstance(term, Reference) and not term.numeric else "number"


def _near(word: str) -> str:
    known = ("metrics", "params", "tags", "champion", *_ATTRIBUTES)
    hint = near(word, known)
    return hint if "near" in hint else f"; known: {', '.join(known)}; for what was logged, say where: metrics.{word[:SHOWN_LIMIT]}"
