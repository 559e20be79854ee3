"""A process that lives long works for many runs and tasks, and does not keep them all."""

from __future__ import annotations

import gc
import uuid

import pytest

from prefect_ledger.errors import ParamChanged
from prefect_ledger.tracking import handles
from prefect_ledger.tracking.ledger import Ledger


@pytest.fixture
def one(fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr(handles, "_REMEMBERED", 20)
    fresh_ledger._handles._most = 20
    return fresh_ledger


def test_runs_of_others_are_forgotten(one: Ledger) -> None:
    """A worker that logged for a thousand runs of others remembers the last ones; its own open run and held handles stay as they were."""
    own = one.start(experiment="long")
    first = str(uuid.uuid4())
    held = one.enter(first, owner=False)
    held.log_param("depth", 6)
    for _ in range(1_000):
        one.enter(str(uuid.uuid4()), owner=False).log_metric("loss", 0.5)
    assert len(one._handles.all()) <= 24
    assert one.attach(own.id) is own
    with pytest.raises(ParamChanged):
        held.log_param("depth", 7)


def test_handles_of_tasks_are_forgotten(one: Ledger) -> None:
    """The handle of a task's try is one as long as somebody holds it, and none when nobody does; what it said arrives."""
    run = one.start(experiment="long")
    for number in range(100):
        handle = run.for_task(f"task-{number}")
        handle.log_metric("loss", float(number))
        assert run.for_task(f"task-{number}") is handle
        handle.log_metric("loss", float(number))
    del handle
    gc.collect()
    assert len(run._shared.handles) == 0
    assert len(run._journal.channels) <= 2
    run.finish()
    one.flush()
    assert one.reader.run(run.id).metrics["loss"] == 99.0
