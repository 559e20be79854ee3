"""A real browser that says when something can be read on the screen: on a canvas, where tables of the dashboard are drawn, or in the page.

Time is the page's own clock, looked at in each frame: since the navigation began, or since what was done last.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

LAPTOP: ViewportSize = {"width": 1366, "height": 900}
PATIENCE = 60_000  # ms
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
_FLAGS += ["--disable-component-update", "--disable-dev-shm-usage"]
# A table that is a canvas has no text to look for: so each text that is drawn is remembered, with nothing of how it is drawn changed.
_REMEMBER = """(() => {
  const drawn = window.__drawn = new Set(), was = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) { drawn.add(text); return was.call(this, text, ...rest); };
})()"""
CANVAS = "text => window.__drawn.has(text)"
ALL = "texts => texts.every(text => window.__drawn.has(text))"
LINKS = "text => [...document.querySelectorAll('a')].some(one => one.textContent.trim() === text)"
CELLS = "text => [...document.querySelectorAll('td, th, [role=cell], [role=gridcell]')].some(one => one.textContent.trim() === text)"
CURVES = "count => document.querySelectorAll('.js-plotly-plot .scatterlayer .trace path.js-line').length >= count"


class NoBrowser(Exception):
    """There is no Chromium."""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium without a window.

    Raises:
        NoBrowser: none is installed.
    """
    named = [os.environ.get("PREFECT_LEDGER_CHROMIUM", ""), *_NAMES]
    found = next((path for name in named if name and (path := shutil.which(name))), None)
    if found is None:
        raise NoBrowser("no Chromium: apt-get install chromium, or name one in PREFECT_LEDGER_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, headless=True, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def visitor(browser: Browser, state: Any = None) -> Iterator[BrowserContext]:
    """Somebody whose browser has never been anywhere; ``state``: but came in with these cookies."""
    context = browser.new_context(viewport=LAPTOP, storage_state=state)
    context.set_default_timeout(PATIENCE)
    context.add_init_script(_REMEMBER)
    try:
        yield context
    finally:
        context.close()


@dataclass(frozen=True)
class Screen:
    """A page, and when something is on it."""

    page: Page

    def opened(self, url: str, shows: str, what: object) -> float:
        """Seconds from the navigation to ``url`` until ``shows`` holds of ``what``."""
        self.page.goto(url, wait_until="commit")
        return self.until(shows, what)

    def settled(self, sign: str = "") -> Screen:
        """The same, once it has been there for as long as people look at a table before they do something, and ``sign`` holds."""
        self.page.wait_for_timeout(2_000)
        if sign:
            self.page.wait_for_function(sign, timeout=PATIENCE)
        return self

    def after(self, act: Callable[[], object], shows: str, what: object) -> float:
        """Seconds from ``act`` until ``shows`` holds of ``what``, which it does not before."""
        begun = float(self.page.evaluate("() => { window.__drawn.clear(); return performance.now(); }"))
        act()
        return self.until(shows, what) - begun / 1000

    def until(self, shows: str, what: object) -> float:
        """The page's clock, in seconds, in the first frame in which ``shows`` holds of ``what``."""
        handle = self.page.wait_for_function(f"what => ({shows})(what) && performance.now()", arg=what, polling="raf", timeout=PATIENCE)
        return float(handle.json_value()) / 1000
