"""Views that people save by a name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.conftest import WIDE, fill, serve


@pytest.fixture
def own(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page of the person who started a dashboard of this test alone."""
    for served in serve(fill(tmp_path).env, tmp_path):
        context = browser.new_context(viewport=WIDE, base_url=served.url)
        page = context.new_page()
        page.goto(served.first)
        expect(page.get_by_role("heading").first).to_be_visible()
        yield page
        context.close()


@pytest.mark.long
def test_a_view_brings_back_what_was_seen_when_it_was_saved(own: Page) -> None:
    """Filter and all; another name may be given to what is seen then, and a deleted one is gone."""
    own.goto("/runs?q=metrics.auc%20%3E%200.85")
    box = own.get_by_placeholder("metrics.auc > 0.9")
    expect(box).to_have_value("metrics.auc > 0.85")
    own.get_by_role("button", name="Views").click()
    own.get_by_label("Save what is seen now as").fill("the <b>best</b> [x](javascript:alert(1))")
    own.get_by_role("button", name="Save", exact=True).click()
    expect(own.get_by_role("link", name="the <b>best</b>")).to_be_attached()
    own.goto("/runs")
    expect(box).to_have_value("")
    own.get_by_role("button", name="Views").click()
    own.get_by_role("link", name="the <b>best</b> [x](javascript:alert(1))", exact=True).click()
    expect(box).to_have_value("metrics.auc > 0.85")
    assert "q=metrics.auc" in own.url
    own.get_by_role("button", name="Views").click()
    own.get_by_test_id("stPopoverBody").get_by_role("button", name="delete").first.click()
    expect(own.get_by_text("Nothing saved yet")).to_be_visible()
