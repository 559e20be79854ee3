"""The filter language: what holds for every text and every tree."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st

from prefect_ledger import expressions
from prefect_ledger.errors import InvalidFilter
from prefect_ledger.expressions import (
    And,
    Comparison,
    NaN,
    Node,
    Not,
    Null,
    Op,
    Operand,
    Or,
    Value,
    evaluate,
    like,
    parse_filter,
    parse_order,
    unparse,
)
from prefect_ledger.expressions.tree import AGGREGATES, ALLOWED, ATTRIBUTES, DATASET_FIELDS, Kind

LAW = settings(max_examples=150, deadline=None)
HOSTILE = ["'", "''", '"', "`", "``", "%", "_", "\\", "' or 1=1 --", "; drop table runs", "/*", ":x", "?", "\n", "é", "and", ")"]
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.lists(st.sampled_from(HOSTILE) | st.text(characters, max_size=4), max_size=4).map("".join)
keys = texts.filter(bool) | st.from_regex(r"[\w./-]{1,8}", fullmatch=True)
metric_operands = st.builds(Operand, st.just("metric"), keys, st.sampled_from(AGGREGATES))
plain_kinds: st.SearchStrategy[Kind] = st.sampled_from(["param", "tag"])
operands = st.one_of(
    metric_operands,
    st.builds(Operand, plain_kinds, keys),
    st.sampled_from([Operand("attribute", key) for key in ATTRIBUTES]),
    st.sampled_from([Operand("dataset", key) for key in DATASET_FIELDS]),
)
VALUES: dict[str, st.SearchStrategy[Value]] = {
    "number": st.floats(allow_nan=False) | st.integers(-(2**53), 2**53).map(float),
    "whole": st.integers(-(10**18) + 1, 10**18 - 1),
    "time": st.integers(-9_200_000_000_000_000_000, 9_200_000_000_000_000_000) | st.integers(0, 2_000_000_000_000_000),
    "text": texts,
    "id": st.uuids().map(str) | texts,
    "status": st.sampled_from(expressions.STATUSES),
}


def closed(pattern: str) -> str:
    """The pattern, its last backslash not left alone."""
    return pattern + "\\" if (len(pattern) - len(pattern.rstrip("\\"))) % 2 else pattern


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    left = draw(operands)
    type_ = left.type(textual=draw(st.booleans()))
    op = draw(st.sampled_from(ALLOWED[type_]))
    if op in ("IN", "NOT IN"):
        return Comparison(left, op, tuple(draw(st.lists(VALUES[type_], min_size=1, max_size=4, unique=True))))
    value = draw(VALUES[type_])
    return Comparison(left, op, closed(str(value)) if "LIKE" in op else value)


leaf_nodes = st.one_of(comparisons(), st.builds(Null, operands, st.booleans()), st.builds(NaN, metric_operands, st.booleans()))


def compound(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """Trees one level higher."""
    items = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(And, items), st.builds(Or, items), st.builds(Not, inner))


nodes: st.SearchStrategy[Node] = st.recursive(
    leaf_nodes,
    compound,
    max_leaves=8,
)


@LAW
@given(nodes)
def test_text_and_tree_are_the_same(node: Node) -> None:
    """A tree's text reads back as that tree, whatever its keys and values hold."""
    text = unparse(node)
    assert parse_filter(text) == node
    assert unparse(node) == text


@LAW
@given(texts, keys, st.sampled_from(["'", '"']))
@example("' or '1'='1", "x` or `y", "'")
def test_no_way_out_of_quotes(value: str, key: str, quote: str) -> None:
    """Text between quotes is that text and a key between backticks that key, with only the quote itself doubled."""
    written = f"tags.`{key.replace('`', '``')}` = {quote}{value.replace(quote, quote * 2)}{quote}"
    assert parse_filter(written) == Comparison(Operand("tag", key), "=", value)


WORDS = ["metrics.a", "params.`b c`", "tags.c", "status", "datasets.name", "min", "min(metrics.a)", "(", ")", ",", "and", "or", "not"]
WORDS += ["in", "is", "null", "like", "ilike", "=", "!=", "<", ">=", "1", "-2.5e3", "nan", "inf", "'x'", '"y"', "'FAILED'", "`z`", "desc"]
word_lists = st.lists(st.sampled_from(WORDS + HOSTILE), max_size=9)
sentences = word_lists.map(" ".join) | word_lists.map("".join)


def refusal(text: str) -> InvalidFilter | None:
    """Why the text is no filter; None if it is one, which then has a text that reads the same."""
    try:
        node = parse_filter(text)
    except InvalidFilter as error:
        return error
    assert node is None or parse_filter(unparse(node)) == node
    return None


def order_refusal(text: str) -> InvalidFilter | None:
    """Why the text is no order."""
    try:
        parse_order(text)
    except InvalidFilter as error:
        return error
    return None


@LAW
@given(st.text(max_size=60) | sentences)
def test_any_text_is_read_or_refused(text: str) -> None:
    """Any text is a filter, an order or an InvalidFilter that points into it."""
    for error in (refusal(text), order_refusal(text)):
        assert error is None or (error.text == text and 0 <= error.position <= len(text))


@LAW
@given(st.text("aAb%_\\é\n", max_size=12), st.text("aAb%_\\é\n", max_size=12).map(closed))
def test_like_is_sqlites(text: str, pattern: str) -> None:
    """LIKE and ILIKE match exactly what SQLite's LIKE with a backslash as escape matches."""
    database = sqlite3.connect(":memory:")
    for ignore_case in (False, True):
        database.execute(f"pragma case_sensitive_like = {not ignore_case}")
        (expected,) = database.execute(r"select ? like ? escape '\'", (text, pattern)).fetchone()
        assert like(text, pattern, ignore_case=ignore_case) == bool(expected)
    database.close()


@dataclass
class Measured:
    """A run that has metrics and nothing else."""

    metrics: dict[Operand, float]

    def value(self, operand: Operand) -> float | None:
        return self.metrics.get(operand)


def kleene(node: Node, run: Measured) -> float:
    """The truth of a tree as a number, by the definition: 0 false, 1 true, a half unknown; and is min, or is max, not is 1 - x."""
    match node:
        case And(items):
            return min(kleene(item, run) for item in items)
        case Or(items):
            return max(kleene(item, run) for item in items)
        case Not(item):
            return 1 - kleene(item, run)
        case Null(left, negated):
            return (run.value(left) is None) != negated
    value = run.value(node.left)
    if value is None:
        return 0.5
    if isinstance(node, NaN):
        return math.isnan(value) != node.negated
    assert isinstance(node.right, float)
    return {"=": value == node.right, "!=": value != node.right, "<": value < node.right, ">=": value >= node.right}[node.op]


small_metrics = st.sampled_from([Operand("metric", key) for key in "abc"])
simple_ops: st.SearchStrategy[Op] = st.sampled_from(["=", "!=", "<", ">="])
small_numbers = st.sampled_from([-1.0, 0.0, 1.0, math.inf])
small_leaves = st.one_of(
    st.builds(Comparison, small_metrics, simple_ops, small_numbers),
    st.builds(Null, small_metrics, st.booleans()),
    st.builds(NaN, small_metrics, st.booleans()),
)
small_trees: st.SearchStrategy[Node] = st.recursive(
    small_leaves,
    compound,
    max_leaves=10,
)


@LAW
@given(small_trees, st.dictionaries(small_metrics, small_numbers | st.just(math.nan)))
def test_truth_is_kleenes(tree: Node, metrics: dict[Operand, float]) -> None:
    """Evaluation gives the verdict of the definition, with short cuts and NaN too."""
    assert evaluate(tree, Measured(metrics)) is {0.0: False, 0.5: None, 1.0: True}[kleene(tree, Measured(metrics))]
