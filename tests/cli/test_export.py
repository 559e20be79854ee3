"""``prefect-ledger runs export``: the command writes what export_runs does."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Cli, document
from tests.exporting.reading import by_arrow, by_lines

Filled = tuple[Cli, dict[str, str]]


def test_a_file_of_runs_and_a_folder_of_all(filled: Filled, tmp_path: Path) -> None:
    """Runs by experiment and filter go into a file, all tables into a folder, and what was written is said."""
    cli, ids = filled
    done = cli("runs", "export", f"{tmp_path}/runs.parquet", "-e", "churn", "--filter", "metrics.auc > 0.92")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 run, ")
    [row] = by_arrow(tmp_path / "runs.parquet")
    assert (row["run_id"], row["params.depth"], row["metrics.auc"], row["tags.team"]) == (ids["deep"], "8", 0.95, "risk")
    found = document(cli("runs", "export", f"{tmp_path}/all", "--format", "jsonl", "--json"))
    assert (found["runs"], found["rows"]["series"], found["files"]["series"]) == (len(ids), 46, f"{tmp_path}/all/series.jsonl")
    losses = [row["value"] for row in by_lines(tmp_path / "all" / "series.jsonl") if (row["run_id"], row["key"]) == (ids["deep"], "loss")]
    assert losses == [8 / (step + 1) for step in range(20)]
    artifacts = by_lines(tmp_path / "all" / "artifacts.jsonl")
    assert {row["path"] for row in artifacts} == {"notes/hello.txt"}
    assert json.loads((tmp_path / "all" / "datasets.jsonl").read_text().splitlines()[0])["rows"] == 12
    assert cli("runs", "export", f"{tmp_path}/alerts.csv", "--what", "alerts").returncode == 0
    assert (tmp_path / "alerts.csv").read_text().startswith("run_id,time,level,title,text,attempt,task_run_id\n")


def test_several_tables_and_refusals(filled: Filled, tmp_path: Path) -> None:
    """``--what`` may be said again; a place that is taken, and a bad filter, are errors of one line."""
    cli, _ = filled
    assert cli("runs", "export", f"{tmp_path}/two", "--what", "params", "--what", "tags", "--format", "csv").returncode == 0
    assert {path.name for path in (tmp_path / "two").iterdir()} == {"params.csv", "tags.csv"}
    assert ",depth,8\n" in (tmp_path / "two" / "params.csv").read_text()
    taken = cli("runs", "export", f"{tmp_path}/two")
    assert (taken.returncode, taken.stderr.count("\n")) == (1, 1)
    assert "is there already" in taken.stderr
    assert cli("runs", "export", f"{tmp_path}/x.csv", "--filter", "metrics.auc >").returncode == 1
    assert cli("runs", "export", f"{tmp_path}/x.csv", "--what", "points").returncode == 2
    assert not (tmp_path / "x.csv").exists()
