"""The frame around every page, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Filled, Served


@pytest.mark.long
def test_the_printed_address_lets_one_browser_in(owner: Page, visitor: Page, served: Served) -> None:
    """Who comes by the address may change things; who comes later, with the same address even, may look alone."""
    owner.goto("/")
    expect(owner.get_by_text("approver")).to_be_visible()
    visitor.goto(served.first)
    expect(visitor.get_by_text("looking only")).to_be_visible()
    assert "token" not in visitor.url


@pytest.mark.parametrize("path", ["/", "/runs", "/compare", "/run", "/models", "/promotions"])
def test_every_page_opens_without_trouble(owner: Page, path: str) -> None:
    """Each page says something of its own, and nothing of a failure."""
    owner.goto(path)
    expect(owner.get_by_role("heading").first).to_be_visible()
    expect(owner.get_by_test_id("stException")).to_have_count(0)
    expect(owner.get_by_text("This page failed")).to_have_count(0)


@pytest.mark.long
def test_a_link_from_prefect_leads_to_the_run(owner: Page, filled: Filled) -> None:
    """The address that Prefect's own UI shows, with the run as a parameter, opens the page of that run."""
    owner.goto(f"/?run={filled.ids['failed']}")
    owner.wait_for_url(f"**/run?run={filled.ids['failed']}")
    expect(owner.get_by_role("heading", name="failed")).to_be_visible()
    expect(owner.get_by_text("RuntimeError: no luck").first).to_be_visible()


@pytest.mark.long
def test_a_page_shows_what_its_address_says_whatever_was_shown_before(owner: Page, filled: Filled) -> None:
    """Two runs that are selected under a filter are compared, and not all that match it; what one page was set to sets no other."""
    two = filled.ids["churn"][:2]
    owner.goto(f"/runs?q=metrics.auc+%3E+0&state=COMPLETED&view=flat&sel={','.join(two)}")
    owner.get_by_role("button", name="Compare").click()
    owner.wait_for_url("**/compare?**")
    expect(owner.get_by_role("button", name="2 runs")).to_be_visible()
    assert "q=" not in owner.url
    owner.goto(f"/compare?runs={','.join(two)}&view=Curves&metric=train.loss")
    expect(owner.get_by_test_id("stPlotlyChart").first).to_be_visible()
    owner.get_by_role("link", name="Home").click()
    expect(owner.get_by_role("heading", name="Trends")).to_be_visible()
    expect(owner.get_by_text("page failed")).to_have_count(0)


@pytest.mark.long
def test_back_leads_to_the_page_before_as_it_was(owner: Page, filled: Filled) -> None:
    """One step back, with all that its address said; forward again, and a further step back out of a run."""
    owner.goto("/runs?q=metrics.auc+%3E+0&view=flat")
    expect(owner.get_by_role("searchbox", name="Filter")).to_have_value("metrics.auc > 0")
    asked = owner.url
    owner.get_by_role("link", name="Home").click()
    expect(owner.get_by_role("heading", name="Trends")).to_be_visible()
    owner.go_back()
    expect(owner.get_by_role("searchbox", name="Filter")).to_have_value("metrics.auc > 0")
    assert owner.url == asked
    owner.go_forward()
    expect(owner.get_by_role("heading", name="Trends")).to_be_visible()
    two = ",".join(filled.ids["churn"][:2])
    owner.goto(f"/runs?q=metrics.auc+%3E+0&view=flat&sel={two}")
    owner.get_by_role("button", name="Compare").click()
    expect(owner.get_by_role("button", name="2 runs")).to_be_visible()
    owner.go_back()
    expect(owner.get_by_role("searchbox", name="Filter")).to_have_value("metrics.auc > 0")
    assert two.partition(",")[0] in owner.url
