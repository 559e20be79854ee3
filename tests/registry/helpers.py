"""Models to register, and identities to do it as."""

from __future__ import annotations

from prefect_ledger import registry, start_run
from prefect_ledger.entities import LoggedModel
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.registered import ModelVersion

ALICE, BOB, CAROL = (Identity(name, Strength.OS, f"user {name}") for name in ("alice", "bob", "carol"))


def logged(auc: float = 0.9, *, name: str = "churn", factor: float = 2.0) -> LoggedModel:
    """A model that a run logged, with a metric."""
    with start_run(experiment="churn") as run:
        run.log_params({"factor": factor})
        run.log_metric("auc", auc)
        return run.log_model(lambda data: [factor * x for x in data], name, signature=None, requirements=[])


def version(auc: float = 0.9, *, name: str = "churn", by: Identity = ALICE) -> ModelVersion:
    """A new version of a registered model."""
    return registry.register_model(name, logged(auc), by=by)
