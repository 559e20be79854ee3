"""The page Runs: which runs it shows, in which order, and what its address keeps."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect


@pytest.mark.parametrize("query", ["", "?q=metrics.auc+%3E+0.8", "?page=99&rows=7&order=nonsense+desc&since=never&experiment=none&life=x"])
def test_the_table_stands_whatever_the_address_says(owner: Page, query: str) -> None:
    """What cannot be understood is said in a sentence, or left out; the page never fails."""
    owner.goto(f"/runs{query}")
    expect(owner.get_by_test_id("stDataFrame").or_(owner.get_by_test_id("stAlert")).first).to_be_visible()
    expect(owner.get_by_text("This page failed")).to_have_count(0)
