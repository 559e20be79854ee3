"""What runs say becomes rows, and it is the same rows in whatever order, batches and journals it is heard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_ledger import run_store
from prefect_ledger.database import Database, rows
from prefect_ledger.events import (
    Alerted,
    ArtifactLogged,
    DatasetLogged,
    Event,
    JournalClosed,
    Noted,
    ParamsLogged,
    ResultSeen,
    RunAttached,
    RunDescribed,
    RunEdited,
    RunStarted,
    RunStatusSeen,
    TagsSet,
    TaskRunSeen,
)
from tests.stores.folding import Drains, Point, Said, dump, fold, wipe

RUNS = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")
A, B = RUNS
STATUSES = ("SCHEDULED", "RUNNING", "PAUSED", "COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    store = Database(store_url)
    yield store
    store.close()


def run_row(database: Database, run: str = A) -> dict[str, Any]:
    """The row of a run."""
    columns = (
        "status status_at status_reason provisional attempt name kind parent_id started ended seen owner artifact_uri description".split()
    )
    with database.read() as tx:
        found = rows(tx, f"SELECT {', '.join(columns)} FROM runs WHERE id = ?", [run])
    return dict(zip(columns, found[0], strict=True))


def attempt_rows(database: Database, run: str = A) -> dict[int, tuple[Any, ...]]:
    """(status, started, ended, exception) of each attempt."""
    text = "SELECT attempt, status, started, ended, exception FROM attempts WHERE run_id = ? ORDER BY attempt"
    with database.read() as tx:
        return {row[0]: row[1:] for row in rows(tx, text, [run])}


# --- the law --------------------------------------------------------------------------------------------------------


times = st.integers(1, 60)
attempts = st.integers(1, 3)
run_ids = st.sampled_from(RUNS)
words = st.sampled_from(["", "a", "b"])
exceptions = st.sampled_from([{}, {"type": "ValueError"}, {"type": "KeyError"}])


@st.composite
def params(draw: st.DrawFn) -> Event:
    """Parameters whose value follows from run, attempt and key: two that disagree are another matter."""
    run, attempt = draw(run_ids), draw(attempts)
    keys = draw(st.sets(st.sampled_from("xyz"), min_size=1))
    return ParamsLogged(run=run, at=draw(times), attempt=attempt, values={key: f"{run[-1]}{attempt}{key}" for key in keys})


@st.composite
def tasks(draw: st.DrawFn) -> Event:
    """A task run, each of one run."""
    run, number = draw(run_ids), draw(st.integers(1, 2))
    state = draw(st.sampled_from(["Running", "Failed", "Completed", "Cached"]))
    return TaskRunSeen(
        run=run,
        at=draw(times),
        id=f"task-{run[-1]}-{number}",
        name=draw(st.sampled_from(["load", "train"])),
        state=state,
        attempt=draw(attempts),
        tries=draw(st.integers(1, 3)),
        cached=state == "Cached",
        started=draw(st.none() | times),
        ended=draw(st.none() | times),
        exception=draw(exceptions),
        parent=draw(st.sampled_from(["", "task-1-1", "task-1-2", "task-2-1"])),
    )


@st.composite
def results(draw: st.DrawFn) -> Event:
    """A result computed or taken from the cache, by a step or by a task that is a run of its own."""
    run, cached = draw(run_ids), draw(st.booleans())
    task = draw(st.sampled_from([f"task-{run[-1]}-1", f"task-{run[-1]}-2", run]))
    return ResultSeen(run=run, at=draw(times), attempt=draw(attempts), task=task, key=draw(st.sampled_from("pq")), cached=cached)


events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        RunStarted,
        run=run_ids,
        at=times,
        attempt=attempts,
        experiment=st.just("one"),
        name=st.sampled_from(["ann", "bob"]),
        kind=st.sampled_from(["flow", "task"]),
        user=words,
        parent=st.sampled_from([None, B]),
        artifact_uri=st.sampled_from([None, "/a", "/b"]),
        owner=st.booleans(),
        status=st.sampled_from(["RUNNING", "SCHEDULED"]),
    ),
    st.builds(RunAttached, run=run_ids, at=times, attempt=attempts, experiment=st.sampled_from([None, "one"])),
    st.builds(
        RunStatusSeen,
        run=run_ids,
        at=times,
        status=st.sampled_from(STATUSES),
        attempt=st.integers(0, 3),
        reason=words,
        provisional=st.booleans(),
        exception=exceptions,
    ),
    st.builds(
        RunDescribed,
        run=run_ids,
        at=times,
        facts=st.dictionaries(st.sampled_from(["git", "python"]), words, max_size=2),
        packages=st.sampled_from([{}, {"numpy": "1"}, {"numpy": "2"}]),
    ),
    params(),
    st.builds(TagsSet, run=run_ids, at=times, values=st.dictionaries(st.sampled_from("tuv"), st.none() | words, min_size=1)),
    tasks(),
    results(),
    st.builds(
        ArtifactLogged,
        run=run_ids,
        at=times,
        attempt=attempts,
        path=st.sampled_from(["a.txt", "b/c.txt"]),
        uri=words,
        size=st.integers(0, 3),
        sha256=st.sampled_from(["0" * 64, "1" * 64]),
    ),
    st.builds(
        DatasetLogged,
        run=run_ids,
        at=times,
        attempt=attempts,
        name=st.just("digits"),
        digest=st.sampled_from(["d1", "d2"]),
        context=st.sampled_from(["train", "test"]),
        source=words,
        rows=st.none() | st.integers(0, 9),
        schema=st.sampled_from([{}, {"x": "int"}]),
    ),
    st.builds(
        RunEdited,
        run=run_ids,
        at=times,
        name=st.sampled_from([None, "cat", "dan"]),
        description=st.sampled_from([None, "", "the baseline"]),
    ),
    st.builds(Alerted, run=run_ids, at=times, attempt=attempts, title=words, text=words, level=st.sampled_from(["info", "error"])),
    st.builds(Noted, run=run_ids, at=times, text=words),
    st.builds(JournalClosed, at=times),
)
values = st.sampled_from([0.0, -1.5, 2.25, 1e6, float("nan"), float("inf"), float("-inf")])


@st.composite
def heard(draw: st.DrawFn, events: st.SearchStrategy[Event] = events) -> list[Said]:
    """Events and points; of the points no two of one series have one step and time, because then arrival decides."""
    said: list[Said] = list(draw(st.lists(events, max_size=12)))
    for time in range(draw(st.integers(0, 12))):
        run = draw(run_ids)
        task = draw(st.sampled_from(["", f"task-{run[-1]}-1", f"task-{run[-1]}-2"]))
        turn = draw(st.integers(1, 2)) if task else 1
        series = (run, draw(st.sampled_from(["loss", "acc"])), draw(attempts), task, turn)
        said.append(Point(series, draw(st.integers(-2, 4)), 1_000 + time, draw(values)))
    return said


@st.composite
def schedules(draw: st.DrawFn, said: list[Said]) -> tuple[list[list[list[Said]]], list[int]]:
    """The same said in another order, spread over journals and cut into batches; and whose turn it is, one after another.

    What begins a run stays in a journal of its own, because that one owns it.
    """
    shuffled = draw(st.permutations(said))
    journals: list[list[list[Said]]] = [[], [], []]
    for one in shuffled:
        which = 0 if isinstance(one, RunStarted) else draw(st.integers(0, 2))
        if not journals[which] or draw(st.booleans()):
            journals[which].append([])
        journals[which][-1].append(one)
    return journals, draw(st.lists(st.integers(0, 2), max_size=12))


def law(database: Database, data: st.DataObject, events: st.SearchStrategy[Event] = events) -> None:
    """Heard twice, in other orders, batches and journals, it is the same rows."""
    said = data.draw(heard(events))
    rows_of = []
    for _ in range(2):
        journals, turns = data.draw(schedules(said))
        wipe(database)
        drains = Drains(database, journals)
        for which in turns:
            drains.turn(which)
        drains.rest()
        assert not any(drain.refused for drain in drains.drains)
        rows_of.append(dump(database))
    for table, expected in rows_of[0].items():
        assert rows_of[1][table] == expected, table


BOUNDS = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@settings(max_examples=25, **BOUNDS)  # type: ignore[arg-type]
@given(data=st.data())
@pytest.mark.long
def test_order_batches_and_journals_do_not_matter(database: Database, data: st.DataObject) -> None:
    """The same events and points, in any order, cut into batches anyhow and spread over journals, give the same rows."""
    law(database, data)


@pytest.mark.soak
@settings(max_examples=3_000, **BOUNDS)  # type: ignore[arg-type]
@given(data=st.data())
def test_order_batches_and_journals_do_not_matter_at_length(database: Database, data: st.DataObject) -> None:
    """As above, many times over."""
    law(database, data)


# --- runs and their attempts ------------------------------------------------------------------------------------------


def started(at: int, attempt: int = 1, *, owner: bool = True, run: str = A, **more: Any) -> RunStarted:
    return RunStarted(run=run, at=at, attempt=attempt, owner=owner, **more)


def test_a_retry_is_another_attempt_of_the_same_run(database: Database) -> None:
    """The run has the last attempt's status and end, the first one's start; each attempt keeps its own."""
    failed = RunStatusSeen(run=A, at=20, status="FAILED", attempt=1, exception={"type": "ValueError"})
    fold(database, started(10), failed, started(30, 2), RunStatusSeen(run=A, at=40, status="COMPLETED", attempt=2))
    row = run_row(database)
    assert (row["status"], row["attempt"], row["started"], row["ended"]) == ("COMPLETED", 2, 10, 40)
    assert attempt_rows(database) == {1: ("FAILED", 10, 20, '{"type": "ValueError"}'), 2: ("COMPLETED", 30, 40, "{}")}


def test_a_start_that_comes_late_fills_in_and_takes_nothing_back(database: Database) -> None:
    """A start heard after the end gives name, experiment and start; the run stays ended."""
    fold(database, RunStatusSeen(run=A, at=20, status="FAILED", attempt=1, reason="boom"))
    fold(database, started(10, experiment="late", name="ann"))
    row = run_row(database)
    assert (row["status"], row["status_reason"], row["name"], row["started"], row["ended"]) == ("FAILED", "boom", "ann", 10, 20)
    with database.read() as tx:
        assert rows(tx, "SELECT e.name FROM runs r JOIN experiments e ON e.id = r.experiment_id", []) == [("late",)]


def test_an_edited_name_stands_above_the_first_one(database: Database) -> None:
    """The latest edit by time is the run's name, whenever its start or an earlier edit is heard; "" takes a description away."""
    later, first = RunEdited(run=A, at=30, name="cat", description=""), RunEdited(run=A, at=20, name="bob", description="the baseline")
    orders: list[list[Event]] = [[started(10, name="ann"), first, later], [later, started(10, name="ann"), first]]
    for said in orders:
        wipe(database)
        fold(database, *said)
        row = run_row(database)
        assert (row["name"], row["description"]) == ("cat", "")


def test_workers_heard_first_leave_a_placeholder(database: Database) -> None:
    """Parameters, points and artifacts of a run not heard of yet are kept; it is RUNNING, without experiment, until it is heard of."""
    fold(database, ParamsLogged(run=A, at=1, attempt=1, values={"depth": "6"}), Point((A, "loss", 1, "t", 1), 0, 1, 0.5))
    row = run_row(database)
    assert (row["status"], row["attempt"], row["started"]) == ("RUNNING", 1, None)
    fold(database, started(5), journal="journal-1")
    assert run_row(database)["owner"] == "journal-1"


def test_a_worker_of_the_next_attempt_opens_the_run_again(database: Database) -> None:
    """Something of attempt 2 heard before its start: the run is RUNNING in attempt 2, however attempt 1 ended and whenever heard."""
    first: list[Event] = [started(10), RunStatusSeen(run=A, at=20, status="FAILED", attempt=1)]
    second: list[Event] = [ParamsLogged(run=A, at=30, attempt=2, values={"depth": "7"})]
    for said in (first + second, second + first):
        wipe(database)
        fold(database, *said)
        row = run_row(database)
        assert (row["status"], row["attempt"], row["ended"]) == ("RUNNING", 2, None)


def test_the_end_of_whichever_attempt_is_the_last(database: Database) -> None:
    """An end said by a stranger, who does not know the attempt, ends the one that was the last by then, also when that is heard later."""
    end = RunStatusSeen(run=A, at=50, status="CANCELLED", attempt=0, reason="by hand")
    orders: list[list[Event]] = [[started(10), end, started(30, 2)], [end, started(30, 2), started(10)]]
    for said in orders:
        wipe(database)
        fold(database, *said)
        assert run_row(database)["status"] == "CANCELLED"
        assert attempt_rows(database)[2] == ("CANCELLED", 30, 50, "{}")
        fold(database, started(60, 3))
        assert run_row(database)["status"] == "RUNNING"
        assert attempt_rows(database)[2] == ("CANCELLED", 30, 50, "{}")


def test_a_guess_is_overruled_by_what_is_known(database: Database) -> None:
    """A provisional status holds until a last word, whichever is heard first and whatever their times; it never takes a last word back."""
    guess = RunStatusSeen(run=A, at=30, status="FAILED", attempt=1, reason="raised", provisional=True)
    known = RunStatusSeen(run=A, at=20, status="COMPLETED", attempt=1)
    fold(database, started(10), guess)
    assert (run_row(database)["status"], run_row(database)["provisional"]) == ("FAILED", 1)
    fold(database, known)
    assert (run_row(database)["status"], run_row(database)["provisional"]) == ("COMPLETED", 0)
    wipe(database)
    fold(database, started(10), known, guess)
    assert (run_row(database)["status"], attempt_rows(database)[1][0]) == ("COMPLETED", "COMPLETED")


# --- lost and found -----------------------------------------------------------------------------------------------------


def crash(database: Database, journal: str) -> list[str]:
    with database.write() as tx:
        return run_store.crash_owned(tx, journal, "killed")


def hear(database: Database, run: str, journal: str, at: int) -> None:
    with database.write() as tx:
        run_store.touch(tx, [run], journal, at)


def test_what_a_dead_process_had_running_is_crashed(database: Database) -> None:
    """Its open runs end when they were last heard of; ended ones and those of others stay as they are."""
    others = "00000000-0000-4000-8000-000000000003"
    fold(database, started(10), started(11, run=B), RunStatusSeen(run=B, at=15, status="COMPLETED", attempt=1), journal="dead")
    fold(database, started(12, run=others), journal="alive")
    hear(database, A, "dead", 70)
    assert crash(database, "dead") == [A]
    assert crash(database, "dead") == []
    row = run_row(database)
    assert (row["status"], row["provisional"], row["ended"], row["status_reason"]) == ("CRASHED", 1, 70, "killed")
    assert attempt_rows(database)[1][:3] == ("CRASHED", 10, 70)
    assert run_row(database, B)["status"] == "COMPLETED"
    assert run_row(database, others)["status"] == "RUNNING"


def test_a_run_taken_for_crashed_is_reopened_by_its_owner_alone(database: Database) -> None:
    """Points of workers leave it CRASHED; a sign of life of its owner opens it, with its attempt; then it can be lost again."""
    fold(database, started(10), journal="owner")
    assert crash(database, "owner") == [A]
    fold(database, Point((A, "loss", 1, "t", 1), 0, 100, 0.5), journal="worker")
    hear(database, A, "worker", 200)
    hear(database, A, "", 210)
    assert run_row(database)["status"] == "CRASHED"
    hear(database, A, "owner", 300)
    row = run_row(database)
    assert (row["status"], row["provisional"], row["ended"], row["status_reason"]) == ("RUNNING", 0, None, "")
    assert attempt_rows(database)[1] == ("RUNNING", 10, None, "{}")
    assert crash(database, "owner") == [A]
    assert run_row(database)["ended"] == 300


def test_the_last_word_on_a_crashed_run_is_taken(database: Database) -> None:
    """Somebody who knows better overrules a crash that was only found, also with an earlier time."""
    fold(database, started(10), journal="owner")
    hear(database, A, "owner", 100)
    crash(database, "owner")
    fold(database, RunStatusSeen(run=A, at=90, status="CANCELLED", attempt=1), journal="other")
    assert (run_row(database)["status"], run_row(database)["ended"]) == ("CANCELLED", 90)


def test_the_death_of_an_earlier_attempts_process_does_not_touch_the_next(database: Database) -> None:
    """The process of attempt 1 is found dead while attempt 2 runs elsewhere: attempt 1 crashed, the run goes on."""
    fold(database, started(10), journal="one")
    fold(database, started(30, 2), journal="two")
    assert crash(database, "one") == []
    assert run_row(database)["status"] == "RUNNING"
    assert [row[0] for row in attempt_rows(database).values()] == ["CRASHED", "RUNNING"]
    assert crash(database, "two") == [A]


def test_a_body_that_guesses_a_crash_is_not_reopened_by_its_own_sign_of_life(database: Database) -> None:
    """A provisional CRASHED that the owner said itself stays, though the owner is heard of at the same moment."""
    fold(database, started(10), RunStatusSeen(run=A, at=20, status="CRASHED", attempt=1, provisional=True), journal="owner")
    hear(database, A, "owner", 30)
    assert run_row(database)["status"] == "CRASHED"


# --- what runs say --------------------------------------------------------------------------------------------------------


def test_of_two_values_of_a_parameter_the_first_is_kept_and_it_is_noted(database: Database) -> None:
    """Another value from another process leaves the first and a note; the same value again leaves nothing; an attempt has its own."""
    fold(database, ParamsLogged(run=A, at=1, attempt=1, values={"depth": "6", "kernel": "rbf"}), journal="one")
    fold(database, ParamsLogged(run=A, at=2, attempt=1, values={"depth": "7", "kernel": "rbf", "new": "1"}), journal="two")
    fold(database, ParamsLogged(run=A, at=3, attempt=2, values={"depth": "8"}), journal="one")
    with database.read() as tx:
        found = rows(tx, "SELECT attempt, key, value, number FROM params ORDER BY attempt, key")
        notes = rows(tx, "SELECT at, text FROM notes")
    assert found == [(1, "depth", "6", 6.0), (1, "kernel", "rbf", None), (1, "new", "1", 1.0), (2, "depth", "8", 8.0)]
    assert len(notes) == 1
    assert notes[0][0] == 2
    assert all(word in notes[0][1] for word in ("depth", "'6'", "'7'"))


@pytest.mark.long
def test_many_parameters_and_tags_at_once(database: Database) -> None:
    """A thousand and more in one event are stored, with one that conflicts among them found."""
    many = {f"p{i}": str(i) for i in range(2_500)}
    fold(database, ParamsLogged(run=A, at=1, attempt=1, values=many), TagsSet(run=A, at=1, values=many))
    fold(database, ParamsLogged(run=A, at=2, attempt=1, values=many | {"p1999": "other"}), journal="two")
    with database.read() as tx:
        assert dict(rows(tx, "SELECT key, value FROM params")) == many
        assert dict(rows(tx, "SELECT key, value FROM tags")) == many
        assert len(rows(tx, "SELECT text FROM notes")) == 1


def test_an_older_tag_or_fact_does_not_replace_a_newer(database: Database) -> None:
    """Tags, removals and facts go by their own time, not by when they are heard."""
    fold(
        database,
        TagsSet(run=A, at=20, values={"a": "new", "b": None}),
        RunDescribed(run=A, at=20, facts={"git": "new"}, packages={"x": "2"}),
    )
    fold(database, TagsSet(run=A, at=10, values={"a": "old", "b": "old", "c": "old"}))
    fold(database, RunDescribed(run=A, at=10, facts={"git": "old", "python": "3"}, packages={"x": "1"}))
    with database.read() as tx:
        assert dict(rows(tx, "SELECT key, value FROM tags")) == {"a": "new", "b": None, "c": "old"}
        facts, content = rows(tx, "SELECT r.facts, p.content FROM runs r JOIN packages p ON p.digest = r.packages")[0]
    assert (facts, content) == ('{"git": "new", "python": "3"}', '{"x": "2"}')


HOSTILE = ["'; DROP TABLE runs; --", '" OR 1=1', "%s %(x)s ?", "\\", "\n", "é\U0001f600", "x" * 5000]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_every_field_is_only_text(database: Database, text: str) -> None:
    """What looks like SQL or a driver's marks comes back as it was, wherever text goes in."""
    short = text[:200]
    fold(
        database,
        started(1, name=text, experiment=short, kind=short[:32], user=short, artifact_uri=text),
        RunStatusSeen(run=A, at=2, status="FAILED", attempt=1, reason=text, exception={"message": text}),
        RunDescribed(run=A, at=2, facts={text: text}, packages={text: text}),
        ParamsLogged(run=A, at=2, attempt=1, values={short: text}),
        TagsSet(run=A, at=2, values={short: text}),
        TaskRunSeen(run=A, at=2, id=short[:36], name=text, state=short[:32]),
        ArtifactLogged(run=A, at=2, attempt=1, path=short, uri=text, size=1, sha256="0" * 64, metadata={text: text}),
        DatasetLogged(run=A, at=2, attempt=1, name=short, digest=short[:64], context=short, source=text, schema={text: text}),
        Noted(run=A, at=2, text=text),
    )
    with database.read() as tx:
        assert rows(tx, "SELECT name, status_reason, artifact_uri, user_id FROM runs") == [(text, text, text, short)]
        assert rows(tx, "SELECT key, value FROM params") == [(short, text)]
        assert rows(tx, "SELECT key, value FROM tags") == [(short, text)]
        assert rows(tx, "SELECT name FROM task_runs") == [(text,)]
        assert rows(tx, "SELECT path, uri FROM artifacts") == [(short, text)]
        assert rows(tx, "SELECT name, source FROM datasets") == [(short, text)]
        assert rows(tx, "SELECT text FROM notes") == [(text,)]


# --- what no store takes ------------------------------------------------------------------------------------------------


POISON: list[Event] = [
    DatasetLogged(run=A, at=2, attempt=1, name="d", digest="1", rows=2**70),
    ArtifactLogged(run=A, at=2, attempt=1, path="p", uri="u", size=-(2**80), sha256="0" * 64),
    RunStatusSeen(run=A, at=2, status="EXPLODED", attempt=1),
    ParamsLogged(run=A, at=2, attempt=2**70, values={"a": "1"}),
    TagsSet(run=A, at=2**90, values={"a": "1"}),
    TaskRunSeen(run=A, at=2, id="t", name="t", state="Running", tries=2**64),
]


@pytest.mark.parametrize("poison", POISON, ids=lambda event: type(event).__name__)
def test_a_poisoned_event_cannot_hold_up_those_that_follow(database: Database, poison: Event) -> None:
    """What the database or the fold refuses is noted on its run and left out; what stood around it in the batch goes in."""
    drains = Drains(
        database, [[[started(1), poison, TagsSet(run=A, at=3, values={"after": "1"}), Point((A, "loss", 1, "", 1), 0, 4, 0.5)]]]
    )
    drains.rest()
    assert len(drains.drains[0].refused) == 1
    assert type(poison).__name__ in drains.drains[0].refused[0]
    with database.read() as tx:
        assert rows(tx, "SELECT key FROM tags") == [("after",)]
        assert rows(tx, "SELECT key, n FROM metrics") == [("loss", 1)]
    assert run_row(database)["status"] == "RUNNING"


@pytest.mark.parametrize(
    "poison",
    [
        ParamsLogged(run=A, at=2, attempt=1, values={"k" * 4_000: "1"}),
        RunStarted(run=A, at=2, experiment="x", user="u" * 300),
        ArtifactLogged(run=A, at=2, attempt=1, path="p" * 1_025, uri="u", size=1, sha256="0" * 64),
        RunStarted(run="r" * 40, at=2),
        TaskRunSeen(run=A, at=2, id="t" * 40, name="t", state="Running"),
    ],
    ids=["key", "user", "path", "run", "task"],
)
def test_what_is_too_long_for_postgresql_is_left_out(postgres_url: str, poison: Event) -> None:
    """PostgreSQL holds to the widths of its columns; an event that is wider is left out alone."""
    database = Database(postgres_url)
    drains = Drains(database, [[[poison, TagsSet(run=A, at=3, values={"after": "1"})]]])
    drains.rest()
    with database.read() as tx:
        assert rows(tx, "SELECT key FROM tags") == [("after",)]
    assert len(drains.drains[0].refused) == 1
    database.close()
