"""A run that is asked to end: its code is told so by the next verb, and nothing else of it is touched."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from prefect_ledger import get_run, start_run
from prefect_ledger.errors import RunStopped
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.runs import ActiveRun


@pytest.mark.parametrize(
    "verb",
    [
        lambda run: run.log_metric("known", 2.0),
        lambda run: run.log_metric("new", 2.0),
        lambda run: run.log_metrics({"known": 2.0}),
        lambda run: run.log_series("known", [2.0]),
        lambda run: run.log_param("depth", 2),
        lambda run: run.set_tag("a", 2),
        lambda run: run.log_text("text", "a.txt"),
        lambda run: run.for_task("task").log_metric("known", 2.0),
        lambda run: run.for_task("later").log_metric("known", 2.0),
    ],
)
def test_the_next_verb_raises_and_the_end_is_said(fresh_ledger: Ledger, verb: Callable[[ActiveRun], None]) -> None:
    """Of the run and of its tasks, known or new; no code that catches every Exception goes on; what was logged before stays."""

    def work() -> None:
        with start_run() as run:
            ids.append(run.id)
            task = run.for_task("task")
            for one in (run, task):
                one.log_metric("known", 1.0)
            run.stop("worse than others")
            assert run.stopped == task.stopped == "worse than others"
            with contextlib.suppress(Exception):  # as loops do that are to go on
                verb(run)
            pytest.fail("it went on")

    ids: list[str] = []
    with pytest.raises(RunStopped, match="worse than others"):
        work()
    found = get_run(ids[0])
    assert (found.status, found.status_reason) == ("CANCELLED", "worse than others")
    assert (found.metrics, dict(found.params)) == ({"known": 1.0}, {})
