"""The page of one run: all that was recorded of it, and what it says where something is not there."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from prefect_ledger import delete_runs, get_run, start_run
from prefect_ledger.dashboard.charts import lineage, timeline
from prefect_ledger.dashboard.data import prefect_ui
from prefect_ledger.entities import Run, RunStatus
from prefect_ledger.events import TaskRunSeen
from prefect_ledger.tracking.ledger import Ledger
from tests.dashboard import run_pages
from tests.dashboard.conftest import Filled
from tests.dashboard.filling import HOSTILE
from tests.dashboard.run_pages import TABS

SECOND = 1_000_000  # microseconds


def full() -> str:
    """A run that has something for every part."""
    with start_run(experiment="churn", name="above") as above:
        pass
    with start_run(experiment="churn", name="fit", parent=above.id) as run:
        run.log_params({"depth": 6})
        for step in range(10):
            run.log_metrics({"train.loss": 1 / (1 + step), "val/auc": step / 10}, step=step)
            run.log_image(np.full((8, 8), step, np.uint8), key="digits", step=step)
            run.log_table({"x": [step]}, "answers", step=step)
        run.log_metric("odd", float("nan"))
        run.record_dataset("train", "ab" * 32, context="train", rows=10)
        run.describe(
            {"git": {"commit": "c0ffee", "branch": "main", "dirty": True, "remote": "", "root": "/src"}}, {"numpy": "2", "six": "1"}
        )
        run.log_text("-a\n+b\n", "code/changes.patch")
        _steps(run)
    return run.id


def _steps(run: Any) -> None:
    begun = run._shared.started
    states: list[tuple[str, str, dict[str, Any]]] = [
        ("load", "COMPLETED", {}),
        ("fit", "FAILED", {"tries": 3}),
        ("score", "COMPLETED", {"cached": True}),
    ]
    for at, (name, state, more) in enumerate(states):
        start = begun + at * SECOND
        failed = {"type": "ValueError", "message": "no luck"} if state == "FAILED" else {}
        times: dict[str, Any] = {"started": start, "ended": start + SECOND}
        run.say(TaskRunSeen(run.id, start, str(uuid.uuid4()), name, state, exception=failed, **times, **more))


def test_without_a_run_the_latest_are_offered(fresh_ledger: Ledger) -> None:
    """Where no run is named there is a box to find one, and the latest; where there are none, how to make one."""
    assert "start_run" in run_pages.said(run_pages.opened())
    with start_run(experiment="churn", name="fit") as run:
        pass
    page = run_pages.opened()
    assert "fit" in [one.label for one in page.button]
    page.text_input(key="find_run").set_value(run.id[:8]).run()
    assert page.query_params["run"] == run.id[:8]
    assert [one.value for one in page.title] == ["fit"]


@pytest.mark.parametrize(
    ("asked", "said"), [("zzz", "not a run id"), ("run 7", "not a run id"), (str(uuid.UUID(int=7)), "no run has an id")]
)
def test_a_run_that_is_not_there_is_a_sentence(fresh_ledger: Ledger, asked: str, said: str) -> None:
    """An unknown or mistyped run: a sentence, and the box to find another."""
    page = run_pages.opened(run=asked)
    assert len(page.error) == 1
    assert said in page.error[0].value.replace("\\", "")
    assert page.text_input(key="find_run") is not None


@pytest.mark.parametrize("tab", TABS)
def test_each_part_shows_what_there_is(fresh_ledger: Ledger, tab: str) -> None:
    """Every part opens by the address, for a run that has everything and for one that has nothing."""
    rich = run_pages.opened(run=full(), tab=tab)
    assert not rich.error
    with start_run(experiment="bare") as bare:
        pass
    poor = run_pages.opened(run=bare.id, tab=tab)
    assert not poor.error
    assert tab == "Code" or poor.info or poor.code


def test_the_overview_says_what_was_recorded(fresh_ledger: Ledger) -> None:
    """Parameters, metrics, data, the run above and how to load it in Python are there, and an error with its traceback."""
    run = full()
    page = run_pages.opened(run=run)
    said = run_pages.said(page)
    assert f'get_run("{run}")' in said
    frames = [one.value for one in page.dataframe]
    metrics = next(frame for frame in frames if "metric" in frame)
    assert list(metrics["metric"]) == ["odd", "train.loss", "val/auc"]
    assert list(metrics["last"]) == ["NaN", "0.1", "0.9"]  # as texts, where one of them is no number
    assert metrics.loc[1, "max"] == 1.0
    assert next(frame for frame in frames if "parameter" in frame).to_numpy().tolist() == [["depth", "6"]]
    assert "above" in [one.label for one in page.button]


def test_an_error_is_told_with_its_traceback(fresh_ledger: Ledger) -> None:
    """What ended a run stands on top of its page, the traceback as text."""
    try:
        with start_run(experiment="odd", name="failed") as run:
            raise RuntimeError(HOSTILE)
    except RuntimeError:
        pass
    page = run_pages.opened(run=run.id)
    assert "RuntimeError" in page.error[0].value
    assert "[x](javascript" not in page.error[0].value
    assert any("Traceback (most recent call last)" in one.value for one in page.code)


def test_a_deleted_run_is_shown_as_such_and_an_erased_one_is_a_sentence(fresh_ledger: Ledger) -> None:
    """A run that is deleted while it is looked at says so, with the way back."""
    run = full()
    page = run_pages.opened(run=run)
    assert not page.warning
    delete_runs(run)
    page.run()
    assert "restore" in page.warning[0].value


def test_a_run_that_runs_is_shown_with_what_it_has_so_far(fresh_ledger: Ledger) -> None:
    """A run that goes on has what was logged until now, and more when the page is shown anew."""
    run = start_run(experiment="churn", name="long")
    run.log_metric("loss", 1.0, step=0)
    page = run_pages.opened(run=run.id)
    run.log_metric("loss", 0.5, step=1)
    page.run()
    metrics = next(one.value for one in page.dataframe if "metric" in one.value)
    assert metrics.loc[0, "last"] == 0.5
    run.finish()


def test_who_came_without_the_token_changes_nothing(fresh_ledger: Ledger) -> None:
    """Nobody is shown a way to edit who may not."""
    page = run_pages.opened(run=full())
    assert list(page.text_area) == []


def test_the_slider_goes_through_what_was_logged_by_step(fresh_ledger: Ledger) -> None:
    """Of pictures and tables by step, that of the chosen step is shown."""
    run = full()
    page = run_pages.opened(run=run, tab="Media", series="answers (table)", step="4")
    assert page.dataframe[0].value.to_numpy().tolist() == [[4]]
    page.select_slider(key="step").set_value(7).run()
    assert page.dataframe[0].value.to_numpy().tolist() == [[7]]


def test_the_diff_and_the_packages_are_there(fresh_ledger: Ledger) -> None:
    """What the commit had not is shown as a diff, and packages are found by a part of their name."""
    page = run_pages.opened(run=full(), tab="Code")
    assert "-a\n+b" in [one.value for one in page.code]
    page.text_input(key="package").set_value("num").run()
    frames = [one.value for one in page.dataframe]
    assert next(frame for frame in frames if "package" in frame).to_numpy().tolist() == [["numpy", "2"]]


def test_artifacts_are_found_by_a_part_of_their_path(fresh_ledger: Ledger) -> None:
    """Whatever folder it lies in, an artifact is found by what its path has in it, and opens."""
    run = full()
    page = run_pages.opened(run=run, tab="Artifacts", find="PATCH")
    assert list(page.dataframe[0].value["name"]) == ["code/changes.patch"]
    page = run_pages.opened(run=run, tab="Artifacts", path="code/changes.patch")
    assert "-a\n+b" in run_pages.said(page)
    page = run_pages.opened(run=run, tab="Artifacts", path="code/other.patch")
    assert "has no artifact" in run_pages.said(page)


@pytest.mark.long
def test_nonsense_in_the_address_is_passed_over(fresh_ledger: Ledger) -> None:
    """A page with parameters that mean nothing is the page without them."""
    run = full()
    for tab in TABS:
        page = run_pages.opened(
            run=run, tab=tab, path="../../etc/passwd", x="odd", smooth="much", panel="99", panels="none", step="x", attempt="7", series="?"
        )
        assert not page.error


# --- charts and addresses ---------------------------------------------------------------------------------------------


def test_steps_are_drawn_as_letters_each_with_its_state() -> None:
    """A step is a bar with its waiting before it; names are letters, and what came from the cache is told."""
    steps = [
        timeline.Step(HOSTILE, "Completed", 0, SECOND, waited=0.5),
        timeline.Step("again", "FAILED", SECOND, 2 * SECOND, tries=3),
        timeline.Step("cached", "COMPLETED", 2 * SECOND, 2 * SECOND, cached=True, source="8f2c51aa"),
    ]
    made = timeline.figure(steps)
    assert [one.name for one in made.data if one.type == "bar"] == ["waited", "completed", "failed", "cached"]
    assert "<script>" not in made.to_json()
    assert "run 8f2c51aa" in str(made.data[3].customdata)
    assert "3 tries" in str([one.text for one in made.data])


def test_thousands_of_steps_and_of_things_are_bounded() -> None:
    """No figure grows with the number of steps or of things beyond what can be read; what is left out of a lineage is counted."""
    steps = [timeline.Step(f"s{at}", "COMPLETED", at, at + 1) for at in range(5_000)]
    assert sum(len(one.x) for one in timeline.figure(steps).data) == timeline.MOST
    things = [lineage.Thing("r", "this run", "r"), *(lineage.Thing(f"m{at}", "model", f"m{at}", column=1) for at in range(500))]
    made = lineage.figure(things, [lineage.Way("r", f"m{at}") for at in range(500)])
    assert len(made.layout.annotations) == lineage.MOST
    assert "and 489 more" in made.to_json()


def test_a_lineage_leads_from_data_to_versions(fresh_ledger: Ledger) -> None:
    """What a run used, logged and registered is told as one way from data to versions."""
    from prefect_ledger import registry
    from prefect_ledger.dashboard.data import lineage as data

    with start_run(experiment="churn", name="fit") as run:
        run.record_dataset("train", "ab" * 32, context="train")
        run.log_model(_constant, "churn")
    registry.register_model("churn", f"runs:/{run.id}/churn", by="alice")
    things, ways = data.of(get_run(run.id))
    assert [one.kind for one in sorted(things, key=lambda one: one.column)] == ["data", "this run", "model", "version"]
    assert [way.how for way in ways] == ["used by", "logged", "became"]


def _constant(data: Any) -> list[float]:
    return [1.0] * len(data)


@pytest.mark.parametrize(
    ("env", "kind", "leads"),
    [
        ({"PREFECT_API_URL": "http://127.0.0.1:4200/api"}, "flow", "http://127.0.0.1:4200/runs/flow-run/{id}"),
        ({"PREFECT_API_URL": "http://127.0.0.1:4200/api"}, "task", "http://127.0.0.1:4200/runs/task-run/{id}"),
        ({"PREFECT_API_URL": "http://127.0.0.1:4200/api"}, "script", ""),
        ({"PREFECT_UI_URL": "https://prefect.example/"}, "flow", "https://prefect.example/runs/flow-run/{id}"),
        ({"PREFECT_UI_URL": "javascript:alert(1)//"}, "flow", ""),
        ({"PREFECT_UI_URL": "http://user:secret@prefect.example"}, "flow", ""),
        ({}, "flow", ""),
    ],
)
def test_prefects_ui_is_linked_where_it_is_known(
    home: Path, monkeypatch: pytest.MonkeyPatch, env: dict[str, str], kind: str, leads: str
) -> None:
    """A run of Prefect's has a link to its page there, where an address of the web is known."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    run = Run(str(uuid.UUID(int=7)), "x", None, None, RunStatus.COMPLETED, kind=kind)
    assert prefect_ui.address(run) == leads.replace("{id}", run.id)


def test_the_ui_of_the_active_profile_is_known(home: Path, tmp_path: Path) -> None:
    """Where the environment names no server, Prefect's active profile does."""
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "profiles.toml").write_text('active = "a"\n[profiles.a]\nPREFECT_API_URL = "http://127.0.0.1:4200/api"\n')
    assert prefect_ui.place() == "http://127.0.0.1:4200"


# --- in the browser ---------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_run_can_be_read_and_browsed(owner: Page, filled: Filled, shoot: Callable[[Page, str], Path]) -> None:
    """Every part opens, nothing that a stranger wrote is a link or a picture, and an artifact opens by a click into its folder."""
    owner.goto(f"/run?run={filled.ids['hostile']}")
    heading = owner.get_by_role("heading", level=1)
    expect(heading).to_contain_text("<script>document.title='owned'</script>[x](javascript:alert(1))")
    assert heading.locator("a, img").count() == 0
    expect(owner.locator("canvas").first).to_be_visible()
    shoot(owner, "run_overview")
    for tab in TABS[1:]:
        owner.get_by_role("tab", name=tab).click()
        owner.wait_for_url(f"**tab={tab}**")
        expect(owner.get_by_text("This page failed")).to_have_count(0)
    owner.get_by_role("tab", name="Artifacts").click()
    table = owner.get_by_role("tabpanel", name="Artifacts").get_by_test_id("stDataFrame")
    expect(table.locator("canvas").first).to_be_visible()
    box = table.bounding_box()
    assert box is not None
    owner.mouse.click(box["x"] + 16, box["y"] + 33 + 15)  # the box of the first line
    owner.wait_for_url("**path=*%2F*")
    expect(owner.get_by_role("button", name="Up")).to_be_visible()


@pytest.mark.long
def test_the_owner_renames_a_run(decider: Page, own: Any) -> None:
    """Who may edits the name and what the run is about; what another changed meanwhile stays."""
    run = own.run("from prefect_ledger import start_run\nwith start_run(experiment='churn', name='old') as run: print(run.id)").strip()
    decider.goto(f"/run?run={run}")
    decider.get_by_role("button", name="Edit").click()
    decider.get_by_label("Name").fill("new name")
    decider.get_by_label("What it is about").fill("The **baseline** [x](javascript:alert(1))")
    decider.get_by_role("button", name="Save").click()
    expect(decider.get_by_role("heading", level=1)).to_have_text("new name")
    expect(decider.locator("strong", has_text="baseline")).to_be_visible()
    decider.keyboard.press("Escape")
    own.run(f"from prefect_ledger import rename_run; rename_run({run!r}, 'renamed by another')")
    decider.get_by_role("button", name="Edit").click()
    decider.get_by_label("What it is about").fill("about")
    decider.get_by_role("button", name="Save").click()
    expect(decider.get_by_role("heading", level=1)).to_have_text("renamed by another")
    expect(decider.get_by_label("Name")).to_have_count(1)
    expect(decider.get_by_label("Name")).to_have_value("renamed by another")
