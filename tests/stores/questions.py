"""Random stores and random questions: strategies for tests of searching, and what a run answers in memory."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from prefect_ledger.entities import Dataset, Run, Summary
from prefect_ledger.expressions import And, Comparison, NaN, Node, Not, Null, Op, Operand, Or, Order, Value
from prefect_ledger.expressions.tree import AGGREGATES, ALLOWED, ATTRIBUTES, DATASET_FIELDS, STATUSES, Kind
from tests.stores.filling import BASE, Filled, Points

HOSTILE = (
    "'",
    '"',
    "`",
    "%",
    "_",
    "\\",
    "';--",
    "') or 1=1 --",
    "; drop table runs",
    "%s",
    "%(x)s",
    "?",
    "{}",
    ":x",
    "$1",
    "/*",
    "\n",
    "é",
    "🎲",
)
KEYS = ("a", "b.c", "val/auc-1", "my key", *HOSTILE[3:14])
TEXTS = ("", "x", "X", "xy", "50%", "a_b", "é", "É", "straße", *HOSTILE)
NUMBERS = (0.0, -0.0, 1.0, 0.5, -2.5, 1e-300, -1.7976931348623157e308, 3.0, float("inf"), float("-inf"), float(2**53))
TIMES = (BASE, BASE + 1, BASE + 1_000, BASE + 3_600_000_000, BASE - 86_400_000_000, 0, -1)
EXPERIMENTS = {0: "Default", 7: "x", 8: "50%", 9: "'; drop table experiments; --"}
IDS = tuple(str(uuid.UUID(int=i * 0x0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F % 2**128)) for i in range(1, 13))
PARAMS = (*TEXTS, "1", "1.0", "-2.5", "1e-300", "inf", "nan", "0x1", "1_0", "3", " 1")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
keys, texts, numbers = st.sampled_from(KEYS), st.sampled_from(TEXTS), st.sampled_from(NUMBERS)
points = st.lists(numbers | st.just(float("nan")), min_size=1, max_size=3).map(lambda values: Points(tuple(values)))


def few(values: st.SearchStrategy[str]) -> st.SearchStrategy[Mapping[str, str]]:
    """Up to four keys."""
    return st.dictionaries(keys, values, max_size=4)


def filled(run_id: str) -> st.SearchStrategy[Filled]:
    """A run of this id with anything that a store can hold."""
    return st.builds(
        Filled,
        st.just(run_id),
        experiment=st.none() | st.sampled_from(sorted(EXPERIMENTS)),
        name=texts,
        status=st.sampled_from(STATUSES),
        attempt=st.integers(1, 2),
        user=texts,
        description=texts,
        parent=st.none() | st.sampled_from(IDS),
        uri=st.none() | texts,
        started=st.none() | st.sampled_from(TIMES),
        ended=st.none() | st.sampled_from(TIMES),
        lifecycle=st.sampled_from(("active", "active", "deleted")),
        params=few(st.sampled_from(PARAMS)),
        metrics=st.dictionaries(keys, points, max_size=4),
        tags=st.dictionaries(keys, st.none() | texts, max_size=4),
        datasets=st.lists(st.tuples(texts, texts, texts), max_size=2, unique=True),
        stale_params=few(st.sampled_from(PARAMS)),
        stale_metrics=st.dictionaries(keys, points, max_size=2),
    )


stores = st.lists(st.sampled_from(IDS), max_size=len(IDS), unique=True).flatmap(lambda ids: st.tuples(*map(filled, ids)))

_plain: st.SearchStrategy[Kind] = st.sampled_from(("param", "tag"))
metric_operands = st.builds(Operand, st.just("metric"), keys, st.sampled_from(("last", "last", *AGGREGATES)))
ordered_operands = st.one_of(
    metric_operands, st.builds(Operand, _plain, keys), st.sampled_from(sorted(ATTRIBUTES)).map(lambda name: Operand("attribute", name))
)
operands = ordered_operands | st.sampled_from(DATASET_FIELDS).map(lambda name: Operand("dataset", name))
_VALUES: dict[str, st.SearchStrategy[Value]] = {
    "number": numbers | st.floats(allow_nan=False),
    "whole": st.sampled_from((*EXPERIMENTS, 1, 2, -1, 10**18 - 1)),
    "time": st.sampled_from((*TIMES, 9_200_000_000_000_000_000)),
    "text": st.sampled_from(PARAMS) | st.sampled_from(tuple(EXPERIMENTS.values())),
    "id": st.sampled_from(IDS),
    "status": st.sampled_from(STATUSES),
}


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    """A comparison that is well-formed, of something the stores may have."""
    left = draw(operands)
    type_ = left.type(textual=draw(st.booleans()))
    op: Op = draw(st.sampled_from(ALLOWED[type_]))
    if op in ("IN", "NOT IN"):
        return Comparison(left, op, tuple(draw(st.lists(_VALUES[type_], min_size=1, max_size=3, unique_by=repr))))
    if "LIKE" not in op:
        return Comparison(left, op, draw(_VALUES[type_]))
    pattern = "".join(draw(st.lists(texts | st.sampled_from(("%", "_", "\\%", "\\_", "\\\\")), max_size=3)))
    return Comparison(left, op, pattern + "\\" * ((len(pattern) - len(pattern.rstrip("\\"))) % 2))


def _compound(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    items = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(And, items), st.builds(Or, items), st.builds(Not, inner))


nodes: st.SearchStrategy[Node] = st.recursive(
    st.one_of(comparisons(), comparisons(), st.builds(Null, operands, st.booleans()), st.builds(NaN, metric_operands, st.booleans())),
    _compound,
    max_leaves=6,
)
orders = st.lists(st.builds(Order, ordered_operands, st.booleans()), max_size=3, unique_by=lambda order: order.operand).map(tuple)


@dataclass(frozen=True)
class Answers:
    """A run as ``expressions.evaluate`` asks it."""

    run: Run
    summaries: Mapping[str, Summary]
    datasets: list[Dataset]

    def value(self, operand: Operand) -> Value | tuple[str, ...] | None:
        """What the run has."""
        match operand.kind:
            case "metric":
                summary = self.summaries.get(operand.key)
                found: float | None = None if summary is None else getattr(summary, operand.aggregate)
                return found
            case "param":
                return self.run.params.get(operand.key)
            case "tag":
                return self.run.tags.get(operand.key)
            case "dataset":
                return tuple(getattr(dataset, operand.key) for dataset in self.datasets)
            case _:
                return self._attribute(operand.key)

    def _attribute(self, key: str) -> Value | None:
        run = self.run
        plain: dict[str, Value | None] = {
            "run_id": run.id,
            "run_name": run.name or None,
            "user_id": run.user or None,
            "status": run.status.value,
            "start_time": micros(run.started_at),
            "end_time": micros(run.ended_at),
            "duration": run.duration,
            "artifact_uri": run.artifact_uri,
            "description": run.description or None,
            "experiment_id": run.experiment_id,
            "experiment": run.experiment,
            "parent_run_id": run.parent_id,
            "attempt": run.attempt,
        }
        return plain[key]


def micros(moment: datetime | None) -> int | None:
    """Microseconds since 1970, exact."""
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)
