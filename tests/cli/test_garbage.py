"""``prefect-ledger gc`` and ``doctor --artifacts``: what they say, and what they leave as it is unless told otherwise."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, command, document, python

FILL = """
from prefect_ledger import delete_experiment, start_run
for experiment in ("old", "new"):
    with start_run(experiment=experiment, name="run [b]of[/b] " + experiment) as run:
        run.log_text("hello", "notes/hello.txt")
        run.log_text("more", "more.txt")
delete_experiment("old")
"""


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command on a ledger with a deleted run and another one; its temporary folder is its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    home = tmp_path / "ledger"
    done = python(FILL, home)
    assert done.returncode == 0, done.stderr
    return lambda *args, **more: command(*args, home=home, **more)


def files(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "ledger" / "artifacts").rglob("*") if path.is_file())


def test_gc_says_what_would_go_and_takes_it_when_told(filled: Cli, tmp_path: Path) -> None:
    """Without --yes the run is named with its size and all stays; with it the run is gone, and the next time there is nothing."""
    words = ("gc", "--retention-days", "0", "--grace-days", "0")
    done = filled(*words)
    assert done.returncode == 0
    assert "run [b]of[/b] old" in done.stdout
    assert "2 artifacts, 9 B" in done.stdout
    assert "a dry run" in done.stdout + done.stderr
    assert len(files(tmp_path)) == 4
    told = document(filled(*words, "--json"))
    assert (told["dry_run"], told["size"], told["experiments"], len(told["runs"])) == (True, 9, ["old"], 1)
    assert "gone: 1 run" in (said := filled(*words, "--yes")).stdout + said.stderr
    assert len(files(tmp_path)) == 2
    assert "nothing to take away" in filled(*words, "--yes").stdout


def test_gc_keeps_what_is_young_and_what_an_experiment_keeps(filled: Cli, tmp_path: Path) -> None:
    """Nothing goes within thirty days; an experiment can have other days; what is no number of days is refused."""
    assert "nothing to take away" in filled("gc", "--yes").stdout
    assert "nothing to take away" in filled("gc", "--grace-days", "0", "--retention-days", "0", "--retention", "old=9", "--yes").stdout
    assert len(files(tmp_path)) == 4
    for wrong in (["--retention", "old"], ["--retention", "nobody=1"], ["--retention-days", "-1"]):
        assert filled("gc", *wrong).returncode == 1
    assert filled("gc", "--retention-days", "soon").returncode == 2


def test_gc_says_what_is_kept_here_and_was_long_not_used(filled: Cli, tmp_path: Path) -> None:
    """Data that was got 45 days ago is named with its size and age, goes with --yes alone, and stays where more days are said."""
    place = tmp_path / "ledger" / "datasets" / ("0a" * 32)
    place.mkdir(parents=True)
    (place / "rows.csv").write_text("1,2,3,4\n\n")
    used = time.time() - 45 * 86_400 - 60
    os.utime(place, (used, used))
    assert "nothing to take away" in filled("gc", "--caches-days", "60", "--yes").stdout
    done = filled("gc")
    assert f"dataset {place}  9 B  used last 45 days ago" in done.stdout.replace("\n", "")
    assert "a dry run: 1 unused folder and 9 B would go" in done.stdout + done.stderr
    told = document(filled("gc", "--json"))
    assert (told["size"], told["caches_size"], [one["path"] for one in told["caches"]]) == (0, 9, [str(place)])
    assert place.is_dir()
    assert "gone: 1 unused folder, 9 B" in (said := filled("gc", "--yes")).stdout + said.stderr
    assert list(place.parent.iterdir()) == []
    assert filled("gc", "--caches-days", "-1").returncode == 1


@pytest.mark.long
def test_doctor_reads_every_artifact_when_asked(filled: Cli, tmp_path: Path) -> None:
    """All well is said with how much was read; a changed and a missing artifact are named with what to do, and make it exit with 1."""
    checks = document(filled("doctor", "--artifacts", "--json"))["checks"]
    [digests] = [check for check in checks if check["name"] == "digests"]
    assert (digests["verdict"], digests["details"]) == ("ok", {"artifacts": 4, "bytes": 18, "problems": 0})
    changed, missing, *_ = files(tmp_path)
    changed.write_text("evil")
    missing.unlink()
    done = filled("doctor", "--artifacts", "--json")
    assert done.returncode == 1
    done.returncode = 0
    wrong = {check["name"]: check for check in document(done)["checks"] if check["verdict"] == "wrong"}
    assert set(wrong) == {"changed", "missing", "digests"}
    assert wrong["changed"]["details"]["path"] in str(changed)
    assert all(check["remedy"] for check in wrong.values())
    assert "2 of 4 artifacts" in wrong["digests"]["found"]
