"""Versions that wait in staging are compared with the champion: asked for where gates pass, and not twice for the same."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from prefect_ledger import open_run, registry, start_run
from prefect_ledger.errors import InvalidValue, RegisteredModelNotFound
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.promotion import Rows, promote
from prefect_ledger.promotion.challenge_report import junit, markdown
from prefect_ledger.promotion.challenging import Challenge, challenge, exit_code
from prefect_ledger.tracking.ledger import Ledger
from tests.promotion.helpers import BOB, CAROL, broken, framed, rows, trained
from tests.registry.folding import agrees

pytestmark = pytest.mark.usefixtures("store_url", "fresh_ledger")

BETTER = Policy((Rule("*", "production", gates=("metrics.auc >= 0.5",), approvals=1),))


def _staged(*versions: int, name: str = "churn") -> None:
    for number in versions:
        registry.transition(name, number, "staging", by=BOB)


def _told(found: list[Challenge]) -> list[tuple[str, int, str]]:
    return [(one.name, one.version, one.state) for one in found]


def _useless() -> None:
    """A version that fails with its own example."""
    with start_run(experiment="churn") as run:
        run.log_metric("auc", 0.9)
        model = run.log_model(_refuses, "churn", signature=None, input_example=[1.0], requirements=[])
    registry.register_model("churn", model, by=BOB)


def _refuses(data: object) -> object:
    raise ValueError("not any more")


@pytest.mark.long
def test_a_request_is_opened_for_those_whose_gates_pass(fresh_ledger: Ledger) -> None:
    """Of all models with versions in staging, the good ones get a request, the others the gates' words, in the order of their numbers."""
    registry.set_policy(BETTER, by=BOB)
    for name in ("fraud", "churn"):
        trained(name=name)
        trained(auc=0.3, name=name)
        trained(name=name)
        _staged(1, 2, name=name)
    trained(name="quiet")
    found = challenge(why="nightly", by=BOB)
    assert _told(found) == [("churn", 1, "opened"), ("churn", 2, "refused"), ("fraud", 1, "opened"), ("fraud", 2, "refused")]
    assert "waits for 1 of 1 approvals" in found[0].reason
    assert "metrics.auc >= 0.5" in found[1].reason
    assert exit_code(found) == 0
    assert [one.why for one in registry.list_requests("churn")] == ["nightly", "nightly"]
    assert {one.version for one in registry.list_requests("churn", state="open")} == {1}
    with fresh_ledger.database.read() as tx:
        agrees(tx)


def test_asked_again_it_asks_for_nothing() -> None:
    """An open request stays, and what was refused is not judged again while nothing of it changed: the log stays as it is."""
    registry.set_policy(BETTER, by=BOB)
    trained(), trained(auc=0.3)
    _staged(1, 2)
    challenge("churn", by=BOB)
    head = registry.audit_head()
    again = challenge("churn", by=BOB)
    assert _told(again) == [("churn", 1, "open"), ("churn", 2, "unchanged")]
    assert again[1].reason.startswith("request 2 was rejected: gates did not pass")
    assert (registry.audit_head(), len(registry.list_requests())) == (head, 2)
    assert exit_code(again[1:]) == 3


def test_what_changed_is_judged_again() -> None:
    """Another value of a metric, another champion, or another rule: each is a reason to ask again; another model's rule is none."""
    registry.set_policy(BETTER, by=BOB)
    version = trained(auc=0.3)
    _staged(1)
    states = [challenge("churn", by=BOB)[0].state]
    open_run(version.run_id).log_metric("auc", 0.4)
    states += [challenge("churn", by=BOB)[0].state for _ in range(2)]
    trained()
    registry.request_transition("churn", 2, "production", by=BOB)
    registry.approve(2 + 1, by=CAROL)
    registry.transition("churn", 2, "production", by=BOB)
    found = challenge("churn", by=BOB)
    assert (found[0].version, found[0].champion) == (1, 2)
    states.append(found[0].state)
    registry.set_policy(Policy((Rule("fraud", "production", approvals=2), *BETTER.rules)), by=BOB)
    states.append(challenge("churn", by=BOB)[0].state)
    registry.set_policy(Policy((Rule("churn", "production", gates=("metrics.auc >= 0.35",)),)), by=BOB)
    states.append(challenge("churn", by=BOB)[0].state)
    assert states == ["refused", "refused", "unchanged", "refused", "unchanged", "opened"]


def test_what_a_person_refused_stays_refused() -> None:
    """A rejection by a person holds as that of a gate does, and so does a request that was taken back."""
    registry.set_policy(BETTER, by=BOB)
    trained(), trained()
    _staged(1, 2)
    challenge("churn", by=BOB)
    registry.reject(1, "too few rows", by=CAROL)
    registry.withdraw(2, "trained on the wrong month", by=BOB)
    found = challenge("churn", by=BOB)
    assert [one.state for one in found] == ["unchanged", "unchanged"]
    assert "too few rows" in found[0].reason
    assert "withdrawn by bob" in found[1].reason


def test_one_that_fails_does_not_end_the_others(tmp_path: Path) -> None:
    """A version that does not work, and one that cannot take the rows, are told of; the one beside them gets its request."""
    gate = {"gate": "bootstrap", "metric": "squared_error", "at_least": 0, "without_champion": "skip"}
    registry.set_policy(Policy((Rule("churn", "production", gates=(gate,), approvals=1),)), by=BOB)
    framed(2.0), trained(), framed(2.1), broken()
    _staged(1, 2, 3, 4)
    found = challenge("churn", rows=Rows(rows(tmp_path), "target"), by=BOB)
    assert [one.state for one in found] == ["opened", "failed", "opened", "failed"], [one.reason for one in found]
    assert "the candidate cannot be asked about these rows" in found[1].reason
    assert exit_code(found) == 0
    assert exit_code(found[1:2]) == 1


@pytest.mark.long
def test_other_rows_are_a_reason_to_judge_again(tmp_path: Path) -> None:
    """What was refused on a holdout is not asked about it again, and is asked about another one."""
    gate = {"gate": "bootstrap", "metric": "squared_error", "at_least": 0, "without_champion": "skip"}
    registry.set_policy(Policy((Rule("churn", "production", gates=(gate,)),)), by=BOB)
    framed(2.0), framed(1.5)
    holdout = Rows(rows(tmp_path), "target")
    assert promote("churn", 1, rows=holdout, targets=(), by=BOB).state == "promoted"
    _staged(2)
    states = [challenge(rows={"churn": holdout}, by=BOB)[0].state for _ in range(2)]
    rows(tmp_path, 200)
    states += [challenge(rows={"churn": holdout}, by=BOB)[0].state for _ in range(2)]
    assert states == ["refused", "unchanged", "refused", "unchanged"]


def test_rows_that_are_not_there_are_said_as_what_they_are(tmp_path: Path) -> None:
    """A holdout or a reference where nothing is, or nothing that can be read, is told of by that name, and by where it was looked for."""
    registry.set_policy(BETTER, by=BOB)
    framed(2.0)
    _staged(1)
    there, gone, empty = rows(tmp_path), tmp_path / "gone.csv", tmp_path / "empty.csv"
    empty.write_text("")
    wanted = [
        (Rows(str(gone), "target"), f"there is no holdout {gone}: no such file or folder"),
        (Rows(gone.as_uri(), "target"), f"there is no holdout {gone}: no such file or folder"),
        (Rows("gone.csv", "target"), f"there is no holdout {Path.cwd() / 'gone.csv'}: no such file or folder"),
        (Rows(there, "target", reference=str(gone)), f"there is no reference {gone}: no such file or folder"),
        (Rows(str(empty), "target"), f"the holdout cannot be read: {empty} is empty"),
        (Rows("s3://bucket/holdout.csv", "target"), "the holdout cannot be read: s3://bucket/holdout.csv"),
        (Rows(there, "target", columns=("age",)), f"the holdout {there} has no column 'age'"),
    ]
    for given, words in wanted:
        [found] = challenge("churn", rows=given, by=BOB)
        assert (found.state, found.reason[: len(words)]) == ("failed", words)


def test_the_password_of_a_database_is_not_kept_with_the_evidence(postgres_url: str) -> None:
    """A holdout is a query on a database: what is kept and said of it does not show the password of its URL."""
    gate = {"gate": "bootstrap", "metric": "squared_error", "at_least": 0, "without_champion": "skip"}
    registry.set_policy(Policy((Rule("churn", "production", gates=(gate,)),)), by=BOB)
    framed(2.0)
    _staged(1)
    place = postgres_url.replace("postgres@", "postgres:hunter2@")
    query = "SELECT n / 10.0 AS x, n / 5.0 AS target FROM generate_series(1, 50) n"
    [wrong] = challenge("churn", rows=Rows(place, "churned", query), by=BOB)
    assert "has no column 'churned'" in wrong.reason
    [found] = challenge("churn", rows=Rows(place, "target", query), by=BOB)
    assert (found.state, found.request is not None) == ("opened", True), found.reason
    holdout = registry.get_evidence(found.request.id).holdout  # type: ignore[union-attr]
    assert holdout is not None
    assert "127.0.0.1" in holdout.name
    assert "hunter2" not in holdout.name + wrong.reason


def test_the_report_says_each(tmp_path: Path) -> None:
    """Markdown has a row for each and the gates of those judged now, JUnit a case: a failure, skipped or an error where none is open."""
    registry.set_policy(BETTER, by=BOB)
    trained(), trained(auc=0.3)
    _useless()
    _staged(1, 2, 3)
    first, again = challenge("churn", by=BOB), challenge("churn", by=BOB)
    text = markdown(first)
    assert text.startswith("### Challenges: a request is open for 1 of 3\n")
    assert "| churn 1 to production | none | request opened |" in text
    assert "Request 1 of bob" in text
    suite = ElementTree.fromstring(junit(first))
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["3", "1", "1", "0"]
    assert ElementTree.fromstring(junit(again)).get("skipped") == "1"
    assert [one.to_json()["request"] for one in first] == [1, 2, None]
    assert markdown([]) == "### Challenges: a request is open for 0 of 0\n"


def test_what_is_given_wrong_is_an_error_at_once() -> None:
    """A model that is not there, a stage that is none, the same stage twice, rows of another kind."""
    with pytest.raises(RegisteredModelNotFound):
        challenge("gone")
    with pytest.raises(InvalidValue, match="versions in staging are there already"):
        challenge(stage="staging")
    with pytest.raises(InvalidValue, match=r"rows are prefect_ledger\.promotion\.Rows"):
        challenge(rows="holdout.csv")  # type: ignore[arg-type]
    assert challenge() == []
    assert exit_code([]) == 3


@pytest.mark.long
def test_what_is_asked_about_rows_is_a_reason_to_judge_again(tmp_path: Path) -> None:
    """Who was refused for a column, target or reference that was not said is heard again once it is, on the same rows, and not twice."""
    slices = {"gate": "slices", "metric": "squared_error", "by": "region", "at_least": 0, "without_champion": "skip"}
    least = {"gate": "threshold", "metric": "squared_error", "at_most": 0.1}
    registry.set_policy(Policy((Rule("churn", "production", gates=("metrics.auc >= 0.5",)),)), by=BOB)
    framed(1.9), framed(2.0)
    assert promote("churn", 1, targets=(), by=BOB).state == "promoted"
    _staged(2)
    registry.set_policy(Policy((Rule("churn", "production", gates=(slices, least), approvals=1),)), by=BOB)
    place, other = tmp_path / "holdout.csv", tmp_path / "reference.csv"
    lines = [f"{n / 10},{'north' if n % 3 else 'south'},{n / 5},{n % 7}" for n in range(300)]
    place.write_text("\n".join(["x,region,target,wrong", *lines]) + "\n")
    other.write_text("x,region\n" + "1.0,north\n" * 3)
    region = {"place": str(place), "columns": ("region",)}
    asked = [Rows(str(place), "target"), Rows(**region, target="wrong"), Rows(**region, target="wrong", reference=str(other))]  # type: ignore[arg-type]
    asked.append(Rows(**region, target="target"))  # type: ignore[arg-type]
    states = [challenge("churn", rows=one, by=BOB)[0].state for one in asked for _ in range(2)]
    assert states == [*["refused", "unchanged"] * 3, "opened", "open"]
