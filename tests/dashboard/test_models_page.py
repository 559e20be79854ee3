"""The page Models: versions with all that is known of them, how they differ, what was so at a date, and what contributors change."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from prefect_ledger import registry, start_run
from prefect_ledger.dashboard.data import models as data
from prefect_ledger.errors import RegistryConflict
from prefect_ledger.tracking.ledger import Ledger
from tests.dashboard.conftest import Own
from tests.dashboard.filling import HOSTILE
from tests.dashboard.test_promotions_page import RULES, texts
from tests.registry.helpers import ALICE, BOB, version

PAGE = "from prefect_ledger.dashboard.main import told\nfrom prefect_ledger.dashboard.pages import models\nwith told():\n    models.show()"


def signed(factor: float) -> None:
    """A version with a signature, a dataset and a parameter."""
    import pandas as pd

    with start_run(experiment="churn") as run:
        run.log_params({"factor": factor, "seed": 0})
        run.log_metric("auc", 0.8 + factor / 100)
        run.record_dataset("train", f"{int(factor):02x}" * 32, context="train", rows=100)
        rows = pd.DataFrame({"age": [1, 2], "income" if factor > 2 else "debt": [0.5, 1.5]})
        logged = run.log_model(lambda data: [factor] * len(data), "churn", input_example=rows, requirements=[])
    registry.register_model("churn", logged, by=ALICE)


def test_an_empty_registry_says_how_models_get_there(shown: Callable[..., AppTest]) -> None:
    """By annotation, or by a command."""
    page = shown()
    assert "No model is registered yet" in texts(page)
    assert "register=True" in page.code[0].value


def test_models_are_found_by_name_alias_and_tag(shown: Callable[..., AppTest]) -> None:
    """Each with what its stages and aliases mean; the search stands in the address."""
    version(), version(name="basket")
    registry.set_alias("churn", "champion", 1, by=ALICE)
    registry.tag_model("basket", {"note": HOSTILE}, by=ALICE)
    assert shown().dataframe[0].value["model"].tolist() == ["basket", "churn"]
    [found] = shown(search="@CHAMP").dataframe
    assert (found.value["model"].tolist(), found.value["aliases"].tolist()) == (["churn"], ["@champion: 1"])
    assert shown(search="smile").dataframe[0].value["model"].tolist() == ["basket"]
    assert "No registered model matches" in texts(shown(search="nothing"))


def test_a_version_is_shown_with_signature_notes_and_how_to_load_it(shown: Callable[..., AppTest]) -> None:
    """Columns with their types; what people wrote, as text; the reference of this version and no other."""
    signed(2)
    registry.annotate("churn", 1, f"Weak. {HOSTILE}", verdict="reject", by=BOB)
    signature = shown(model="churn", version="1").dataframe[0].value
    assert set(signature["name"]) >= {"age", "debt"}
    assert "long" in signature["type"].tolist()
    notes = shown(model="churn", version="1", part="Notes")
    assert "bob :blue-badge[os] :red[rejects]" in texts(notes)
    assert "models:/churn/1" in shown(model="churn", version="1", part="Load it").code[0].value
    lineage = texts(shown(model="churn", version="1", part="Lineage"))
    assert "train (train), 100 rows" in lineage
    assert "No deployment of this machine and no scoring" in lineage


def test_two_versions_are_told_apart(shown: Callable[..., AppTest]) -> None:
    """Only what differs: signature, metrics with their difference, parameters, data; what is the same is said to be."""
    signed(2)
    signed(3)
    page = shown(model="churn", version="2", beside="1", part="Differences")
    assert not page.exception
    frames = {heading.value: table.value for heading, table in zip(page.subheader, page.dataframe, strict=True)}
    assert set(frames["Signature"][""]) == {"input debt", "input income"}
    assert frames["Metrics"]["difference"].round(4).tolist() == [0.01]
    assert frames["Parameters"][""].tolist() == ["factor"]
    assert frames["Data"][""].tolist() == ["train (train)"]
    assert "Packages: no difference." in texts(page)
    assert page.query_params["beside"] in ("1", ["1"])


def test_as_of_a_date_is_what_was_meant_then(shown: Callable[..., AppTest]) -> None:
    """Stages and aliases of a moment, and that there was no version before the first."""
    version(), version()
    registry.transition("churn", 1, "production", by=ALICE)
    registry.set_alias("churn", "champion", 1, by=ALICE)
    soon = datetime.now().astimezone().replace(second=0, microsecond=0)
    later = f"{soon.year + 1}-{soon:%m-%dT%H:%M}".replace("02-29", "02-28")
    said = texts(shown(model="churn", part="As of", at=later))
    assert "production: 1" in said
    assert "@champion: 1" in said
    assert "It had no version at 2001" in texts(shown(model="churn", part="As of", at="2001-01-01T00:00"))


def test_history_is_the_audit_log_of_the_model(shown: Callable[..., AppTest]) -> None:
    """Who, when, what and why, the latest first; of one version only its own."""
    version(), version()
    registry.transition("churn", 2, "staging", why="to be tried", by=BOB)
    table = shown(model="churn", part="History").dataframe[0].value
    assert (table["what"][0], table["who"][0], table["why"][0]) == ("version.moved", "bob (os)", "to be tried")
    assert set(shown(model="churn", version="1", part="History").dataframe[0].value["version"]) == {1}


@pytest.mark.parametrize(
    "query", [{"model": "nobody"}, {"model": HOSTILE}, {"model": "churn", "version": "99"}, {"model": "churn", "version": "x/../y"}]
)
def test_what_is_not_there_is_a_sentence(shown: Callable[..., AppTest], query: dict[str, str]) -> None:
    """Nonsense in the address is refused in words."""
    version()
    page = shown(**query)
    assert not page.exception
    assert "page failed" not in page.error[0].value


def test_a_stale_view_moves_no_alias(fresh_ledger: Ledger) -> None:
    """An alias is moved from where it was seen alone: whoever looked before another moved it is refused."""
    version(), version(), version()
    one = registry.get_version("churn", 3)
    registry.set_alias("churn", "champion", 2, by=BOB)
    with pytest.raises(RegistryConflict):
        data.set_alias(one, "champion", {"champion": 1}, "", ALICE)
    assert data.set_alias(one, "@champion", {"champion": 2}, "", ALICE) == "@champion means version 3 of churn."
    assert registry.get_model("churn").aliases == {"champion": 3}


# --- the real app ------------------------------------------------------------------------------------------------------------------


def test_a_contributor_reviews_names_and_asks(decider: Page, own: Own, shoot: Callable[[Page, str], Path]) -> None:
    """A review, an alias and a request from the page of a version stand in the ledger, by whoever is there."""
    own.run(f"from prefect_ledger import registry; registry.set_policy({RULES!r}, by='alice')")
    decider.goto("/models?model=churn&version=2")
    decider.get_by_role("button", name="Review").click()
    decider.get_by_role("textbox", name="What you want to say").fill(f"Looks **good**. {HOSTILE}")
    decider.get_by_role("button", name="Write").click()
    expect(decider.get_by_text("Your note stands beside the version.")).to_be_visible()
    decider.keyboard.press("Escape")
    decider.get_by_role("tab", name="Notes").click()
    expect(decider.get_by_text("Looks good.")).to_be_visible()
    decider.get_by_role("button", name="Alias").click()
    decider.get_by_role("textbox", name="Alias").fill("challenger")
    decider.get_by_role("button", name="Let it mean this version").click()
    expect(decider.get_by_text("challenger means version 2 of churn.")).to_be_visible()
    decider.keyboard.press("Escape")
    expect(decider.get_by_role("button", name="Let it mean this version")).to_have_count(0)
    expect(decider.get_by_text("Looks good.")).to_be_visible()
    shoot(decider, "models-version")
    found = json.loads(
        own.run("import json; from prefect_ledger import registry; print(json.dumps(dict(registry.get_model('churn').aliases)))")
    )
    assert found["challenger"] == 2
    assert decider.title() != "owned"


@pytest.mark.long
def test_a_visitor_reads_and_changes_nothing(visitor: Page, shoot: Callable[[Page, str], Path]) -> None:
    """The list leads to versions; no button to change anything is there."""
    visitor.goto("/models?model=churn&version=1")
    expect(visitor.get_by_text("Registered")).to_be_visible()
    expect(visitor.get_by_role("button", name="Alias")).to_have_count(0)
    visitor.get_by_role("button", name="All versions of churn").click()
    visitor.wait_for_function("!location.search.includes('version')")
    expect(visitor.get_by_role("tab", name="As of")).to_be_visible()
    shoot(visitor, "models")
