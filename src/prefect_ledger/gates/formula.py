"""Floor 4. From a gate's text to its tree: the grammar of filters, with a champion, and arithmetic on both sides of a comparison.

    metrics.auc >= champion.metrics.auc - 0.002 and size <= 2 * champion.size and not tags.data = 'synthetic'

`metrics.<key>`, `params.<key>`, `tags.<key>`, `size` (bytes), `version`, `name` and `digest` are the candidate's, with `champion.` before
them the champion's. `-` and `/` may be part of a key, so spaces stand around them where they compute. Everything else is as in filters;
aggregates are not available, since the evidence has last values.
"""

from __future__ import annotations

from typing import Any, Literal

from prefect_ledger.expressions.tokens import Token, shown
from prefect_ledger.gates.operands import Constant, Reference, Term
from prefect_ledger.gates.terms import Node, Terms, kind
from prefect_ledger.gates.tree import Comparison, Condition, Joined, Not, Null

LIST_LIMIT = 1_000

_ORDERED = {op: op for op in ("=", "!=", "<", "<=", ">", ">=")} | {"==": "=", "<>": "!="}
_TEXTUAL = {"like": "LIKE", "ilike": "ILIKE", "not like": "NOT LIKE", "not ilike": "NOT ILIKE"}
_LISTS = {"in": "IN", "not in": "NOT IN"}
_EXAMPLE = "metrics.auc >= champion.metrics.auc - 0.002"


def parse(text: str) -> Condition:
    """Read an expression.

    Raises:
        InvalidFilter: the text says nothing a gate can ask; `position` is where that begins.

    Example:
        >>> parse("metrics.auc >= champion.metrics.auc - 0.002").right[0].text
        'champion.metrics.auc - 0.002'
    """
    return _Parser(text).whole()


class _Parser(Terms):
    # --- conditions: or, and, not, comparisons. Parentheses may hold a condition or a number, so either may come out of `primary`.

    def whole(self) -> Condition:
        start = self.next.start
        if self.next.kind == "end":
            raise self.fail(start, f"a gate says what must hold, as in {_EXAMPLE}; this text is empty")
        node = self.condition(self.either("or"))
        self.expect_end()
        return node

    def condition(self, node: Node) -> Condition:
        if isinstance(node, Term):
            raise self.fail(self.next.start, f"expected an operator such as >= after {shown(node.text)}, found {self.next.found}")
        return node

    def either(self, word: Literal["or", "and"]) -> Node:
        start = self.next.start
        first = self.part(word)
        if self.next.low != word:
            return first
        items = [self.condition(first)]
        while self.accept(word):
            items.append(self.condition(self.part(word)))
        return Joined(word, tuple(items), self.since(start))

    def part(self, word: Literal["or", "and"]) -> Node:
        return self.either("and") if word == "or" else self.negation()

    def negation(self) -> Node:
        start = self.next.start
        if not self.accept("not"):
            return self.comparison()
        self.deeper(start)
        node = Not(self.condition(self.negation()), self.since(start))
        self.depth -= 1
        return node

    def comparison(self) -> Node:
        start = self.next.start
        left = self.sum()
        token = self.next
        if not isinstance(left, Term) or token.low in ("and", "or", ")") or token.kind == "end":
            return left
        self.take()
        if token.low == "is":
            return self.null(left, start)
        word = f"not {self.take().low}" if token.low == "not" and self.next.low in ("in", "like", "ilike") else token.low
        op = _ORDERED.get(word) or _TEXTUAL.get(word) or _LISTS.get(word)
        if op is None:
            raise self.fail(token.start, f"expected an operator such as >=, + or in after {shown(left.text)}, found {token.found}")
        rights = self.listed(op) if word in _LISTS else [(self.next.start, self.term())]
        textual = self.compared(op, [(start, left), *rights], token)
        return Comparison(op, left, tuple(one for _, one in rights), textual, self.since(start))

    def null(self, left: Any, start: int) -> Null:
        negated = bool(self.accept("not"))
        self.expect("null", "'null'" if negated else "'null' or 'not null'")
        if not isinstance(left, Reference):
            raise self.fail(start, f"{shown(left.text)} is computed; 'is null' asks for one name")
        return Null(left, negated, self.since(start))

    def listed(self, op: str) -> list[tuple[int, Term]]:
        self.expect("(", f"'(' and a list of values after {op}")
        found = [(self.next.start, self.term())]
        while self.accept(","):
            found.append((self.next.start, self.term()))
            if len(found) > LIST_LIMIT:
                raise self.fail(found[-1][0], f"more than {LIST_LIMIT:,} values in one list")
        self.expect(")", "a comma or the ')' that ends the list")
        return found

    def compared(self, op: str, terms: list[tuple[int, Term]], token: Token) -> bool:
        """Whether texts are compared here; refuses what can only be a number beside what can only be a text."""
        kinds = [(start, one, kind(one)) for start, one in terms]
        numbers, texts = ([(start, one) for start, one, found in kinds if found == wanted] for wanted in ("number", "text"))
        if numbers and texts:
            start, one = max(numbers[0], texts[0], key=lambda found: found[0])
            other = "text" if (start, one) in numbers else "a number"
            raise self.fail(start, f"{shown(one.text)} is compared with {other} here, and cannot be")
        if op in _TEXTUAL.values() and (numbers or not isinstance(terms[1][1], Constant)):
            raise self.fail(token.start, f"{op} compares a parameter or tag with a quoted text")
        if texts and op in ("<", "<=", ">", ">="):
            raise self.fail(token.start, f"{op} compares numbers, and {shown(texts[0][1].text)} is text")
        return bool(texts) or (not numbers and op not in ("<", "<=", ">", ">="))
