"""The real dashboard on a filled ledger, and a real browser to look at it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright
from streamlit.testing.v1 import AppTest

from prefect_ledger.tracking.ledger import Ledger
from tests.packaging.locks import ROOT
from tests.services_real import processes

SCREENSHOTS = ROOT / "build" / "screenshots"
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_FLAGS += ["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]
expect.set_options(timeout=45_000)  # as actions have it: the machine may be busy
WIDE: ViewportSize = {"width": 1366, "height": 900}  # a laptop's


@dataclass(frozen=True)
class Filled:
    """A ledger with something for every page: its environment, and the ids of what is there."""

    env: dict[str, str]
    ids: dict[str, Any]


@dataclass(frozen=True)
class Served:
    """A running dashboard: where it answers, and the address with the token."""

    url: str
    first: str


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a ledger in ``home``."""
    own = {"PREFECT_LEDGER_HOME": f"{home}/ledger", "PREFECT_HOME": f"{home}/prefect", "HOME": str(home), "PYTHONPATH": str(ROOT)}
    return processes.clean_environment(**own, **more)


@pytest.fixture(scope="package")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """A ledger on SQLite, filled by ``tests/dashboard/filling.py`` once a session. Tests that change something make their own."""
    return fill(tmp_path_factory.mktemp("dashboard"))


def fill(home: Path) -> Filled:
    """Fill a ledger in ``home``."""
    env = environment(home)
    command = [sys.executable, "-m", "tests.dashboard.filling"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return Filled(env, json.loads(done.stdout))


@pytest.fixture(scope="package")
def served(filled: Filled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The dashboard of the filled ledger, in a process of its own."""
    with_log = tmp_path_factory.mktemp("served")
    yield from serve(filled.env, with_log)


def serve(env: dict[str, str], folder: Path, *words: str) -> Iterator[Served]:
    """A dashboard on a free port until the generator is closed."""
    log = folder / "dashboard.log"
    command = [*processes.dies_with_us(), sys.executable, "-m", "prefect_ledger.dashboard", "--port", "0", *words]
    child = processes.start(command, log, env=env, cwd=folder)
    try:
        processes.wait_until(lambda: "http://" in log.read_text(errors="replace"), child, log, seconds=90)
        first = next(line for line in log.read_text().splitlines() if line.startswith("http://"))
        yield Served(first.partition("/?")[0], first)
    finally:
        processes.stop(child, signal.SIGTERM)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A real Chromium without a window."""
    named = [os.environ.get("PREFECT_LEDGER_CHROMIUM", ""), *_CHROMIUM]
    found = next((path for name in named if name and (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium: apt-get install chromium, or name one in PREFECT_LEDGER_CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, headless=True, args=_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def entered(browser: Browser, served: Served) -> Any:
    """What a browser keeps that came in by the printed address: to open others with."""
    context = browser.new_context(viewport=WIDE)
    page = context.new_page()
    page.goto(served.first)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def owner(browser: Browser, served: Served, entered: Any) -> Iterator[Page]:
    """A page of the person who started the dashboard; ``goto("/runs")`` is enough. Requests that leave this machine fail the test."""
    yield from _opened(browser.new_context(viewport=WIDE, base_url=served.url, storage_state=entered))


@dataclass(frozen=True)
class Own:
    """A ledger that tests change, the dashboard on it, and what a browser keeps that came in by the printed address."""

    filled: Filled
    served: Served
    state: Any

    def run(self, code: str) -> str:
        """Run code on the ledger, in a process of its own; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-c", code], env=self.filled.env, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="package")
def own(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Own]:
    """A filled ledger with its dashboard for tests that change something: each begins with what it makes itself."""
    home = tmp_path_factory.mktemp("own")
    filled = fill(home)
    for served in serve(filled.env, home):
        context = browser.new_context(viewport=WIDE)
        context.new_page().goto(served.first)
        state = context.storage_state()
        context.close()
        yield Own(filled, served, state)


@pytest.fixture
def decider(browser: Browser, own: Own) -> Iterator[Page]:
    """A page of the person who started the dashboard on the ledger that tests change."""
    yield from _opened(browser.new_context(viewport=WIDE, base_url=own.served.url, storage_state=own.state))


@pytest.fixture
def visitor(browser: Browser, served: Served) -> Iterator[Page]:
    """A page of somebody who came without the token."""
    yield from _opened(browser.new_context(viewport=WIDE, base_url=served.url))


def _opened(context: BrowserContext) -> Iterator[Page]:
    away: list[str] = []
    context.set_default_timeout(45_000)
    context.on(
        "request", lambda request: None if "127.0.0.1" in request.url or not request.url.startswith("http") else away.append(request.url)
    )
    yield context.new_page()
    context.close()
    assert away == []


@pytest.fixture
def shoot(request: pytest.FixtureRequest) -> Callable[[Page, str], Path]:
    """Keeps a picture of the whole page under ``build/screenshots``, for people to look at."""

    def taken(page: Page, name: str) -> Path:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
        return SCREENSHOTS / f"{name}.png"

    return taken


@pytest.fixture
def shown(fresh_ledger: Ledger, request: pytest.FixtureRequest) -> Iterator[Callable[..., AppTest]]:
    """Runs the page that the module's ``PAGE`` is, on the test's ledger, at an address."""

    def run(**query: str) -> AppTest:
        st.cache_data.clear()
        page = AppTest.from_string(request.module.PAGE, default_timeout=30)
        for name, value in query.items():
            page.query_params[name] = value
        return page.run()

    yield run
    st.cache_data.clear()
