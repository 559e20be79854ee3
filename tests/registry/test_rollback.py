"""Going back to a version that was in production before: only to one that works, all at once, and written down as what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import load_model, registry, start_run
from prefect_ledger.entities import LoggedModel
from prefect_ledger.errors import ArtifactCorrupt, InvalidValue, ModelUnusable, TransitionRefused, VersionNotFound
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.trying import try_model
from tests.registry.helpers import ALICE, BOB, logged, version

pytestmark = pytest.mark.usefixtures("store_url")


def fails(data: Any) -> Any:
    """A model that raises for its example once it is in use."""
    if Path("/nonexistent-prefect-ledger").exists():
        return data
    raise RuntimeError("no such table")


def example_of_a_broken_one() -> LoggedModel:
    """A model whose own example it cannot predict any more."""
    with start_run(experiment="churn") as run:
        return run.log_model(fails, "churn", input_example=[1.0], signature=None, requirements=[])


def in_production(*versions: int) -> None:
    """These came into production, one after the other."""
    for number in versions:
        registry.transition("churn", number, "production", by=ALICE)
        registry.set_alias("churn", "champion", number, by=ALICE)


def test_the_version_before_comes_back_with_the_alias(fresh_ledger: Ledger) -> None:
    """Stage and champion mean the version before again in one change each, the one that left is archived, and the log says rollback."""
    version(), version(), version()
    in_production(1, 2)
    registry.set_alias("churn", "challenger", 3)
    assert registry.rollback("churn", "wrong for new customers", by=BOB).version == 1
    assert {one.version: one.stage for one in registry.list_versions("churn")} == {3: "none", 2: "archived", 1: "production"}
    assert dict(registry.get_model("churn").aliases) == {"challenger": 3, "champion": 1}
    moved = [one for one in registry.history("churn") if one.after.get("how") == "rollback"]
    assert [(one.version, one.why, one.by.name) for one in moved] == [(1, "wrong for new customers", "bob")]
    assert load_model("models:/churn@champion")([1.0]) == [2.0]
    assert registry.verify_audit().whole
    assert registry.rollback("churn", "it was right after all", to=2, by=BOB).version == 2


def test_only_where_it_was_before(fresh_ledger: Ledger) -> None:
    """A version that never was in production is no way back, nor is anything where there is no other; a reason is needed."""
    version(), version(), version()
    in_production(1)
    with pytest.raises(VersionNotFound, match="nothing else that is there was in production before; versions that were: 1"):
        registry.rollback("churn", "why not", by=ALICE)
    in_production(2)
    with pytest.raises(VersionNotFound, match="version 3"):
        registry.rollback("churn", "why not", to=3, by=ALICE)
    with pytest.raises(InvalidValue, match="why it goes back"):
        registry.rollback("churn", " ", by=ALICE)
    assert registry.get_version("churn", "production").version == 2


def test_a_policy_that_wants_approvals_lets_back_in_what_it_had_let_in(fresh_ledger: Ledger) -> None:
    """Going back needs no new approval, but somebody who is known as well as the policy asks."""
    version(), version()
    in_production(1, 2)
    registry.set_policy('[[rule]]\nmodel = "churn"\nstage = "production"\napprovals = 2\nidentity = "os"')
    with pytest.raises(TransitionRefused, match="claimed"):
        registry.rollback("churn", "broken", by="alice")
    assert registry.rollback("churn", "broken", by=ALICE).version == 1


def test_the_version_before_may_be_in_the_stage_still(fresh_ledger: Ledger) -> None:
    """Where a stage holds several, going back archives those that came after, and what was there before is what the stage means."""
    registry.set_policy('[[rule]]\nmodel = "churn"\nstage = "production"\narchive = false')
    version(), version()
    in_production(1, 2)
    assert registry.rollback("churn", "wrong for new customers", by=BOB).version == 1
    assert registry.get_version("churn", "production").version == 1
    assert {one.version: one.stage for one in registry.list_versions("churn")} == {2: "archived", 1: "production"}
    assert dict(registry.get_model("churn").aliases) == {"champion": 1}
    last = [one for one in registry.history("churn") if one.action == "version.moved"][-1]
    assert (last.version, last.after, last.why) == (2, {"stage": "archived", "for": 1, "how": "rollback"}, "wrong for new customers")


def test_nothing_moves_to_what_does_not_work(fresh_ledger: Ledger) -> None:
    """A version whose files were changed, or that raises for its own example, stays where it is, and so does the one in production."""
    broken = example_of_a_broken_one()
    registry.register_model("churn", broken, by=ALICE)
    version(), version()
    in_production(1, 2, 3)
    with pytest.raises(ModelUnusable, match="RuntimeError: no such table"):
        registry.rollback("churn", "broken", to=1, by=ALICE)
    [file] = [one for one in fresh_ledger.reader.model_files(fresh_ledger.reader.version("churn", 2)[1]) if one.path.endswith("MLmodel")]
    Path(file.uri.removeprefix("file://")).write_bytes(b"x" * file.size)
    with pytest.raises(ArtifactCorrupt):
        registry.rollback("churn", "broken", by=ALICE)
    assert registry.get_version("churn", "production").version == 3
    assert dict(registry.get_model("churn").aliases) == {"champion": 3}


def test_trying_a_model_predicts_its_example(fresh_ledger: Ledger) -> None:
    """A model with an example predicts it; one without is opened alone."""
    with start_run(experiment="churn") as run:
        asked = run.log_model(lambda data: [2 * x for x in data], "double", input_example=[1.0, 2.0], requirements=[])
    assert (try_model(asked.uri).predicted, try_model(asked.uri).digest) == (True, asked.digest)
    assert not try_model(logged().uri).predicted


def test_what_was_taken_back_is_told_of(fresh_ledger: Ledger) -> None:
    """Where all that is left was taken back, the refusal lists it with whatever else was there, and says that it has to be named."""
    version(), version()
    registry.transition("churn", 1, "production", by=ALICE)
    registry.undo("churn", 1, "it fails", by=ALICE)
    registry.transition("churn", 2, "production", by=ALICE)
    with pytest.raises(VersionNotFound, match=r"versions that were: 1, 2; what was taken back is gone back to only with --to: 1$"):
        registry.rollback("churn", "2 is worse", by=BOB)
    assert registry.rollback("churn", "2 is worse", to=1, by=BOB).version == 1


def test_why_a_named_version_is_no_way_back(fresh_ledger: Ledger) -> None:
    """A version that never was there, that is there now, and that was and is deleted: each is told apart."""
    version(), version()
    in_production(1, 2)
    registry.delete_version("churn", 1)
    for number, words in (
        (99, "version 99 never was in production; versions that were: 1, 2$"),
        (2, "version 2 is in production now$"),
        (1, "version 1 was in production, and is deleted"),
    ):
        with pytest.raises(VersionNotFound, match=words):
            registry.rollback("churn", "why not", to=number, by=BOB)


def test_twice_goes_back_twice() -> None:
    """A second rollback goes back one further, and never to what was gone back from, unless somebody names it."""
    for number in (1, 2, 3):
        version()
        registry.transition("churn", number, "production", by=BOB)
    assert registry.rollback("churn", "3 is wrong", by=BOB).version == 2
    assert registry.rollback("churn", "2 is wrong too", by=BOB).version == 1
    with pytest.raises(VersionNotFound, match="gone back to only with --to: 2, 3"):
        registry.rollback("churn", "1 is wrong too", by=BOB)
    assert registry.rollback("churn", "3 after all", to=3, by=BOB).version == 3
    assert registry.previous("churn").version == 1
