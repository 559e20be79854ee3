"""Code of others that ends the process, or answers what nobody can be told: it ends no promotion half way, and never with a code that says
that all went well."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import registry, start_run
from prefect_ledger.cli import main
from prefect_ledger.errors import InvalidValue, ModelUnusable
from prefect_ledger.identities import Strength
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.promotion import Rows, challenge, promote, rollback
from tests.promotion.helpers import ALICE, BOB, GATED, answering, rows, trained

pytestmark = pytest.mark.usefixtures("store_url", "fresh_ledger")
_EVALUATORS = "[prefect_ledger.evaluators]\nexits = exiting_evaluator:Exits\nearly = exiting_evaluator:Early\n"
_CODE = """
import sys
from prefect_ledger.promotion import Evaluator

class Exits(Evaluator):
    def evaluate(self, candidate, champion, rows):
        sys.exit(0)

class Early(Exits):
    def __init__(self):
        sys.exit(0)
"""


def _exiting(when: str) -> None:
    """A registered version that ends the process, once there is a file at ``when``."""

    def ask(data: Any) -> Any:
        import pathlib
        import sys

        if pathlib.Path(when).exists():
            sys.exit(0)
        return [2.0 for _ in data]

    with start_run(experiment="churn") as run:
        run.log_metric("auc", 0.9)
        model = run.log_model(ask, "churn", signature=None, input_example=[1.0], requirements=[])
    registry.register_model("churn", model, by=ALICE)


def test_a_version_that_ends_the_process_does_not_work(tmp_path: Path) -> None:
    """A model that calls exit is one that does not work: it is not promoted, not gone back to, and a challenge says so."""
    flag = tmp_path / "flag"
    registry.set_policy(GATED, by=BOB)
    _exiting(str(flag))
    trained()
    assert promote("churn", 1, targets=(), by=BOB).ok
    assert promote("churn", 2, targets=(), by=BOB).ok
    flag.touch()
    with pytest.raises(ModelUnusable, match="ends the process that asks it"):
        rollback("churn", "wrong", targets=(), by=BOB)
    told = promote("churn", 1, targets=(), by=BOB)
    assert (told.state, told.exit_code) == ("failed", 1)
    assert "ends the process that asks it" in told.reason
    registry.transition("churn", 1, "staging", by=BOB)
    assert [one.state for one in challenge("churn", by=BOB)] == ["failed"]


@pytest.mark.parametrize("name", ["exits", "early"])
def test_an_evaluator_that_ends_the_process_is_an_error_with_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """An evaluator that calls exit(0), when it is made or asked, is an error of the command, with code 1 and a report that says it."""
    info = tmp_path / "exiting_evaluator-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: exiting-evaluator\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(_EVALUATORS)
    (tmp_path / "exiting_evaluator.py").write_text(_CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "exiting_evaluator", raising=False)
    registry.set_policy(Policy((Rule("churn", "production", gates=("metrics.auc >= 0.5",)),)), by=BOB)
    trained()
    holdout, report = rows(tmp_path), tmp_path / "report.md"
    with pytest.raises(InvalidValue, match=f"the evaluator '{name}' failed: SystemExit: 0"):
        promote("churn", 1, rows=Rows(holdout, "target"), evaluator=name, targets=(), by=BOB)
    words = ["promote", "churn", "1", "--holdout", holdout, "--target", "target", "--evaluator", name, "--report", str(report)]
    assert main(words) == 1
    assert "SystemExit" in report.read_text()
    assert registry.list_requests() == []


def test_an_answer_that_no_server_can_give_takes_the_move_back() -> None:
    """A version that answers its example with what JSON cannot say serves nobody: the move is taken back and told of, and is no crash half
    way, with the version in the stage."""
    with start_run(experiment="churn") as run:
        model = run.log_model(_unsaid, "churn", signature=None, input_example=[1.0], requirements=[])
    one = registry.register_model("churn", model, by=ALICE)
    registry.set_policy(Policy((Rule("churn", "production", identity=Strength.CLAIMED),)), by=BOB)
    with answering({"model_id": one.logged_id, "predictions": [1.0]}) as url:
        told = promote("churn", 1, targets=(), endpoints=(url,), by=BOB)
    assert (told.state, told.exit_code) == ("went back", 1)
    assert "what it answers its own example with cannot be said in JSON: TypeError" in told.reason
    assert registry.get_model("churn").stages == {"archived": 1}


def _unsaid(_data: object) -> object:
    return object()
