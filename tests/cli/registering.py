"""A ledger with registered models, and the policy that wants a second person for production."""

from __future__ import annotations

from pathlib import Path

from prefect_ledger import start_run
from tests.cli.conftest import Cli

TWO_EYES = """
[[rule]]
model = "churn"
stage = "production"
gates = [{gate = "metrics.auc >= champion.metrics.auc - 0.002", without_champion = "pass"}, "metrics.auc >= 0.8"]
approvals = 1
approvers = ["bob", "carol"]
identity = "claimed"
break_glass = ["carol"]
"""


def logged(auc: float = 0.9) -> str:
    """The reference of a model that a run logged."""
    with start_run(experiment="churn") as run:
        run.log_metric("auc", auc)
        return run.log_model(lambda data: [2 * x for x in data], "churn", signature=None, requirements=[]).uri


def filled(cli: Cli, tmp_path: Path, *aucs: float) -> None:
    """Versions of churn by alice, one a metric, and the policy that wants a second person for production."""
    cli("models", "registered")  # the ledger is this test's from here on
    for auc in aucs:
        assert cli("models", "register", "churn", logged(auc), "--by", "alice").returncode == 0
    file = tmp_path / "policy.toml"
    file.write_text(TWO_EYES)
    assert cli("policy", "set", str(file), "--by", "bob", "--why", "two people").stdout.startswith("version 1 of the policy holds now")
