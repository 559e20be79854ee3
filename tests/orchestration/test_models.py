"""Models that flows and tasks return by annotation, and those that came from Prefect's cache."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression

from prefect_ledger import Model, get_run, load_model, search_runs, tracked_flow, tracked_task
from prefect_ledger.tracking.ledger import Ledger
from tests.orchestration.helpers import the_run

Trained = Annotated[Any, Model("wine")]
X, Y = load_wine(return_X_y=True, as_frame=True)


@pytest.fixture(scope="module")
def fitted() -> LogisticRegression:
    return LogisticRegression(max_iter=5000).fit(X, Y)


class Doubles:
    def predict(self, data: Any) -> Any:
        return [2 * x for x in data]


@pytest.mark.long
def test_an_annotated_return_is_logged_as_log_model_logs_it(ledger: Ledger, fitted: LogisticRegression) -> None:
    """Of a flow and of a task in it, which the model is then known to come from."""

    @tracked_task
    def train() -> Trained:
        return fitted

    @tracked_flow
    def pipeline() -> Annotated[Any, Model("doubles")]:
        assert train() is fitted
        return Doubles()

    pipeline()
    run_id = the_run("pipeline").id
    by_name = {one.name: one for one in get_run(run_id).models}
    assert sorted(by_name) == ["doubles", "wine"]
    assert by_name["wine"].task_run_id
    assert not by_name["doubles"].task_run_id
    np.testing.assert_array_equal(load_model(f"runs:/{run_id}/wine").predict(X), fitted.predict(X))


def test_a_cached_task_shows_the_model_it_did_not_train(ledger: Ledger, fitted: LogisticRegression) -> None:
    """By link: the second run has the model of the first, which says whose it is."""

    @tracked_task(cache_key_fn=lambda *_: f"train-{ledger.settings.home}", persist_result=True)
    def train() -> Trained:
        return fitted

    @tracked_flow
    def pipeline() -> None:
        assert train() is not None

    pipeline()
    pipeline()
    ids = [run.id for run in search_runs("pipeline", order_by=["start_time"])]
    first, second = (get_run(one).models for one in ids)
    assert first == second
    assert second[0].run_id == ids[0]
    np.testing.assert_array_equal(load_model(f"runs:/{ids[1]}/wine").predict(X), fitted.predict(X))
