"""The page Runs: which runs it shows, in which order and with which columns, what its address keeps, and what can be done from it."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from prefect_ledger import delete_runs, start_run
from prefect_ledger.dashboard.data import run_files
from prefect_ledger.dashboard.data import runs as data
from prefect_ledger.dashboard.parts.conditions import joined
from prefect_ledger.tracking.ledger import Ledger
from tests.dashboard.conftest import Filled, Own

Open = Callable[..., AppTest]


@pytest.fixture
def ledger(fresh_ledger: Ledger) -> Iterator[Ledger]:
    """A ledger of this test alone, which the page asks, with nothing kept of others."""
    data.forget()
    yield fresh_ledger
    data.forget()


@pytest.fixture
def page(ledger: Ledger) -> Open:
    """Opens the page with an address; many values of a parameter as a list."""

    def opened(**query: Any) -> AppTest:
        test = AppTest.from_string("from prefect_ledger.dashboard.pages import runs; runs.show()", default_timeout=30)
        for name, value in query.items():
            test.query_params[name] = value
        test.run()
        assert not test.exception
        return test

    return opened


def log(name: str, *, auc: float | None = None, parent: str | None = None, **params: Any) -> str:
    """A run with a metric and parameters; its id."""
    with start_run(experiment="churn", name=name, parent=parent) as run:
        run.log_params(params)
        if auc is not None:
            run.log_metric("auc", 0.99)
            run.log_metric("auc", auc)
    return run.id


def names(test: AppTest) -> list[str]:
    """The names in the table, from the top."""
    return [unquote(link.partition("#")[2]) for link in test.dataframe[0].value["Run"]]


def cells(test: AppTest, column: str) -> list[str]:
    """A column of the table."""
    return list(test.dataframe[0].value[column])


# --- which runs, in which order


def test_a_link_to_an_experiment_that_is_gone_says_so(ledger: Ledger) -> None:
    """Instead of showing other runs as if they were the answer."""
    log("here", auc=0.5)
    test = AppTest.from_string(
        "from prefect_ledger.dashboard.main import told\nfrom prefect_ledger.dashboard.pages import runs\nwith told(): runs.show()"
    )
    test.query_params["experiment"] = ["nope"]
    test.run(timeout=30)
    assert "nope" in test.error[0].value
    assert len(test.dataframe) == 0


def test_the_filter_of_the_address_is_asked(page: Open) -> None:
    """The address has the filter, the quick ones beside it and the order; all hold, and the whole filter can be copied."""
    for number in range(6):
        log(f"run {number}", auc=number / 10, depth=number % 3, model="xgb" if number else "lgbm")
    found = page(
        q="metrics.auc > 0.05", only=["params.depth = '1'", "params.depth = '2'", "params.model = 'xgb'"], order="metrics.auc desc"
    )
    assert names(found) == ["run 5", "run 4", "run 2", "run 1"]
    whole = "metrics.auc > 0.05 and (params.depth = '1' or params.depth = '2') and params.model = 'xgb'"
    assert found.code[0].value == whole
    assert names(page(state=["FAILED", "COMPLETED"], experiment="churn", since="last hour", order="run_name")) == [
        f"run {n}" for n in range(6)
    ]
    assert names(page(rows="7", order="run_name", life="x"))[0] == "run 0"


def test_a_filter_that_cannot_be_read_is_shown_with_its_place(page: Open) -> None:
    """What is wrong is said in words, with a mark below the character where it begins; what was typed stays."""
    log("one", auc=0.5)
    found = page(q="metrics.auc >> 3")
    assert "expected" in found.error[0].value
    assert found.code[0].value.splitlines()[-1].index("^") == found.code[0].value.splitlines()[0].index("> 3")
    assert found.text_input("q").value == "metrics.auc >> 3"
    assert not found.dataframe


def test_an_order_or_column_that_means_nothing_is_said(page: Open) -> None:
    """A sentence for each, and the table where there can be one."""
    log("one", auc=0.5)
    assert "Column" not in cells(page(cols=["nonsense", "metrics.auc"]), "metrics.auc")
    assert "nonsense" in page(cols=["nonsense", "metrics.auc"]).error[0].value.replace("\\", "")
    assert "nonsense" in page(order="nonsense desc").error[0].value.replace("\\", "")


def test_pages_go_by_the_server(page: Open) -> None:
    """A page holds what it can; the next begins where it ended, also when runs came meanwhile; the address names the page."""
    for number in range(120):
        log(f"run {number:03}")
    found = page(rows=50)
    assert names(found) == [f"run {number:03}" for number in range(119, 69, -1)]
    log("meanwhile")
    data.forget()
    found.button("next_page").click().run()
    assert names(found)[0] == "run 069"
    assert found.query_params["page"] == "2"
    assert names(page(rows=50, page=3))[0] == "run 020"  # a link: by number, for nobody was on the page before
    found.text_input("q").set_value("run_name = 'run 003'").run()
    assert names(found) == ["run 003"]
    assert "page" not in found.query_params


# --- columns


@pytest.mark.long
def test_a_page_behind_the_last_is_the_last(page: Open) -> None:
    """A link to a page that is no more, or a number that somebody typed, leads to what there is, and not to "no run matches"."""
    for number in range(51):
        log(f"run {number:02}")
    found = page(page="999", rows="50", order="run_name")
    assert names(found) == ["run 50"]
    assert found.query_params["page"] == "2"
    assert names(page(page="999", q="run_name = 'run 07'")) == ["run 07"]
    top = log("top")
    for number in range(51):
        log(f"below {number:02}", parent=top)
    below = {"q": "run_name like 'below%'", "rows": "50", "order": "run_name"}
    assert [names(page(**below, page=n)) for n in ("2", "3")] == [["below 50"], ["below 50"]]


def test_columns_nobody_chose_are_those_that_tell_runs_apart(page: Open) -> None:
    """What differs and most have stands in the table; what is the same everywhere does not; numbers are as short as in the terminal."""
    for number in range(4):
        log(f"run {number}", auc=number / 3, depth=number, seed=0)
    found = page()
    assert list(found.dataframe[0].value.columns) == ["Run", "State", "Started", "Took", "params.depth", "metrics.auc"]
    assert cells(found, "metrics.auc") == ["1", "0.66667", "0.33333", "0"]


def test_chosen_columns_stand_in_their_order_with_their_aggregate(page: Open) -> None:
    """Columns, aggregates and attributes are shown as the address has them, and nothing else."""
    log("one", auc=0.5, depth=3)
    found = page(cols=["max(metrics.auc)", "params.depth", "count(metrics.auc)", "attempt", "metrics.nobody", "metrics.auc"])
    assert list(found.dataframe[0].value.columns[4:]) == [
        "max(metrics.auc)",
        "params.depth",
        "count(metrics.auc)",
        "attempt",
        "metrics.nobody",
        "metrics.auc",
    ]
    assert [cells(found, name)[0] for name in found.dataframe[0].value.columns[4:]] == ["0.99", "3", "2", "1", "", "0.5"]


# --- parents and children


@pytest.mark.long
def test_runs_below_others_are_folded(page: Open) -> None:
    """Only runs at the top are shown, with how many are below them and, where they have no value, what those below come to."""
    search = log("search", depth=1)
    for number in range(3):
        log(f"point {number}", auc=number / 10, parent=search)
    folded = page(cols=["metrics.auc", "max(metrics.auc)"])
    assert (names(folded), cells(folded, "Below")) == (["search"], ["3"])
    assert [cells(folded, name)[0] for name in ("metrics.auc", "max(metrics.auc)")] == ["(0.2)", "(0.99)"]
    unfolded = page(view="unfolded", order="metrics.auc desc")
    assert names(unfolded) == ["search", "└ point 2", "└ point 1", "└ point 0"]
    assert sorted(names(page(view="flat"))) == ["point 0", "point 1", "point 2", "search"]
    assert names(page(q="metrics.auc < 0.15")) == ["point 1", "point 0"]  # nothing at the top matches: no reason to show nothing
    show_all = next(button for button in folded.button if "3 runs below others match too" in button.label)
    show_all.click().run()
    assert len(names(folded)) == 4


# --- nothing there


def test_an_empty_ledger_says_how_to_log(page: Open) -> None:
    """Somebody who sees nothing is told what to do."""
    assert "start_run" in page().code[0].value


def test_where_nothing_matches_a_way_back_is_offered(page: Open) -> None:
    """Each part of the question without which runs match is offered to be taken away."""
    log("one", auc=0.5)
    found = page(q="metrics.auc > 0.9", state=["FAILED"])
    assert "No run matches" in found.info[0].value
    assert not [button for button in found.button if button.key == "without_q"]  # alone, it would not help
    found = page(q="metrics.auc > 0.9", state=["COMPLETED"])
    found.button("without_q").click().run()
    assert names(found) == ["one"]


# --- deleted ones, files


def test_deleted_runs_are_shown_where_asked_for(page: Open) -> None:
    """The table shows active runs, deleted ones, or all."""
    delete_runs(log("gone"))
    log("here")
    assert [names(page(life=life)) for life in ("active", "deleted", "all")] == [["here"], ["gone"], ["here", "gone"]]


def test_files_have_all_that_matches(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file has every run that matches, in order, not a page of them; numbers and times as such, missing ones as nothing."""
    from pyarrow import csv, parquet

    ids = [log(f"run {number}", auc=number / 10 or None, depth=number) for number in range(3)]
    ledger.flush()
    asked = data.Asked("params.depth >= 0", ("churn",))
    shown = parquet.read_table(io.BytesIO(run_files.parquet(asked, ("max(metrics.auc)", "params.depth", "end_time"), "run_name")))
    assert shown["run_id"].to_pylist() == ids
    assert shown["max(metrics.auc)"].to_pylist() == [None, 0.99, 0.99]
    assert shown["params.depth"].to_pylist() == ["0", "1", "2"]
    assert str(shown["started_at"].type) == str(shown["end_time"].type) == "timestamp[us, tz=UTC]"
    monkeypatch.setattr(run_files, "_AT_ONCE", 2)  # the third run, which lacks a key, is read apart
    whole = csv.read_csv(io.BytesIO(run_files.csv(asked, None, "run_name desc")))
    assert whole["metrics.auc"].to_pylist() == [0.2, 0.1, None]


@pytest.mark.parametrize(
    ("before", "whole"),
    [
        (" ", "status = 'FAILED'"),
        ("params.a = 1 or params.b = 2", "(params.a = 1 or params.b = 2) and status = 'FAILED'"),
        ("broken (", "broken ( and status = 'FAILED'"),
    ],
)
def test_a_condition_is_added_to_what_is_there(before: str, whole: str) -> None:
    """What was typed stays, letter for letter, and means what it did."""
    assert joined(before, "status = 'FAILED'") == whole


# --- in the browser


@pytest.mark.long
def test_a_row_is_selected_and_the_link_keeps_it(owner: Page, filled: Filled, shoot: Callable[[Page, str], Path]) -> None:
    """Boxes that are ticked are in the address: the same link shows them ticked, and Compare takes them along."""
    owner.goto("/runs?view=flat&experiment=churn&order=run_name")
    expect(owner.get_by_text("of 15")).to_be_visible()
    _tick(owner, 1)
    expect(owner.get_by_text("1 selected")).to_be_visible()
    _tick(owner, 2)
    expect(owner.get_by_text("2 selected")).to_be_visible()
    shoot(owner, "runs")
    address = owner.url
    owner.goto("about:blank")
    owner.goto(address)
    expect(owner.get_by_text("2 selected")).to_be_visible()
    owner.get_by_role("button", name="Compare").click()
    owner.wait_for_url("**/compare?runs=*")


@pytest.mark.long
def test_a_click_on_a_head_orders_the_runs(owner: Page) -> None:
    """By the column, the greatest first; the next click turns it round. The address says so."""
    owner.goto("/runs?cols=metrics.auc&view=flat")
    expect(owner.get_by_text("of 17")).to_be_visible()
    _click_head(owner, 0.9)
    owner.wait_for_url("**order=metrics.auc+desc*")
    expect(owner.locator(".st-key-runs_1 canvas").first).to_be_visible()  # the table is another one
    expect(owner.get_by_test_id("stDataFrame")).to_have_count(1)  # and the one before is gone
    _click_head(owner, 0.9)
    owner.wait_for_url("**order=metrics.auc")


@pytest.mark.long
def test_a_condition_is_put_together_from_what_is_offered(owner: Page, shoot: Callable[[Page, str], Path]) -> None:
    """Keys with how many runs have them, operators and values are offered; the condition is added to the filter as text."""
    owner.goto("/runs?q=metrics.auc+%3E+0.7&view=flat")
    owner.get_by_role("button", name="Add a condition").click()
    owner.get_by_role("combobox", name="What").fill("params.mod")
    owner.get_by_role("option", name="params.model").click()
    expect(owner.get_by_role("combobox", name="What")).to_have_value("params.model · 85%")
    owner.get_by_role("combobox", name="Value").click()
    shoot(owner, "runs_condition")
    owner.get_by_role("option", name="xgb").click()
    expect(owner.get_by_role("combobox", name="Value")).to_have_value("xgb")
    owner.get_by_role("button", name="Add to the filter").click()
    expect(owner.locator(".st-key-q input")).to_have_value("metrics.auc > 0.7 and params.model = 'xgb'")
    expect(owner.get_by_text("of 5")).to_be_visible()


@pytest.mark.long
def test_hostile_names_stay_letters(owner: Page, shoot: Callable[[Page, str], Path]) -> None:
    """Names, keys and values of strangers are text in the table, in its menus and in messages; nothing is loaded from elsewhere."""
    owner.goto("/runs?experiment=odd&cols=tags.note&cols=params.text&q=" + quote("tags.note like '%<script>%' or status = 'FAILED'"))
    expect(owner.get_by_text("of 2")).to_be_visible()
    owner.locator(".st-key-columns button").first.click()
    expect(owner.get_by_text("Pinned on the left")).to_be_visible()
    shoot(owner, "runs_hostile")
    assert owner.title() != "owned"


@pytest.mark.long
def test_a_filter_that_is_wrong_is_marked(owner: Page, shoot: Callable[[Page, str], Path]) -> None:
    """In the browser too: the sentence, and the filter with a mark."""
    owner.goto("/runs?q=metrics.auc+%3E%3E+3")
    expect(owner.get_by_test_id("stAlert")).to_be_visible()
    expect(owner.get_by_text("^")).to_be_visible()
    shoot(owner, "runs_wrong_filter")


@pytest.mark.long
def test_selected_runs_are_deleted_tagged_and_restored(decider: Page, own: Own) -> None:
    """What the buttons say is done to every run that is selected, and told, also where nothing is left in the table by it."""
    made = (
        "from prefect_ledger import start_run\nfor n in range(2):\n with start_run(experiment='bulk', name=f'bulk {n}') as r: print(r.id)"
    )
    ids = own.run(made).split()
    decider.goto(f"/runs?experiment=bulk&sel={','.join(ids)}")
    expect(decider.get_by_text("2 selected")).to_be_visible()
    decider.locator(".st-key-tag_selected button").click()
    decider.get_by_role("textbox", name="Tag").fill("reviewed")
    decider.get_by_role("textbox", name="Value").fill("yes")
    decider.get_by_role("button", name="Set tag").click()
    expect(decider.get_by_text("Tagged 2 runs")).to_be_visible()
    decider.get_by_role("button", name="Delete").click()
    expect(decider.get_by_text("Deleted 2 runs")).to_be_visible()
    expect(decider.get_by_text("No run matches")).to_be_visible()
    said = own.run(f"from prefect_ledger import get_run\nfor i in {ids!r}: r = get_run(i); print(r.lifecycle, r.tags.get('reviewed'))")
    assert said.split("\n")[:3] == ["deleted yes", "deleted yes", ""]
    decider.get_by_role("button", name="Restore").click()
    expect(decider.get_by_text("Restored 2 runs")).to_be_visible()


def test_somebody_who_may_only_look_changes_nothing(visitor: Page, filled: Filled) -> None:
    """Without the token there are no buttons to delete, restore or tag."""
    visitor.goto(f"/runs?sel={filled.ids['parent']}")
    expect(visitor.get_by_text("1 selected")).to_be_visible()
    for name in ("Delete", "Restore", "Tag"):
        expect(visitor.get_by_role("button", name=name)).to_have_count(0)


@pytest.mark.long
def test_a_running_run_is_followed(decider: Page, own: Own) -> None:
    """While something on the page runs, the page is shown anew by itself, until it has ended."""
    code = "from prefect_ledger import start_run\nwith start_run(experiment='live'): print('begun', flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", code], env=own.filled.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        decider.goto("/runs?state=RUNNING&state=COMPLETED&since=last+hour&q=experiment+=+'live'")
        expect(decider.get_by_text("Runs are running").or_(decider.get_by_text("No run matches"))).to_be_visible()
        while not decider.get_by_text("Runs are running").is_visible():
            decider.reload()
            expect(decider.get_by_text("Runs are running").or_(decider.get_by_text("No run matches"))).to_be_visible()
        child.communicate("\n", timeout=30)
        expect(decider.get_by_text("Runs are running")).to_have_count(0)
        expect(decider.get_by_text("1 to 1 of 1")).to_be_visible()
    finally:
        child.kill()


def _grid(page: Page) -> Any:
    return page.get_by_test_id("stDataFrame").bounding_box()


def _tick(page: Page, row: int) -> None:
    """Tick the box of a row, the first one being 1: the table is a canvas."""
    box = _grid(page)
    page.mouse.click(box["x"] + 16, box["y"] + 34 + 31 * (row - 1) + 15)


def _click_head(page: Page, across: float) -> None:
    box = _grid(page)
    page.mouse.click(box["x"] + box["width"] * across, box["y"] + 15)
