"""What a run of very many points does to the memory of its process and to the disk under its journal."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import stores
from benchmarks.draining import log_all
from benchmarks.measure import Row, Sample, Work

GROWTH_LIMIT = 100.0  # MB of anonymous memory
_EVERY = 0.05  # seconds between looks


def memory(work: Work) -> Iterator[Row]:
    """Many points in one run, and a tenth of them; watched from outside, so that watching costs the process nothing."""
    most = work.size(50_000_000, 5_000_000)
    for amount in (most // 10, most):
        with stores.folder() as folder:
            yield from _watched(folder, amount)


def _watched(folder: Path, amount: int) -> Iterator[Row]:
    command = [sys.executable, "-c", "from benchmarks.memory import child; child()", str(folder), str(amount)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        before, journals = anonymous(process.pid), Path(told["journals"])
        highest, disk = before, 0
        process.stdin.write(b"go\n")
        process.stdin.flush()
        os.set_blocking(process.stdout.fileno(), False)
        while not (line := process.stdout.readline()) and process.poll() is None:
            highest, disk = max(highest, anonymous(process.pid)), max(disk, _used(journals))
            time.sleep(_EVERY)
        after = anonymous(process.pid)
        process.stdin.close()
        process.wait(60)
    seconds = json.loads(line)["seconds"]
    what, note = f"{amount:,} points in one run", f"{amount / seconds / 1e6:.2f} M points/s; before {before:.0f} MB, after {after:.0f} MB"
    grown, most = Sample.of([highest - before]), Sample.of([disk / 1e6])
    grows = ("anonymous memory grown, by points of the run", amount)
    yield Row(f"anonymous memory grown by {what}", grown, "MB", limit=GROWTH_LIMIT, grows=grows, note=note)
    yield Row(f"most disk under the journal, {what}", most, "MB", grows=("most disk under the journal, by points of the run", amount))


def child() -> None:
    """Be ready, wait for the word, log, wait until all is stored, say how long it took."""
    folder, amount = Path(sys.argv[1]), int(sys.argv[2])
    with stores.ledger(folder, f"sqlite:///{folder}/ledger.db") as ledger:
        run = stores.new_run(ledger)
        print(json.dumps({"journals": str(ledger.settings.journal_folder)}), flush=True)
        sys.stdin.readline()
        _, seconds = log_all(run, ledger, amount, 10)
        stores.end(run, ledger)
        print(json.dumps({"seconds": seconds}), flush=True)
        sys.stdin.readline()


def anonymous(pid: int) -> float:
    """Megabytes of memory that are the process's own, mapped files not counted; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("RssAnon")), 0.0)


def _used(folder: Path) -> int:
    """Bytes on the disk below a folder whose files come and go."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(root, name).lstat().st_blocks * 512
    return total


BENCHES = {"memory": memory}
