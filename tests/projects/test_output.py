"""What a program says, kept while it runs: no part of a secret shows before the rest of it has come, nor where the middle is left out."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_ledger import get_run, search_runs, start_run
from prefect_ledger.held_artifacts import held
from prefect_ledger.masking import mask_text
from prefect_ledger.projects.output import Output
from prefect_ledger.projects.recording import Log
from prefect_ledger.tracking import keeping
from prefect_ledger.tracking.ledger import Ledger, LedgerWarning
from tests.cli.conftest import command, environment
from tests.projects.conftest import Write

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIhidden1\nMIIhidden2\n-----END RSA PRIVATE KEY-----\n"
SPOKEN = [
    "starting\n",
    "it's said 'twice\n",
    KEY,
    'password = """hidden3\nhidden4\n"""\n',
    "then {'token': 'hidden5\nhidden6', 'x': 1}\n",
    "<password>hidden7\nhidden8</password>\n",
    "api_key = [\n  'hidden9',\n  hidden10\n]\n",
    "secret=`hidden11\nhidden12`\n",
    "given-hidden\nin-lines-hidden\n",
    "x ghp_hiddenhidden1234567890 y\n",
    "url https://bob:hidden13@host/x\n",
    "ready\n",
]
GIVEN = "given-hidden\nin-lines-hidden"


def _said(output: Output, text: str, size: int) -> list[str]:
    """What is handed out after each piece."""
    found = []
    for at in range(0, len(text), size):
        output.take(text[at : at + size], "out")
        found.append(output.so_far())
    return found


@pytest.mark.parametrize("size", [1, 7, 64])
def test_no_part_of_a_secret_shows_before_the_rest_of_it_has_come(size: int) -> None:
    """Cut at every letter: secrets of several lines, in quotes, brackets, tags and keys, and one that was given as a parameter."""
    text = "".join(SPOKEN)
    output = Output("none", [GIVEN])
    for some in _said(output, text, size):
        assert "hidden" not in some
    assert "hidden" not in output.text()
    assert output.so_far().count("ready\n") == 1
    assert output.so_far().startswith("starting\n")


@pytest.mark.parametrize("half", [60, 150, 333])
@pytest.mark.parametrize("size", [1, 13])
def test_no_part_of_a_secret_shows_where_the_middle_is_left_out(size: int, half: int) -> None:
    """Wherever a secret lies when the beginning ends, or the end begins: while the program speaks, and in the end."""
    output = Output("none", [GIVEN], half=half)
    for low in range(0, len(text := "".join(SPOKEN) * 2), size):
        output.take(text[low : low + size], "out")
        assert "hidden" not in output.so_far()
    assert "hidden" not in output.text()
    assert "letters left out" in output.text()
    assert output.text().endswith("ready\n")


def test_one_stream_does_not_break_into_a_line_of_the_other() -> None:
    """A secret that came in two pieces is whole, whatever the other stream said between them; a line that never ended is last."""
    output = Output("none")
    for piece, name in (("token=hid", "out"), ("warned\n", "err"), ("den1\nlast pass", "out"), ("word=hidden2", "out")):
        output.take(piece, name)
    assert output.so_far() == "warned\ntoken=********\n"
    assert output.text() == "warned\ntoken=********\nlast password=********"


def test_a_line_that_never_ends_is_not_waited_for_for_ever() -> None:
    """Its letters count, so that a program without a line's end takes no memory without bounds."""
    output = Output("none", half=1000)
    for _ in range(30):
        output.take("." * 10_000, "out")
    assert output.letters == 280_000
    assert output.so_far() == "… (209,000 letters left out) …\n"


@given(st.lists(st.sampled_from(["loss 0.25\n", "epoch 3 of 10\n", "\n", "it is 'so'\n", "ünïcode\n"]), max_size=20), st.integers(1, 30))
def test_what_is_no_secret_is_there_line_by_line(lines: Sequence[str], size: int) -> None:
    """While it runs, every line that was ended; in the end, all of it."""
    text = "".join(lines)
    output = Output("none")
    for low, some in zip(range(size, len(text) + size, size), _said(output, text, size), strict=True):
        assert some == text[: text.rfind("\n", 0, low) + 1]
    assert output.text() == mask_text(text) == text


_WAITS = """
import os, sys, time

print("epoch 1")
print("-----BEGIN PRIVATE KEY-----\\nMIIhidden\\n-----END PRIVATE KEY-----")
print("password=hidden", "done with 1", file=sys.stderr)
sys.stdout.write("half a line, token=hid")
sys.stdout.flush()
open("pid.part", "w").write(str(os.getpid()))
os.rename("pid.part", "pid")
time.sleep(600)
"""
_RUNS = "from prefect_ledger import run_project; run_project('.', env_manager='local', experiment='killed', echo=False)"


def test_what_a_killed_project_run_had_said_is_kept(home: Path, fresh_ledger: Ledger, project: Write) -> None:
    """Who runs it is killed: the run is CRASHED once recovered, and what the program had said by then is its ``output.log``, masked."""
    folder = project(main_py=_WAITS)
    runner = subprocess.Popen([sys.executable, "-c", _RUNS], cwd=folder, env=environment(home), stderr=subprocess.DEVNULL)
    try:
        while "done with 1" not in _stored():
            assert runner.poll() is None
            time.sleep(0.1)
    finally:
        runner.kill()
        runner.wait()
        if (folder / "pid").exists():
            psutil.Process(int((folder / "pid").read_text())).kill()
    assert command("recover", home=home).returncode == 0
    [found] = search_runs()
    assert found.status == "CRASHED"
    assert sorted(_stored().splitlines()) == ["********", "epoch 1", "password=******** done with 1"]
    assert not [path for path in home.rglob("*") if path.is_file() and b"hidden" in path.read_bytes()]


def _stored() -> str:
    """The output of the one run, as far as it is stored."""
    logs = [one for run in search_runs() for one in run.artifacts if one.path == "output.log"]
    return get_run(logs[0].run_id).read_artifact("output.log").decode() if logs else ""


def test_texts_take_the_place_of_those_before(fresh_ledger: Ledger) -> None:
    """Each of them can be read as soon as its row is there, and in the end nothing is left of any but the last."""
    with start_run(experiment="logs") as run:
        log = Log(run)
        for number in range(4):
            before = [one.path for one in fresh_ledger.artifacts.everything()]
            log.so_far(f"{number}\n")
            assert len(before) <= 2
            assert get_run(run.id).read_artifact("output.log").decode() == f"{number}\n"
        log.whole("all\n")
    found = get_run(run.id)
    assert found.read_artifact("output.log") == b"all\n"
    assert [one.path.rpartition("/")[2] for one in fresh_ledger.artifacts.everything()] == ["output.log"]
    assert [one.metadata["media"] for one in found.artifacts] == ["text/plain"]


def test_what_is_written_when_its_writer_is_killed_does_not_spoil_what_was_kept(fresh_ledger: Ledger) -> None:
    """Bytes without their row: the row that is there has its own."""
    with start_run(experiment="logs") as run:
        log = Log(run)
        log.so_far("first\n")
        log.so_far("second\n")
        fresh_ledger.artifacts.put_bytes(run.artifact_uri, "output.log.1", b"third, whose row was never said\n")
        assert get_run(run.id).read_artifact("output.log") == b"second\n"


def test_what_is_held_does_not_pile_up(fresh_ledger: Ledger, tmp_path: Path) -> None:
    """While the root is away one text is held, the last one, and it is sent when the root is back."""
    root = Path(fresh_ledger.settings.artifact_root)
    root.parent.mkdir(parents=True, exist_ok=True)
    with start_run(experiment="logs") as run:
        shutil.rmtree(root, ignore_errors=True)
        root.write_text("no folder")
        log = Log(run)
        with pytest.warns(LedgerWarning, match="held"):
            log.so_far("0\n")
        for text in ("1\n", "2\n"):
            log.so_far(text)
            assert len(held(fresh_ledger.settings.held_folder)) == 1
        root.unlink()
        keeping._away.clear()  # as after half a minute
        log.whole("all\n")
    assert get_run(run.id).read_artifact("output.log") == b"all\n"
    assert held(fresh_ledger.settings.held_folder) == []
