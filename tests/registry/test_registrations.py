"""Models that are registered where they are logged, on both databases."""

from __future__ import annotations

from typing import Annotated

import pytest

from prefect_ledger import Model, load_model, log_model, registry, start_run, tracked_flow
from prefect_ledger.database import execute, rows
from prefect_ledger.errors import VersionNotFound
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.helpers import logged

pytestmark = pytest.mark.usefixtures("store_url")


def double(data: list[float]) -> list[float]:
    """A model."""
    return [2 * x for x in data]


def test_a_model_is_registered_where_it_is_logged(fresh_ledger: Ledger) -> None:
    """log_model(register=) makes the next version of that name, or of the model's own, as soon as what was logged is in the store."""
    with start_run(experiment="churn"):
        log_model(double, "churn", signature=None, requirements=[], register=True)
        log_model(double, "churn", signature=None, requirements=[], register="attrition")
    assert load_model("models:/churn/latest")([1.0]) == [2.0]
    one = registry.get_version("attrition", 1)
    assert one.author.name != ""
    assert [change.action for change in registry.history("attrition")] == ["model.created", "version.registered"]
    assert registry.verify_audit().whole


def test_a_returned_model_is_registered_by_its_annotation(prefect_server: str, fresh_ledger: Ledger) -> None:
    """What a flow returns as Model("churn", register=True) is a version."""

    @tracked_flow(experiment="churn")
    def train() -> Annotated[object, Model("churn", register=True)]:
        return double

    train()
    assert registry.get_version("churn").version == 1


def test_a_model_that_cannot_be_registered_is_logged_all_the_same(fresh_ledger: Ledger) -> None:
    """A deleted registered model takes no version; the run and its model are there, and nothing waits for ever."""
    registry.register_model("churn", logged())
    registry.delete_model("churn")
    with start_run(experiment="churn") as run:
        model = run.log_model(double, "churn", signature=None, requirements=[], register=True)
    assert load_model(model.uri)([1.0]) == [2.0]
    registry.restore_model("churn")
    with pytest.raises(VersionNotFound):
        registry.get_version("churn", 2)


@pytest.mark.parametrize("name", ["", "../../etc", "churn\n\x1b[31m", "a@b"])
def test_a_wish_for_a_name_that_no_model_can_have_is_refused(fresh_ledger: Ledger, name: str) -> None:
    """Whoever may only ask for versions can write any text there; no model comes of one that no reference could mean."""
    model = logged()
    fresh_ledger.flush()
    with fresh_ledger.database.write() as tx:
        execute(tx, "INSERT INTO registrations (logged_id, name, at) VALUES (?, ?, 1)", [model.id, name])
    assert registry.register_logged() == 0
    assert registry.list_models() == []
    with fresh_ledger.database.read() as tx:
        ((version, reason),) = rows(tx, "SELECT version, reason FROM registrations")
    assert version == 0
    assert "model's name" in reason or "artifact path" in reason


def test_a_store_that_is_away_is_said(fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks that wishes be done is told when they cannot be: the store was away, and the wish waits."""
    from prefect_ledger import registrations
    from prefect_ledger.database import Database
    from prefect_ledger.errors import StoreUnavailable

    away = Database("postgresql://nobody@127.0.0.1:9/none")
    with pytest.raises(StoreUnavailable):
        registrations.register(away)
    registrations.register_if_possible(away)  # by the way, nobody is told
    away.close()
