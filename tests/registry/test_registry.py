"""The registry's verbs, on both databases."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from prefect_ledger import load_model, registry
from prefect_ledger.errors import (
    InvalidName,
    InvalidValue,
    ModelNotFound,
    RegisteredModelExists,
    RegisteredModelNotFound,
    RegistryConflict,
    TransitionRefused,
    VersionNotFound,
)
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.tracking.cleaning import collect_garbage
from prefect_ledger.tracking.deletion import delete_runs
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.helpers import ALICE, BOB, logged, version

pytestmark = pytest.mark.usefixtures("store_url")


def test_versions_are_numbered_from_one_and_the_same_model_stays_one_version(fresh_ledger: Ledger) -> None:
    """Each logged model is a version of its own, numbered on from 1; registered again it is the version that it was."""
    first, second = logged(), logged()
    assert [registry.register_model("churn", one).version for one in (first, second, first)] == [1, 2, 1]
    assert registry.register_model("churn", f"runs:/{second.run_id}/churn").version == 2
    assert [one.logged_id for one in registry.list_versions("churn")] == [second.id, first.id]
    assert registry.get_version("churn", 1).digest == first.digest


def test_a_version_is_loaded_by_every_reference(fresh_ledger: Ledger) -> None:
    """A number, an alias, a stage and latest mean a version wherever a model is named."""
    for factor in (2.0, 3.0):
        registry.register_model("churn", logged(factor=factor), by=ALICE)
    registry.set_alias("churn", "champion", 1)
    registry.transition("churn", 2, "staging")
    meant = {ref: load_model(f"models:/churn{ref}")([1.0]) for ref in ("/1", "/2", "@champion", "/staging", "/latest")}
    assert meant == {"/1": [2.0], "/2": [3.0], "@champion": [2.0], "/staging": [3.0], "/latest": [3.0]}
    assert registry.get_version("models:/churn@champion").version == 1


def test_what_is_not_there_is_said_with_what_is(fresh_ledger: Ledger) -> None:
    """An unknown model, version, alias or stage is refused with what there is instead."""
    with pytest.raises(RegisteredModelNotFound, match="nothing is registered yet"):
        registry.get_version("churn", 1)
    version()
    with pytest.raises(RegisteredModelNotFound, match="'chrn'; there is 'churn'"):
        load_model("models:/chrn/1")
    asked: list[tuple[str | int, str]] = [
        (9, "no version 9; its latest is 1"),
        ("@champion", "no alias 'champion'"),
        ("production", "in 'production'"),
    ]
    for selector, told in asked:
        with pytest.raises(VersionNotFound, match=told):
            registry.get_version("churn", selector)
    with pytest.raises(VersionNotFound, match="means no version"):
        registry.get_version("churn", "v7")


@pytest.mark.parametrize("alias", ["production", "latest", "7", "v7", "", "a b", "a/b", "x" * 251, "a@b"])
def test_an_alias_that_could_mean_something_else_is_refused(fresh_ledger: Ledger, alias: str) -> None:
    """No alias can be taken for a stage, a number or the latest, or be unreadable in a reference."""
    version()
    with pytest.raises(InvalidName):
        registry.set_alias("churn", alias, 1)
    assert registry.get_model("churn").aliases == {}


def test_an_alias_moves_only_from_where_it_was_seen(fresh_ledger: Ledger) -> None:
    """Whoever expects an alias elsewhere than it is gets a conflict, and the alias stays."""
    version(), version(), version()
    assert registry.set_alias("churn", "champion", 1, expected=None) is None
    with pytest.raises(RegistryConflict, match="means version 1 now, not no version"):
        registry.set_alias("churn", "champion", 2, expected=None)
    assert registry.set_alias("churn", "champion", 2, expected=1) == 1
    with pytest.raises(RegistryConflict, match="means version 2 now, not version 1"):
        registry.set_alias("churn", "champion", 3, expected=1)
    assert registry.set_alias("churn", "champion", None) == 2
    assert registry.get_model("churn").aliases == {}


def test_production_holds_one_version(fresh_ledger: Ledger) -> None:
    """Without a policy a version that comes into production archives the one before it, in the same change."""
    version(), version()
    registry.transition("churn", 1, "production", by=ALICE)
    registry.transition("churn", 2, "production", by=ALICE)
    assert [one.stage for one in registry.list_versions("churn")] == ["production", "archived"]
    moves = [(one.version, one.before["stage"], one.after["stage"]) for one in registry.history("churn") if one.action == "version.moved"]
    assert moves == [(1, "none", "production"), (1, "production", "archived"), (2, "none", "production")]


def test_a_transition_goes_by_what_was_seen(fresh_ledger: Ledger) -> None:
    """Whoever saw another version in the stage gets a conflict, and nothing moves."""
    version(), version(), version()
    registry.transition("churn", 1, "production", expected=None, by=ALICE)
    with pytest.raises(RegistryConflict, match="version 1 of 'churn' is in production now, not no version"):
        registry.transition("churn", 2, "production", expected=None, by=ALICE)
    assert registry.transition("churn", 2, "production", expected=1, by=ALICE).stage == "production"


def test_a_typed_name_is_too_weak_for_production(fresh_ledger: Ledger) -> None:
    """Production asks for more than a name that somebody typed, also where no policy was set."""
    version()
    with pytest.raises(TransitionRefused, match="claimed"):
        registry.transition("churn", 1, "production", by="alice")
    assert registry.transition("churn", 1, "staging", by="alice").stage == "staging"


def test_as_of_any_moment(fresh_ledger: Ledger) -> None:
    """What a stage and an alias meant at a moment is told from the log, whatever was moved, renamed or deleted since."""
    version(), version()
    before = datetime.now(UTC)
    registry.transition("churn", 1, "production", by=ALICE)
    registry.set_alias("churn", "champion", 1)
    then = datetime.now(UTC)
    registry.transition("churn", 2, "production", by=BOB)
    registry.set_alias("churn", "champion", 2)
    registry.rename_model("churn", "attrition", by=ALICE)
    registry.set_alias("attrition", "champion", None)
    found = registry.as_of("attrition", "production", then)
    assert found is not None
    assert (found.version, found.stage) == (1, "production")
    assert (registry.as_of("attrition", "champion", then) or found).version == 1
    assert registry.as_of("attrition", "production", before) is None
    assert registry.as_of("attrition", "@champion", datetime.now(UTC) + timedelta(seconds=5)) is None
    with pytest.raises(InvalidValue, match="zone"):
        registry.as_of("attrition", "production", datetime.now())  # noqa: DTZ005 - the point


def test_a_clock_that_was_set_back_changes_no_order(fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of its row says what came after what: what is changed by a slower clock is later in the history, and at each moment."""
    version(), version()
    now = time.time_ns()
    for hours, number in enumerate((1, 2, 1, 2)):
        monkeypatch.setattr(time, "time_ns", lambda hours=hours: now - hours * 3_600 * 10**9)
        registry.transition("churn", number, "production", by=ALICE)
        registry.set_alias("churn", "champion", number, by=ALICE)
    told = registry.history("churn")
    assert [one.seq for one in told] == list(range(1, len(told) + 1))
    assert [one.at for one in told] == sorted(one.at for one in told)
    moves = [one for one in told if one.action == "version.moved" and one.after["stage"] == "production"]
    assert [one.version for one in moves] == [1, 2, 1, 2]
    for before, one in zip([None, *moves], moves, strict=False):
        for at, there in ((one.at, one), (one.at - timedelta(microseconds=1), before)):
            found = registry.as_of("churn", "production", at)
            assert (found and found.version) == (there and there.version)
    for one in (one for one in told if one.action == "alias.moved"):
        found = registry.as_of("churn", "@champion", one.at)
        assert (found and found.version) == one.after["version"]
    assert registry.verify_audit().whole


def test_history_says_who_what_and_why(fresh_ledger: Ledger) -> None:
    """Each change is a row with what was before and after, who did it and how they are known, and the reason."""
    version()
    registry.describe_version("churn", 1, "the first one", by=BOB, why="for the audit")
    registry.tag_version("churn", 1, {"team": "risk"}, by=BOB)
    registry.annotate("churn", 1, "good on small customers", verdict="approve", by=BOB)
    told = registry.history("churn")
    assert [one.action for one in told] == ["model.created", "version.registered", "described", "tagged", "reviewed"]
    described = told[2]
    assert (described.before, described.after, described.why) == ({"description": ""}, {"description": "the first one"}, "for the audit")
    assert described.by == Identity("bob", Strength.OS, "user bob")
    assert [note.text for note in registry.notes("churn", 1)] == ["good on small customers"]
    assert registry.get_version("churn", 1).tags == {"team": "risk"}
    assert registry.verify_audit().rows == len(told)


def test_history_is_of_what_there_is(fresh_ledger: Ledger) -> None:
    """The history of a version or model that never was is refused, and not empty; that of a deleted one is told."""
    version()
    with pytest.raises(ModelNotFound, match="no version 2; its latest is 1"):
        registry.history("churn", 2)
    with pytest.raises(ModelNotFound, match="'chrn'; there is 'churn'"):
        registry.history("chrn")
    registry.delete_version("churn", 1)
    registry.delete_model("churn")
    assert [one.action for one in registry.history("churn", 1)] == ["version.registered", "version.deleted"]
    assert registry.history("churn")[-1].action == "model.deleted"


def test_deleted_means_gone_from_every_reference_and_never_reused(fresh_ledger: Ledger) -> None:
    """A deleted version is meant by nothing, its number is not given again, and it comes back when it is restored."""
    one = logged()
    assert registry.register_model("churn", one).version == 1
    registry.delete_version("churn", 1)
    with pytest.raises(VersionNotFound):
        load_model("models:/churn/1")
    assert registry.register_model("churn", one).version == 2
    with pytest.raises(RegistryConflict, match="is deleted"):
        registry.tag_version("churn", 1, {"a": 1})
    registry.restore_version("churn", 1)
    assert [found.version for found in registry.list_versions("churn")] == [2, 1]


def test_what_comes_back_takes_nobodys_place(fresh_ledger: Ledger) -> None:
    """A restored version stands where it stood, but in no stage where a rule wants one version and another came in meanwhile."""
    rules = '[[rule]]\nmodel = "churn"\nstage = "staging"\narchive = true'
    for _ in range(3):
        version()
    registry.transition("churn", 1, "staging", by=ALICE)
    registry.delete_version("churn", 1)
    registry.transition("churn", 2, "staging", by=ALICE)
    registry.delete_version("churn", 2)
    registry.set_policy(rules)
    before = datetime.now(UTC)
    registry.restore_version("churn", 1, why="needed after all")
    registry.restore_version("churn", 2)
    registry.restore_version("churn", 2)
    assert {one.version: one.stage for one in registry.list_versions("churn")} == {3: "none", 2: "none", 1: "staging"}
    told = [(one.action, one.before["stage"], one.after["stage"]) for one in registry.history("churn", 2)[-2:]]
    assert told == [("version.restored", "staging", "staging"), ("version.moved", "staging", "none")]
    assert registry.as_of("churn", "staging", before) is None
    assert (registry.as_of("churn", "staging", datetime.now(UTC)) or version()).version == 1
    assert registry.verify_audit().whole


def test_what_comes_back_takes_no_alias_that_follows_its_stage(fresh_ledger: Ledger) -> None:
    """An alias that follows a stage means what is there, so a version that it does not mean does not come back into an empty stage."""
    version(), version()
    registry.set_policy('[[rule]]\nmodel = "churn"\nstage = "staging"\naliases = ["challenger"]')
    for number in (1, 2):
        registry.transition("churn", number, "staging", by=ALICE)
    registry.delete_version("churn", 1)
    registry.transition("churn", 2, "none", by=ALICE)
    registry.restore_version("churn", 1)
    assert {one.version: one.stage for one in registry.list_versions("churn")} == {2: "none", 1: "none"}
    assert dict(registry.get_model("churn").aliases) == {"challenger": 2}


def test_what_serves_is_not_deleted(fresh_ledger: Ledger) -> None:
    """A version in production or under an alias, and a model with one in production, are not deleted."""
    version(), version()
    registry.transition("churn", 1, "production", by=ALICE)
    registry.set_alias("churn", "challenger", 2)
    for number, told in [(1, "stands in production"), (2, "@challenger")]:
        with pytest.raises(TransitionRefused, match=told):
            registry.delete_version("churn", number)
    with pytest.raises(TransitionRefused, match="stands in production"):
        registry.delete_model("churn")


def test_a_deleted_model_keeps_its_name(fresh_ledger: Ledger) -> None:
    """A deleted model is meant by nothing, its name is not free, and all is there again when it is restored."""
    version()
    registry.delete_model("churn")
    with pytest.raises(RegisteredModelNotFound, match="restore_model"):
        registry.get_version("churn", 1)
    with pytest.raises(RegisteredModelExists, match="a deleted registered model"):
        registry.create_model("churn")
    with pytest.raises(RegisteredModelNotFound):
        version()
    registry.restore_model("churn")
    assert registry.get_version("churn", 1).version == 1


def test_a_rename_is_no_way_around_a_policy(fresh_ledger: Ledger) -> None:
    """A name for which the policy asks for other things is refused."""
    version()
    registry.set_policy('[[rule]]\nmodel = "churn"\nstage = "production"\napprovals = 1')
    with pytest.raises(TransitionRefused, match="asks for other things"):
        registry.rename_model("churn", "free")
    registry.set_policy('[[rule]]\nmodel = "*"\nstage = "production"\napprovals = 1')
    assert registry.rename_model("churn", "free").name == "free"


def test_the_run_of_a_version_stays(fresh_ledger: Ledger) -> None:
    """gc never takes a run whose model was registered, even when run and version are deleted."""
    one = registry.register_model("churn", logged())
    registry.delete_version("churn", 1)
    delete_runs(one.run_id)
    assert collect_garbage(dry_run=False, retention_days=0, grace_days=0).runs == []
    registry.restore_version("churn", 1)
    assert load_model("models:/churn/1")([1.0]) == [2.0]


def test_a_model_of_a_deleted_run_is_not_registered(fresh_ledger: Ledger) -> None:
    """What gc may take any moment does not become a version, and no name is left behind."""
    one = logged()
    delete_runs(one.run_id)
    with pytest.raises(RegistryConflict, match="restore_runs"):
        registry.register_model("churn", one)
    assert registry.list_models() == []


def test_secrets_are_masked_before_they_are_written(fresh_ledger: Ledger) -> None:
    """A password in a tag, description, note or reason reaches neither the tables nor the log."""
    version()
    secret = "postgresql://ann:hunter2secret@db/x"
    registry.tag_version("churn", 1, {"source": secret, "api_token": "abc-hunter2secret"}, why=secret)
    registry.describe_version("churn", 1, secret)
    registry.annotate("churn", 1, secret)
    assert "hunter2secret" not in "".join(registry.export_audit()) + repr(registry.get_version("churn", 1))
