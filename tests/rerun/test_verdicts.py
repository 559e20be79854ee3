"""Verdicts on real programs: one that is deterministic, one with threads, one that draws, and one after a package changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_ledger.rerun import rerun
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.verdict import Difference, Reproduced
from tests.rerun.conftest import PATIENT, ran
from tests.services.test_changes import run_git

HEAD = (
    """
import random, sys, threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import version
from prefect_ledger import log_metric, set_seed, start_run
"""
    + PATIENT
    + """
def done():
    for thread in threading.enumerate():
        if thread.name == "prefect-ledger-capture":
            thread.join()

run = start_run(experiment="again")
with run:
    set_seed(7)
"""
)
SAME = """
    for step in range(50):
        log_metric("loss", random.random() / (step + 1), step=step)
done()
"""
THREADS = """
    numbers = [random.uniform(-1, 1) * 10 ** random.randint(-8, 8) for _ in range(4000)]
    waits = random.SystemRandom()
    for step in range(20):
        total = 0.0
        with ThreadPoolExecutor(4) as pool:
            parts = [numbers[low::40] for low in range(40)]
            waits.shuffle(parts)
            for part in as_completed([pool.submit(sum, part) for part in parts]):
                total += part.result()
        log_metric("sum", total, step=step)
done()
"""
DRAWN = """
    drawn = random.SystemRandom()
    for step in range(50):
        log_metric("loss", drawn.random() if step >= 10 else float(step), step=step)
done()
"""
PACKAGED = """
    log_metric("answer", 42.0 if version("tiny-thing") == "1.0" else 41.0)
done()
"""


def written(tmp_path: Path, body: str) -> Path:
    """A repository with a program."""
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "fit.py").write_text(HEAD + body)
    run_git(folder, "init", "-q")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.mark.parametrize(
    ("body", "result"),
    [(SAME, Reproduced.IDENTICAL), (THREADS, Reproduced.WITHIN_TOLERANCE), (DRAWN, Reproduced.DIFFERENT)],
    ids=["deterministic", "threads", "drawn"],
)
@pytest.mark.long
def test_each_kind_of_program_has_its_verdict(tmp_path: Path, fresh_ledger: Ledger, body: str, result: Reproduced) -> None:
    """Bit by bit the same, the same but for the order of sums, or not the same, from the step on where it parts."""
    first = ran(fresh_ledger, written(tmp_path, body), "fit.py")
    verdict = rerun(first.id, verify=True, env_manager="local").verdict
    assert verdict is not None
    assert (verdict.result, verdict.differences) == (result, ())
    if result is Reproduced.DIFFERENT:
        assert verdict.metrics[0].first_step == 10


@pytest.mark.long
def test_a_package_that_changed_is_named_first(tmp_path: Path, fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the version then and the version now, before the metric that came out otherwise."""
    site = tmp_path / "site"
    info = site / "tiny_thing-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    first = ran(fresh_ledger, written(tmp_path, PACKAGED), "fit.py")
    info.rename(site / "tiny_thing-2.0.dist-info")
    (site / "tiny_thing-2.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-thing\nVersion: 2.0\n")
    verdict = rerun(first.id, verify=True, env_manager="local").verdict
    assert verdict is not None
    assert verdict.first == Difference("packages", "tiny-thing", "1.0", "2.0")
    assert (verdict.result, verdict.metrics[0].key) == (Reproduced.DIFFERENT, "answer")
