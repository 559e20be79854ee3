"""The flow that clears away, as it is scheduled."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from prefect_ledger import delete_experiment, start_run
from prefect_ledger.flows.gc import clear_away
from prefect_ledger.tracking.ledger import Ledger


def test_the_flow_says_first_and_takes_when_told(
    prefect_server: str, fresh_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default the flow tells how much would go; with dry_run=False the deleted run and its bytes are gone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with start_run(experiment="old") as run:
        run.log_text("hello", "a.txt")
    delete_experiment("old")
    expected = {"runs": 1, "files": 0, "uploads": 0, "caches": 0, "size": 5, "caches_size": 0}
    assert clear_away(retention_days=0, grace_days=0) == {**expected, "dry_run": True}
    assert len(list(fresh_ledger.artifacts.everything())) == 1
    assert clear_away(dry_run=False, retention_days=0, grace_days=0) == {**expected, "dry_run": False}
    assert list(fresh_ledger.artifacts.everything()) == []
