"""Searching versions in the language of run searches, on both databases."""

from __future__ import annotations

import pytest

from prefect_ledger import registry
from prefect_ledger.errors import InvalidFilter, InvalidValue
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.helpers import ALICE, BOB, logged

pytestmark = pytest.mark.usefixtures("store_url")


@pytest.fixture
def filled(fresh_ledger: Ledger) -> None:
    """Two models with three versions and one."""
    for auc, factor, by in [(0.8, 1.0, ALICE), (0.9, 2.0, BOB), (0.7, 3.0, ALICE)]:
        registry.register_model("churn", logged(auc, factor=factor), by=by)
    registry.register_model("fraud", logged(0.95), by=BOB, description="of cards", tags={"team": "risk"})
    registry.transition("churn", 1, "production", by=ALICE)
    registry.transition("churn", 2, "staging", by=ALICE)
    registry.set_alias("churn", "champion", 1)
    registry.set_alias("churn", "safe", 1)


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ("", ["churn/3", "churn/2", "churn/1", "fraud/1"]),
        ("stage = 'production'", ["churn/1"]),
        ("stage in ('production', 'staging') and name like 'ch%'", ["churn/2", "churn/1"]),
        ("alias = 'champion'", ["churn/1"]),
        ("alias is null", ["churn/3", "churn/2", "fraud/1"]),
        ("metrics.auc >= 0.9", ["churn/2", "fraud/1"]),
        ("params.factor > 1.5 and author = 'alice'", ["churn/3"]),
        ("not (author = 'bob') and version >= 2", ["churn/3"]),
        ("tags.team = 'risk' or description ilike '%CARDS%'", ["fraud/1"]),
        ("created > '2020-01-01' and version = 1", ["churn/1", "fraud/1"]),
    ],
)
def test_a_filter_finds_versions(filled: None, filter_: str, found: list[str]) -> None:
    """Attributes, aliases and tags of the version and what its run logged can be asked for, in any combination."""
    assert [f"{one.name}/{one.version}" for one in registry.search_versions(filter_)] == found


def test_pages_in_any_order_have_each_version_once(filled: None) -> None:
    """Page by page, ordered by a metric, all versions come, each once."""
    found, page = [], None
    while True:
        some = registry.search_versions(order_by="metrics.auc desc", limit=1, page=page)
        found += [f"{one.name}/{one.version}" for one in some]
        if (page := some.next_page) is None:
            break
    assert found == ["fraud/1", "churn/2", "churn/1", "churn/3"]
    first = registry.search_versions(limit=1)
    with pytest.raises(InvalidValue, match="another search"):
        registry.search_versions("version = 1", limit=1, page=first.next_page)


def test_deleted_versions_are_found_when_asked_for(filled: None) -> None:
    """A deleted version is left out unless lifecycle says otherwise."""
    registry.delete_version("churn", 3)
    assert [one.version for one in registry.search_versions("name = 'churn'")] == [2, 1]
    assert [one.version for one in registry.search_versions(lifecycle="deleted")] == [3]
    assert len(registry.search_versions(lifecycle="all")) == 4


@pytest.mark.parametrize("filter_", ["status = 'FAILED'", "stag = 'x'", "stage > 3", "version = 'a'", "stage = production"])
def test_what_a_version_does_not_have_is_refused_at_its_place(fresh_ledger: Ledger, filter_: str) -> None:
    """An attribute of runs alone, or a comparison that makes no sense, is refused with a caret under it."""
    with pytest.raises(InvalidFilter, match=r"\^"):
        registry.search_versions(filter_)
    with pytest.raises(InvalidFilter, match="several aliases"):
        registry.search_versions(order_by="alias")
