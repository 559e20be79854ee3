"""Floor 1. How a text is read word by word: what the grammar of filters and those that extend it have in common."""

from __future__ import annotations

import math
from typing import ClassVar

from prefect_ledger.errors import InvalidFilter
from prefect_ledger.expressions.tokens import SHOWN_LIMIT, Token, tokens

NESTING_LIMIT = 50
INFINITE = frozenset(("inf", "infinity"))


class Reading:
    """The words of one text, and the place among them. A grammar is a class below this one."""

    levels: ClassVar[str] = "parentheses and 'not'"  # what nests in the grammar

    def __init__(self, text: str, more: str = "") -> None:
        self.text = text
        self.tokens = list(tokens(text, more))
        self.at = self.depth = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.tokens[self.at]
        self.at += token.kind != "end"
        return token

    def accept(self, *lows: str) -> str:
        """Take the next word if it is one of these; "" otherwise."""
        found = self.next.low if self.next.low in lows else ""
        self.at += bool(found)
        return found

    def expect(self, low: str, what: str) -> None:
        if not self.accept(low):
            raise self.fail(self.next.start, f"expected {what}, found {self.next.found}")

    def expect_end(self) -> None:
        if self.next.kind != "end":
            hint = "; no '(' is open here" if self.next.low == ")" else ""
            raise self.fail(self.next.start, f"expected 'and', 'or' or the end, found {self.next.found}{hint}")

    def fail(self, position: int, message: str) -> InvalidFilter:
        return InvalidFilter(message, text=self.text, position=position)

    def deeper(self, position: int) -> None:
        self.depth += 1
        if self.depth > NESTING_LIMIT:
            raise self.fail(position, f"more than {NESTING_LIMIT} levels of {self.levels}")

    def key(self, token: Token, prefix: str, bare: str) -> str:
        """The key after the prefix: what follows the dot in the word itself, or the quoted token right behind it."""
        quoted = self.next
        if quoted.kind not in ("backtick", "double") or quoted.start != token.end:
            if bare:
                return bare
            raise self.fail(quoted.start, f"expected a key right after {token.found}, found {quoted.found}")
        if bare:
            raise self.fail(token.start, f"quote the key as a whole: {prefix}.`{bare[:SHOWN_LIMIT]}{quoted.text[:SHOWN_LIMIT]}`")
        if not quoted.text:
            raise self.fail(quoted.start, "the key between the quotes is empty")
        return self.take().text

    def amount(self, token: Token) -> float:
        """The float that a word stands for, nan too."""
        value = float(token.text)
        if math.isinf(value) and token.text.lstrip("+-").lower() not in INFINITE:
            raise self.fail(token.start, "the number is too large for a float; for infinity write inf")
        return value
