"""Renaming a model: no way around a policy, and a name means the versions of one model for ever."""

from __future__ import annotations

import pytest

from prefect_ledger import log_model, registry, start_run
from prefect_ledger.database import rows
from prefect_ledger.errors import RegisteredModelExists, TransitionRefused
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.folding import agrees
from tests.registry.helpers import ALICE, BOB, CAROL, logged, version

pytestmark = pytest.mark.usefixtures("store_url", "fresh_ledger")
TWO_EYES = '[[rule]]\nmodel = "*"\nstage = "production"\napprovals = 1\naliases = ["champion"]'


def approved(name: str) -> None:
    """A version of a model, brought into production by two people."""
    version(name=name)
    asked = registry.request_transition(name, 1, "production", by=ALICE)
    registry.approve(asked.id, by=BOB)
    registry.transition(name, 1, "production", by=ALICE)


def test_a_typed_name_renames_nothing_in_production() -> None:
    """Whoever is known too weakly to bring a version into production does not rename a model that has one there; others may."""
    registry.set_policy(TWO_EYES)
    approved("churn")
    with pytest.raises(TransitionRefused, match=r"'churn' keeps its name.*version 1.*production.*claimed alone"):
        registry.rename_model("churn", "churn-old", by="mallory")
    assert registry.get_version("churn", "@champion").version == 1
    registry.rename_model("churn", "churn", by="mallory")  # nothing is changed
    assert registry.rename_model("churn", "attrition", by=CAROL).name == "attrition"


def test_the_rule_of_the_new_name_is_asked_too() -> None:
    """What counts is what production asks for under each of both names, also where one rule names each."""
    text = "".join(f'[[rule]]\nmodel = "{name}"\nstage = "production"\nidentity = "ci"\n' for name in ("churn", "attrition"))
    registry.set_policy(text)
    version()
    registry.transition("churn", 1, "production", by=Identity("build", Strength.CI, "token"))
    with pytest.raises(TransitionRefused, match="asks for ci or stronger"):
        registry.rename_model("churn", "attrition", by=ALICE)


def test_no_model_comes_to_the_name_of_another(fresh_ledger: Ledger) -> None:
    """A toy that was approved as a toy is never what churn's champion means, whoever renames: the name stays its first model's."""
    registry.set_policy(TWO_EYES)
    approved("churn")
    approved("sandbox")
    registry.rename_model("churn", "churn-old", by=ALICE)
    with pytest.raises(RegisteredModelExists, match="'churn' was the name of the registered model 'churn-old'"):
        registry.rename_model("sandbox", "churn", by=ALICE)
    with fresh_ledger.database.read() as tx:
        agrees(tx)


def test_a_name_that_was_used_is_not_given_again() -> None:
    """Nobody makes or registers a model of a name that another had once, however many renames ago; the message says whose it was."""
    version()
    for new in ("b", "c", "d"):
        registry.rename_model(registry.list_models()[0].name, new)
    for name in ("churn", "b", "c"):
        with pytest.raises(RegisteredModelExists, match=f"'{name}' was the name of the registered model 'd'"):
            registry.create_model(name)
        with pytest.raises(RegisteredModelExists, match="take another name"):
            registry.register_model(name, logged())
    registry.delete_model("d")
    with pytest.raises(RegisteredModelExists, match="was the name of"):
        registry.create_model("churn")
    assert registry.create_model("e").name == "e"


def test_a_model_may_have_its_own_name_again() -> None:
    """The model that had a name takes it back, and the reference to its first version means what it always meant."""
    first = version()
    registry.rename_model("churn", "attrition")
    registry.rename_model("attrition", "churn")
    with pytest.raises(RegisteredModelExists, match="'attrition' was the name of the registered model 'churn'"):
        registry.create_model("attrition")
    assert registry.get_version("models:/churn/1").logged_id == first.logged_id


def test_a_wish_for_a_name_that_was_used_is_refused_with_the_reason(fresh_ledger: Ledger) -> None:
    """log_model(register=) of a name that another model had keeps the logged model, and says beside the wish why it is no version."""
    version()
    registry.rename_model("churn", "attrition")
    with start_run(experiment="churn"):
        log_model(lambda data: data, "churn", signature=None, requirements=[], register=True)
    assert registry.register_logged() == 0
    with fresh_ledger.database.read() as tx:
        [(number, reason)] = rows(tx, "SELECT version, reason FROM registrations WHERE name = 'churn'")
    assert number == 0
    assert "was the name of the registered model 'attrition'" in reason
