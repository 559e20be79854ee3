"""What was changed in the registry's tables past the audit log is found, on both databases."""

from __future__ import annotations

import pytest

from prefect_ledger import registry
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.helpers import ALICE, version

pytestmark = pytest.mark.usefixtures("store_url")


@pytest.fixture
def filled(fresh_ledger: Ledger) -> Ledger:
    """A registry to which much was done."""
    version(), version(), version(), version(name="fraud")
    registry.transition("churn", 1, "production", by=ALICE)
    registry.transition("churn", 2, "production", by=ALICE)
    registry.set_alias("churn", "champion", 2)
    registry.set_alias("churn", "old", 1)
    registry.set_alias("churn", "old", None)
    registry.rename_model("churn", "attrition", by=ALICE)
    registry.delete_version("attrition", 3)
    registry.delete_model("fraud")
    return fresh_ledger


def test_tables_that_the_log_made_agree_with_it(filled: Ledger) -> None:
    """After moves, renames and deletions the log adds up to what the tables have."""
    assert registry.verify_audit().disagreements == ()
    registry.restore_version("attrition", 3)
    registry.restore_model("fraud")
    assert registry.verify_audit().whole


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE model_versions SET stage = 'production' WHERE version = 3", "its stage is 'production', and in the log 'none'"),
        ("UPDATE model_versions SET digest = 'x' WHERE version = 2", "its digest is 'x'"),
        ("UPDATE model_versions SET deleted = NULL", "its deleted is False, and in the log True"),
        ("DELETE FROM model_versions WHERE version = 2", "version 2 of 'attrition' is in the log alone"),
        ("UPDATE model_aliases SET version = 1", "@champion of 'attrition' means version 1, and in the log version 2"),
        ("DELETE FROM model_aliases", "@champion of 'attrition' means nothing"),
        ("UPDATE registered_models SET name = 'other' WHERE name = 'attrition'", "is 'other', and in the log it is 'attrition'"),
        ("DELETE FROM registered_models WHERE name = 'fraud'", "in the log"),
    ],
)
@pytest.mark.long
def test_what_was_changed_past_the_log_is_found(filled: Ledger, statement: str, told: str) -> None:
    """A stage, alias, digest, name or deletion that somebody wrote into a table by hand is named, and the whole does not hold."""
    with filled.database.write() as tx:
        tx.exec_driver_sql(statement)
    found = registry.verify_audit()
    assert found.broken is None
    assert any(told in one for one in found.disagreements), found.disagreements
    assert not found.whole
    assert registry.verify_audit(tables=False).whole
