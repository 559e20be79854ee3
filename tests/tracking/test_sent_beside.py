"""Pictures, tables and figures for a root that is far are sent in the background: nobody waits for a network, and nothing is lost by it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from prefect_ledger import get_run, start_run
from prefect_ledger.artifact_store import ArtifactStore
from prefect_ledger.held_artifacts import held, send
from prefect_ledger.tracking import keeping
from prefect_ledger.tracking import ledger as module
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.sending import Sender
from tests.services_real.proxy import Fault, Proxy, proxy
from tests.services_real.s3 import S3Server
from tests.tracking.far import ledger_over

STALLED = Fault("stall", "up", 0)
PATIENT: dict[str, Any] = {"read_timeout": 120, "retries": {"mode": "standard", "total_max_attempts": 1}}


@pytest.fixture
def between(s3: S3Server) -> Iterator[Proxy]:
    """A line to the S3 server that can stand still."""
    with proxy(s3.url) as one:
        yield one


@pytest.fixture
def one(s3: S3Server, between: Proxy, home: Path) -> Iterator[Ledger]:
    """The ledger of this process, its artifacts in an empty bucket behind that line."""
    with ledger_over(between, s3, PATIENT) as made:
        yield made


def log(run: Any, number: int) -> None:
    """One of each."""
    run.log_image(np.full((2, 2), number, "uint8"), key="a", step=number)
    run.log_table({"n": [number]}, "t", step=number)
    figure = Figure(figsize=(1, 1))
    run.log_figure(figure, key="f", step=number)


def drop(between: Proxy) -> None:
    """End the connections that stand still."""
    for end in list(between._open):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def check(run_id: str, count: int) -> None:
    """All of them are there, whole, and read back as they were logged."""
    found = get_run(run_id)
    assert [(one.step, one.open().getpixel((0, 0))) for one in found.images("a")] == [(n, n) for n in range(count)]
    assert found.table("t", as_="arrow").to_pydict() == {"step": list(range(count)), "n": list(range(count))}
    assert [one.step for one in found.figures("f")] == list(range(count))


def test_they_are_read_back_while_the_run_goes_on(one: Ledger) -> None:
    """Reading one's own run brings them in first; nothing stays behind on the machine."""
    with start_run(experiment="e") as run:
        for number in range(3):
            log(run, number)
            check(run.id, number + 1)
        assert all(artifact.uri.startswith("s3://") for artifact in get_run(run.id).artifacts)
        assert held(keeping.folder_of(one.settings)) == []


def test_a_network_that_stands_still_is_not_waited_for(one: Ledger, between: Proxy) -> None:
    """Every call returns while no byte goes through; when the line is there again, everything has arrived."""
    between.fault = STALLED
    with start_run(experiment="e") as run:
        caller = threading.Thread(target=lambda: list(map(log, [run] * 4, range(4))), daemon=True)
        caller.start()
        caller.join(60)
        assert not caller.is_alive()
        assert sum(len(events) for _, events in held(keeping.folder_of(one.settings))) == 12
        between.fault = None
        drop(between)
        one.flush()
        keeping._away.clear()
        send(keeping.folder_of(one.settings), one.artifacts, one.database)
        check(run.id, 4)


PROGRAM = """
import os, signal
from prefect_ledger import start_run
run = start_run(experiment="e")
for number in range(3):
    run.log_table({"n": [number]}, "t", step=number)
print(run.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.long
def test_what_a_killed_process_had_not_sent_is_recovered(s3: S3Server, between: Proxy, one: Ledger, home: Path) -> None:
    """Killed while nothing went through: the next that recovers sends it, and the digests hold."""
    between.fault = STALLED
    env = {**os.environ, **s3.environment(between.url), "PREFECT_LEDGER_ARTIFACT_ROOT": one.settings.artifact_root}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    between.fault = None
    sent = subprocess.run(
        [Path(sys.executable).with_name("prefect-ledger"), "recover"], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert sent.returncode == 0, sent.stderr
    assert get_run(done.stdout.strip()).table("t", as_="arrow")["n"].to_pylist() == [0, 1, 2]


def test_a_forked_child_sends_its_own(one: Ledger) -> None:
    """A process that was forked after the parent had begun to send logs and sends as well."""
    with start_run(experiment="e") as run:
        run.log_image(np.full((2, 2), 0, "uint8"), key="a", step=0)
        child = os.fork()
        if child == 0:
            try:
                run.log_image(np.full((2, 2), 1, "uint8"), key="a", step=1)
                module.ledger().close()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
    one.flush()
    assert [(one.step, one.open().getpixel((0, 0))) for one in get_run(run.id).images("a")] == [(0, 0), (1, 1)]


FORKING = """
import gc
import os
from prefect_ledger import start_run
from prefect_ledger.tracking.ledger import ledger
run = start_run(experiment="e")
for number in range(4):
    for part in range(5):
        run.log_text("parent", f"{number}-{part}.txt")
    child = os.fork()
    if child == 0:
        if number % 2:
            gc.set_threshold(1)  # whichever thread allocates collects: the driver's own too
            run.log_text("child", f"child {number}.txt")
            ledger().close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
print(run.id)
"""


@pytest.mark.long
def test_a_forked_child_leaves_its_parents_connections_alone(s3: S3Server, one: Ledger, home: Path) -> None:
    """A child that talks to the root itself and ends does not take the answers that its parent waits for."""
    env = {**os.environ, **s3.environment(), "PREFECT_LEDGER_ARTIFACT_ROOT": one.settings.artifact_root}
    done = subprocess.run([sys.executable, "-c", FORKING], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "attached to a different loop" in done.stderr) == (0, False), done.stderr
    assert len(get_run(done.stdout.strip()).artifacts) == 22


def test_a_sender_sends_what_it_was_asked_for() -> None:
    """Each request is answered by a call that began after it; waiting for none takes no time; calls never overlap."""
    began, free, busy = threading.Event(), threading.Event(), threading.Lock()
    sent: list[None] = []

    def work() -> None:
        assert busy.acquire(blocking=False)
        began.set()
        assert free.wait(30)
        sent.append(None)
        busy.release()

    sender = Sender(work)
    assert sender.flush(0)
    sender.soon()
    assert began.wait(30)
    for _ in range(5):
        sender.soon()
    assert not sender.flush(0)
    free.set()
    assert sender.flush(30)
    assert len(sent) == 2


def test_near_roots_are_written_at_once(home: Path, tmp_path: Path) -> None:
    """A folder and memory are no network: what is logged there stands when the call returns."""
    assert not ArtifactStore(str(tmp_path)).far
    assert not ArtifactStore("memory://x").far
    assert ArtifactStore("s3://bucket/x").far


ENDLESS = """
import itertools
from prefect_ledger import start_run
run = start_run(experiment="e")
print(run.id, flush=True)
for number in itertools.count():
    run.log_table({"n": [number]}, "t", step=number)
    print(number, flush=True)
"""


@pytest.mark.soak
def test_killed_while_it_sends_nothing_is_lost_or_doubled(s3: S3Server, one: Ledger, home: Path) -> None:
    """At whatever moment of sending a process is killed: what a call had returned for is read back once, whole, after recovery."""
    chance = random.Random(7)
    env = {**os.environ, **s3.environment(), "PREFECT_LEDGER_ARTIFACT_ROOT": one.settings.artifact_root}
    command = Path(sys.executable).with_name("prefect-ledger")
    for _ in range(8):
        with subprocess.Popen([sys.executable, "-c", ENDLESS], env=env, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            run_id = child.stdout.readline().strip()
            first = child.stdout.readline()
            time.sleep(chance.uniform(0, 2))
            child.kill()
            returned = [int(line) for line in [first, *child.stdout] if line.endswith("\n")]
        done = subprocess.run([command, "recover"], env=env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        table = get_run(run_id).table("t", as_="arrow")
        assert table["step"].to_pylist() == table["n"].to_pylist()
        assert table["n"].to_pylist()[: len(returned)] == returned
        assert table.num_rows - len(returned) in (0, 1)  # a call that was interrupted may be there too
        assert held(keeping.folder_of(one.settings)) == []
