"""What was changed last, and all that was meant at a moment: as the log has it, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from prefect_ledger import registry
from prefect_ledger.database import execute
from prefect_ledger.errors import EvidenceCorrupt, InvalidValue, RegisteredModelNotFound
from prefect_ledger.gates import Holdout
from prefect_ledger.registry.history import latest_changes, meant_at
from prefect_ledger.registry.replaying import evidence_record
from prefect_ledger.registry.versions import logged_versions
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.helpers import ALICE, BOB, version

pytestmark = pytest.mark.usefixtures("store_url")


def test_the_latest_changes_come_first_and_go_on(fresh_ledger: Ledger) -> None:
    """Parts of the log, from its end, are the whole log backwards: of everything, of a model, of a version."""
    version(), version(name="basket"), version()
    registry.transition("churn", 1, "staging", by=ALICE)
    every = [change.seq for change in latest_changes()]
    assert every == list(range(registry.audit_head().seq, 0, -1))
    first = latest_changes(limit=3)
    assert [change.seq for change in first + latest_changes(before=first[-1].seq)] == every
    assert latest_changes("churn") == registry.history("churn")[::-1]
    assert latest_changes("churn", 1) == registry.history("churn", 1)[::-1]
    with pytest.raises(RegisteredModelNotFound):
        latest_changes("nobody")


@pytest.mark.parametrize("text", ["BECAUSE 50%", 'it "moved"', "un_der", "back\\slash", "é"])
def test_changes_are_found_by_any_text_in_them(fresh_ledger: Ledger, text: str) -> None:
    """What stands in a row finds it, whatever it means to SQL or JSON; other rows are not found by it."""
    version()
    registry.describe_version("churn", 1, "x", why=f"so {text.lower()} it is", by=BOB)
    registry.describe_version("churn", 1, "y", why="because 500, it moved, unXder, backslash, e", by=BOB)
    assert [change.after["description"] for change in latest_changes(text=text)] == ["x"]


def test_all_that_was_meant_at_a_moment(fresh_ledger: Ledger) -> None:
    """The stages of all versions and all aliases of a moment are those that ``as_of`` tells one by one."""
    version(), version()
    registry.transition("churn", 1, "production", by=ALICE)
    registry.set_alias("churn", "champion", 1, by=ALICE)
    then = datetime.now(UTC)
    registry.transition("churn", 2, "production", by=ALICE)
    registry.set_alias("churn", "champion", 2, by=ALICE)
    registry.rename_model("churn", "attrition", by=ALICE)
    assert meant_at("attrition", then) == ({1: "production", 2: "none"}, {"champion": 1})
    champion = registry.as_of("attrition", "@champion", then)
    assert champion is not None
    assert (champion.version, champion.stage) == (1, "production")
    assert meant_at("attrition", datetime(2000, 1, 1, tzinfo=UTC)) == ({}, {})
    with pytest.raises(InvalidValue, match="zone"):
        meant_at("attrition", datetime.now())  # noqa: DTZ005 - the point


def test_what_evidence_says_is_read_without_its_rows(fresh_ledger: Ledger) -> None:
    """It is the same as with them, and is refused where it was changed."""
    version()
    rows = np.zeros(3)
    asked = registry.request_transition("churn", 1, "staging", holdout=Holdout("h", "d", {}, rows, rows), by=BOB)
    assert evidence_record(asked.id) == registry.get_evidence(asked.id).to_json()
    with fresh_ledger.database.write() as tx:
        execute(tx, "UPDATE evidences SET content = replace(content, '0.9', '0.99')")
    with pytest.raises(EvidenceCorrupt):
        evidence_record(asked.id)


def test_versions_come_with_the_models_they_are(fresh_ledger: Ledger) -> None:
    """The newest first, as many as asked for, deleted ones where they are asked for; each is the logged model that it names."""
    found = [version(), version(), version()]
    registry.delete_version("churn", 2, by=ALICE)
    told = logged_versions("churn")
    assert [one.version for one, _ in told] == [3, 1]
    assert [logged.id for _, logged in told if logged] == [found[2].logged_id, found[0].logged_id]
    assert [one.version for one, _ in logged_versions("churn", deleted=True, limit=2)] == [3, 2]
