"""Kills a logging process at a random moment, again and again, and says what was lost and what was doubled."""

from __future__ import annotations

import json
import random
import signal
import struct
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect_ledger.database import Database
from prefect_ledger.recovery import Recovered, recover
from prefect_ledger.settings import Settings

HERE = Path(__file__).parent


@dataclass
class Toll:
    """What a series of kills did."""

    kills: int = 0
    points: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    not_crashed: list[str] = field(default_factory=list)
    in_flight: int = 0
    runs: list[str] = field(default_factory=list)


def settings(home: Path, store_url: str) -> Settings:
    """Settings of the killed processes."""
    return Settings.resolve(home=str(home), store_url=store_url)


def kill_one(home: Path, store_url: str, rnd: random.Random, *, longest: float = 0.5) -> tuple[str, tuple[int, ...]]:
    """Start a logger, SIGKILL it after a random while; returns its run and what had returned by then."""
    run, counter = str(uuid.uuid4()), home / "counter"
    home.mkdir(parents=True, exist_ok=True)
    counter.write_bytes(bytes(32))
    series = rnd.choice([1, 7, 300])
    command = [sys.executable, str(HERE / "kill_child.py"), str(home), store_url, run, str(series), str(counter)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"go\n"
        time.sleep(rnd.uniform(0, longest))
        child.send_signal(signal.SIGKILL)
        child.wait(30)
    return run, struct.unpack("<4q", counter.read_bytes())


def recover_all(home: Path, store_url: str) -> Recovered:
    """Recover in this process."""
    database = Database(store_url)
    try:
        return recover(settings(home, store_url).journal_folder, database)
    finally:
        database.close()


def recovering(home: Path, store_url: str) -> subprocess.Popen[bytes]:
    """A process that recovers."""
    code = (
        "import sys; from pathlib import Path; from prefect_ledger.database import Database; from prefect_ledger.recovery import recover;"
        "recover(Path(sys.argv[1]), Database(sys.argv[2]))"
    )
    return subprocess.Popen([sys.executable, "-c", code, str(settings(home, store_url).journal_folder), store_url])


def counted(store_url: str, runs: list[str]) -> dict[str, Any]:
    """What the store has of the runs, counted in a fresh process."""
    out = subprocess.run([sys.executable, str(HERE / "kill_count.py"), store_url, *runs], capture_output=True, check=True, timeout=300)
    found: dict[str, Any] = json.loads(out.stdout)
    return found


def tally(truth: dict[str, tuple[int, ...]], found: dict[str, Any]) -> Toll:
    """Hold what was counted against what had returned."""
    toll = Toll()
    for run, (scalars, dicts, arrays, params) in truth.items():
        got = found[run]
        toll.kills += 1
        toll.runs.append(run)
        toll.points += got["scalars"] + sum(got["dicts"]) + got["arrays"]
        enough = got["scalars"] >= scalars and min(got["dicts"]) >= dicts and got["arrays"] >= arrays * 1000 and got["params"] >= params
        if not enough:
            toll.lost.append(f"{run}: returned {scalars, dicts, arrays, params}, stored {got}")
        if not all(got[what] for what in ("scalars_once", "dicts_once", "arrays_once", "params_once", "summaries_agree")) or got["notes"]:
            toll.doubled.append(f"{run}: {got}")
        if got["status"] != "CRASHED":
            toll.not_crashed.append(f"{run}: {got['status']}")
        toll.in_flight += got["scalars"] - scalars
    return toll
