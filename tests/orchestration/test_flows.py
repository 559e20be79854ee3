"""What runs of tracked flows leave in the ledger."""

from __future__ import annotations

from prefect_ledger import get_run, log_metric, tracked_flow
from prefect_ledger.tracking.ledger import Ledger


def only(experiment: str) -> str:
    from prefect_ledger import search_runs

    (run,) = search_runs(experiment)
    return run.id


def test_plain(ledger: Ledger) -> None:
    """A flow."""

    @tracked_flow
    def plain(depth: int, rate: float = 0.5) -> dict[str, float]:
        for step in range(3):
            log_metric("loss", 1 / (step + 1))
        return {"auc": 0.9}

    assert plain(depth="6") == {"auc": 0.9}  # type: ignore[arg-type]
    run = get_run(only("plain"))
    print(run)
    assert run.status == "COMPLETED"
    assert run.params == {"depth": "6", "rate": "0.5"}
    assert run.metrics["auc"] == 0.9
