"""Many processes that log into one store at the same time."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from prefect_ledger import get_run, start_run
from prefect_ledger.tracking import ledger as module
from tests.services_real.processes import clean_environment, dies_with_us, start, stop, wait_until

PROCESSES, POINTS, KEYS = 32, 10_000, 5
PROGRAM = """
import sys, time
from pathlib import Path
from prefect_ledger import open_run, start_run

me, shared, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
both = open_run(shared)
mine = start_run(experiment="many", name=f"process-{me}", parent=shared)
(folder / f"ready-{me}").touch()
while not (folder / "go").exists():
    time.sleep(0.01)
for i in range(%d):
    run = both if i %% 2 else mine
    run.log_metric(f"key-{i %% %d}", me + i / 2**20, step=me * 1_000_000 + i)
mine.finish()
"""


@pytest.mark.soak
def test_many_processes_at_once(home: Path, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """32 processes log 10,000 points each into PostgreSQL at once, into one run and runs of their own: none is lost, every run ends."""
    monkeypatch.setattr(module, "_ledger", None)
    monkeypatch.setenv("PREFECT_LEDGER_STORE_URL", postgres_url)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM % (POINTS, KEYS))
    env = clean_environment(PREFECT_LEDGER_HOME=str(home), PREFECT_LEDGER_STORE_URL=postgres_url)
    children: list[subprocess.Popen[bytes]] = []
    with start_run(experiment="many") as shared:
        try:
            for number in range(PROCESSES):
                command = [*dies_with_us(), sys.executable, str(program), str(number), shared.id, str(tmp_path)]
                children.append(start(command, tmp_path / f"log-{number}", env=env, cwd=tmp_path))
            for number, child in enumerate(children):
                wait_until((tmp_path / f"ready-{number}").exists, child, tmp_path / f"log-{number}", seconds=300)
            (tmp_path / "go").touch()
            assert [child.wait(300) for child in children] == [0] * PROCESSES
        finally:
            for child in children:
                stop(child, signal.SIGKILL)
    run = get_run(shared.id)
    assert (run.status, len(run.children), {child.status for child in run.children}) == ("COMPLETED", PROCESSES, {"COMPLETED"})
    said = [(me, i) for me in range(PROCESSES) for i in range(POINTS)]
    for key in range(KEYS):
        wanted = [(me * 1_000_000 + i, me + i / 2**20) for me, i in said if i % 2 and i % KEYS == key]
        series = run.metric(f"key-{key}")
        assert np.array_equal(series.steps, [step for step, _ in wanted])
        assert np.array_equal(series.values, [value for _, value in wanted])
        assert run.summaries[f"key-{key}"].count == len(wanted)
    own = {child.name: [child.metric(f"key-{key}") for key in range(KEYS)] for child in run.children}
    for me in range(PROCESSES):
        steps = np.sort(np.concatenate([series.steps for series in own[f"process-{me}"]])) - me * 1_000_000
        assert np.array_equal(steps, np.arange(0, POINTS, 2))
    module.ledger().close()
