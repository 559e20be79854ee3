"""A promotion from Python: judged, asked for, moved, verified, taken back, and done again where it was left."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_ledger import registry
from prefect_ledger.errors import InvalidValue, RegistryConflict, VersionNotFound
from prefect_ledger.identities import Strength
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.promotion import Promotion, Rows, promote
from prefect_ledger.promotion.promoter import Promoter
from prefect_ledger.tracking.ledger import Ledger
from tests.promotion.helpers import ASKED, BOB, CAROL, GATED, framed, rows, trained
from tests.registry.folding import agrees

pytestmark = pytest.mark.usefixtures("store_url", "fresh_ledger")


def _promote(version: int | str, **words: object) -> Promotion:
    given: dict[str, object] = {"targets": (), "by": BOB, **words}
    return promote("churn", version, **given)  # type: ignore[arg-type]  # of each test


def test_a_good_version_comes_into_production(fresh_ledger: Ledger) -> None:
    """Gates pass, the version works, and it is in production with its alias; the report names the end of the audit log."""
    registry.set_policy(GATED, by=BOB)
    trained()
    told = _promote(1)
    assert (told.state, told.ok, told.exit_code, told.before) == ("promoted", True, 0, None)
    assert registry.get_version("churn", "@champion").stage == "production"
    assert told.request is not None
    assert told.request.state == "done"
    assert told.head == tuple(registry.audit_head())
    with fresh_ledger.database.read() as tx:
        agrees(tx)


def test_promoted_twice_is_promoted_once() -> None:
    """Done again it verifies what is there, and writes nothing into the log."""
    registry.set_policy(GATED, by=BOB)
    trained()
    _promote(1)
    head = registry.audit_head()
    again = _promote(1)
    assert (again.state, again.exit_code) == ("already", 0)
    assert registry.audit_head() == head


def test_a_worse_version_is_refused_with_its_report() -> None:
    """What gates refuse stays where it is, exits with 3, and the report says which gate and why."""
    registry.set_policy(GATED, by=BOB)
    trained()
    _promote(1)
    trained(auc=0.3)
    told = _promote(2)
    assert (told.state, told.exit_code, told.before) == ("refused", 3, 1)
    assert "metrics.auc >= 0.5" in told.reason
    assert registry.get_version("churn", "production").version == 1


def test_approvals_are_waited_for_and_the_same_request_goes_on() -> None:
    """Without approvals it waits and says for whom; when they are there, the same call moves the version by the same request."""
    registry.set_policy(ASKED, by=BOB)
    trained()
    told = _promote(1)
    assert (told.state, told.exit_code) == ("waiting", 3)
    assert told.request is not None
    assert "waits for 1 of 1 approvals" in told.reason
    registry.approve(told.request.id, by=CAROL)
    again = _promote(1)
    assert (again.state, again.request and again.request.id) == ("promoted", told.request.id)


def test_a_version_that_does_not_work_asks_nobody() -> None:
    """A model that fails with its own example is told of before anything is asked for: no request is opened, nothing moves."""
    from prefect_ledger import start_run

    with start_run(experiment="churn") as run:
        run.log_metric("auc", 0.9)
        model = run.log_model(_sometimes, "churn", signature=None, input_example=[1.0], requirements=[])
    registry.register_model("churn", model, by=BOB)
    registry.set_policy(GATED, by=BOB)
    told = _promote(1)
    assert (told.state, told.exit_code, registry.list_requests("churn")) == ("failed", 1, [])
    assert "never again" in told.reason


def _sometimes(data: object) -> object:
    raise ValueError("never again")


def test_both_are_asked_about_the_same_rows(tmp_path: Path) -> None:
    """With rows, candidate and champion predict them, gates judge both, and what they said is kept as evidence."""
    gate = {"gate": "bootstrap", "metric": "squared_error", "at_least": 0, "without_champion": "skip"}
    slices = {"gate": "slices", "metric": "squared_error", "by": "region", "at_least": 0, "without_champion": "skip"}
    registry.set_policy(Policy((Rule("churn", "production", gates=(gate, slices), aliases=("champion",)),)), by=BOB)
    holdout = Rows(rows(tmp_path), "target", columns=("region",))
    framed(1.9)
    framed(2.0)
    framed(2.3)
    assert _promote(1, rows=holdout).state == "promoted"
    better = _promote(2, rows=holdout)
    assert better.state == "promoted", better.reason
    assert better.request is not None
    assert registry.replay(better.request.id).same
    evidence = registry.get_evidence(better.request.id)
    assert evidence.holdout is not None
    assert set(evidence.holdout.columns["region"]) == {"north", "south"}
    assert len(evidence.candidate.latency) >= 20
    worse = _promote(3, rows=holdout)
    assert (worse.state, registry.get_version("churn", "production").version) == ("refused", 2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"place": "gone.csv", "target": "target"}, "gone.csv"),
        ({"place": "HERE", "target": "churned"}, "has no column 'churned'; it has: x, region, target"),
        ({"place": "HERE", "target": "x"}, "the candidate cannot be asked about these rows"),
        ({"place": "HERE", "target": "target", "method": "predict_proba"}, "has no method 'predict_proba'"),
        ({"place": "HERE", "target": "target", "columns": ("age",)}, "has no column 'age'"),
    ],
)
def test_rows_that_cannot_be_judged_are_an_error_and_no_request(tmp_path: Path, given: dict[str, object], words: str) -> None:
    """A holdout that is gone, or has other columns, is said where it was given: no request is opened on less than was asked for."""
    registry.set_policy(GATED, by=BOB)
    framed(2.0)
    place = rows(tmp_path)
    said = Rows(**{**given, "place": place if given["place"] == "HERE" else str(tmp_path / "gone.csv")})  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match=words):
        _promote(1, rows=said)
    assert registry.list_requests("churn") == []


def test_what_is_not_there_or_not_written_right_is_refused_at_once() -> None:
    """An unknown version, texts instead of lists, an unknown evaluator: an error at the caller's line."""
    trained()
    with pytest.raises(VersionNotFound):
        _promote("staging")
    with pytest.raises(InvalidValue, match="aliases are a list of texts"):
        _promote(1, aliases="champion")
    registry.set_policy(GATED, by=BOB)
    with pytest.raises(InvalidValue, match="no evaluator 'mine'; there are: rows"):
        _promote(1, rows=Rows("x.csv", "y"), evaluator="mine")


def test_an_endpoint_that_does_not_follow_takes_the_move_back(fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what serves the model does not come to serve the version, the one before is in production again, and the report says why."""
    monkeypatch.setattr("prefect_ledger.promotion.checking.FOLLOWS", 0.2)
    registry.set_policy(GATED, by=BOB)
    trained()
    _promote(1)
    trained(3.0)
    told = _promote(2, endpoints=["http://127.0.0.1:9"])
    assert (told.state, told.exit_code) == ("went back", 1), told.reason
    assert "does not answer" in told.reason
    assert "version 1 is in production again" in told.reason
    assert registry.get_version("churn", "@champion").version == 1
    assert registry.history("churn", 2)[-1].why.startswith("smoke test failed: http://127.0.0.1:9 answers")
    with fresh_ledger.database.read() as tx:
        agrees(tx)


def test_an_alias_that_was_left_behind_is_moved() -> None:
    """Promoted again, a version that is in production while an alias means another gets the alias; into staging no champion is carried."""
    registry.set_policy(Policy((Rule("churn", "production", identity=Strength.CLAIMED),)), by=BOB)
    trained()
    registry.transition("churn", 1, "production", by=BOB)
    trained(3.0)
    registry.set_alias("churn", "champion", 2, expected=None, by=BOB)
    told = _promote(1)
    assert (told.state, told.ok) == ("already", True)
    assert registry.get_version("churn", "@champion").version == 1
    assert _promote(2, stage="staging").state == "promoted"
    assert registry.get_version("churn", "@champion").version == 1


def test_a_target_that_is_none_moves_nothing() -> None:
    """A target or an address that there is not is refused at the caller's line, before anything moves."""
    registry.set_policy(GATED, by=BOB)
    trained()
    for words in ({"targets": ["lokal"]}, {"targets": (), "endpoints": ["here"]}):
        with pytest.raises(InvalidValue, match=r"no target 'lokal'|an endpoint is"):
            _promote(1, **words)
    assert registry.get_version("churn", 1).stage == "none"


def test_a_stage_said_again_means_no_older_version() -> None:
    """What waits in staging is promoted once: typed again, the stage does not mean the older one there, but what was promoted."""
    registry.set_policy(GATED, by=BOB)
    for _ in range(2):
        registry.transition("churn", trained().version, "staging", by=BOB)
    assert (_promote("staging").state, registry.get_version("churn", "production").version) == ("promoted", 2)
    again = _promote("staging")
    assert (again.state, again.version, registry.get_version("churn", 1).stage) == ("already", 2, "staging")
    registry.transition("churn", 1, "archived", by=BOB)
    assert _promote("staging").state == "already"


def test_a_stage_means_what_people_agreed_to() -> None:
    """A newer version that came into staging while people voted does not take the place of the one that they agreed to."""
    registry.set_policy(ASKED, by=BOB)
    registry.transition("churn", trained().version, "staging", by=BOB)
    told = _promote("staging")
    assert told.request is not None
    registry.transition("churn", trained(3.0).version, "staging", by=BOB)
    registry.approve(told.request.id, by=CAROL)
    assert (_promote("staging").version, registry.get_version("churn", "production").version) == (1, 1)
    assert _promote("staging").version == 2


def test_an_alias_goes_back_where_the_version_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alias that is moved along to a version in the stage means again what it meant, where the version's endpoint does not answer."""
    monkeypatch.setattr("prefect_ledger.promotion.checking.FOLLOWS", 0.2)
    registry.set_policy(Policy((Rule("churn", "production", identity=Strength.CLAIMED),)), by=BOB)
    for number in (1, 2):
        trained()
        registry.transition("churn", number, "production", aliases=["champion"] if number == 1 else [], by=BOB)
    told = _promote(2, endpoints=["http://127.0.0.1:9"])
    assert told.state == "went back", told.reason
    found = registry.get_model("churn")
    assert (found.stages["production"], found.aliases["champion"]) == (1, 1)


@pytest.mark.long
def test_what_was_said_beside_one_champion_is_not_judged_beside_another(tmp_path: Path) -> None:
    """Where another version comes into production while the rows are looked at, nothing is asked for on them; begun again, it is judged
    beside the one that is there now, and the rows as well."""
    gate = {"gate": "bootstrap", "metric": "squared_error", "at_least": 0, "without_champion": "skip"}
    registry.set_policy(GATED, by=BOB)
    framed(1.0), framed(1.9), framed(2.0)
    assert _promote(1).state == "promoted"
    registry.set_policy(Policy((Rule("churn", "production", gates=(gate,)),)), by=BOB)
    holdout = Rows(rows(tmp_path), "target")
    slow = Promoter("churn", 2, rows=holdout, targets=(), by=BOB)
    found = slow.evaluate()
    assert _promote(3, rows=holdout).state == "promoted"
    with pytest.raises(RegistryConflict, match="was measured beside version 1, and version 3 is in production now: measure it again"):
        slow.ask(found)
    again = _promote(2, rows=holdout)
    assert (again.state, again.request and again.request.champion) == ("refused", 3)


def test_what_was_said_beside_nobody_is_not_judged_beside_a_champion(tmp_path: Path) -> None:
    """The same where the first champion comes meanwhile; rows that nobody was asked about are beside nobody in particular."""
    registry.set_policy(GATED, by=BOB)
    framed(1.9), framed(2.0)
    slow = Promoter("churn", 2, rows=Rows(rows(tmp_path), "target"), targets=(), by=BOB)
    found = slow.evaluate()
    assert _promote(1).state == "promoted"
    with pytest.raises(RegistryConflict, match="was measured beside no champion, and version 1 is in production now"):
        slow.ask(found)
    assert slow.ask().champion == 1
