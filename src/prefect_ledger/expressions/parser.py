"""Floor 1. From text to tree: recursive descent over the tokens of one text, its depth bounded.

Every refusal says what was found, what was expected and, where one is near, what was probably meant; its position is the first
character that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from prefect_ledger.errors import InvalidFilter
from prefect_ledger.expressions.reading import INFINITE, Reading
from prefect_ledger.expressions.tokens import SHOWN_LIMIT, Token, shown
from prefect_ledger.expressions.tree import (
    AGGREGATES,
    ALLOWED,
    ATTRIBUTES,
    DATASET_FIELDS,
    PREFIXES,
    STATUSES,
    And,
    Comparison,
    Kind,
    NaN,
    Node,
    Not,
    Null,
    Op,
    Operand,
    Or,
    Order,
    Type,
    Value,
)

LIST_LIMIT = 1_000

_ALIASES = {"name": "run_name", "user": "user_id", "created": "start_time", "experiment_name": "experiment"}
_STATUS_WORDS = {**{s: (s,) for s in STATUSES}, "FINISHED": ("COMPLETED",), "KILLED": ("CANCELLED", "CRASHED")}
_KINDS: dict[str, Kind] = {
    **{word: kind for kind, plural in PREFIXES.items() for word in (kind, plural)},
    "parameter": "param",
    "parameters": "param",
    "attr": "attribute",
    "run": "attribute",
}
_OPERATORS: dict[str, Op] = {
    **{op.lower(): op for ops in ALLOWED.values() for op in ops},
    "==": "=",
    "<>": "!=",
}
_KEYWORDS = frozenset(("and", "or", "not", "in", "is", "null", "like", "ilike", "asc", "desc"))
_NUMERIC: tuple[Type, ...] = ("number", "whole", "time")
_OTHER_OPERATORS = {"between": "; write x >= a and x <= b", "contains": "; write like '%text%'", "regexp": "; use like"}

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_MILLISECONDS = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{0,20})?")
_FARTHEST_MS = 9_200_000_000_000_000  # 64 bits of microseconds end soon after
_UUID = re.compile(r"([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_filter(text: str, attributes: Mapping[str, Type] = ATTRIBUTES) -> Node | None:
    """Read a filter; None for blank text, which every run matches. ``attributes`` are those there are: a run's, or a version's.

    Raises:
        InvalidFilter: the text says nothing the ledger can ask; `position` is where that begins.

    Example:
        >>> parse_filter("max(metrics.auc) >= 0.9")
        Comparison(left=Operand(kind='metric', key='auc', aggregate='max'), op='>=', right=0.9)
    """
    return _Parser(text, attributes).filter()


def parse_order(items: Sequence[str] | str | None, attributes: Mapping[str, Type] = ATTRIBUTES) -> tuple[Order, ...]:
    """Read `name [asc|desc]`, one or several with commas between, from one text or from each of several; None is no order.

    ``attributes`` are as in :func:`parse_filter`.

    Raises:
        InvalidFilter: a text that does not read so, a dataset, or the same name twice; `text` is the item.

    Example:
        >>> [(str(order.operand), order.descending) for order in parse_order("min(metrics.loss), created desc")]
        [('min(metrics.loss)', False), ('start_time', True)]
    """
    if isinstance(items, str):
        items = [items] if items.strip() else []
    if items is not None and not isinstance(items, Iterable):
        raise InvalidFilter(f"an order is a text or several, not {type(items).__name__}: {shown(str(items))}")
    seen: set[Operand] = set()
    return tuple(order for text in items or () for order in _Parser(text, attributes).orders(seen))


class _Parser(Reading):
    def __init__(self, text: str, attributes: Mapping[str, Type]) -> None:
        if not isinstance(text, str):
            raise InvalidFilter(f"a filter or an order is text, not {type(text).__name__}: {shown(str(text))}")
        super().__init__(text)
        self.attributes = attributes
        self.aliases = {} if "version" in attributes else _ALIASES

    # --- structure: or, and, not, parentheses; order keys

    def filter(self) -> Node | None:
        if self.next.kind == "end":
            return None
        node = self.disjunction()
        self.expect_end()
        return node

    def disjunction(self) -> Node:
        items = [self.conjunction()]
        while self.accept("or"):
            items.append(self.conjunction())
        return items[0] if len(items) == 1 else Or(tuple(items))

    def conjunction(self) -> Node:
        items = [self.negation()]
        while self.accept("and"):
            items.append(self.negation())
        return items[0] if len(items) == 1 else And(tuple(items))

    def negation(self) -> Node:
        first = self.next
        if first.low not in ("not", "("):
            return self.comparison()
        self.at += 1
        self.deeper(first.start)
        if first.low == "not":
            node: Node = Not(self.negation())
        else:
            node = self.disjunction()
            self.expect(")", f"'and', 'or' or the ')' for the '(' at position {first.start}")
        self.depth -= 1
        return node

    def orders(self, seen: set[Operand]) -> Iterator[Order]:
        while True:
            start = self.next.start
            operand = self.operand()
            if operand.kind == "dataset":
                raise self.fail(start, "runs cannot be ordered by a dataset, they may have several")
            if operand in seen:
                raise self.fail(start, f"{shown(str(operand))} is in this order twice")
            seen.add(operand)
            descending = bool(self.accept("desc"))
            if not descending:
                self.accept("asc")
            yield Order(operand, descending)
            if self.next.kind == "end":
                return
            self.expect(",", "'asc', 'desc', a comma or the end")

    # --- names: metrics.auc, min(metrics.loss), params.`my key`, status

    def operand(self) -> Operand:
        token = self.take()
        if token.kind in ("backtick", "double"):
            return self.attribute(token.text, token.start)
        if token.kind != "word" or token.low in _KEYWORDS:
            hint = "; single quotes hold a value, backticks a key" if token.kind == "string" else ""
            raise self.fail(token.start, f"expected a name such as metrics.auc, params.depth or status, found {token.found}{hint}")
        if not self.accept("("):
            return self.reference(token)
        if token.low not in AGGREGATES:
            raise self.fail(token.start, _unknown("function", token.text, AGGREGATES))
        inner = self.take()
        if inner.kind != "word" or "." not in inner.text or (of := self.reference(inner)).kind != "metric":
            raise self.fail(inner.start, f"{token.low}() takes a metric, as in {token.low}(metrics.loss), found {inner.found}")
        self.expect(")", f"')' after {token.low}({shown(str(of))[1:-1]}")
        return Operand("metric", of.key, token.low, position=token.start)

    def reference(self, token: Token) -> Operand:
        prefix, dot, key = token.text.partition(".")
        kind = _KINDS.get(prefix.lower())
        if not dot and kind is None:
            return self.attribute(prefix, token.start)
        if kind is None:
            raise self.fail(token.start, _unknown("prefix", prefix, (*PREFIXES.values(), *_KINDS), show=PREFIXES.values()))
        if not dot:
            raise self.fail(token.end, f"expected {PREFIXES[kind]}.<key>, found {self.next.found} right after {token.found}")
        key, start = self.key(token, PREFIXES[kind], key), token.start + len(prefix) + 1
        if kind == "attribute":
            return self.attribute(key, start)
        if kind == "dataset" and (key := key.lower()) not in DATASET_FIELDS:
            raise self.fail(start, _unknown("dataset field", key, DATASET_FIELDS))
        return Operand(kind, key, position=token.start)

    def attribute(self, name: str, start: int) -> Operand:
        low = name.lower().replace(" ", "_")
        if low not in self.aliases and low not in self.attributes:
            words = (*self.attributes, *self.aliases)
            hint = _near(low, words) or f"; for what was logged, say where: metrics.{name[:SHOWN_LIMIT]} or params, tags"
            raise self.fail(start, f"there is no attribute {shown(name)}{hint}; known: {', '.join(self.attributes)}")
        return Operand("attribute", self.aliases.get(low, low), position=start)

    # --- comparisons

    def comparison(self) -> Node:
        left = self.operand()
        token = self.take()
        if token.low == "is":
            negated = bool(self.accept("not"))
            self.expect("null", "'null'" if negated else "'null' or 'not null'")
            return Null(left, negated)
        word = token.low
        if word == "not" and self.next.low in ("in", "like", "ilike"):
            word = f"not {self.take().low}"
        if word not in _OPERATORS:
            raise self.fail(token.start, _not_an_operator(left, token))
        op = _OPERATORS[word]
        literals = self.literals(op) if op in ("IN", "NOT IN") else [self.literal(op)]
        type_ = left.type(textual=literals[0].kind != "number")
        if op not in ALLOWED[type_]:
            raise self.fail(token.start, _wrong_operator(left, type_, op))
        return self.compared(left, type_, op, literals)

    def literals(self, op: Op) -> list[Token]:
        self.expect("(", f"'(' and a list of values after {op}")
        found = [self.literal(op)]
        while self.accept(","):
            found.append(self.literal(op))
            if len(found) > LIST_LIMIT:
                raise self.fail(found[-1].start, f"more than {LIST_LIMIT:,} values in one list")
        self.expect(")", "a comma or the ')' that ends the list")
        return found

    def literal(self, op: Op) -> Token:
        token = self.take()
        if token.kind in ("string", "double", "number"):
            return token
        if token.low == "nan" or token.low in INFINITE:
            return token._replace(kind="number")
        hint = f"; put text in single quotes: '{token.text[:SHOWN_LIMIT]}'" if token.kind in ("word", "backtick") else ""
        if token.kind == "word" and "." in token.text and token.low.partition(".")[0] in _KINDS:
            hint = "; a name is compared with a value, not with another name"
        raise self.fail(token.start, f"expected a number or quoted text after {op}, found {token.found}{hint}")

    def compared(self, left: Operand, type_: Type, op: Op, literals: list[Token]) -> Node:
        for token in literals:
            if token.kind == "number" and token.text.lower().endswith("nan"):
                if left.kind != "metric" or op not in ("=", "!="):
                    raise self.fail(token.start, "nan stands only in metrics.<key> = nan and metrics.<key> != nan")
                return NaN(left, op == "!=")
        values = tuple(dict.fromkeys(value for token in literals for value in self.read(left, type_, op, token)))
        if op in ("IN", "NOT IN"):
            return Comparison(left, op, values)
        if len(values) > 1:  # KILLED, which is two of ours
            return Comparison(left, "IN" if op == "=" else "NOT IN", values)
        return Comparison(left, op, values[0])

    # --- literals

    def read(self, left: Operand, type_: Type, op: Op, token: Token) -> tuple[Value, ...]:
        """The literal as values of this type; more than one only where a word stands for several statuses."""
        if (token.kind == "number") and type_ not in _NUMERIC:
            raise self.fail(token.start, f"{shown(str(left))} is compared with text here: put {token.text[:SHOWN_LIMIT]} in single quotes")
        if type_ == "number":
            return (self.number(left, token),)
        if type_ == "whole":
            return (self.whole(left, token),)
        if type_ == "time":
            return (self.milliseconds(left, token) if token.kind == "number" else self.date(token),)
        if type_ == "status":
            if (word := token.text.upper()) not in _STATUS_WORDS:
                raise self.fail(token.start, _unknown("status", token.text, _STATUS_WORDS))
            return _STATUS_WORDS[word]
        pattern = op not in ("=", "!=", "IN", "NOT IN")
        if pattern and (len(token.text) - len(token.text.rstrip("\\"))) % 2:
            raise self.fail(token.start, r"the pattern ends in a lone backslash; '\\' stands for one")
        whole_id = _UUID.fullmatch(token.text) if type_ == "id" and not pattern else None
        return ("-".join(whole_id.groups()).lower() if whole_id else token.text,)

    def number(self, left: Operand, token: Token) -> float:
        if token.kind != "number":
            raise self.fail(token.start, f"{shown(str(left))} is compared with numbers here: write one without quotes, not {token.found}")
        return self.amount(token)

    def whole(self, left: Operand, token: Token) -> int:
        if not _WHOLE.fullmatch(token.text):
            raise self.fail(token.start, f"{left} is a whole number of at most 18 digits, not {token.found}")
        return int(token.text)

    def milliseconds(self, left: Operand, token: Token) -> int:
        if not _MILLISECONDS.fullmatch(token.text) or abs(Decimal(token.text)) > _FARTHEST_MS:
            raise self.fail(token.start, f"{left} is a quoted date, or plain digits of milliseconds since 1970, not {token.found}")
        return int((Decimal(token.text) * 1000).to_integral_value())

    def date(self, token: Token) -> int:
        try:
            moment = datetime.fromisoformat(token.text)
        except ValueError:
            example = "'2026-03-01' or '2026-03-01T12:30:00+01:00'"
            raise self.fail(token.start, f"{token.found} is not a date or time such as {example}") from None
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)


# --- messages -------------------------------------------------------------------------------------------------------


def _near(word: str, words: Iterable[str]) -> str:
    """The known word that was probably meant, as the end of a sentence."""
    from difflib import get_close_matches  # only a refusal needs it

    by_case = {known.lower(): known for known in words}
    near = get_close_matches(word[:SHOWN_LIMIT].lower(), by_case, 1, 0.7)
    return f"; did you mean {by_case[near[0]]!r}?" if near else ""


def _unknown(what: str, word: str, words: Iterable[str], *, show: Iterable[str] = ()) -> str:
    return f"there is no {what} {shown(word)}{_near(word, words)}; known: {', '.join(show or words)}"


def _not_an_operator(left: Operand, token: Token) -> str:
    hint = _OTHER_OPERATORS.get(token.low, "")
    if token.kind in ("word", "number") and not hint and token.low not in _KEYWORDS and left.kind in ("metric", "param", "tag"):
        hint = f"; a key with spaces stands in backticks, as in {PREFIXES[left.kind]}.`my key`"
    return f"expected an operator such as =, > or in after {shown(str(left))}, found {token.found}{hint}"


def _wrong_operator(left: Operand, type_: Type, op: Op) -> str:
    hint = ""
    if left.kind == "param":
        hint = "; it compares text: put the value in quotes" if type_ == "number" else "; it compares numbers: write one without quotes"
    return f"{op} does not go with {shown(str(left))}{hint}; here one can say {', '.join(ALLOWED[type_])} and IS NULL"
