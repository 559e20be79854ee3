"""The benchmarks beside other trackers: their programs, and the table. None of the trackers is needed, nothing is timed."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import beside, machine, peers
from benchmarks.beside import TIMES
from benchmarks.contenders.asking import ENVIRONMENTS, OURS, PEERS, NotSo, Peer, environment, started
from benchmarks.contenders.contender import Contender
from benchmarks.contenders.scripts import SCRIPTS
from benchmarks.contenders.turns import place_of
from benchmarks.measure import Absent, Result, Row, Sample, Work
from tests.packaging.locks import ROOT

TINY = Work(quick=True, divisor=2_000, repeats=1)


@pytest.mark.parametrize("name", [peer.program for peer in (OURS, *PEERS)])
def test_a_program_imports_its_tracker_only_when_it_is_used(name: str) -> None:
    """Each contender's program can be read where its tracker is not installed, and has one contender that opens, begins, logs and ends."""
    module = importlib.import_module(f"benchmarks.contenders.{name}")
    (kind,) = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Contender) and one is not Contender]
    assert {"open", "begin", "logger", "end", "where", "count"} <= set(vars(kind))


def test_what_the_trackers_import_is_the_standard_library_alone() -> None:
    """What all programs share runs in an environment with nothing in it."""
    code = "import sys; before = set(sys.modules); import benchmarks.contenders.program; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    roots = {name.partition(".")[0] for name in done.stdout.split()} - {"benchmarks"}
    assert roots <= set(sys.stdlib_module_names)


def test_every_tracker_is_pinned_and_has_a_promise() -> None:
    """The version in the table's head is the one of the lock, and each column says what holds when its call has returned."""
    assert {peer.name for peer in (OURS, *PEERS)} == set(beside.PROMISES)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert [peer.name for peer in PEERS if f'"{peer.package}=={peer.version}"' not in project] == []
    assert set(SCRIPTS) <= set(beside.PROMISES)


def test_the_scripts_are_python() -> None:
    """Each tracker's first script can be compiled."""
    for name, code in SCRIPTS.items():
        compile(code, name, "exec")


@pytest.mark.long
def test_ours_answers_as_a_contender(tmp_path: Path) -> None:
    """The process of a contender logs, counts what can be read, gives a series to a new process, and says what it cannot do."""
    folder = tmp_path / "ours"
    folder.mkdir()
    with started(OURS, folder) as asked:
        asked.ask("open", folder=str(folder))
        assert asked.ask("calls", seconds=5.0, most=20)["calls"] == 20
        for way in ("single", "many", "quick"):
            told = asked.ask("store", way=way, seconds=5.0, most=20)
            assert told["points"] == told["readable"]
        where = asked.ask("make_series", count=50)
        with pytest.raises(NotSo, match="no file at"):
            asked.ask("log_files", path=str(folder / "nothing"))
    with started(OURS, folder) as fresh:
        assert fresh.ask("read", folder=str(folder), where=where, count=50) > 0


def test_points_of_a_killed_contender_are_counted(tmp_path: Path) -> None:
    """Ours keeps every point whose call had returned when its process was killed."""
    logged, kept = peers._killed(OURS, place_of(tmp_path, OURS), 0.05, helpers=False)
    assert 0 < logged <= kept


def test_nobody_outside_is_reached(tmp_path: Path) -> None:
    """A contender sees a dead proxy, telemetry switched off, a home of its own, and nothing of this machine's user."""
    seen = environment(tmp_path)
    assert {seen[name] for name in ("HTTP_PROXY", "HTTPS_PROXY")} == {"http://127.0.0.1:9"}
    assert seen["MLFLOW_DISABLE_TELEMETRY"] == seen["DO_NOT_TRACK"] == "true"
    assert seen["WANDB_MODE"] == "offline"
    assert seen["HOME"].startswith(str(tmp_path))


def test_a_tracker_that_is_not_installed_says_how_to() -> None:
    """What is missing is named with the command that makes it."""
    assert Peer("None", "none", "none").missing() == "not installed: make .venv-peers/none/.ok"
    assert Peer("None", "none", "none").python == ENVIRONMENTS / "none" / "bin" / "python"
    assert OURS.missing() == ""


def test_a_benchmark_beside_trackers_finds_rows_without_them(home: Path) -> None:
    """The tests' tiny run asks ours alone."""
    rows = list(program.benches()["peers.storing"](TINY))
    assert [row.raw for row in rows if isinstance(row, Row)] == [None, None, None]


def test_the_table_has_a_line_a_question_and_a_column_a_tracker() -> None:
    """Numbers of ours and theirs stand side by side with how many times ours is better; lacks and absences are told."""
    ours = Sample.of([2.0])
    rows: list[Row | Absent] = [
        Row("call", ours, "µs", Sample.of([50.0]), "MLflow"),
        Row("call", ours, "µs", Sample.of([1.0]), "Trackio"),
        Row("rate", ours, "files/s", Sample.of([1.0]), "MLflow", more=True, note="on the disk"),
        Row("rate", ours, "files/s", None, "Trackio", more=True, note="no artifacts"),
        Row("kept", ours, "%", Sample.of([50.0]), "Trackio", more=True),
        Row("rate, ours", ours, "files/s", Sample.of([1.0]), "copyfile", more=True),
        Absent("beside W&B offline", "not installed"),
    ]
    served = Result("serving", [Row("requests", ours, "/s", Sample.of([1.0]), "MLflow's scoring server", more=True)])
    result = Result("peers.one", rows, seconds=60.0)
    lines = beside.markdown(machine.describe(), [result, served]).splitlines()
    versions = {peer.name: peer.version for peer in PEERS}
    assert lines[0] == (f"| what | **prefect-ledger** | MLflow<br>mlflow {versions['MLflow']} | Trackio<br>trackio {versions['Trackio']} |")
    assert lines[3:7] == [
        f"| call | **2.00 µs** | 50.0 µs (25 {TIMES}) | 1.00 µs (0.5 {TIMES}) |",
        f"| rate | **2.00 files/s** | 1.00 files/s (2 {TIMES}) | no |",
        "| kept | **2.0 %** |  | 50.0 % |",
        f"| requests | **2.00 /s** | 1.00 /s (2 {TIMES}) |  |",
    ]
    assert {"- rate: on the disk.", "- *no*, Trackio: no artifacts.", "- not measured: beside W&B offline: not installed"} <= set(lines)
    assert beside.COMMAND in lines[-1]


def test_no_table_without_trackers() -> None:
    """Where nothing was measured beside them, there is no table."""
    assert beside.markdown(machine.describe(), [Result("logging.calls", [Row("call", Sample.of([1.0]), "µs")])]) == ""


def test_the_table_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    """The table stands between its marks, however often it is put there, and a file without marks is left alone."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{beside.BEGIN}\nold\n{beside.END}\nafter\n", encoding="utf-8")
    for _ in range(2):
        beside.put(page, "| new |\n")
        assert page.read_text(encoding="utf-8") == f"before\n{beside.BEGIN}\n\n| new |\n\n{beside.END}\nafter\n"
    page.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has no place for the table"):
        beside.put(page, "| new |\n")
    assert page.read_text(encoding="utf-8") == "nothing\n"
    assert beside.BEGIN in (ROOT / "README.md").read_text(encoding="utf-8")
