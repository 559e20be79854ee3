"""The page Promotions: what waits, on what evidence, and who may decide; refused by the registry, not by a hidden button."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from prefect_ledger import registry
from prefect_ledger.dashboard.charts import intervals
from prefect_ledger.database import execute
from prefect_ledger.gates import Holdout
from prefect_ledger.tracking.ledger import Ledger
from tests.dashboard.conftest import Own
from tests.dashboard.filling import HOSTILE
from tests.registry.helpers import ALICE, BOB, CAROL, version

RULES = """
[[rule]]
model = "churn"
stage = "production"
approvals = 1
identity = "claimed"
exclude_author = false
gates = ["metrics.auc > 0.5"]
[[rule]]
model = "churn"
stage = "staging"
approvals = 1
identity = "claimed"
"""
PAGE = "from prefect_ledger.dashboard.pages import promotions; promotions.show()"
GATES: tuple[Any, ...] = (
    {"gate": "bootstrap", "metric": "accuracy", "at_least": -0.01, "min_rows": 20},
    {"gate": "slices", "metric": "accuracy", "by": "region", "at_least": -0.05},
    {"gate": "drift", "min_rows": 20},
)


def texts(page: AppTest) -> str:
    """All that a page says in words."""
    kinds = (page.title, page.subheader, page.markdown, page.caption, page.success, page.error, page.info, page.warning)
    return "\n".join(str(one.value) for kind in kinds for one in kind).replace("\\", "").replace("\u2060", "")


def asked(*gates: Any, **more: Any) -> registry.TransitionRequest:
    """Bob asks for alice's second version; the first is in production."""
    from prefect_ledger.policies import Policy, Rule

    version(0.8)
    registry.transition("churn", 1, "production", by=ALICE)
    registry.set_policy(Policy((Rule("churn", "production", gates=gates, approvals=1),)), by=CAROL)
    return registry.request_transition("churn", version(0.9).version, "production", **more, by=BOB)


def holdout() -> Holdout:
    """Two regions, of which the candidate knows as much as the champion."""
    draw = np.random.default_rng(7)
    target = draw.integers(0, 2, 400).astype(float)
    region = np.where(np.arange(400) % 2 == 0, "north", HOSTILE)
    columns = {"age": draw.normal(size=400)}
    return Holdout("june", "d1", {"region": region, **columns}, target, target, np.where(np.arange(400) % 9, target, 1 - target), columns)


def test_an_empty_registry_says_what_opens_a_request(shown: Callable[..., AppTest]) -> None:
    """Whoever sees the page for the first time is told how something gets there."""
    page = shown()
    assert "Nothing waits for approval" in texts(page)
    assert "prefect-ledger promote" in page.code[0].value


def test_a_request_is_shown_with_all_that_people_decide_by(shown: Callable[..., AppTest]) -> None:
    """Each gate with its verdict and reason, slices and drift as tables, both sides' metrics, who asked and what is lacking."""
    one = asked(*GATES, holdout=holdout(), why="better on <b>June</b>")
    page = shown(request=str(one.id))
    assert not page.exception
    said = texts(page)
    for verdict in one.report["verdicts"]:
        assert verdict["reason"].split(";")[0].replace("\\", "") in said
    assert "bob :blue-badge[os]" in said
    assert "Request 1 waits for 1 of 1 approvals." in said
    assert "better on <b>June</b>" in said
    frames = [table.value for table in page.dataframe]
    metrics = next(frame for frame in frames if "difference" in frame and "metric" in frame)
    assert metrics["difference"].round(3).tolist() == [0.1]
    assert {HOSTILE, "north"} == set(next(frame for frame in frames if "slice" in frame)["slice"])
    assert next(frame for frame in frames if "psi" in frame)["column"].tolist() == ["age"]


def test_whoever_may_not_vote_sees_no_button(shown: Callable[..., AppTest]) -> None:
    """A browser that did not come in by the address looks alone, and is told why."""
    one = asked()
    page = shown(request=str(one.id))
    assert [button.label for button in page.button if button.label in ("Approve", "Reject")] == []
    assert "needs the role approver" in texts(page)


@pytest.mark.parametrize("number", ["abc", "99", "-1", "1e3", "%00", HOSTILE])
def test_a_request_that_is_not_there_is_a_sentence(shown: Callable[..., AppTest], number: str) -> None:
    """Nonsense in the address is refused in words that say what there is: no traceback."""
    page = AppTest.from_string(f"from prefect_ledger.dashboard.main import told\nwith told():\n    {PAGE}", default_timeout=30)
    page.query_params["request"] = number
    page.run()
    assert not page.exception
    assert "request" in page.error[0].value
    assert "page failed" not in page.error[0].value


@pytest.mark.long
def test_settled_requests_are_found_by_state_and_model(shown: Callable[..., AppTest]) -> None:
    """What was rejected is not among what waits, and has its reason beside it."""
    one = asked()
    registry.reject(one.id, "too few rows", by=CAROL)
    assert "Nothing waits" in texts(shown())
    [table] = shown(state="rejected", model="churn").dataframe
    assert table.value["why it ended"].tolist() == ["rejected by carol: too few rows"]
    assert "No request matches" in texts(shown(state="done"))


def test_judged_again_a_request_comes_to_the_same_verdict(shown: Callable[..., AppTest]) -> None:
    """The button judges the kept evidence; a changed report shows."""
    one = asked(*GATES, holdout=holdout())
    page = shown(request=str(one.id), part="Judge again")
    next(button for button in page.button if button.label == "Judge again").click().run()
    assert "The same verdict again: passed" in texts(page)


def test_the_audit_log_is_verified_when_it_is_looked_at(shown: Callable[..., AppTest], fresh_ledger: Ledger) -> None:
    """A row that somebody changed is named on the page; before, the log is said to be whole; rows are found by text."""
    asked()
    page = shown(view="Audit log")
    assert f"Whole: {registry.audit_head().seq} rows hold" in texts(page)
    assert set(shown(view="Audit log", text="POLICY.SET").dataframe[0].value["what"]) == {"policy.set"}
    with fresh_ledger.database.write() as tx:
        execute(tx, "UPDATE audit SET actor = 'mallory' WHERE seq = 3")
    assert "Broken: row 3 was changed" in texts(shown(view="Audit log"))


def test_an_interval_is_drawn_with_what_was_wanted() -> None:
    """Point, both ends, and the limit; a name that is HTML stays text."""
    made = intervals.figure({"interval": [-0.1, 0.3], "difference": 0.05, "at_least": -0.2, "oriented": "<b>auc</b>"})
    [point] = made.data
    assert (point.x[0], round(point.error_x.array[0], 6), round(point.error_x.arrayminus[0], 6)) == (0.05, 0.25, 0.15)
    assert [shape.x0 for shape in made.layout.shapes] == [0, -0.2]
    assert "&lt;b&gt;auc" in made.layout.xaxis.title.text


# --- the real app ------------------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_reviewer_approves_in_the_browser(decider: Page, own: Own, shoot: Callable[[Page, str], Path]) -> None:
    """From the list to the request, a comment, Approve: the vote stands in the ledger, with its evidence, and what is next is said."""
    ask = "registry.request_transition('churn', 2, 'production', why='better on June', by='alice').id"
    number = own.run(f"from prefect_ledger import registry; registry.set_policy({RULES!r}, by='alice'); print({ask})").strip()
    decider.goto("/promotions")
    expect(decider.get_by_text("churn 2 to production")).to_be_visible()
    shoot(decider, "promotions")
    decider.get_by_text("churn 2 to production").click()
    decider.wait_for_url(f"**/promotions?request={number}")
    decider.get_by_role("textbox", name="Comment").fill(f"looked at the slices {HOSTILE}")
    decider.get_by_role("button", name="Approve").click()
    expect(decider.get_by_text("Nothing is missing: the promotion can be carried out.")).to_be_visible()
    expect(decider.get_by_text("approves: looked at the slices")).to_be_visible()
    expect(decider.get_by_text("prefect-ledger promote churn 2 --to production")).to_be_visible()
    shoot(decider, "promotions-approved")
    assert decider.title() != "owned"
    code = (
        f"import json; from prefect_ledger import registry; o = registry.get_request({number}); print(json.dumps([o.evidence, *o.votes]))"
    )
    evidence, vote = json.loads(own.run(code))
    assert (vote["approve"], vote["evidence"]) == (True, evidence)
    assert vote["strength"] in ("os", "claimed")
    decider.get_by_role("button", name="Approve").click()
    expect(decider.get_by_text("each person counts once")).to_be_visible()


@pytest.mark.long
def test_the_author_is_refused_by_the_registry_and_may_withdraw(decider: Page, own: Own) -> None:
    """The button is there for whoever has the role; their own request the registry refuses, in words; withdrawing it ends it."""
    ask = "registry.request_transition('churn', 2, 'staging').id"
    number = own.run(f"from prefect_ledger import registry; registry.set_policy({RULES!r}, by='alice'); print({ask})").strip()
    decider.goto(f"/promotions?request={number}")
    decider.get_by_role("button", name="Approve").click()
    expect(decider.get_by_text("opened the request, and the rule asks for somebody else")).to_be_visible()
    decider.get_by_role("button", name="Reject").click()
    expect(decider.get_by_text("a comment is needed here")).to_be_visible()
    decider.get_by_role("button", name="Withdraw").click()
    decider.get_by_role("button", name="Withdraw my request").click()
    expect(decider.get_by_text(f"Request {number} is withdrawn.")).to_be_visible()
    expect(decider.get_by_role("button", name="Approve")).to_have_count(0)
    decider.goto("/promotions?view=Audit+log")
    expect(decider.get_by_text("rows hold, and the tables are what they say")).to_be_visible()


def test_a_visitor_sees_a_request_and_no_buttons(visitor: Page) -> None:
    """Whoever came without the token reads all of it, and changes nothing."""
    visitor.goto("/promotions?request=1")
    expect(visitor.get_by_text("needs the role approver")).to_be_visible()
    expect(visitor.get_by_role("button", name="Approve")).to_have_count(0)
