"""Saved views of the dashboard, on both databases."""

from __future__ import annotations

import pytest

from prefect_ledger import migrations
from prefect_ledger.errors import InvalidName, InvalidValue, NotFound, SchemaTooOld
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.saved_views import delete_view, save_view, saved_views


def test_a_view_is_kept_for_all_by_its_name(store_url: str, fresh_ledger: Ledger) -> None:
    """What was saved comes back, page by page, in the order of names; one's own is replaced, and a deleted one is gone."""
    save_view("runs", "zebra", "q=a", "alice")
    save_view("runs", "Best", "q=metrics.auc+%3E+0.9", "bob")
    save_view("compare", "zebra", "runs=1", "alice")
    save_view("runs", "zebra", "q=b", "Alice ")
    assert [(one.name, one.query) for one in saved_views("runs")] == [("Best", "q=metrics.auc+%3E+0.9"), ("zebra", "q=b")]
    delete_view("runs", "zebra")
    assert [one.name for one in saved_views("runs")] == ["Best"]
    assert [one.name for one in saved_views("compare")] == ["zebra"]
    with pytest.raises(NotFound, match="no view 'zebra'"):
        delete_view("runs", "zebra")


def test_what_is_no_view_is_refused(store_url: str, fresh_ledger: Ledger) -> None:
    """Somebody else's view, an empty query, a text that is no query, and names without anything to see leave no trace."""
    save_view("runs", "mine", "q=a", "alice")
    with pytest.raises(InvalidValue, match="is alice's"):
        save_view("runs", "mine", "q=b", "bob")
    for query in ("", "a b", "q=\n", "q=ä", "x" * 8_001):
        with pytest.raises(InvalidValue):
            save_view("runs", "other", query, "bob")
    for name in (" ", "a\nb", "x" * 501):
        with pytest.raises(InvalidName):
            save_view("runs", name, "q=a", "bob")
    with pytest.raises(InvalidValue, match="a short word"):
        save_view("runs; drop", "other", "q=a", "bob")
    assert [one.query for one in saved_views("runs")] == ["q=a"]


def test_an_older_store_has_none_and_says_how_to_have_them(store_url: str, fresh_ledger: Ledger) -> None:
    """Before its upgrade a store that this version reads shows no views, and refuses to save one in words."""
    with fresh_ledger.database._engine.connect() as tx, tx.begin():
        migrations.upgrade(tx, "0005")
    assert saved_views("runs") == []
    with pytest.raises(SchemaTooOld, match="db upgrade"):
        save_view("runs", "mine", "q=a", "alice")
    fresh_ledger.database.upgrade()
    assert save_view("runs", "mine", "q=a", "alice").query == "q=a"
