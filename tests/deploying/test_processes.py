"""Processes that outlive whoever started them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from prefect_ledger.deploying import processes
from prefect_ledger.deploying.local import Local
from prefect_ledger.serving.pages import INSTANCE

WORD = "PREFECT_LEDGER_TEST_WORD"
_STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a child inherits that
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("ready", flush=True)
time.sleep(600)
"""


def started(folder: Path, variable: str, word: str, code: str = "import time; print('ready', flush=True); time.sleep(600)") -> int:
    """A process that has said that it runs."""
    log = folder / f"{word}.log"
    pid = processes.start([sys.executable, "-c", code], log=log, env={**os.environ, variable: word}, folder=folder)
    while "ready" not in log.read_text():
        assert processes.lives(pid, variable, word), log.read_text()
    return pid


def test_a_process_is_known_by_its_word_and_not_by_its_pid(tmp_path: Path) -> None:
    """A pid that is another's now is not taken for it; ending one word leaves other processes alone."""
    one, other = started(tmp_path, WORD, "one"), started(tmp_path, WORD, "other")
    try:
        assert processes.lives(one, WORD, "one")
        assert not processes.lives(one, WORD, "other")
        assert not processes.lives(os.getpid(), WORD, "one")
        processes.end(WORD, "one", seconds=10)
        assert not processes.lives(one, WORD, "one")
        assert not psutil.pid_exists(one)
        assert processes.lives(other, WORD, "other")
    finally:
        processes.end(WORD, "other", seconds=10)
    processes.end(WORD, "other", seconds=10)


def test_who_does_not_end_when_asked_is_made_to_with_its_children(tmp_path: Path) -> None:
    """SIGTERM is ignored by a process and its child: both are gone after the time they were given."""
    pid = started(tmp_path, WORD, "stubborn", _STUBBORN)
    children = psutil.Process(pid).children()
    assert len(children) == 1
    processes.end(WORD, "stubborn", seconds=0.2)
    assert not psutil.pid_exists(pid)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


@pytest.mark.parametrize("verb", ["create", "delete"])
def test_what_a_killed_creation_left_is_ended(tmp_path: Path, doubling: Path, verb: str) -> None:
    """A server that nobody wrote down is found by the folder that was begun for it, and ended before another is made."""
    local = Local(tmp_path / "ledger")
    folder = local.records.begin("one")
    pid = started(tmp_path, INSTANCE, folder.name)
    try:
        if verb == "delete":
            local.delete("one")
        else:
            with pytest.raises(PermissionError):
                local.create("one", str(doubling))
        assert not psutil.pid_exists(pid)
        assert not local.records.folder("one").exists()
    finally:
        processes.end(INSTANCE, folder.name, seconds=5)
