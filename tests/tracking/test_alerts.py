"""Alerts from code: kept on the run, and told to whom the settings name, at least once, by whichever process comes to it."""

from __future__ import annotations

import doctest
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefect_ledger import alert, delete_runs, get_run, restore_runs, search_alerts, sources, start_run
from prefect_ledger.entities import Alert
from prefect_ledger.errors import InvalidSettings, InvalidValue, NoActiveRun, RunFinished
from prefect_ledger.settings import Settings
from prefect_ledger.tracking import context, errands
from prefect_ledger.tracking import ledger as ledger_module
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.webhooks import telling
from tests.registry.receiving import SECRET, Receiver, receiver

HOUR = 3_600_000_000  # µs


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a Prefect server alone that other tests began."""
    assert sources.courier is not None
    monkeypatch.setattr(sources, "courier", sources.courier._replace(here=lambda: False))


@pytest.fixture
def told() -> Iterator[Receiver]:
    """Somebody who is told."""
    with receiver() as here:
        yield here


@pytest.fixture
def telling_ledger(told: Receiver, home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Ledger:
    """A ledger whose alerts go to ``told``, signed; nothing is sent by itself."""
    monkeypatch.setenv("PREFECT_LEDGER_ALERT_TO", f"{told.url}/T0/B0/private")
    monkeypatch.setenv("PREFECT_LEDGER_ALERT_SECRET", "env:HOOK_SECRET")
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setattr(context, "crier", None)
    one: Ledger = request.getfixturevalue("fresh_ledger")
    return one


def the_alert(run: str) -> Alert:
    """The only one of a run."""
    [found] = get_run(run).alerts
    return found


@pytest.mark.usefixtures("store_url")
def test_an_alert_is_kept_on_its_run(fresh_ledger: Ledger) -> None:
    """Title, text, level, time and task of each alert stand on the run, the oldest first, masked; the latest are listed over all runs."""
    with start_run(experiment="churn") as run:
        assert run.alert("loss is NaN", "at step 17, password=hunter2", level="error")
        assert run.for_task("t-1").alert("slow")
    first, second = get_run(run.id).alerts
    assert (first.title, first.text, first.level, first.task_run_id) == ("loss is NaN", "at step 17, password=********", "error", "")
    assert (second.title, second.text, second.level, second.task_run_id) == ("slow", "", "info", "t-1")
    assert first.logged_at is not None
    assert first.waiting
    assert search_alerts() == [second, first]
    assert search_alerts("churn", level="warning", limit=1) == [first]
    delete_runs(run.id)
    assert search_alerts() == []


def test_one_that_repeats_itself_is_said_once_a_minute(fresh_ledger: Ledger) -> None:
    """An alert in a loop is said once; another title or level, or who wants each of them, is not held back."""
    with start_run() as run:
        assert [run.alert("NaN", f"at step {step}") for step in range(1_000)].count(True) == 1
        assert run.alert("NaN", level="error")
        assert run.alert("Inf")
        assert run.for_task("t").alert("Inf") is False
        assert [alert("each", every=0) for _ in range(3)] == [True] * 3
    assert len(get_run(run.id).alerts) == 6


@pytest.mark.parametrize(
    ("title", "text", "level", "says"),
    [
        ("", "", "info", "a title of 1 to 250 characters"),
        ("x" * 251, "", "info", "what is longer belongs into its text"),
        (7, "", "info", "a title of 1 to 250 characters"),
        ("x", "y" * 8_001, "info", "8,001 characters: log_text"),
        ("x", None, "info", "not NoneType"),
        ("x", "", "fatal", "info, warning, error, not 'fatal'"),
    ],
)
def test_what_is_no_alert_is_refused(fresh_ledger: Ledger, title: str, text: str, level: str, says: str) -> None:
    """A wrong alert is refused at the caller's line with what would be right, and leaves nothing."""
    with start_run() as run, pytest.raises(InvalidValue, match=says):
        run.alert(title, text, level)  # type: ignore[arg-type]
    assert get_run(run.id).alerts == []
    with pytest.raises(RunFinished):
        run.alert("late")
    with pytest.raises(NoActiveRun):
        alert("nowhere")


@pytest.mark.usefixtures("store_url")
@pytest.mark.parametrize("every", ["60", None, float("nan"), -1, [1]])
def test_seconds_that_are_none_are_refused(fresh_ledger: Ledger, every: object) -> None:
    """How often an alert may be said again is a number of seconds from 0, refused at the first call and not at the second."""
    with start_run() as run, pytest.raises(InvalidValue, match="every="):
        run.alert("title", every=every)  # type: ignore[arg-type]  # that is what is refused
    assert get_run(run.id).alerts == []


def test_it_is_posted_signed(telling_ledger: Ledger, told: Receiver) -> None:
    """The receiver is told run, experiment, title, text and level in a signed event, once; what the ledger says of it hides the path."""
    with start_run(experiment="churn", name="nightly") as run:
        run.alert("loss is NaN", "at step 17", level="error")
    assert telling.tell_alerts() == (1, 0, 0)
    assert telling.tell_alerts() == (0, 0, 0)
    [came] = told.came
    assert came.signed()
    assert came.path == "/T0/B0/private"
    said = came.event
    assert said["event"] == "prefect-ledger.run.alert"
    assert said["resource"]["prefect.resource.id"] == f"prefect-ledger.run.{run.id}"
    assert said["payload"] == {
        "title": "loss is NaN",
        "text": "at step 17",
        "level": "error",
        "run_id": run.id,
        "run_name": "nightly",
        "experiment": "churn",
        "attempt": 1,
        "task_run_id": "",
    }
    found = the_alert(run.id)
    assert (found.told, found.answer, found.waiting) == ((told.url,), "", False)


@pytest.mark.usefixtures("store_url")
def test_who_does_not_take_it_is_told_again(telling_ledger: Ledger, told: Receiver) -> None:
    """An alert that failed waits and is tried again later, with the same id; one that is refused for good is given up, with the answer."""
    told.say(503, 500)
    with start_run() as run:
        run.alert("first")
    now = time.time_ns() // 1_000
    assert telling.tell_alerts(now=now) == (0, 1, 0)
    assert (the_alert(run.id).waiting, the_alert(run.id).answer.startswith(f"{told.url}: 503")) == (True, True)
    assert telling.tell_alerts(now=now + 1_000_000) == (0, 0, 0)
    assert telling.tell_alerts(now=now + HOUR) == (0, 1, 0)
    assert telling.tell_alerts(now=now + 2 * HOUR) == (1, 0, 0)
    assert len({one.headers["x-prefect-ledger-delivery"] for one in told.came}) == 1
    assert the_alert(run.id).answer == ""
    told.say(404)
    with start_run() as run:
        run.alert("second")
    assert telling.tell_alerts() == (0, 0, 1)
    assert the_alert(run.id).answer.startswith(f"{told.url}: 404")
    assert not the_alert(run.id).waiting


def test_old_alerts_are_no_news(telling_ledger: Ledger, told: Receiver) -> None:
    """What could not be told within a day is not told any more."""
    with start_run() as run:
        run.alert("yesterday")
    assert telling.tell_alerts(now=time.time_ns() // 1_000 + 25 * HOUR) == (0, 0, 0)
    assert told.came == []
    assert the_alert(run.id).waiting


@pytest.mark.usefixtures("store_url")
def test_nobody_is_told_of_a_deleted_run(telling_ledger: Ledger, told: Receiver) -> None:
    """What a run that was deleted meanwhile wanted is told to nobody, unless it is restored."""
    with start_run() as run:
        run.alert("wanted")
    with start_run() as other:
        other.alert("not any more")
    delete_runs(run.id, other.id)
    assert telling.tell_alerts() == (0, 0, 0)
    restore_runs(run.id)
    assert telling.tell_alerts() == (1, 0, 0)
    assert [one.event["payload"]["title"] for one in told.came] == ["wanted"]


def test_the_least_level_is_a_setting(telling_ledger: Ledger, told: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alerts below the level of the settings are kept and not told."""
    monkeypatch.setattr(telling_ledger, "settings", Settings.resolve(alert_level="warning"))
    with start_run() as run:
        run.alert("fine", level="info")
        run.alert("hm", level="warning")
    assert telling.tell_alerts() == (1, 0, 0)
    assert [one.event["payload"]["title"] for one in told.came] == ["hm"]


def test_without_its_secret_nothing_is_posted(telling_ledger: Ledger, told: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alert that cannot be signed waits, and says what is missing."""
    monkeypatch.delenv("HOOK_SECRET")
    with start_run() as run:
        run.alert("unsigned")
    assert telling.tell_alerts() == (0, 1, 0)
    assert told.came == []
    assert "HOOK_SECRET is not set here" in the_alert(run.id).answer


def test_several_senders_tell_each_alert_once(telling_ledger: Ledger, told: Receiver) -> None:
    """Processes that tell at the same time share the work: twenty alerts, four senders, twenty posts."""
    with start_run() as run:
        for number in range(20):
            run.alert(f"number {number}")
    telling_ledger.flush()
    done: list[int] = []
    threads = [threading.Thread(target=lambda: done.append(telling.tell_alerts().done)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 20
    assert sorted(one.event["payload"]["title"] for one in told.came) == sorted(f"number {number}" for number in range(20))


SCRIPT = """
import os, signal, sys, time
from prefect_ledger import alert, start_run
from prefect_ledger.tracking import context
from prefect_ledger.webhooks import telling

if sys.argv[1] == "later":
    print(telling.tell_alerts(now=time.time_ns() // 1_000 + 120_000_000))
    sys.exit()
if sys.argv[1] == "killed":
    context.crier = lambda: os.kill(os.getpid(), signal.SIGKILL)  # the moment between saying and telling
with start_run(experiment="scripts"):
    alert("from a script", sys.argv[1])
"""


def test_a_script_tells_by_itself(told: Receiver, home: Path) -> None:
    """A script that says an alert and ends has told of it, with nobody else about; what one says that is killed is told by the next."""
    environ = {**os.environ, "PREFECT_LEDGER_ALERT_TO": told.url}

    def run(*words: str) -> int:
        return subprocess.run([sys.executable, *words], env=environ, timeout=60, check=False).returncode

    assert run("-c", SCRIPT, "ends") == 0
    assert [one.event["payload"]["text"] for one in told.came] == ["ends"]
    assert run("-c", SCRIPT, "killed") == -signal.SIGKILL
    assert run("-m", "prefect_ledger.cli", "recover") == 0
    assert run("-c", SCRIPT, "later") == 0
    assert [one.event["payload"]["text"] for one in told.came] == ["ends", "killed"]


LOADS = """
import sys, threading, time
from prefect_ledger import start_run
loaded = []
with start_run(experiment="scripts") as run:
    run.log_metric("loss", 0.5)
    while run._ledger.recorder._loading:  # what the recorder imports is done
        time.sleep(0.01)
    main = threading.get_ident()
    sys.addaudithook(lambda event, args: loaded.append(args[0]) if event == "import" and threading.get_ident() == main else None)
    run.alert("said")
    print(*[name for name in loaded if name.startswith(("prefect_ledger.webhooks", "prefect_ledger.registry", "http", "sqlalchemy"))])
"""


@pytest.mark.parametrize("named", [True, False])
def test_who_says_the_first_alert_waits_for_no_import(told: Receiver, home: Path, named: bool) -> None:
    """What tells of alerts is loaded behind the back of who says one, and not at all where nobody is named."""
    environ = {**os.environ, **({"PREFECT_LEDGER_ALERT_TO": told.url} if named else {})}
    done = subprocess.run([sys.executable, "-c", LOADS], env=environ, timeout=60, check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("\n", "")
    assert len(told.came) == named


@pytest.mark.parametrize("way", ["ftp://hooks.example", "slack-webhook/team", "block:Slack", "hunter2"])
def test_a_way_that_is_none_is_refused_and_not_quoted(home: Path, way: str) -> None:
    """Settings say which forms there are, and repeat nothing that may be a secret."""
    with pytest.raises(InvalidSettings, match="neither a URL") as refused:
        Settings.resolve(alert_to=f"https://hooks.example/x, {way}")
    assert way not in str(refused.value).replace("block:slack-webhook/team", "")
    with pytest.raises(InvalidSettings, match="is not the secret"):
        Settings.resolve(alert_secret="hunter2")
    with pytest.raises(InvalidSettings, match="say info, warning, error"):
        Settings.resolve(alert_level="fatal")


def test_ways_are_said_as_text_or_as_a_list(home: Path) -> None:
    """Several ways have commas between them, or are a list in a file; each is used once."""
    both = ("https://a.example/x", "block:slack-webhook/team")
    assert Settings.resolve(alert_to=" https://a.example/x, block:slack-webhook/team,").alert_to == both
    assert Settings.resolve(alert_to=[*both, both[0]]).alert_to == both
    assert "a.example" not in repr(Settings.resolve(alert_to=both))


@pytest.mark.parametrize("module", [telling, errands])
def test_examples(module: object, fresh_ledger: Ledger) -> None:
    """What a docstring shows is what comes out."""
    assert ledger_module.ledger() is fresh_ledger
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert (result.failed, result.attempted > 0) == (0, True)
