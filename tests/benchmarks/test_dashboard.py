"""The benchmark of the dashboard works on next to nothing: its ledger, and what it looks at."""

from __future__ import annotations

from pathlib import Path

from benchmarks import dashboard_store
from prefect_ledger import get_run, search_runs
from prefect_ledger.tracking.ledger import Ledger

TINY = dashboard_store.Size(runs=30, params=5, metrics=4, curve_runs=2, curves=3, points=5_000)


def test_the_filled_ledger_is_one_that_is_read_as_any_other(home: Path, fresh_ledger: Ledger) -> None:
    """Its runs are found and folded, its curves are whole and agree with their summaries, and it is made once."""
    made = dashboard_store.made(home, TINY)
    found = search_runs(dashboard_store.RUNS, "metrics.auc > 0")
    assert [run.id for run in found] == made.runs
    assert (len(made.runs), len(found[0].params), len(found[0].metrics)) == (30, 5, 4)
    assert [run.parent_id for run in found if run.parent_id] == [made.runs[9]] * 4 + [made.runs[29]] * 4
    long = get_run(made.curves[0])
    curve = long.metric("curve.02")
    assert (len(curve), curve.values[-1]) == (5_000, long.metrics["curve.02"])
    first = made.database.stat().st_mtime_ns
    assert dashboard_store.made(home, TINY) == made
    assert made.database.stat().st_mtime_ns == first
