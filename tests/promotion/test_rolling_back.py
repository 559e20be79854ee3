"""Going back from Python: the version before serves again, and wherever it is served that is verified."""

from __future__ import annotations

import pytest

from prefect_ledger import load_model, registry
from prefect_ledger.errors import InvalidValue, TransitionRefused, VersionNotFound
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.promotion import Promotion, promote
from prefect_ledger.promotion.report import junit, markdown
from prefect_ledger.promotion.rolling_back import rollback
from prefect_ledger.tracking.ledger import Ledger
from tests.promotion.helpers import BOB, GATED, trained
from tests.registry.folding import agrees

pytestmark = pytest.mark.usefixtures("store_url", "fresh_ledger")


def _promoted(*factors: float) -> None:
    """Versions that multiply by these, each in production after the other."""
    for number, factor in enumerate(factors, 1):
        trained(factor)
        assert promote("churn", number, targets=(), by=BOB).ok


def _back(**words: object) -> Promotion:
    given: dict[str, object] = {"targets": (), "by": BOB, **words}
    return rollback("churn", "wrong for new customers", **given)  # type: ignore[arg-type]  # of each test


def test_the_version_before_serves_again_and_that_is_verified(fresh_ledger: Ledger) -> None:
    """Stage and alias mean the version before, each read anew afterwards, and the report has both checks and the head of the log."""
    _promoted(2.0, 3.0)
    told = _back()
    assert (told.state, told.ok, told.exit_code, told.version, told.before) == ("rolled back", True, 0, 1, 2)
    assert [check.what for check in told.checks] == ["version 1 opens", "@champion means version 1"]
    assert told.head == tuple(registry.audit_head())
    assert load_model("models:/churn@champion")([1.0]) == [2.0]
    assert markdown(told).startswith("### churn 1 to production: rolled back\n")
    assert 'failures="0"' in junit(told)
    with fresh_ledger.database.read() as tx:
        agrees(tx)


def test_a_version_that_was_named_is_gone_back_to_once() -> None:
    """With the version named, done again it verifies what is there, and writes nothing into the log."""
    _promoted(2.0, 3.0, 4.0)
    assert _back(to=1).state == "rolled back"
    head = registry.audit_head()
    again = _back(to="1")
    assert (again.state, again.ok, again.version) == ("already", True, 1)
    assert registry.audit_head() == head


def test_an_alias_that_the_policy_lets_follow_is_verified_too() -> None:
    """What follows the stage by the policy is looked at, also where nobody named it; an alias that means another version is left alone."""
    registry.set_policy(Policy((Rule("churn", "production", identity=Strength.CLAIMED, aliases=("live",)),)), by=BOB)
    _promoted(2.0, 3.0)
    trained(4.0)
    registry.set_alias("churn", "champion", 3, by=BOB)
    told = _back()
    assert (told.ok, [check.what for check in told.checks]) == (True, ["version 1 opens", "@live means version 1"])
    assert dict(registry.get_model("churn").aliases) == {"live": 1, "champion": 3}


def test_what_does_not_serve_it_is_told_and_nothing_goes_back_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not follow is a failed check and exit code 1; the version that was wrong does not come back for that."""
    monkeypatch.setattr("prefect_ledger.promotion.checking.FOLLOWS", 0.2)
    registry.set_policy(GATED, by=BOB)
    _promoted(2.0, 3.0)
    told = _back(endpoints=["http://127.0.0.1:9"])
    assert (told.state, told.ok, told.exit_code) == ("rolled back", False, 1)
    assert told.reason.startswith("version 1 is in production again, but http://127.0.0.1:9 answers: it does not answer")
    assert registry.get_version("churn", "@champion").version == 1
    assert 'failures="0"' not in junit(told)


def test_an_alias_moved_meanwhile_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alias counts as moved when it was read and means the version: where somebody else moved it in between, that is said."""
    _promoted(2.0, 3.0)
    back = registry.rollback

    def and_then(*words: object, **more: object) -> object:
        done = back(*words, **more)  # type: ignore[arg-type]
        registry.set_alias("churn", "champion", 2, by=BOB)
        return done

    monkeypatch.setattr(registry, "rollback", and_then)
    told = _back()
    assert (told.ok, told.exit_code) == (False, 1)
    assert "@champion means version 1: it means version 2" in told.reason


def test_what_cannot_be_gone_back_to_is_an_error_and_moves_nothing() -> None:
    """Nothing was there before, no reason, a name that is too weak, texts instead of lists: said at the caller's line."""
    _promoted(2.0)
    head = registry.audit_head()
    with pytest.raises(VersionNotFound, match="nothing else that is there was in production before"):
        _back()
    with pytest.raises(InvalidValue, match="why it goes back"):
        rollback("churn", "", targets=())
    with pytest.raises(InvalidValue, match="aliases are a list of texts"):
        _back(aliases="champion")
    assert registry.audit_head() == head
    trained(3.0)
    promote("churn", 2, targets=(), by=BOB)
    with pytest.raises(TransitionRefused, match="known by claimed alone"):
        _back(by=Identity("mallory", Strength.CLAIMED, "typed"))
    assert registry.get_version("churn", "production").version == 2
