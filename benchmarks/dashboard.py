"""How long people wait for the dashboard, in a real browser, beside MLflow's own UI over the same runs; and what its server holds.

Nothing that is timed was asked before: each turn has a browser of its own, another filter, order, choice of runs and curve, so that what
the server remembers of an answer helps nobody. The servers have said that they are ready, and have shown one page before.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser

from benchmarks import mlflow_ui, stores
from benchmarks.browsing import ALL, CANVAS, CELLS, CURVES, LINKS, NoBrowser, Screen, chromium, visitor
from benchmarks.dashboard_store import RUNS, Made, Size, made
from benchmarks.measure import Absent, Row, Sample, Work
from prefect_ledger.database import Database
from prefect_ledger.entities import Run
from prefect_ledger.queries import Reader
from tests.packaging.locks import ROOT
from tests.services_real.processes import clean_environment, dies_with_us, start, stop, wait_until

FIRST, CHANGE, OVERLAY, MEMORY = 2.0, 0.5, 1.5, 600.0  # s, s, s, MB
COMPARED, PEOPLE = 50, 10
_LATEST, _PAGE = "start_time desc", 100
_TOP = "parent_run_id is null"  # folded tables begin with these
_KEPT = ROOT / "build" / "benchmarks"
_READ = "() => document.documentElement.dataset.all === 'there'"  # the page has read what it may show next (see dashboard/shell.py)
_FILTER = "input[aria-label='Filter']"


def waiting(work: Work) -> Iterator[Row | Absent]:
    """From the navigation to the first table, a filter, an order, a comparison and curves over one another."""
    with contextlib.ExitStack() as stack:
        try:
            place = stack.enter_context(_opened(work))
        except NoBrowser as error:
            yield Absent("the dashboard in a browser", str(error))
            return
        yield from _rows(work, place)


def people(work: Work) -> Iterator[Row | Absent]:
    """What the server's process holds with ten people on it, of whom each has opened Runs, Compare and a run."""
    with contextlib.ExitStack() as stack:
        try:
            place = stack.enter_context(_opened(work, peers=False))
        except NoBrowser as error:
            yield Absent("the dashboard's server", str(error))
            return
        alone, shared = _held(place.process)
        for number in range(work.times(PEOPLE)):
            context = stack.enter_context(visitor(place.browser, place.cookies))
            for url in _visits(place, number):
                page = context.new_page()
                page.goto(url)
                page.get_by_test_id("stDataFrame").first.wait_for(state="attached")
        busy, proportional = _held(place.process)
        note = f"resident; {proportional:,.0f} MB of it its own share; {alone:,.0f} MB before anybody came, {shared:,.0f} its own share"
        yield Row(f"memory of the server, {work.times(PEOPLE)} people on it", Sample.of([busy]), "MB", limit=MEMORY, note=note)


# --- the two that are looked at ---------------------------------------------------------------------------------------------------


@dataclass
class Place:
    """Everything that is up: the ledger, its dashboard, MLflow's UI ("" where it is not there), and a browser."""

    ledger: Made
    reader: Reader
    browser: Browser
    url: str
    process: int
    cookies: Any
    theirs: str
    why: str = ""

    def top(self) -> str:
        """The name of the run that a table begins with."""
        return self._found("", _LATEST, 1)[0].name

    def first(self, filter: str, order: str = _LATEST) -> str:  # noqa: A002 - its name in the API
        """The name of the first run that is found so, and is not in the table that a page opens with."""
        found, shown = self._found(filter, order, 2 * _PAGE), {run.id for run in self._found("", _LATEST, _PAGE)}
        return next(run.name for run in found if run.id not in shown)

    def some(self, turn: int) -> list[str]:
        """Ids of runs to compare, others each turn."""
        found = self._found("", _LATEST, (turn + 1) * COMPARED)
        return [run.id for run in found[-COMPARED:]]

    def _found(self, filter: str, order: str, limit: int) -> Sequence[Run]:  # noqa: A002
        found = self.reader.search_runs(RUNS, f"{filter} and {_TOP}" if filter else _TOP, order, limit)
        assert isinstance(found, list)
        return found


@contextlib.contextmanager
def _opened(work: Work, *, peers: bool = True) -> Iterator[Place]:
    size = Size(max(150, work.size(10_000)), 30, max(3, work.size(200)), COMPARED, max(8, work.size(20)), max(5_000, work.size(100_000)))
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(stores.folder())
        home = _KEPT / f"dashboard-{size.runs}" if work.divisor == 1 else folder
        ledger = made(home / "ledger", size)
        browser = stack.enter_context(chromium())
        first, process = stack.enter_context(_served(ledger.home, folder))
        theirs, why = "", mlflow_ui.MLFLOW.missing() if peers and work.divisor == 1 else "not asked for"
        if not why:
            theirs, _ = stack.enter_context(mlflow_ui.served(mlflow_ui.made(home / "mlflow", ledger), folder))
        database = Database(f"sqlite:///{ledger.database}")
        stack.callback(database.close)
        url = first.partition("/?")[0]
        yield Place(ledger, Reader(database), browser, url, process, _entered(browser, first), theirs, why)


@contextlib.contextmanager
def _served(home: Path, folder: Path) -> Iterator[tuple[str, int]]:
    """Our server, as users start it: the address that it prints when it is ready, and the process."""
    log = folder / "dashboard.log"
    env = clean_environment(PREFECT_LEDGER_HOME=str(home), PREFECT_HOME=str(folder / "prefect"), HOME=str(folder), PYTHONPATH=str(ROOT))
    child = start([*dies_with_us(), sys.executable, "-m", "prefect_ledger.dashboard", "--port", "0"], log, env=env, cwd=folder)
    try:
        wait_until(lambda: "http://" in log.read_text(errors="replace"), child, log, seconds=120)
        yield next(line for line in log.read_text().splitlines() if line.startswith("http://")), child.pid
    finally:
        stop(child, signal.SIGTERM)


def _entered(browser: Browser, first: str) -> Any:
    """The cookies of whoever came by the printed address, and the page that everybody's server has shown once."""
    with visitor(browser) as context:
        context.new_page().goto(first)
        return context.storage_state()


# --- what is waited for -----------------------------------------------------------------------------------------------------------


def _rows(work: Work, place: Place) -> Iterator[Row | Absent]:
    runs = len(place.ledger.runs)
    kinds: list[tuple[str, float, Callable[[Screen, int], float], Callable[[Screen, int], float] | None]] = []
    ours, theirs = Ours(place), Theirs(place) if place.theirs else None
    yield from _first(work, place, ours, theirs)
    told = f"until its first rows are there, of {runs:,}"
    kinds.append((f"a filter that is typed, {told}", CHANGE, ours.filtered, theirs.filtered if theirs else None))
    kinds.append((f"an order by a metric, {told}", CHANGE, ours.ordered, theirs.ordered if theirs else None))
    kinds.append((f"{COMPARED} runs beside one another", OVERLAY, ours.compared, theirs.compared if theirs else None))
    kinds.append((f"{COMPARED} curves over one another", OVERLAY, ours.overlaid, None))
    for what, limit, mine, other in kinds:
        found = _in_turns(work, place, {"ours": mine} | ({"theirs": other} if other else {}))
        beside = mlflow_ui.NAME if other else ""
        yield Row(what, found["ours"], "s", found.get("theirs"), beside, limit, note=_spread(found["ours"], found.get("theirs")))
    if place.why:
        yield Absent(mlflow_ui.NAME, place.why)


def _first(work: Work, place: Place, ours: Ours, theirs: Theirs | None) -> Iterator[Row]:
    """The first table, in a browser that was never here, and again in the same one."""
    found: dict[str, list[float]] = {}
    for _ in range(work.times(5)):
        for name, side in (("ours", ours), *((("theirs", theirs),) if theirs else ())):
            with visitor(place.browser, place.cookies) as context:
                for time in ("new", "again"):
                    page = context.new_page()
                    found.setdefault(f"{name} {time}", []).append(side.opened(Screen(page)))
                    page.close()
    for time, browser in (("new", "a browser that is new"), ("again", "a browser that was there before")):
        mine, other = Sample.of(found[f"ours {time}"]), found.get(f"theirs {time}")
        what = f"from the navigation to the first table of {len(place.ledger.runs):,} runs, {browser}"
        raw, beside = (Sample.of(other), mlflow_ui.NAME) if other else (None, "")
        yield Row(what, mine, "s", raw, beside, FIRST, note=_spread(mine, Sample.of(other) if other else None))


def _spread(ours: Sample, theirs: Sample | None) -> str:
    told = f"{min(ours.values):.2f} to {max(ours.values):.2f} s"
    return told if theirs is None else f"{told}; theirs {min(theirs.values):.2f} to {max(theirs.values):.2f} s"


def _in_turns(work: Work, place: Place, sides: dict[str, Callable[[Screen, int], float]]) -> dict[str, Sample]:
    found: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(work.times(5)):
        for name, act in sides.items():
            with visitor(place.browser, place.cookies) as context:
                found[name].append(act(Screen(context.new_page()), turn))
    return {name: Sample.of(values) for name, values in found.items()}


def _question(turn: int) -> str:
    return f"metrics.auc > {0.8 + turn / 1000:.3f} and params.model = 'xgb'"


def _metric(turn: int) -> str:
    return ("auc", *(f"class_{number:03d}.f1" for number in range(4)))[turn % 5]


@dataclass(frozen=True)
class Ours:
    """What a person does in the dashboard, each as a page that is open and settled is used."""

    place: Place

    def opened(self, screen: Screen) -> float:
        """Runs, until the first row is drawn."""
        return screen.opened(f"{self.place.url}/runs?experiment={RUNS}", CANVAS, self.place.top())

    def filtered(self, screen: Screen, turn: int) -> float:
        """Enter, behind a filter that was typed."""
        self.opened(screen)
        box = screen.page.locator(_FILTER)
        box.fill(_question(turn))
        return screen.settled(_READ).after(lambda: box.press("Enter"), CANVAS, self.place.first(_question(turn)))

    def ordered(self, screen: Screen, turn: int) -> float:
        """Enter, behind the order that was typed."""
        self.opened(screen)
        order = f"metrics.{_metric(turn)} desc"
        box = screen.page.get_by_test_id("stSelectbox").filter(has_text="Order").locator("input")
        box.click()
        box.fill(order)
        screen.page.get_by_role("option", name=order).first.wait_for()
        return screen.settled(_READ).after(lambda: box.press("Enter"), CANVAS, self.place.first("", order))

    def compared(self, screen: Screen, turn: int) -> float:
        """The button Compare, with so many runs selected."""
        ids = self.place.some(turn)
        screen.opened(f"{self.place.url}/runs?experiment={RUNS}&sel={','.join(ids)}", CANVAS, self.place.top())
        button = screen.page.get_by_role("button", name="Compare")
        return screen.settled(_READ).after(
            button.click, ALL, ["run", self.place.reader.run(ids[0]).name]
        )  # "run" is a head of the second table alone

    def overlaid(self, screen: Screen, turn: int) -> float:
        """The view Curves of the page Compare."""
        ids, keys = ",".join(self.place.ledger.curves), f"curve.{turn:02d}"
        screen.opened(f"{self.place.url}/compare?runs={ids}&metric={keys}", CANVAS, self.place.reader.run(self.place.ledger.curves[0]).name)
        button = screen.page.get_by_role("radio", name="Curves")
        return screen.settled(_READ).after(button.click, CURVES, COMPARED)


@dataclass(frozen=True)
class Theirs:
    """The same in MLflow's UI."""

    place: Place

    def opened(self, screen: Screen) -> float:
        """Training runs of the experiment."""
        return screen.opened(self.place.theirs, LINKS, self.place.top())

    def filtered(self, screen: Screen, turn: int) -> float:
        """Enter, behind a filter that was typed."""
        self.opened(screen)
        box = screen.page.get_by_placeholder("metrics.rmse")
        box.fill(_question(turn))
        return screen.settled().after(lambda: box.press("Enter"), LINKS, self.place.first(_question(turn)))

    def ordered(self, screen: Screen, turn: int) -> float:
        """A click on the metric in the list of Sort."""
        self.opened(screen)
        screen.page.get_by_role("button", name="Sort: Created").click()
        screen.page.get_by_placeholder("Search", exact=True).fill(_metric(turn))
        option = screen.page.get_by_text(_metric(turn), exact=True).first
        option.wait_for()
        return screen.settled().after(option.click, LINKS, self.place.first("", f"metrics.{_metric(turn)} desc"))

    def compared(self, screen: Screen, turn: int) -> float:
        """The address that its button Compare leads to, without loading the page anew."""
        self.opened(screen)
        ids = self.place.some(turn)
        words = {"runs": json.dumps([one.replace("-", "") for one in ids]), "experiments": json.dumps([str(mlflow_ui.EXPERIMENT)])}
        there = f"/compare-runs?{urllib.parse.urlencode(words)}"
        return screen.settled().after(
            lambda: screen.page.evaluate("to => { location.hash = to; }", there), CELLS, self.place.reader.run(ids[0]).name
        )


# --- memory -----------------------------------------------------------------------------------------------------------------------


def _visits(place: Place, number: int) -> list[str]:
    ids = place.some(number)
    return [f"{place.url}/runs?experiment={RUNS}", f"{place.url}/compare?runs={','.join(ids)}", f"{place.url}/run?run={ids[0]}"]


def _held(pid: int) -> tuple[float, float]:
    """MB of a process and its children: resident, and its own share of what others hold too."""
    parent = psutil.Process(pid)
    each = [one.memory_full_info() for one in (parent, *parent.children(recursive=True))]
    return sum(one.rss for one in each) / 1e6, sum(one.pss for one in each) / 1e6


BENCHES = {"dashboard.waiting": waiting, "dashboard.people": people}
