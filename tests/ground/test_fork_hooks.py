"""What is done around a fork: in our order, for one fork at a time, and without waiting for a lock that the fork itself holds."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from prefect_ledger.database import Database, execute, rows


def test_hooks_run_in_their_order_also_those_that_come_late() -> None:
    """Outer hooks are first before the fork and last after it; one that is registered while another waits is not forgotten."""
    program = """
        import os
        from prefect_ledger import forks
        said = []
        def add(order, extra=lambda: None):
            forks.around(order, before=lambda: (said.append(f"before {order}"), extra()), in_parent=lambda: said.append(f"parent {order}"),
                         in_child=lambda: said.append(f"child {order}"))
        add(2)
        add(1, extra=lambda: add(3) if len(forks._hooks) == 2 else None)
        if os.fork() == 0:
            print(*said, sep=", ", flush=True)
            os._exit(0)
        os.wait()
        print(*said, sep=", ")
    """
    out = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True, timeout=60)
    assert out.stdout.splitlines() == [
        "before 1, before 2, before 3, child 1, child 2, child 3",
        "before 1, before 2, before 3, parent 3, parent 2, parent 1",
    ]


@pytest.mark.long
def test_two_threads_fork_at_once(tmp_path: Path) -> None:
    """Forks of several threads at the same time, beside transactions, leave the database usable in the parent and in every child."""
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    database.prepare()
    codes: list[int] = []
    stop = threading.Event()

    def fork(number: int) -> None:
        for i in range(10):
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    with database.write() as tx:
                        execute(tx, "INSERT INTO runs (id) VALUES (?)", [f"{number}-{i}"])
                    code = 0
                finally:
                    os._exit(code)
            codes.append(os.waitpid(pid, 0)[1])

    def write() -> None:
        i = 0
        while not stop.is_set():
            with database.write() as tx:
                execute(tx, "INSERT INTO runs (id) VALUES (?)", [f"w{i}"])
            i += 1

    writer = threading.Thread(target=write)
    threads = [threading.Thread(target=fork, args=(n,)) for n in range(3)]
    for thread in [writer, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    writer.join()
    assert codes == [0] * 30
    with database.read() as tx:
        assert rows(tx, "SELECT count(*) FROM runs WHERE id LIKE ?", ["%-%"]) == [(30,)]
    database.close()


def test_a_fork_while_loggers_are_asked_for(tmp_path: Path) -> None:
    """The first fork waits until the recorder has loaded what it needs, modules that ask for loggers too, and does not wait in vain."""
    program = """
        import os, sys, time
        from prefect_ledger import start_run
        run = start_run(experiment="forks")
        run.log_metric("loss", 0.5)
        before = time.monotonic()
        if os.fork() == 0:
            run.log_metric("loss", 0.5)
            sys.exit()
        assert os.wait()[1] == 0
        print(time.monotonic() - before)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    out = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=100, env=os.environ | {"PREFECT_LEDGER_HOME": str(tmp_path)}
    )
    assert out.stderr == ""
    # Not a measurement: the wait in vain is given up after thirty seconds, and then again by the child at its end.
    assert float(out.stdout) < 25
