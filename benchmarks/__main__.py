"""``python -m benchmarks``: measure, beside raw SQLite and PostgreSQL in the same run, and hold it against the limits.

Each benchmark runs in a process of its own, which ends with this one. A missed limit is told, not an error.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import beside, machine, report
from benchmarks.measure import Absent, Result, Row, Work
from tests.services_real.processes import clean_environment, dies_with_us, scratch

SUBJECTS = (
    "logging",
    "draining",
    "reading",
    "searching",
    "dashboard",
    "exporting",
    "killing",
    "startup",
    "flows",
    "reconciling",
    "promoting",
    "watching",
    "artifacts",
    "datasets",
    "projects",
    "media",
    "models",
    "memory",
    "scoring",
    "gates",
    "serving",
    "registry",
    "peers",
)
PATIENCE = 240.0  # seconds for one benchmark
# Thrice that in a browser, beside other trackers, of which some are slow, and beside aws, which takes minutes for 5,000 files on few cores.
_SLOW = ("dashboard.", "peers.", "artifacts.many")

Bench = Callable[[Work], Iterator[Row | Absent]]


@dataclass(frozen=True)
class Asked:
    """What the command line says."""

    quick: bool
    only: list[str]
    json: Path | None
    markdown: Path | None
    table: Path | None
    inside: str | None
    list: bool
    calm: float


def asked(words: Sequence[str] | None = None) -> Asked:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure prefect-ledger beside raw SQLite and PostgreSQL.")
    parser.add_argument("--quick", action="store_true", help="less work: a third of the time")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="benchmarks whose name begins so, such as draining; again for more"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown")
    parser.add_argument("--table", type=Path, metavar="FILE", help="put the table beside other trackers into its place in a file")
    parser.add_argument(
        "--calm", type=float, default=0.0, metavar="SECONDS", help="before each, wait so long for others to let the machine be"
    )
    parser.add_argument("--list", action="store_true", help="say which there are")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return Asked(**vars(parser.parse_args(words)))


def benches(*subjects: str) -> dict[str, Bench]:
    """Those of the subjects, all when none is named, by name."""
    found: dict[str, Bench] = {}
    for subject in subjects or SUBJECTS:
        found |= importlib.import_module(f"benchmarks.{subject}").BENCHES
    return found


def run_inside(name: str, work: Work, path: Path) -> None:
    """Do one benchmark in this process and leave what it found in ``path``."""
    result = Result(name)
    try:
        result.rows.extend(benches(name.partition(".")[0])[name](work))
    finally:
        report.save(path, {}, [result])


def run_apart(name: str, *, quick: bool) -> Result:
    """Do one benchmark in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="ledger-bench-") as folder, scratch("ledger-bench") as home:
        path, watch, start = Path(folder) / "result.json", machine.Watch(), time.perf_counter()
        command = [
            *dies_with_us(),
            sys.executable,
            "-m",
            "benchmarks",
            "--inside",
            name,
            "--json",
            str(path),
            *(["--quick"] if quick else []),
        ]
        patience = 3 * PATIENCE if name.startswith(_SLOW) else PATIENCE
        env = clean_environment(PREFECT_HOME=str(home / "prefect"), PREFECT_LEDGER_HOME=str(home / "ledger"), PREFECT_LOGGING_LEVEL="ERROR")
        try:
            code = subprocess.run(command, env=env, timeout=patience, check=False).returncode
            trouble = f"ended with {code}" if code else ""
        except subprocess.TimeoutExpired:
            trouble = f"not done within {patience:.0f} s"
        result = report.load(path)[0] if path.exists() else Result(name)
        if trouble:
            result.rows.append(Absent(name, trouble))
        result.seconds, result.others = time.perf_counter() - start, watch.others()
        result.load = (watch.load, os.getloadavg()[0])
        return result


def chosen(only: Sequence[str]) -> list[str]:
    """The benchmarks whose names begin as asked.

    Raises:
        SystemExit: none does.
    """
    names = [name for name in benches() if not only or any(name.startswith(start) for start in only)]
    if not names:
        raise SystemExit(f"no benchmark is called {', '.join(only)}; there are: {', '.join(benches())}")
    return names


def main(words: Sequence[str] | None = None) -> int:
    """Run what is asked; 1 when a benchmark did not work."""
    wanted = asked(words)
    if wanted.inside is not None:
        assert wanted.json is not None
        run_inside(wanted.inside, Work(quick=wanted.quick), wanted.json)
        return 0
    names = chosen(wanted.only)
    if wanted.list:
        print("\n".join(names))
        return 0
    size, results = machine.describe(), list[Result]()
    print(report.heading(size), flush=True)
    for name in names:
        machine.wait_for_calm(wanted.calm)
        results.append(run_apart(name, quick=wanted.quick))
        print(report.text(results[-1]), flush=True)
    for name, told, factor in report.growth(results):
        print(f"{name}: {told}; last / first {factor}")
    print(report.summary(results))
    if wanted.json is not None:
        report.save(wanted.json, size, results)
    if wanted.markdown is not None:
        found = (beside.markdown(size, results), report.markdown(size, results))
        wanted.markdown.write_text("\n".join(filter(None, found)), encoding="utf-8")
    if wanted.table is not None:
        beside.put(wanted.table, beside.markdown(size, results))
    return int(any(isinstance(row, Absent) for result in results for row in result.rows))


if __name__ == "__main__":
    raise SystemExit(main())
