"""The filter language: what it refuses, in which words, and where."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import pytest

from prefect_ledger import expressions
from prefect_ledger.entities import RunStatus
from prefect_ledger.errors import InvalidFilter, InvalidValue
from prefect_ledger.expressions import (
    And,
    Comparison,
    NaN,
    Operand,
    Or,
    parse_filter,
    parse_order,
    unparse,
)

AUC, DEPTH, TEAM, STATUS = (Operand("metric", "auc"), Operand("param", "depth"), Operand("tag", "team"), Operand("attribute", "status"))

FILTER_ERRORS = [
    # names; ▲ stands before the character that is wrong
    ("▲metrcs.auc > 1", ["'metrcs'", "did you mean 'metrics'", "params"]),
    ("▲foo.bar = 1", ["'foo'", "metrics, params, tags, attributes, datasets"]),
    ("metrics.a > 1 and ▲auc > 1", ["'auc'", "metrics.auc", "start_time"]),
    ("▲statsu = 'FAILED'", ["did you mean 'status'"]),
    ("attributes.▲colour = 'red'", ["'colour'", "run_name", "parent_run_id"]),
    ("▲`run_nmae` = 'a'", ["did you mean 'run_name'"]),
    ("datasets.▲nme = 'a'", ["did you mean 'name'", "digest"]),
    ("metrics▲ > 1", ["metrics.<key>", "'>'"]),
    ("metrics. ▲auc > 1", ["key right after 'metrics.'"]),
    ("metrics.▲'auc' > 1", ["key right after"]),
    ("metrics.▲`` > 1", ["empty"]),
    ("▲metrics.a.`b c` > 1", ["metrics.`a.b c`"]),
    ("metrics.`a`▲.b > 1", ["backticks as a whole"]),
    ("metrics.val ▲auc > 1", ["'auc'", "backticks"]),
    ("▲mn(metrics.a) > 1", ["did you mean 'min'", "first, last, min, max, mean, count"]),
    ("min(▲params.a) > 1", ["takes a metric"]),
    ("min(▲loss) > 1", ["takes a metric", "metrics.loss"]),
    ("min(▲) > 1", ["takes a metric"]),
    ("min(metrics.a ▲> 1", ["')'"]),
    ("▲'a' = 'b'", ["expected a name", "backticks"]),
    ("▲5 > metrics.a", ["expected a name", "'5'"]),
    ("▲= 5", ["expected a name", "'='"]),
    # structure
    ("metrics.a > 1 ▲metrics.b > 2", ["expected 'and', 'or' or the end"]),
    ("metrics.a > 1▲)", ["no '(' is open"]),
    ("(metrics.a > 1▲", ["')'", "position 0", "end of the text"]),
    ("metrics.a > 1 and▲", ["expected a name", "end of the text"]),
    ("metrics.a > 1 and ▲or metrics.b > 1", ["'or'"]),
    ("not▲", ["expected a name"]),
    ("()".replace(")", "▲)"), ["expected a name", "')'"]),
    # operators
    ("metrics.a▲", ["expected an operator", "end of the text"]),
    ("metrics.a ▲between 1 and 2", ["x >= a and x <= b"]),
    ("metrics.a ▲not > 1", ["expected an operator", "'not'"]),
    ("metrics.a ▲like '1%'", ["LIKE", "<, <=, >, >="]),
    ("params.a ▲< '5'", ["without quotes"]),
    ("params.a ▲like 5", ["in quotes"]),
    ("tags.a ▲> 'b'", ["LIKE, NOT LIKE"]),
    ("status ▲like 'F%'", ["=, !=, IN, NOT IN"]),
    ("metrics.a is ▲nan", ["'null' or 'not null'"]),
    ("metrics.a is not ▲5", ["expected 'null'"]),
    # literals
    ("metrics.a =▲", ["expected a number or quoted text after =", "end of the text"]),
    ("metrics.a = ▲'0.9'", ["without quotes"]),
    ("tags.a = ▲5", ["'tags.a'", "single quotes"]),
    ("run_name = ▲5", ["single quotes"]),
    ("params.m = ▲xgb", ["'xgb'", "single quotes"]),
    ("params.flag = ▲true", ["'true'", "single quotes"]),
    ("params.m = ▲`xgb`", ["single quotes"]),
    ("metrics.a > ▲metrics.b", ["not with another name"]),
    ("params.a in (1, ▲'b')", ["numbers"]),
    ("params.a in ('b', ▲1)", ["text"]),
    ("metrics.a in ▲1", ["'('"]),
    ("metrics.a in (▲)", ["expected a number"]),
    ("metrics.a in (1, ▲)", ["expected a number"]),
    ("metrics.a in (1 ▲2)", ["comma"]),
    ("status = ▲'FINISH'", ["did you mean 'FINISHED'", "CANCELLED", "KILLED"]),
    ("status in ('FAILED', ▲'')", ["no status"]),
    ("attempt > ▲1.5", ["whole number"]),
    ("experiment_id = ▲1000000000000000000", ["18 digits"]),
    ("experiment_id = ▲'churn'", ["whole number"]),
    ("start_time > ▲'2026-13-01'", ["'2026-13-01'", "such as '2026-03-01'"]),
    ("start_time > ▲'yesterday'", ["date"]),
    ("start_time > ▲9200000000000001", ["milliseconds"]),
    ("start_time > ▲1e12", ["plain digits"]),
    ("start_time > ▲inf", ["milliseconds"]),
    ("metrics.a < ▲nan", ["= nan", "!= nan"]),
    ("metrics.a in (1, ▲nan)", ["= nan"]),
    ("params.a = ▲nan", ["metrics.<key> = nan"]),
    ("metrics.a > ▲1e999", ["inf"]),
    (r"tags.a like ▲'a\'", ["backslash"]),
    (r"tags.a not ilike ▲'a\\\'", ["backslash"]),
    # characters
    ("params.a = ▲'x", ["not closed"]),
    ("params.a = 'it's▲'", ["not closed", "twice"]),
    ("metrics.▲`a > 1", ["not closed"]),
    ("metrics.a > ▲0.1.2", ["'0.1.2'", "not a number"]),
    ("metrics.a > ▲1_000", ["not a number"]),
    ("metrics.a > ▲0x10", ["not a number"]),
    ("metrics.a > 1 ▲&& metrics.b > 1", ["write 'and'"]),
    ("metrics.a > 1 ▲|| metrics.b > 1", ["write 'or'"]),
    ("▲!metrics.a > 1", ["write 'not'"]),
    ("params.a =▲~ 'x'", ["write 'like'"]),
    ("params.a = ▲\u2018x\u2019", ["straight quotes"]),
    ("metrics.a > ▲- 5", ["right before its number"]),
    ("metrics.a > 1▲; drop table runs", ["unexpected ';'"]),
    ("tags.a = 'x▲\0'", ["cannot be in a key or value"]),
    ("tags.a = 'x▲\ud800'", ["cannot be in a key or value"]),
]


@pytest.mark.parametrize(("marked", "words"), FILTER_ERRORS)
def test_refusals(marked: str, words: list[str]) -> None:
    """A refusal names what was found and what would do, and points at the first character that is wrong."""
    text = marked.replace("▲", "")
    with pytest.raises(InvalidFilter) as caught:
        parse_filter(text)
    assert (caught.value.text, caught.value.position) == (text, marked.index("▲"))
    message = str(caught.value).split("\n  ")[0]
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("metrics.auc ▲descending", ["'asc', 'desc'"]),
        ("metrics.auc desc ▲asc", ["comma or the end"]),
        ("metrics.auc ▲> 1", ["'>'"]),
        ("metrics.auc,▲", ["expected a name"]),
        ("▲auc", ["metrics.auc"]),
        ("▲datasets.name", ["several"]),
        ("metrics.auc desc, ▲last(metrics.auc)", ["twice"]),
        ("▲run_name", ["'run_name'", "twice"]),
        ("▲", ["expected a name"]),
    ],
)
def test_refused_orders(item: str, words: list[str]) -> None:
    """An order that does not read is refused with the item it is in; the same key twice too, also under another name."""
    text = item.replace("▲", "")
    with pytest.raises(InvalidFilter) as caught:
        parse_order(["name", text])
    assert (caught.value.text, caught.value.position) == (text, item.index("▲"))
    assert [word for word in words if word not in str(caught.value)] == []


def test_bounds() -> None:
    """Text, nesting and lists are accepted up to their limits and refused one beyond, at the first thing too many."""
    assert parse_filter("metrics.a > 1".ljust(10_000)) == Comparison(Operand("metric", "a"), ">", 1.0)
    nested = [f"{'(' * n}metrics.a > 1{')' * n}" for n in (50, 51)] + [f"{'not ' * n}metrics.a > 1" for n in (50, 51)]
    lists = [f"metrics.a in ({','.join(map(str, range(n)))})" for n in (1_000, 1_001)]
    for accepted in (nested[0], nested[2], lists[0], " and ".join(["(metrics.a > 1)"] * 500)):
        assert parse_filter(accepted) is not None
    for refused, position in ((nested[1], 50), (nested[3], 200), (lists[1], lists[1].index("1000")), ("x" * 10_001, 10_000)):
        with pytest.raises(InvalidFilter) as caught:
            parse_filter(refused)
        assert caught.value.position == position
    with pytest.raises(InvalidFilter, match="not NoneType"):
        parse_filter(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("piece", ["(", "not ", "'", "''", '"', "`", "1", "1.", "a.", "-", " ", "((not ", "\\", "metrics.a in (1,", "1e"])
def test_hostile_repetition(piece: str) -> None:
    """Ten thousand characters of what makes careless scanners and parsers blow up are refused, or blank."""
    text = (piece * 10_000)[:10_000]
    for hostile in (text, f"tags.a = '{text}"[:10_000], f"metrics.a > {text}"[:10_000]):
        with contextlib.suppress(InvalidFilter):
            node = parse_filter(hostile)
            assert piece in (" ", "'", "''", '"', "`", "1")
            assert node is None or parse_filter(unparse(node)) == node


@pytest.mark.parametrize(
    "build",
    [
        lambda: Operand("metric", ""),
        lambda: Operand("attribute", "password"),
        lambda: Operand("dataset", "id"),
        lambda: Operand("column", "x"),  # type: ignore[arg-type]
        lambda: Operand("param", "x", "min"),
        lambda: Operand("metric", "x", "sum"),
        lambda: Comparison(AUC, "LIKE", 1.0),
        lambda: Comparison(AUC, "= 1 or", 1.0),  # type: ignore[arg-type]
        lambda: Comparison(AUC, "=", "1"),
        lambda: Comparison(AUC, "=", math.nan),
        lambda: Comparison(AUC, "IN", ()),
        lambda: Comparison(AUC, "IN", 1.0),
        lambda: Comparison(AUC, "=", (1.0,)),
        lambda: Comparison(DEPTH, "IN", (1.0, "a")),
        lambda: Comparison(DEPTH, "<", "a"),
        lambda: Comparison(TEAM, "=", 1.0),
        lambda: Comparison(Operand("attribute", "start_time"), ">", "2026-03-01"),
        lambda: NaN(DEPTH),
        lambda: And((Comparison(AUC, ">", 0.9),)),
        lambda: Or(()),
    ],
)
def test_trees_that_no_text_says(build: Callable[[], object]) -> None:
    """A tree that was built by hand is one that a text could have said, so that compilers need not check it again."""
    with pytest.raises(InvalidValue):
        build()


def test_statuses_are_the_ledgers() -> None:
    """Every status a run can have can be asked for."""
    assert tuple(RunStatus) == expressions.STATUSES
    for status in RunStatus:
        assert parse_filter(f"status = '{status}'") == Comparison(STATUS, "=", status.value)
