"""However a program ends, what it logged is in the store, or is recovered, and its run says how it ended."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.services.scripts import Place, ended

LOG = """
    import atexit, os, signal, sys, threading, time
    from prefect_ledger import current_run, log_metric, start_run

    def log():
        for i in range(1_000):
            log_metric("loss", 0.5, step=i)
"""
BLOCK = (
    LOG
    + """
    with start_run(experiment="exits") as run:
        log()
        {end}
"""
)
BARE = (
    LOG
    + """
    run = start_run(experiment="exits")
    run.log_series("loss", [0.5] * 1_000)
    {end}
"""
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "ledger")


CAUGHT = "import contextlib\n    with contextlib.suppress(SystemExit): sys.exit(3)"
INTERRUPT = "os.kill(os.getpid(), signal.SIGINT); time.sleep(30)"


@pytest.mark.parametrize(
    ("program", "end", "code", "status", "reason"),
    [
        (BLOCK, "pass", 0, "COMPLETED", ""),
        (BLOCK, "sys.exit()", 0, "COMPLETED", ""),
        (BLOCK, "sys.exit(3)", 3, "FAILED", "SystemExit: 3"),
        (BLOCK, "raise ValueError('boom')", 1, "FAILED", "ValueError: boom"),
        (BLOCK, INTERRUPT, 1, "CANCELLED", "interrupted from the keyboard"),
        (BARE, "pass", 0, "COMPLETED", ""),
        (BARE, "raise ValueError('boom')", 1, "FAILED", "ValueError: boom"),
        (BARE, INTERRUPT, 1, "CANCELLED", "interrupted from the keyboard"),
        (BARE, "sys.exit()", 0, "COMPLETED", ""),
        (BARE, "sys.exit(3)", 3, "FAILED", "SystemExit: 3"),
        (BARE, "exit('no data')", 1, "FAILED", "SystemExit: no data"),
        ("\n    from sys import exit" + BARE, "exit(0)", 0, "COMPLETED", ""),
        (BARE, "raise SystemExit(0)", 0, "COMPLETED", ""),
        (BARE, "(_ for _ in ()).throw(SystemExit(3))", 3, "FAILED", "SystemExit: of unknown code"),
        (BARE, CAUGHT, 0, "COMPLETED", ""),
    ],
)
def test_a_program_that_ends_in_order_leaves_everything_in_the_store(
    place: Place, program: str, end: str, code: int, status: str, reason: str
) -> None:
    """Falling off the end, sys.exit, an exception, Ctrl-C: all values are stored, no journal is left, the run says what happened."""
    done = place.run(program.format(end=end))
    assert done.code in (code, -signal.SIGINT if end == INTERRUPT else code), done.err
    assert "prefect-ledger" not in done.err.replace("prefect-ledger-", "")
    assert place.waiting() == []
    (run,) = place.runs()
    assert (run.status, run.status_reason) == (status, reason)
    assert place.steps(run.id, "loss") == list(range(1_000))


@pytest.mark.parametrize(
    ("end", "code", "status", "reason"),
    [
        ("raise SystemExit(3)", 3, "FAILED", "SystemExit: 3"),
        ("if run.id: raise SystemExit(-1)", 255, "FAILED", "SystemExit: -1"),
        ("raise SystemExit('no data')", 1, "FAILED", "SystemExit: no data"),
        ("found = 4; raise SystemExit(found)", 4, "FAILED", "SystemExit: 4"),
        (f"{CAUGHT}\n    raise SystemExit(0)", 0, "COMPLETED", ""),
        ("raise SystemExit(len('ab'))", 2, "COMPLETED", ""),  # nobody can know
    ],
)
def test_a_code_that_stands_in_the_programs_text_counts(
    place: Place, tmp_path: Path, end: str, code: int, status: str, reason: str
) -> None:
    """SystemExit raised by the main module: its code is known where it stands there, also in a variable."""
    done = place.script(tmp_path / "program.py", BARE.format(end=end))
    assert done.code == code, done.err
    (run,) = place.runs()
    assert (run.status, run.status_reason) == (status, reason)


@pytest.mark.parametrize(
    ("end", "code"), [("os._exit(5)", 5), ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM), ("os.abort()", -signal.SIGABRT)]
)
def test_a_program_that_is_cut_off_is_recovered_as_crashed(place: Place, end: str, code: int) -> None:
    """os._exit, SIGTERM, abort: whatever was logged comes in with the next recovery, and the run is CRASHED."""
    assert place.run(BLOCK.format(end=end)).code == code
    place.recover()
    assert place.waiting() == []
    (run,) = place.runs()
    assert run.status == "CRASHED"
    assert run.ended_at is not None
    assert place.steps(run.id, "loss") == list(range(1_000))


def test_the_next_program_brings_in_what_a_dead_one_left(place: Place) -> None:
    """No recovery needs to be asked for: the next process that logs, and looks, adopts the journal first."""
    place.run(BLOCK.format(end="os._exit(5)"))
    assert len(place.waiting()) == 1
    place.run(BLOCK.format(end="assert len(run.metric('loss')) == 1_000"))
    assert [run.status for run in place.runs()] == ["CRASHED", "COMPLETED"]
    assert place.waiting() == []


def test_a_daemon_thread_that_logs_for_ever_cannot_hang_the_exit(place: Place) -> None:
    """The program ends; the thread's values whose calls returned are there after recovery, in a row, and none twice."""
    program = (
        LOG
        + """
    returned = 0
    def forever(run):
        global returned
        while True:
            run.log_metric("endless", 1.0, step=returned)
            returned += 1
            if returned % 20 == 0:
                time.sleep(0)

    with start_run(experiment="exits") as run:
        log()
    other = start_run(experiment="endless")
    threading.Thread(target=forever, args=(other,), daemon=True).start()
    time.sleep(0.3)
    atexit.register(lambda: print(returned))  # runs before the ledger's own, which was registered first
    """
    )
    done = ended(place.start(program))
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    place.recover()
    assert place.waiting() == []
    first, other = place.runs()
    assert (first.status, other.status) == ("COMPLETED", "COMPLETED")
    steps = place.steps(other.id, "endless")
    assert steps == list(range(len(steps)))
    assert len(steps) >= int(done.out)


def test_what_is_logged_in_the_last_moment_is_kept(place: Place) -> None:
    """A handler that runs after the ledger was closed logs into a journal of its own, which is recovered."""
    program = (
        LOG
        + """
    def late():
        late_run.log_metric("late", 1.0, step=7)
        late_run.finish("FAILED")

    atexit.register(late)  # before the ledger's own handler, so it runs after it
    with start_run(experiment="exits") as run:
        log()
    late_run = start_run(experiment="late")
    late_run._shared.kind = "flow"  # whose end is not the process's to say
    late_run.log_metric("early", 1.0)
    """
    )
    done = ended(place.start(program))
    assert (done.code, done.err) == (0, "")
    place.recover()
    assert place.waiting() == []
    run = place.runs()[-1]
    assert (run.status, run.metrics) == ("FAILED", {"early": 1.0, "late": 1.0})


def test_warnings_as_errors_do_not_end_the_run(tmp_path: Path) -> None:
    """With -W error, trouble with store and journal is still only said."""
    (tmp_path / "file").write_text("")
    more = {"PREFECT_LEDGER_JOURNAL_ROOT": str(tmp_path / "file" / "j"), "TMPDIR": str(tmp_path)}
    place = Place(tmp_path / "ledger", f"sqlite:///{tmp_path}/file/ledger.db", more)
    done = place.run(BLOCK.format(end="time.sleep(0.5)"), options=("-W", "error::UserWarning"))
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    assert done.err.count("is used instead") == 1
