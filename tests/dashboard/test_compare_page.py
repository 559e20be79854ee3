"""The page where runs are compared: which runs, what of them, and that its whole state is in the address."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from prefect_ledger import delete_runs, get_run, start_run
from prefect_ledger.dashboard.charts import curves as chart
from prefect_ledger.dashboard.data import compare, curves
from prefect_ledger.dashboard.data.kept import Kept
from prefect_ledger.entities import to_micros
from prefect_ledger.events import RunStarted
from prefect_ledger.tracking.ledger import Ledger
from tests.dashboard.conftest import Filled
from tests.dashboard.filling import HOSTILE
from tests.stores.folding import Point, fold

PAGE = "from prefect_ledger.dashboard.pages import compare\ncompare.show()"
VIEWS = ["Table", "Curves", "Parallel", "Scatter", "Contour", "Boxes", "Importance", "Media"]
Shown = Callable[..., AppTest]


@pytest.fixture
def shown(fresh_ledger: Ledger) -> Shown:
    """The page with these parameters in its address, of the ledger of this test."""

    def run(**params: str | list[str]) -> AppTest:
        fresh_ledger.flush()
        st.cache_data.clear()
        st.cache_resource.clear()
        page = AppTest.from_string(PAGE, default_timeout=60)
        for name, value in params.items():
            page.query_params[name] = value
        page.run()
        assert [one.value for one in page.exception] == []
        return page

    return run


def trial(number: int, **more: Any) -> str:
    """A run with parameters, curves and pictures; the third has a spike at step 77."""
    with start_run(experiment="churn", name=f"trial {number}", **more) as run:
        run.log_params({"depth": number, "model": ("xgb", "lgbm")[number % 2], "seed": 0})
        steps = np.arange(200)
        run.log_series("loss", 10 / (1 + steps) + number + 25 * ((steps == 77) & (number == 2)), steps=steps)
        run.log_metric("auc", 0.5 + number / 10)
        run.record_dataset("train", f"{number % 2:02x}" * 32, context="train")
        run.describe({"git": {"commit": f"c{number}"}}, {"numpy": f"2.{number % 2}", "six": "1"})
    return run.id


def table(page: AppTest) -> Any:
    """The table of the page."""
    return page.dataframe[0].value


def figures(page: AppTest) -> list[dict[str, Any]]:
    """What plotly is sent."""
    return [json.loads(one.proto.spec) for one in page.get("plotly_chart")]


def said(page: AppTest) -> str:
    """Every sentence of the page."""
    return "\n".join(one.value for kind in ("info", "warning", "error", "caption") for one in getattr(page, kind))


def cell(page: AppTest, section: str, name: str) -> list[str]:
    """The cells of a row of the table."""
    frame = table(page)
    found = frame[(frame["section"] == section) & (frame["name"] == name)]
    assert len(found) == 1, frame[["section", "name"]].values.tolist()
    return list(found.iloc[0])[2:]


# --- which runs ---------------------------------------------------------------------------------------------------------------------------


def test_an_empty_page_says_how_runs_come_there(shown: Shown) -> None:
    """Without runs the page says where they are chosen."""
    assert "No runs are chosen" in said(shown())


def test_runs_are_named_by_beginnings_and_others_in_a_sentence(shown: Shown) -> None:
    """Ids and beginnings of ids; what means no run is named while the rest is shown, and so is a run that is deleted."""
    ids = [trial(number) for number in range(3)]
    delete_runs(ids[2])
    page = shown(runs=f"{ids[0]},{ids[1][:13]},{ids[2]},deadbeef,<b>x</b>")
    assert list(table(page).columns) == ["section", "name", *ids]
    assert "deadbeef" in said(page)
    assert "<b>" not in said(page).replace("\\<b\\>", "")
    assert "Deleted" in said(page)


@pytest.mark.parametrize(
    "query", [{"view": ""}, {"view": "Curves", "from": "1e400"}, {"view": "Curves", "to": "-1e400"}, {"view": "Curves", "x": ""}]
)
def test_an_empty_or_boundless_setting_is_passed_over(shown: Shown, query: dict[str, str]) -> None:
    """No view at all, and a step beyond all numbers: the page shows what it shows by itself."""
    page = shown(runs=f"{trial(1)},{trial(2)}", **query)
    assert len(page.error) == 0
    assert page.dataframe or figures(page)


def test_a_filter_brings_runs_in(shown: Shown) -> None:
    """Runs that match stand beside those that were named, each once; a filter that cannot be read is told in words."""
    ids = [trial(number) for number in range(3)]
    page = shown(runs=ids[1], q="params.depth >= 1")
    assert list(table(page).columns)[2:] == [ids[1], ids[2]]
    page = shown(runs=",".join(ids[:2]), q="params.depth >=")
    assert list(table(page).columns)[2:] == ids[:2]
    assert len(page.error) == 1


def test_runs_are_added_and_taken_away_on_the_page(shown: Shown) -> None:
    """What is added or taken away is in the address at once."""
    ids = [trial(number) for number in range(3)]
    page = shown(runs=",".join(ids[:2]))
    page.text_input(key="compare_added").set_value(f"{ids[2][:8]}, {ids[0]}").run()
    assert page.query_params["runs"] == f"{ids[0]},{ids[1]},{ids[2][:8]}"
    assert list(table(page).columns)[2:] == ids
    page.multiselect(key="compare_named").set_value([ids[2]]).run()
    assert page.query_params["runs"] == ids[2]


# --- side by side -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_only_what_differs_is_shown_and_the_best_is_marked(shown: Shown) -> None:
    """Parameters, metrics, data, code and packages that differ; the best value has a star, and which is better can be told otherwise."""
    ids = ",".join(trial(number) for number in range(3))
    page = shown(runs=ids)
    assert cell(page, "params", "depth") == ["0", "1", "2"]
    assert cell(page, "metrics", "auc ↑") == ["0.5", "0.6", "0.7 ★"]
    assert cell(page, "packages", "numpy") == ["2.0", "2.1", "2.0"]
    assert cell(page, "git", "commit") == ["c0", "c1", "c2"]
    assert cell(page, "datasets", "train")[0] != cell(page, "datasets", "train")[1]
    assert not {"seed", "six"} & set(table(page)["name"])
    assert cell(shown(runs=ids, lower="auc"), "metrics", "auc ↓")[0] == "0.5 ★"
    assert cell(shown(runs=ids, all="true"), "params", "seed") == ["0", "0", "0"]
    assert set(table(shown(runs=ids, sections=["params", "tags"]))["section"]) == {"params"}


def test_metrics_are_compared_by_any_of_their_values(shown: Shown) -> None:
    """The least of each curve instead of its last value, as asked."""
    ids = ",".join(trial(number) for number in range(3))
    assert cell(shown(runs=ids, value="max"), "metrics", "loss ↓")[2] == "27.128"


def test_many_runs_are_rows(shown: Shown) -> None:
    """From nine runs on each is a row, whose metrics are numbers that can be sorted by, with where it is the best; or as it is asked."""
    ids = ",".join(trial(number) for number in range(9))
    frame = table(shown(runs=ids))
    assert len(frame) == 9
    assert frame["run"].tolist()[0] == "trial 0"
    assert frame["best"].tolist()[8] == "auc"
    assert any(str(kind) == "float64" for kind in frame.dtypes)
    assert "section" in table(shown(runs=ids, runs_are="columns")).columns


# --- curves -------------------------------------------------------------------------------------------------------------------------------


def test_curves_are_drawn_with_the_raw_line_behind(shown: Shown) -> None:
    """A line for each run; smoothed, each has its raw one behind it, and the spike of one run is on the page."""
    ids = ",".join(trial(number) for number in range(3))
    (plain,) = figures(shown(runs=ids, view="Curves"))
    assert [one["name"] for one in plain["data"]] == ["trial 0", "trial 1", "trial 2"]
    (smoothed,) = figures(shown(runs=ids, view="Curves", metric="loss", smooth="0.9", log_y="true"))
    assert len(smoothed["data"]) == 6
    assert smoothed["layout"]["yaxis"]["type"] == "log"


def test_curves_of_a_group_are_a_band(shown: Shown) -> None:
    """Runs that share a parameter are one line with a band, said with how many they are."""
    ids = ",".join(trial(number) for number in range(4))
    (made,) = figures(shown(runs=ids, view="Curves", metric="loss", group="params.model", band="std"))
    assert [one["name"] for one in made["data"] if "name" in one] == ["model = lgbm (2)", "model = xgb (2)"]


def test_earlier_attempts_and_children_are_chosen(shown: Shown, fresh_ledger: Ledger) -> None:
    """A curve is that of the last attempt; earlier ones, and runs below, come when they are asked for."""
    parent = trial(0)
    trial(1, parent=parent)
    page = shown(runs=parent, view="Curves", metric="loss", children="true")
    assert [one["name"] for one in figures(page)[0]["data"]] == ["trial 0", "trial 1"]
    with start_run(experiment="churn", name="retried") as first:
        first.log_series("loss", np.array([3.0, 2.0]))
    run = get_run(first.id)
    assert run.started_at is not None
    at = to_micros(run.started_at) + 1_000_000
    fold(fresh_ledger.database, RunStarted(first.id, at, 2), Point((first.id, "loss", 2, "", 1), 0, at, 1.0))
    run = get_run(first.id)
    assert run.attempt == 2
    page = shown(runs=run.id, view="Curves", metric="loss")
    assert len(figures(page)[0]["data"]) == 1
    page = shown(runs=run.id, view="Curves", metric="loss", attempt=f"{run.id[:8]} attempt 1")
    assert [one["name"] for one in figures(page)[0]["data"]] == ["retried", "retried, attempt 1"]


def test_a_range_of_steps_is_drawn_finer(shown: Shown) -> None:
    """Of a part of a long curve every point is drawn."""
    with start_run() as run:
        run.log_series("loss", np.arange(50_000, dtype=np.float64))
    line = [curves.Line(get_run(run.id), 1, "a")]
    assert len(curves.drawn("loss", line, curves.Wanted())[0]) <= chart.POINTS
    assert curves.drawn("loss", line, curves.Wanted(low=100, high=300))[0].steps.tolist() == list(range(100, 301))
    page = shown(runs=run.id, view="Curves", **{"from": "100", "to": "300"})
    assert page.number_input(key="from").value == 100


def test_curves_are_kept_as_long_as_their_run_goes_on(fresh_ledger: Ledger) -> None:
    """A run that has ended is read once; of one that goes on, new points are seen a few seconds later."""
    clock = [0.0]
    kept = Kept[str](most=10, size=len, clock=lambda: clock[0])
    kept.put("a", "12345", seconds=3)
    kept.put("b", "12345", seconds=600)
    assert (kept.get("a"), kept.get("b")) == ("12345", "12345")
    clock[0] = 4.0
    assert (kept.get("a"), kept.get("b")) == (None, "12345")
    kept.put("c", "1234567", seconds=600)
    assert (kept.get("b"), kept.get("c")) == (None, "1234567")
    kept.put("d", "more than fits", seconds=600)
    assert kept.get("d") is None
    fresh_ledger.flush()


# --- every view ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_every_view_of_few_and_of_odd_runs(shown: Shown) -> None:
    """One run, runs that share nothing, and one with hostile names and odd values: a sentence or a figure, and no tag of theirs."""
    one = trial(0)
    with start_run(experiment="odd", name=HOSTILE, tags={"note": HOSTILE}) as odd:
        odd.log_params({"text": HOSTILE, "depth": "nan"})
        odd.log_metrics({"nan": math.nan, "inf": math.inf, "loss": math.nan})
        odd.log_image(np.full((4, 4), 9, np.uint8), key="digits", step=0)
    with start_run(experiment="odd") as bare:
        pass
    for view, ids in itertools.product(VIEWS, ([one], [one, odd.id], [bare.id])):
        page = shown(runs=",".join(ids), view=view)
        assert not page.error
        for made in figures(page):
            assert "<script" not in json.dumps(made).replace("\\u003c", "<")


@pytest.mark.long
def test_nonsense_in_the_address_is_passed_over(shown: Shown) -> None:
    """Settings that mean nothing are as if they were not there, whatever is looked at."""
    ids = ",".join(trial(number) for number in range(2))
    nonsense = {
        "x": "sideways",
        "smooth": "2",
        "from": "a",
        "metric": "none",
        "group": "params.none",
        "color": "%%",
        "axes": "x",
        "step": "-",
    }
    for view in VIEWS:
        assert not shown(runs=ids, view=view, **nonsense).error
    assert table(shown(runs=ids, view="nowhere")) is not None


def test_names_are_told_apart(shown: Shown) -> None:
    """Runs of the same name, or of none, carry the beginnings of their ids."""
    ids = []
    for name in ("same", "same", "other"):
        with start_run(name=name) as run:
            ids.append(run.id)
    called = compare.names([get_run(one) for one in ids])
    assert [called[one] for one in ids] == [f"same {ids[0][:8]}", f"same {ids[1][:8]}", "other"]


def test_pictures_and_tables_stand_side_by_side_at_a_step(shown: Shown) -> None:
    """At a step each run shows what it logged then, or last before; runs without it are counted."""
    ids = []
    for number in range(3):
        with start_run(name=f"run {number}") as run:
            ids.append(run.id)
            for step in range(0, 3, 1 + number) if number < 2 else ():
                run.log_image(np.full((4, 4), step, np.uint8), key="digits", step=step)
                run.log_table({"x": [step]}, "answers", step=step)
    page = shown(runs=",".join(ids), view="Media", step="1")
    assert len(page.get("image")) == 2
    assert "of step 0" in said(page)
    assert "1 run logged nothing" in said(page)
    page = shown(runs=",".join(ids), view="Media", series="answers (table)")
    assert [frame.value["x"].tolist() for frame in page.dataframe] == [[2], [2]]


# --- in a browser -------------------------------------------------------------------------------------------------------------------------


def drawn(page: Page, css: str, number: int = 0) -> None:
    """Wait until plotly, which comes when it is first needed, has drawn so many of these."""
    page.locator(f".js-plotly-plot {css}").nth(number).wait_for(state="attached")


def test_runs_are_compared_in_a_browser(owner: Page, filled: Filled, shoot: Callable[[Page, str], Path]) -> None:
    """A pasted address opens the table; a view is chosen by a click, is in the address, and the address alone opens it again."""
    owner.goto(f"/compare?runs={','.join(filled.ids['churn'][:6])},{filled.ids['hostile']}")
    owner.get_by_test_id("stDataFrame").wait_for()
    shoot(owner, "compare_table")
    owner.get_by_test_id("stButtonGroup").get_by_text("Curves").first.click()
    drawn(owner, ".lines path")
    owner.wait_for_url("**view=Curves**")
    owner.goto(f"{owner.url}&metric=train.loss&smooth=0.9")
    drawn(owner, ".lines path", 13)  # of seven runs, each with its raw line behind
    owner.locator(".js-plotly-plot .traces text").last.wait_for()
    shoot(owner, "compare_curves")
    expect(owner.locator(".js-plotly-plot").get_by_text("<script>", exact=False).first).to_be_attached()
    assert owner.locator(".js-plotly-plot a").count() == owner.locator(".js-plotly-plot script").count() == 0
    assert owner.title() != "owned"


@pytest.mark.long
def test_parameters_are_axes_in_a_browser(owner: Page, shoot: Callable[[Page, str], Path]) -> None:
    """Parallel coordinates of what a filter finds: an axis for each parameter that differs, and one for the metric."""
    owner.goto("/compare?q=experiment='churn'&view=Parallel")
    drawn(owner, ".y-axis", 3)
    shoot(owner, "compare_parallel")
    labels = owner.locator(".js-plotly-plot .axis-title").all_text_contents()
    assert {"depth", "rate (log)", "model", "auc"} <= set(labels)
