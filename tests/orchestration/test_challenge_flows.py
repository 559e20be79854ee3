"""Challenging and training anew as flows on a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from prefect_ledger import get_run, registry, start_run
from prefect_ledger.flows.challenge import challenge
from prefect_ledger.flows.retrain import retrain
from prefect_ledger.flows.rollback import rollback
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.tracking.ledger import Ledger
from tests.promotion.helpers import ALICE, BOB, CAROL, trained

BETTER = Policy(
    (
        Rule(
            "churn",
            "production",
            gates=({"gate": "metrics.auc > champion.metrics.auc", "without_champion": "pass"},),
            approvals=1,
            aliases=("champion",),
        ),
    )
)
TRAINING = """
from prefect_ledger import log_metric, log_model, tracked_flow

@tracked_flow(name="training")
def train(auc: float = 0.95, fails: bool = False):
    log_metric("auc", auc)
    if fails:
        raise RuntimeError("no data today")
    log_model(lambda data: [2 * x for x in data], "net", input_example=[1.0], requirements=[])
"""


@pytest.fixture
def champion(ledger: Ledger) -> None:
    """Version 1 is in production; the policy wants better ones, and an approval."""
    trained(auc=0.9, by=ALICE)
    registry.transition("churn", 1, "production", by=BOB)
    registry.set_policy(BETTER, by=BOB)


def staged(auc: float) -> int:
    """A version in staging."""
    number = trained(auc=auc, by=ALICE).version
    registry.transition("churn", number, "staging", by=BOB)
    return number


def ran(flow: Any, *words: Any, **options: Any) -> Any:
    """The state that it ended in."""
    return flow(*words, return_state=True, **options)


def test_those_that_are_better_are_asked_for(champion: None) -> None:
    """Of all in staging, a request is opened for those whose gates pass; the others are told of; a second time asks nobody again."""
    worse, better = staged(0.5), staged(0.99)
    state = ran(challenge)
    assert state.name == "Completed", state
    assert {(one.version, one.state) for one in registry.list_requests("churn")} == {(better, "open"), (worse, "rejected")}
    run = get_run(str(state.state_details.flow_run_id))
    assert run.tags["challenge.opened"] == "1"
    assert "challenge.md" in {one.path for one in run.artifacts}
    assert ran(challenge).name == "Completed"
    assert len(registry.list_requests("churn")) == 2


def test_where_none_is_better_it_is_refused(champion: None) -> None:
    """None passes: the flow is Completed under the name Refused."""
    staged(0.5)
    assert ran(challenge, "churn").name == "Refused"


def test_nothing_in_staging_is_nothing_to_do(ledger: Ledger) -> None:
    """A registry without versions in staging ends well."""
    assert ran(challenge).name == "Completed"


@pytest.fixture
def training(tmp_path: Path) -> str:
    """The entrypoint of a flow that trains."""
    (tmp_path / "train.py").write_text(TRAINING, encoding="utf-8")
    return f"{tmp_path / 'train.py'}:train"


def test_trained_registered_and_asked_for(champion: None, training: str) -> None:
    """What a tracked flow trained is a version in staging, its promotion is asked for, and the version leads to the run that trained it."""
    state = ran(retrain, "churn", training, model="net")
    assert state.name == "Completed", state
    version = registry.get_version("churn", "staging")
    assert [(one.version, one.state) for one in registry.list_requests("churn")] == [(version.version, "open")]
    assert get_run(version.run_id).parent_id == str(state.state_details.flow_run_id)


def test_what_is_worse_stays_in_staging(champion: None, training: str) -> None:
    """A worse model is registered and refused, with the reason in the report."""
    state = ran(retrain, "churn", training, {"auc": 0.3}, model="net")
    assert state.name == "Refused", state
    assert registry.list_requests("churn")[0].state == "rejected"


@pytest.mark.parametrize(
    ("parameters", "model", "words"),
    [({"fails": True}, "net", "no data today"), ({}, "trees", "logged no model 'trees'; it has: 'net'")],
)
def test_training_that_gave_nothing_fails_and_registers_nothing(
    champion: None, training: str, parameters: dict[str, Any], model: str, words: str
) -> None:
    """A training that failed, or logged no such model, fails with that reason, and the registry is as it was."""
    state = ran(retrain, "churn", training, parameters, model=model)
    assert state.is_failed()
    assert words in str(state.message)
    assert registry.get_model("churn").latest == 1


def test_rolled_back(ledger: Ledger) -> None:
    """The flow brings the version before into production, and says so; where the policy says no it is Refused."""
    for _ in range(2):
        number = trained(by=ALICE).version
        registry.transition("churn", number, "production", aliases=["champion"], by=BOB)
    registry.set_policy(Policy((Rule("churn", "production", identity="oidc"),)), by=CAROL)  # type: ignore[arg-type]  # a text will do
    assert ran(rollback, "churn", "wrong for new customers", targets=[]).name == "Refused"
    registry.set_policy(Policy((Rule("churn", "production", identity="claimed"),)), by=CAROL)  # type: ignore[arg-type]
    state = ran(rollback, "churn", "wrong for new customers", targets=[])
    assert state.name == "Completed", state
    assert registry.get_version("churn", "@champion").version == 1
    assert get_run(str(state.state_details.flow_run_id)).tags["promotion.state"] == "rolled back"


def test_a_training_that_is_begun_anew_is_the_one_that_there_is(ledger: Ledger) -> None:
    """Whoever is killed while a deployment trains waits for that same run afterwards, and no second one is begun."""
    from prefect_ledger.orchestration.retraining import _run_there

    with get_client(sync_client=True) as client, start_run(experiment="retrain"):
        deployment = client.create_deployment(client.create_flow_from_name("training"), "nobody-runs-it")
        runs = {_run_there("training/nobody-runs-it", {}, 0)[1] for _ in range(2)}
        client.delete_deployment(deployment)
    assert len(runs) == 1
