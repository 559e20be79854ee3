"""``prefect-ledger sync``: what was logged offline comes in once, wherever it lies and whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger.artifact_store import ArtifactStore
from prefect_ledger.cli import recovery
from prefect_ledger.recovery import Recovered
from tests.cli.conftest import command, document, environment, process
from tests.services.scripts import Place, ended

OFFLINE = {"PREFECT_LEDGER_MODE": "offline"}
QUIET = {"PREFECT_LEDGER_WATCH": "no", "PREFECT_LEDGER_CAPTURE_GIT": "no", "PREFECT_LEDGER_CAPTURE_PACKAGES": "no"}

LOGS = """
import os, sys
from prefect_ledger import log_model, start_run

count = int(sys.argv[1])
with start_run(experiment="away", name="plane", tags={"seat": "7A"}) as run:
    run.log_params({"depth": 6})
    for i in range(count):
        run.log_metric("loss", 0.5, step=i)
    run.log_text("hello", "notes/a.txt")
    log_model(lambda data: [2 * x for x in data], "double", register="double")
    if len(sys.argv) > 2:
        os.kill(os.getpid(), 9)
"""


def log(home: Path, *arguments: str, code: int = 0, **more: str) -> None:
    """Run the program above offline, to its end."""
    env = environment(home, **OFFLINE, **QUIET, **more)
    done = subprocess.run([sys.executable, "-c", LOGS, *arguments], env=env, cwd=home.parent, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr


def paths(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def holds(place: Place, status: str = "COMPLETED", points: int = 1_000) -> str:
    """See that the one run of the program is in the store whole, and nothing of it is left anywhere else; returns its id."""
    (run,) = place.runs()
    assert (run.name, run.status, run.params, run.tags["seat"]) == ("plane", status, {"depth": "6"}, "7A")
    assert place.steps(run.id, "loss") == list(range(points))
    settings = place.settings
    with place.reader() as reader:
        found = reader.artifacts(run.id)
        store = ArtifactStore(settings.artifact_root)
        assert all(store.read_bytes(one.uri, sha256=one.sha256) for one in found)
        assert {one.path for one in found if one.kind == "text"} == {"notes/a.txt"}
        (model,) = reader.models(run.id)
        version = reader.version("double", "latest")[0]
        assert (model.name, version.version) == ("double", 1)
    assert str(run.artifact_uri).startswith(settings.artifact_root)
    assert [name for name in paths(settings.journal_root) if not name.endswith(".lock")] == []
    return run.id


def test_what_was_logged_offline_comes_in_once(tmp_path: Path) -> None:
    """Values, tags, artifacts, the model and its registration are in, the run is COMPLETED; a second sync has nothing to do."""
    home = tmp_path / "ledger"
    log(home, "1000")
    assert not (home / "ledger.db").exists()
    done = command("sync", home=home)
    assert (done.returncode, "brought in 1 journal: 1,000 points" in done.stdout) == (0, True), done.stdout + done.stderr
    assert "of 1 run" in done.stdout
    assert "sent 7 held artifacts" in done.stdout
    holds(Place(home))
    again = document(command("sync", "--json", home=home))
    assert (again["journals"], again["points"], again["held_artifacts"]["sent"]) == (0, 0, 0)
    assert "nothing waits" in command("sync", home=home).stdout
    holds(Place(home))


def test_recover_is_sync(tmp_path: Path) -> None:
    """The older command does the same, in an environment that still says offline too; a killed run is CRASHED."""
    home = tmp_path / "ledger"
    log(home, "1000", "kill", code=-9)
    done = command("recover", home=home, **OFFLINE)
    assert (done.returncode, "crashed: " in done.stderr) == (0, True), done.stdout + done.stderr
    holds(Place(home), "CRASHED")


def test_a_store_that_is_set_later_gets_what_was_logged_for_none(tmp_path: Path, postgres_url: str) -> None:
    """A laptop logs offline with no settings at all; then the team's store and artifact root are set: sync brings everything there."""
    home = tmp_path / "ledger"
    log(home, "1000")
    team = {"PREFECT_LEDGER_STORE_URL": postgres_url, "PREFECT_LEDGER_ARTIFACT_ROOT": str(tmp_path / "team")}
    assert command("sync", home=home, **team).returncode == 0
    holds(Place(home, postgres_url, more={"PREFECT_LEDGER_ARTIFACT_ROOT": str(tmp_path / "team")}))
    assert not (home / "ledger.db").exists()
    assert not (home / "artifacts").exists()


@pytest.mark.long
def test_what_was_meant_for_another_store_is_not_mixed_in(tmp_path: Path) -> None:
    """Logged offline for one store and synced for another: nothing is brought in, the exact command is said, and that does it."""
    home = tmp_path / "ledger"
    log(home, "1000", PREFECT_LEDGER_STORE_URL="postgresql://ann:hunter2secret@db.example/ledger")
    done = command("sync", home=home)
    assert "nothing waits" in done.stdout
    assert "not brought in: 1 journal for postgresql+psycopg://ann:********@db.example/ledger" in done.stderr
    assert "hunter2secret" not in done.stdout + done.stderr
    words = done.stderr.strip().rpartition("instead: prefect-ledger ")[2].split()
    assert "waits for postgresql+psycopg://ann:********@db.example/ledger" in command("doctor", home=home).stdout
    done = command(*words, home=home)
    assert (done.returncode, "into sqlite" in done.stdout) == (0, True), done.stdout + done.stderr
    holds(Place(home))


def of_another_machine(folder: Path) -> None:
    """Make journals those of a machine with another name."""
    for owner in folder.rglob("owner.json"):
        owner.write_text(json.dumps(json.loads(owner.read_text()) | {"host": "node7", "boot": "another", "beside": "/nowhere"}))


def test_a_folder_that_was_copied_from_another_machine(tmp_path: Path) -> None:
    """A node without network logs; its folder is copied twice, and both copies are synced elsewhere: all is there, once."""
    node, home = tmp_path / "node" / "ledger", tmp_path / "here" / "ledger"
    node.parent.mkdir()
    home.parent.mkdir()
    log(node, "1000")
    of_another_machine(node)
    shutil.copytree(node, tmp_path / "usb")
    shutil.copytree(node / "journals" / "offline" / "any", tmp_path / "usb2")
    (tmp_path / "usb2" / "my own").mkdir()
    (tmp_path / "usb2" / "journals" / "no journal").mkdir()
    (tmp_path / "usb2" / "journals" / ".hidden").mkdir()
    done = command("sync", str(tmp_path / "usb"), home=home)
    assert (done.returncode, "1,000 points" in done.stdout) == (0, True), done.stdout + done.stderr
    run = holds(Place(home))
    assert command("sync", str(tmp_path / "usb2"), home=home).returncode == 0
    assert holds(Place(home)) == run
    assert paths(tmp_path / "usb2") == []
    assert all((tmp_path / "usb2" / name).is_dir() for name in ("my own", "journals/no journal", "journals/.hidden"))


def test_one_journal_of_many(tmp_path: Path) -> None:
    """A single journal can be named, and those beside it stay."""
    node, home = tmp_path / "node" / "ledger", tmp_path / "ledger"
    node.parent.mkdir()
    for _ in range(2):
        log(node, "10")
    first, second = sorted((node / "journals" / "offline" / "any" / "journals").iterdir())
    assert command("sync", str(first), home=home).returncode == 0
    assert len(Place(home).runs()) == 1
    assert (first.exists(), second.exists()) == (False, True)


def test_a_copy_that_may_still_be_written_is_left_alone_for_five_minutes(tmp_path: Path) -> None:
    """A killed run's journal of another machine, whose end nobody saw: it is left while it looks fresh, which is said, and then taken."""
    node, home = tmp_path / "node" / "ledger", tmp_path / "ledger"
    node.parent.mkdir()
    log(node, "1000", "kill", code=-9)
    of_another_machine(node)
    done = command("sync", str(node), home=home)
    assert "another machine wrote less than five minutes ago" in " ".join(done.stderr.split())
    assert [dict(run.metrics) for run in Place(home).runs()] == [{}]  # its artifacts are whole, and in
    for path in node.rglob("*"):
        os.utime(path, (time.time() - 600,) * 2)
    assert command("sync", str(node), home=home).returncode == 0
    holds(Place(home), "CRASHED")


def test_a_folder_that_was_emptied_is_said_to_be_empty(tmp_path: Path) -> None:
    """Whoever syncs a folder once more, or one that never held anything, is told so; nothing is wrong, and the others come in."""
    node, home, empty = tmp_path / "node" / "ledger", tmp_path / "ledger", tmp_path / "empty"
    node.parent.mkdir()
    empty.mkdir()
    done = command("sync", str(empty), home=home)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout == f"nothing waits in {empty}: no journal and no held artifact lies there\n"
    assert not (home / "ledger.db").exists()
    log(node, "1000")
    done = command("sync", str(empty), str(node), home=home)
    assert (done.returncode, "nothing waits in" in done.stdout, "1,000 points" in done.stdout) == (0, True, True), done.stdout
    run = holds(Place(home))
    done = command("sync", str(node), home=home)
    assert (done.returncode, done.stdout) == (0, f"nothing waits in {node}: no journal and no held artifact lies there\n"), done.stderr
    told = json.loads(command("sync", str(node), "--json", home=home).stdout)
    assert (told["journals"], told["folders"]) == (0, [])
    assert holds(Place(home)) == run


@pytest.mark.parametrize("what", ["no folder", "renamed"])
def test_a_folder_that_cannot_be_meant_is_refused_in_words(tmp_path: Path, what: str) -> None:
    """A folder that is not there, or holds a journal under another name: exit code 1, and what to do."""
    home, folder = tmp_path / "ledger", tmp_path / "given"
    if what == "renamed":
        log(tmp_path / "node", "10")
        (journal,) = (tmp_path / "node" / "journals" / "offline" / "any" / "journals").iterdir()
        journal.rename(folder)
    done = command("sync", str(folder), home=home)
    words = {"no folder": "is no folder", "renamed": "give the folder its name back"}
    assert (done.returncode, words[what] in done.stderr) == (1, True), done.stderr
    assert not (home / "ledger.db").exists()


def test_a_folder_from_somebody_else_reads_and_removes_nothing_of_ours(tmp_path: Path) -> None:
    """Held artifacts whose list names paths outside, or whose bytes are links, are not sent, and nothing outside is touched."""
    node, home = tmp_path / "node", tmp_path / "ledger"
    log(node, "10")
    secret = tmp_path / "secret.txt"
    secret.write_text("mine")
    held = node / "journals" / "offline" / "any" / "held"
    (said,) = [path for path in held.glob("*/said.jsonl") if "notes/a.txt" in path.read_text()]
    line: dict[str, Any] = json.loads(said.read_text())
    up = "../" * 20 + str(secret).lstrip("/")
    (said.parent / "bytes" / "link.txt").symlink_to(secret)
    outside = {**line, "path": "notes/a.txt", "uri": f"{tmp_path}/elsewhere/notes/a.txt"}
    said.write_text("\n".join(json.dumps(one) for one in ({**line, "path": up}, {**line, "path": "link.txt"}, outside)))
    done = command("sync", str(node), home=home)
    assert (done.returncode, "was logged for another artifact root" in " ".join(done.stderr.split())) == (1, True), done.stderr
    assert secret.read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()
    assert "mine" not in [path.read_text() for path in (home / "artifacts").rglob("*.txt")]


ALIVE = """
import sys
from prefect_ledger import start_run
with start_run(experiment="away", name="alive") as run:
    run.log_metric("loss", 0.5)
    print("ready", flush=True)
    sys.stdin.readline()
"""


def test_a_journal_in_which_no_run_began(capsys: pytest.CaptureFixture[str]) -> None:
    """Of one whose runs the store had already, nothing is said of how many there are."""
    recovery._report(Recovered(journals=1, points=5, events=2), [], "")
    recovery._report(Recovered(journals=1, points=5, events=2, runs=1), [], "the store")
    assert capsys.readouterr().out.splitlines() == [
        "brought in 1 journal: 5 points and 2 other records",
        "brought in 1 journal: 5 points and 2 other records, of 1 run, into the store",
    ]


def test_a_process_that_still_logs_is_left_alone_and_watched_for(tmp_path: Path) -> None:
    """What a living process logs offline is brought in by ``sync --watch`` when it has ended, with nobody typing; Ctrl-C ends the watch."""
    home = tmp_path / "ledger"
    env = environment(home, **OFFLINE, **QUIET)
    child = subprocess.Popen(
        [sys.executable, "-c", ALIVE],
        env=env,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    done = command("sync", home=home)
    assert "left alone: 1 journal" in done.stderr
    program = [str(Path(sys.executable).with_name("prefect-ledger")), "sync", "--watch", "1"]
    watch = subprocess.Popen(program, env=environment(home), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert ended_with(child, "go\n") == 0
        assert watch.stdout is not None
        assert "brought in 1 journal: 1 point" in watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        assert ended(watch).code == 0
    finally:
        watch.kill()
        watch.wait()
    (run,) = Place(home).runs()
    assert (run.name, run.status) == ("alive", "COMPLETED")


def ended_with(child: subprocess.Popen[str], line: str) -> int:
    child.communicate(line, timeout=60)
    return child.returncode


@pytest.mark.long
def test_doctor_tells_the_mode_and_what_waits(tmp_path: Path) -> None:
    """Offline: the mode with its source, the journal and the artifacts that wait, and what brings them in; a store that is away is no fault
    then. Disabled: that nothing is recorded, whatever the other settings are."""
    home = tmp_path / "ledger"
    log(home, "10")
    done = document(command("doctor", "--json", home=home, **OFFLINE, PREFECT_LEDGER_STORE_URL="postgresql://a:hunter2@127.0.0.1:1/none"))
    found = {(check["topic"], check["name"]): check for check in done["checks"]}
    mode = found["settings", "mode"]
    assert (mode["verdict"], mode["details"]) == ("note", {"value": "offline", "from": "environment PREFECT_LEDGER_MODE"})
    assert found["store", "reachable"]["verdict"] == "note"
    waiting = [check["remedy"] for check in done["checks"] if check["verdict"] == "note" and "prefect-ledger sync" in check["remedy"]]
    assert len(waiting) == 3, waiting
    bad = {"PREFECT_LEDGER_MODE": "disabled", "PREFECT_LEDGER_STORE_URL": "nonsense"}
    done = command("doctor", home=home, **bad)
    assert done.returncode == 0, done.stdout
    assert "nothing is recorded" in done.stdout
    assert "store_url" in done.stdout


def test_a_store_that_is_away_keeps_everything_where_it_is(tmp_path: Path) -> None:
    """Sync without its store says so in words and exits with 1; nothing is lost by trying."""
    home = tmp_path / "ledger"
    (tmp_path / "place").write_text("")
    log(home, "1000")
    away = {"PREFECT_LEDGER_STORE_URL": f"sqlite:///{tmp_path}/place/ledger.db"}
    done = command("sync", home=home, **away)
    assert (done.returncode, "error: the store" in done.stderr) == (1, True), done.stderr
    (tmp_path / "place").unlink()
    assert command("sync", home=home, **away).returncode == 0
    holds(Place(home, away["PREFECT_LEDGER_STORE_URL"], more={"PREFECT_LEDGER_ARTIFACT_ROOT": str(home / "artifacts")}))


def race(home: Path, kills: int, seed: int) -> None:
    """Sync by two processes at once, killed ``kills`` times at a moment that ``seed`` chooses; then once in peace."""
    chance = random.Random(seed)
    program = [str(Path(sys.executable).with_name("prefect-ledger")), "sync", "--json"]
    for _ in range(kills):
        pair = [subprocess.Popen(program, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
        time.sleep(0.5 + chance.random() * 1.5)
        for one in pair:
            one.kill()
            one.wait()
    pair = [subprocess.Popen(program, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert {one.wait(120) for one in pair} == {0}
    assert process("sync", home=home).returncode == 0


@pytest.mark.long
def test_two_at_once_that_are_killed_half_way(tmp_path: Path) -> None:
    """Two syncs at once are killed in the middle and begun again: every value and every artifact is there, once."""
    home = tmp_path / "ledger"
    log(home, "1000000")
    race(home, kills=1, seed=1)
    assert holds(Place(home), points=1_000_000)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(12))
def test_syncs_that_are_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    """The same, killed three times at other moments."""
    home = tmp_path / "ledger"
    log(home, "2500000")
    race(home, kills=3, seed=seed)
    assert holds(Place(home), points=2_500_000)
