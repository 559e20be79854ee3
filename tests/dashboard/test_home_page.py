"""The page Home: what is urgent, with the way to it; and how a metric goes from run to run."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from prefect_ledger import registry, start_run
from prefect_ledger.dashboard.charts import trend
from tests.dashboard.conftest import Filled
from tests.dashboard.filling import HOSTILE
from tests.dashboard.test_promotions_page import texts
from tests.registry.helpers import ALICE, BOB, CAROL, version

PAGE = "from prefect_ledger.dashboard.pages import home; home.show()"


def test_an_empty_ledger_says_how_to_begin(shown: Callable[..., AppTest]) -> None:
    """The two ways that fill it: the demo, and a script of one's own that runs as it stands."""
    page = shown()
    assert not page.exception
    demo, own = (code.value for code in page.code)
    assert demo == "prefect-ledger demo"
    exec(compile(own, "first.py", "exec"), {})
    assert "This ledger is empty" not in texts(shown())


def test_what_runs_failed_and_alerts_are_there_with_their_words(shown: Callable[..., AppTest]) -> None:
    """A running run with the metric it logged last, a failed one with its reason, an alert with its level; nothing of it is Markdown."""
    with contextlib.suppress(RuntimeError), start_run(experiment="odd", name=HOSTILE) as run:
        run.alert(HOSTILE, "look", level="error")
        raise RuntimeError(HOSTILE)
    with start_run(experiment="churn", name="at work") as run:
        run.log_metric("loss", 0.25, step=7)
        page = shown()
    assert not page.exception
    said = texts(page)
    assert "loss 0.25 at step 7" in said
    assert f"RuntimeError: {HOSTILE}".replace("\\", "") in said
    assert "Alerts of the last week" in said
    assert all("](" not in str(one.value) for kind in (page.caption, page.markdown) for one in kind)


def test_what_waits_for_approval_is_counted(shown: Callable[..., AppTest]) -> None:
    """An open request is the first thing on the page; a viewer is not told that they may approve."""
    from prefect_ledger.policies import Policy, Rule

    version()
    registry.set_policy(Policy((Rule("churn", "production", approvals=1),)), by=CAROL)
    registry.request_transition("churn", 1, "production", by=BOB)
    said = texts(shown())
    assert "Waits for approval :gray[1]" in said
    assert "you may approve" not in said
    registry.approve(1, by=CAROL)
    registry.transition("churn", 1, "production", by=ALICE)
    assert "Waits for approval" not in texts(shown())


@pytest.mark.long
def test_the_trend_is_of_the_metric_in_the_address(shown: Callable[..., AppTest]) -> None:
    """Each experiment shows its own metric until one is chosen; best is lowest where the name says so; nonsense says that none has it."""
    for auc, loss in ((0.7, 3.0), (0.9, 1.0), (0.8, 2.0)):
        with start_run(experiment="churn") as run:
            run.log_metrics({"auc": auc, "loss": loss})
    with start_run(experiment="prices") as run:
        run.log_metric("rmse", 5.0)
    own = shown().dataframe[0].value
    assert own["metric"].tolist() == ["rmse", "auc"]
    assert own["best"].tolist() == [5.0, 0.9]
    chosen = shown(metric="loss").dataframe[0].value
    assert (chosen["experiment"].tolist(), chosen["best"].tolist(), list(chosen["trend"][0])) == (["churn"], [1.0], [3.0, 1.0, 2.0])
    assert "None of the latest runs has this metric" in texts(shown(metric=HOSTILE))


def test_the_best_so_far_is_drawn_beside_the_runs() -> None:
    """NaN is no best; the line keeps what was best until then."""
    assert trend.best_so_far([2.0, math.nan, 1.0, 4.0], lower=True) == [2.0, 2.0, 1.0, 1.0]
    points = [("a", 1, 2.0), ("b", 2, 3.0), ("c", 3, 1.0)]
    runs, best = trend.figure("<b>auc</b>", points, lower=False).data
    assert (list(runs.y), list(best.y)) == ([2.0, 3.0, 1.0], [2.0, 3.0, 3.0])


# --- the real app ------------------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_home_in_the_browser(owner: Page, filled: Filled, shoot: Callable[[Page, str], Path]) -> None:
    """A failed run is a click away, what waits too; the metric chosen stands in the address."""
    owner.goto("/")
    expect(owner.get_by_text("RuntimeError: no luck")).to_be_visible()
    expect(owner.get_by_text("highest so far")).to_be_visible()
    shoot(owner, "home")
    assert owner.title() != "owned"
    owner.get_by_role("combobox", name="Metric").fill("seconds")
    owner.get_by_role("option", name="seconds", exact=True).click()
    owner.wait_for_function("location.search.includes('metric=seconds')")
    expect(owner.get_by_text("lowest so far")).to_be_visible()
    owner.get_by_role("link", name="failed", exact=True).click()
    owner.wait_for_function(f"location.search.includes('{filled.ids['failed']}')")
