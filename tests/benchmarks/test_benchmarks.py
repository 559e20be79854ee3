"""The benchmarks work: each is asked for next to nothing, and its rows are told. How fast anything is, is not looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import machine, report
from benchmarks.measure import Absent, Result, Row, Sample, Work

TINY = Work(quick=True, divisor=2_000, repeats=1)


@pytest.mark.parametrize(
    "name",
    [
        "logging.threads",
        "draining.sqlite",
        "searching.sqlite",
        "artifacts.many",
        "artifacts.local",
        "datasets.digests",
        "media.verbs",
        "exporting.sqlite",
    ],
)
@pytest.mark.long
def test_a_benchmark_finds_rows(name: str, home: Path) -> None:
    """A benchmark measures ours, and raw beside it where it says so."""
    rows = list(program.benches()[name](TINY))
    assert rows
    for row in rows:
        if isinstance(row, Row):
            assert row.ours.median > 0
            assert (row.raw is None) == (row.beside == "")


def test_what_is_found_survives_its_file(tmp_path: Path) -> None:
    """Results are read from JSON as they were written, and a limit is held against the median."""
    rows: list[Row | Absent] = [
        Row("fast", Sample.of([1.0, 2.0, 9.0]), "ms", Sample.of([4.0]), "rows", limit=2.0, grows=("fast, by work", 10)),
        Row("slow", Sample.of([1.0]), "points/s", limit=2.0, more=True, grows=("slow, by work", 10)),
        Absent("none", "not there yet"),
    ]
    result = Result("one", rows, 3.0, (0.5, 1.5), 0.1)
    report.save(tmp_path / "found.json", machine.describe(), [result])
    assert report.load(tmp_path / "found.json") == [result]
    assert [row.met for row in rows if isinstance(row, Row)] == [True, False]
    assert report.summary([result]).splitlines()[0] == "1 of 2 limits met"


def test_tables_show_what_is_missed_and_how_cost_grows() -> None:
    """Markdown has a line for each row, says MISSED where a limit is not kept, and puts steps of one work side by side."""
    rows: list[Row | Absent] = [
        Row("read", Sample.of([float(amount)]), "ms", limit=20.0, grows=("read, by points", amount)) for amount in (10, 100)
    ]
    lines = report.markdown(machine.describe(), [Result("one", rows)]).splitlines()
    assert "| read | 10.0 ms |  |  | ≤ 20.0 ms | met | once |  |" in lines
    assert "| read | 100 ms |  |  | ≤ 20.0 ms | MISSED | once |  |" in lines
    assert "| read, by points | 10: 10.0 ms, 100: 100 ms | 10.00 |" in lines


def test_a_name_that_no_benchmark_has_is_refused() -> None:
    """Whoever asks for a benchmark that is not there is told which there are."""
    assert program.chosen(["draining.s"]) == ["draining.sqlite", "draining.sqlite-growth"]
    with pytest.raises(SystemExit, match=r"no benchmark is called nothing; there are: logging\.calls"):
        program.chosen(["nothing"])
