"""The filter language: what can be written, and what it means for a run."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product

import pytest

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
    Order,
    Value,
    evaluate,
    number_of,
    parse_filter,
    parse_order,
    unparse,
)

AUC, LOSS = Operand("metric", "auc"), Operand("metric", "loss")
GOOD, BAD = Comparison(AUC, ">", 0.9), Comparison(LOSS, ">", 1.0)
DEPTH, TEAM, STATUS = Operand("param", "depth"), Operand("tag", "team"), Operand("attribute", "status")


def attribute(key: str) -> Operand:
    return Operand("attribute", key)


def micros(day: int, hour: int = 0, minute: int = 0) -> int:
    """A time in March 2026, UTC."""
    return int(datetime(2026, 3, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


# --- what it accepts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "operand"),
    [
        ("metrics.val.auc", Operand("metric", "val.auc")),
        ("metric.auc", AUC),
        ("METRICS.auc", AUC),
        ("metrics.AUC", Operand("metric", "AUC")),
        ("metrics.val/auc-1", Operand("metric", "val/auc-1")),
        ("metrics.0", Operand("metric", "0")),
        ("metrics.-x", Operand("metric", "-x")),
        ("metrics.größe", Operand("metric", "größe")),
        ("metrics.`val auc`", Operand("metric", "val auc")),
        ('metrics."val auc"', Operand("metric", "val auc")),
        ("metrics.`a``b`", Operand("metric", "a`b")),
        ('metrics."a""b"', Operand("metric", 'a"b')),
        ("metrics.`or`", Operand("metric", "or")),
        ("metrics.and", Operand("metric", "and")),
        ("min(metrics.loss)", Operand("metric", "loss", "min")),
        ("Mean ( metrics.`my loss` )", Operand("metric", "my loss", "mean")),
        ("last(metrics.auc)", AUC),
        ("params.depth", DEPTH),
        ("param.depth", DEPTH),
        ("parameter.depth", DEPTH),
        ("parameters.depth", DEPTH),
        ("tag.mlflow.runName", Operand("tag", "mlflow.runName")),
        ("tags.team", TEAM),
        ("datasets.name", Operand("dataset", "name")),
        ("dataset.Digest", Operand("dataset", "digest")),
        ("datasets.`context`", Operand("dataset", "context")),
        ("status", STATUS),
        ("Status", STATUS),
        ("attributes.status", STATUS),
        ("attribute.status", STATUS),
        ("attr.status", STATUS),
        ("run.status", STATUS),
        ("attributes.`Run name`", attribute("run_name")),
        ("`run name`", attribute("run_name")),
        ('"Run name"', attribute("run_name")),
        ("name", attribute("run_name")),
        ("user", attribute("user_id")),
        ("Created", attribute("start_time")),
        ("experiment_name", attribute("experiment")),
        ("parent_run_id", attribute("parent_run_id")),
    ],
)
def test_names(name: str, operand: Operand) -> None:
    """Each spelling of a name asks for the same thing in a filter and in an order."""
    assert parse_filter(f"{name} is null") == Null(operand)
    assert operand.kind == "dataset" or parse_order(f"{name} DESC") == (Order(operand, descending=True),)


@pytest.mark.parametrize(
    ("text", "op", "right"),
    [
        ("metrics.auc = 1", "=", 1.0),
        ("metrics.auc == 1.5", "=", 1.5),
        ("metrics.auc != -.5", "!=", -0.5),
        ("metrics.auc<>+5.", "!=", 5.0),
        ("metrics.auc<1e-3", "<", 0.001),
        ("metrics.auc<=1.5E+2", "<=", 150.0),
        ("metrics.auc>-1", ">", -1.0),
        ("metrics.auc >= 00012", ">=", 12.0),
        ("metrics.auc < inf", "<", math.inf),
        ("metrics.auc > -Infinity", ">", -math.inf),
        ("metrics.auc in (1, 2,3)", "IN", (1.0, 2.0, 3.0)),
        ("metrics.auc NOT\nIN (1,1.0)", "NOT IN", (1.0,)),
        ("params.depth = 6", "=", 6.0),
        ("params.depth = '6'", "=", "6"),
        ('params.depth = "6"', "=", "6"),
        ("params.depth = 'it''s'", "=", "it's"),
        ('params.depth = "it\'s"', "=", "it's"),
        ('params.depth = "say ""hi"""', "=", 'say "hi"'),
        ("params.depth = ''", "=", ""),
        ("params.depth = ''''", "=", "'"),
        (r"params.depth = '\n'", "=", r"\n"),
        ("params.depth = 'a\nb'", "=", "a\nb"),
        ("params.depth LIKE 'x%'", "LIKE", "x%"),
        ("params.depth not like 'x%'", "NOT LIKE", "x%"),
        (r"tags.team ILIKE '%\\'", "ILIKE", r"%\\"),
        ("tags.team NOT ILIKE '%risk%'", "NOT ILIKE", "%risk%"),
        ("tags.team in ('a','b')", "IN", ("a", "b")),
        ("run_name like '%1%'", "LIKE", "%1%"),
        ("datasets.context = 'train'", "=", "train"),
        ("duration > 1.5", ">", 1.5),
        ("attempt > 1", ">", 1),
        ("experiment_id = '999999999999999999'", "=", 999_999_999_999_999_999),
        ("experiment_id in (0, '12')", "IN", (0, 12)),
        ("status = 'completed'", "=", "COMPLETED"),
        ("status = 'FINISHED'", "=", "COMPLETED"),
        ("status in ('finished', 'COMPLETED', 'failed')", "IN", ("COMPLETED", "FAILED")),
        ("status = 'KILLED'", "IN", ("CANCELLED", "CRASHED")),
        ("status <> 'killed'", "NOT IN", ("CANCELLED", "CRASHED")),
        ("status not in ('KILLED', 'FAILED')", "NOT IN", ("CANCELLED", "CRASHED", "FAILED")),
        ("start_time >= 1772323200000", ">=", 1_772_323_200_000_000),
        ("start_time >= 1772323200000.1234", ">=", 1_772_323_200_000_123),
        ("start_time < -1", "<", -1_000),
        ("start_time > '2026-03-01'", ">", micros(1)),
        ("end_time > '2026-03-01 12:30'", ">", micros(1, 12, 30)),
        ("created > '2026-03-01T12:30:00.000001Z'", ">", micros(1, 12, 30) + 1),
        ("created > '2026-03-01T12:30:00+01:00'", ">", micros(1, 11, 30)),
        ("run_id = 'ABCDEF0123456789abcdef0123456789'", "=", "abcdef01-2345-6789-abcd-ef0123456789"),
        ("run_id = 'anything else'", "=", "anything else"),
        ("run_id like 'ABCDEF0123456789abcdef0123456789'", "LIKE", "ABCDEF0123456789abcdef0123456789"),
        ("parent_run_id in ('abcdef01-2345-6789-ABCD-ef0123456789')", "IN", ("abcdef01-2345-6789-abcd-ef0123456789",)),
    ],
)
def test_comparisons(text: str, op: Op, right: Value | tuple[Value, ...]) -> None:
    """Each operator and literal reads as the value, and the type of value, that its name is compared with."""
    node = parse_filter(text)
    assert isinstance(node, Comparison)
    assert (node.op, node.right) == (op, right)
    assert [type(value) for value in node.values] == [type(value) for value in (right if isinstance(right, tuple) else (right,))]
    assert parse_filter(unparse(node)) == node


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("metrics.auc > .9 and metrics.loss > 1", And((GOOD, BAD))),
        ("metrics.auc > .9 or metrics.loss > 1 and metrics.auc > .9", Or((GOOD, And((BAD, GOOD))))),
        ("metrics.auc > .9 AND metrics.loss > 1 OR metrics.auc > .9", Or((And((GOOD, BAD)), GOOD))),
        ("(metrics.auc > .9 or metrics.loss > 1) and metrics.auc > .9", And((Or((GOOD, BAD)), GOOD))),
        ("Not metrics.auc > .9 and metrics.loss > 1", And((Not(GOOD), BAD))),
        ("not(metrics.auc > .9 or metrics.loss > 1)", Not(Or((GOOD, BAD)))),
        ("not not ((metrics.auc>.9))", Not(Not(GOOD))),
        ("metrics.auc>.9and metrics.loss>1", None),
        ("metrics.auc > .9 and (metrics.loss > 1 and metrics.auc > .9)", And((GOOD, And((BAD, GOOD))))),
        ("tags.team is null", Null(TEAM)),
        ("end_time IS NOT NULL", Null(attribute("end_time"), negated=True)),
        ("min(metrics.loss) is null", Null(Operand("metric", "loss", "min"))),
        ("metrics.loss = nan", NaN(LOSS)),
        ("metrics.loss <> NaN", NaN(LOSS, negated=True)),
    ],
)
def test_structure(text: str, node: Node | None) -> None:
    """`not` binds before `and`, `and` before `or`, parentheses before all; a number and a word need a gap between them."""
    if node is None:
        with pytest.raises(InvalidFilter):
            parse_filter(text)
    else:
        assert parse_filter(text) == node


def test_blank_text_asks_nothing() -> None:
    """Blank text is no filter and no order, and no filter matches every run."""
    assert parse_filter(" \n\t") is None
    assert parse_order("  ") == () == parse_order([])
    assert evaluate(None, Subject()) is True


def test_orders() -> None:
    """Several keys come from one text or many, ascending unless said otherwise."""
    expected = (Order(AUC, descending=True), Order(Operand("param", "x, y desc")), Order(Operand("metric", "loss", "min")))
    assert parse_order("metrics.auc desc, params.`x, y desc`,min(metrics.loss) ASC") == expected
    assert parse_order(["metrics.auc DESC", "params.`x, y desc`", "min(metrics.loss)"]) == expected
    assert parse_order(["metrics.auc desc, params.`x, y desc`", "min(metrics.loss)"]) == expected


def test_a_place_is_no_part_of_a_name() -> None:
    """Where a text names something is kept for messages and does not make two names of one."""
    node = parse_filter("metrics.auc > 1 and max(metrics.auc) > 2")
    assert isinstance(node, And)
    assert [item.left.position for item in node.items if isinstance(item, Comparison)] == [0, 20]
    assert Operand("metric", "auc", position=3) == AUC
    assert hash(Operand("metric", "auc", position=3)) == hash(AUC)


# --- what it means --------------------------------------------------------------------------------------------------------


@dataclass
class Subject:
    """A run in a dictionary."""

    has: dict[Operand, Value | tuple[str, ...] | None] = field(default_factory=dict)

    def value(self, operand: Operand) -> Value | tuple[str, ...] | None:
        return self.has.get(operand)


RUN = Subject(
    {
        AUC: 0.9,
        LOSS: math.nan,
        Operand("metric", "loss", "min"): 0.25,
        DEPTH: "6",
        Operand("param", "lr"): "1e-3",
        Operand("param", "model"): "XGB 50%",
        TEAM: "risk",
        STATUS: "CRASHED",
        attribute("attempt"): 2,
        attribute("start_time"): micros(1),
        Operand("dataset", "name"): ("train", "test"),
        Operand("dataset", "digest"): (),
    }
)


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("metrics.auc >= 0.9", True),
        ("metrics.auc > 0.9", False),
        ("metrics.auc in (0.5, 0.9)", True),
        ("min(metrics.loss) < 0.5", True),
        ("max(metrics.loss) < 0.5", None),
        # NaN is there: it differs from every number, and only that
        ("metrics.loss != 1", True),
        ("metrics.loss not in (1)", True),
        ("metrics.loss = 1", False),
        ("metrics.loss < inf", False),
        ("not metrics.loss < 1", True),
        ("metrics.loss is null", False),
        ("metrics.loss = nan", True),
        ("metrics.loss != nan", False),
        ("metrics.auc = nan", False),
        ("metrics.auc != nan", True),
        ("metrics.gone = nan", None),
        # what is missing is unknown
        ("metrics.gone != 1", None),
        ("not metrics.gone != 1", None),
        ("metrics.gone is null", True),
        ("metrics.gone is not null", False),
        ("metrics.gone = 1 or metrics.auc = 0.9", True),
        ("metrics.gone = 1 and metrics.auc = 0.9", None),
        ("metrics.gone = 1 and metrics.auc = 0.8", False),
        ("tags.gone not like 'x'", None),
        # a parameter is a number beside a number, text beside text
        ("params.depth = 6.0", True),
        ("params.depth = '6'", True),
        ("params.depth = '6.0'", False),
        ("params.depth in (5, 6)", True),
        ("params.lr < 0.01", True),
        ("params.model < 5", None),
        ("params.model != 5", None),
        ("params.model = 'xgb 50%'", False),
        ("params.model like 'XGB%'", True),
        ("params.model like 'xgb%'", False),
        ("params.model ilike 'xgb%'", True),
        ("params.model not ilike 'xgb%'", False),
        (r"params.model like '% 50\%'", True),
        ("params.model like 'XGB'", False),
        ("tags.team in ('risk')", True),
        ("tags.team not in ('risk', 'x')", False),
        ("status = 'KILLED'", True),
        ("status != 'killed'", False),
        ("attempt > 1", True),
        ("start_time >= '2026-03-01' and start_time < '2026-03-02'", True),
        # one dataset is enough
        ("datasets.name = 'test'", True),
        ("datasets.name != 'test'", True),
        ("not datasets.name = 'test'", False),
        ("datasets.name like 'x%'", False),
        ("datasets.digest = 'x'", None),
        ("datasets.digest is null", True),
        ("datasets.name is null", False),
    ],
)
def test_truth(text: str, truth: bool | None) -> None:
    """A filter over one run is true, false, or unknown as the language says."""
    assert evaluate(parse_filter(text), RUN) is truth


def test_three_valued_logic_is_sqls() -> None:
    """`and`, `or`, `not` and the three truths combine as SQLite combines them."""
    leaves: dict[str, tuple[str, bool | None]] = {
        "1": ("status is not null", True),
        "0": ("status is null", False),
        "NULL": ("tags.x = ''", None),
    }
    with sqlite3.connect(":memory:") as database:
        for shape in ("{} and {} or {}", "{} or {} and not {}", "not ({} or {}) and {}", "not {} or not ({} and {})"):
            for chosen in product(leaves, repeat=3):
                (expected,) = database.execute("select " + shape.format(*chosen)).fetchone()
                got = evaluate(parse_filter(shape.format(*(leaves[leaf][0] for leaf in chosen))), RUN)
                assert (None if got is None else int(got)) == expected, shape.format(*chosen)
    database.close()


@pytest.mark.parametrize(
    ("text", "number"),
    [("6", 6.0), ("-1e-3", -0.001), (".5", 0.5), ("5.", 5.0), ("inf", math.inf), ("-Infinity", -math.inf), ("9" * 400, math.inf)]
    + [(text, None) for text in ("", "nan", "NaN", "True", "None", " 5", "5\n", "1_000", "0x10", "1e", "٣", "1,5", "6 trees")],
)
def test_numbers_in_parameters(text: str, number: float | None) -> None:
    """A parameter's text is a number exactly when it is plain decimal notation."""
    assert number_of(text) == number
