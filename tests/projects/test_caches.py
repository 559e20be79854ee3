"""What is kept on this machine for the next time: it goes when long unused, never while it is used, and never half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import collect_garbage, dataset, lockfile, log_dataset, run_project, start_run
from prefect_ledger.garbage import Garbage
from prefect_ledger.projects import clones, places
from prefect_ledger.projects.environments import shelf
from prefect_ledger.projects.tools import silent
from prefect_ledger.rerun.starting import _ourselves
from prefect_ledger.tracking import caches, uses
from prefect_ledger.tracking.ledger import Ledger
from tests.cli.conftest import environment
from tests.projects.conftest import Write, repository

KEY = "ab" * 16
DAY = 86_400
_USES_ALL = f"""
import sys
from pathlib import Path
from prefect_ledger import dataset, log_dataset, start_run
from prefect_ledger.projects import clones, places
from prefect_ledger.projects.environments import shelf
from prefect_ledger.projects.tools import silent

def build(folder):
    (folder / "python").symlink_to(sys.executable)
    return {{"python": "python"}}

home, repository, rows = map(Path, sys.argv[1:])
shelf.have(home, "{KEY}", build, rebuild=False, say=silent)
clones.check_out(places.parse(f"git+file://{{repository}}"), None, home.parent / "tree", home=home, say=silent)
with start_run(experiment="e") as run:
    log_dataset(rows, copy=True)
dataset(f"{{run.id}}/rows.csv")
"""


@pytest.fixture
def kept(fresh_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The ledger's home; the temporary folder is this test's own."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return fresh_ledger.settings.home


def _python(script: str, *words: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, words)]
    return subprocess.run(command, env=environment(home), cwd=home.parent, capture_output=True, text=True, timeout=120, check=False)


def _build(folder: Path) -> Mapping[str, Any]:
    (folder / "python").symlink_to(sys.executable)
    return {"python": "python"}


def _planted(home: Path, *, rebuild: bool = False) -> Path:
    """The folder of an environment whose builder has ended: it holds nothing any more."""
    built = shelf.have(home, KEY, _build, rebuild=rebuild, say=silent)
    os.close(uses._held.pop(home / shelf.FOLDER / KEY / "used"))
    return built.folder


def _age(days: float, *paths: Path) -> None:
    for path in paths:
        os.utime(path, (time.time() - days * DAY,) * 2, follow_symlinks=False)


def _days(used: int) -> float:
    return (time.time() - used / 1e6) / DAY


def _collected(*, dry_run: bool = False, days: float = 30) -> Garbage:
    found = collect_garbage(dry_run=dry_run, caches_days=days)
    assert found.left == []
    return found


def _files(home: Path) -> set[str]:
    folders = (home / name for name in ("environments", "repositories", "datasets"))
    return {str(path) for folder in folders for path in folder.rglob("*")}


def _marks(home: Path) -> list[Path]:
    """The files whose times are those of the last use."""
    return [home / shelf.FOLDER / KEY / "used", *(home / clones.FOLDER).glob("*.lock"), *(home / "datasets").glob("*.lock")]


# --- what goes -----------------------------------------------------------------------------------------------------------


def test_what_is_long_unused_goes_and_what_is_not_stays(kept: Path, project: Write, tmp_path: Path) -> None:
    """An environment, a repository and got data each; a dry run says all that goes with its size, and takes nothing, not even its age."""
    rows = tmp_path / "rows.csv"
    rows.write_text("1,2\n")
    done = _python(_USES_ALL, kept, repository(project(main_py="")), rows, home=kept)
    assert done.returncode == 0, done.stderr
    marks = _marks(kept)
    assert len(marks) == 3
    assert _collected().caches == []
    _age(29, *marks)
    assert _collected().caches == []
    _age(31, *marks)
    before = _files(kept)
    for _ in range(2):
        found = _collected(dry_run=True)
        assert {one.kind for one in found.caches} == {"environment", "repository", "dataset"}
        assert all(one.size > 0 and Path(one.path).is_dir() and 30 < _days(one.used) < 32 for one in found.caches)
        assert found.caches_size == sum(one.size for one in found.caches)
        assert not found.nothing
    assert _files(kept) == before
    _age(1, marks[0])
    assert {one.kind for one in _collected().caches} == {"repository", "dataset"}
    assert _files(kept) == {path for path in before if path.startswith(str(kept / shelf.FOLDER))}
    assert shelf.find(kept, KEY) is not None


def test_a_wheel_for_reruns_goes_when_it_is_long_unused(kept: Path) -> None:
    """Not while the process lives that has it in use; and the next rerun has it again, in the same place."""
    wheel = Path(_ourselves("", kept / "wheels"))
    used = wheel.with_name("used")
    _age(31, used)
    assert _collected().caches == []
    os.close(uses._held.pop(used))
    assert [(one.kind, one.path) for one in _collected().caches] == [("wheel", str(wheel.parent))]
    assert not wheel.exists()
    assert _ourselves("", kept / "wheels") == str(wheel)
    assert wheel.is_file()


def test_each_use_is_told_by_the_time_of_a_file(kept: Path, project: Write, tmp_path: Path) -> None:
    """What stood already is young again when it is asked for: found, fetched from, or given."""
    folder, rows = repository(project(main_py="")), tmp_path / "rows.csv"
    rows.write_text("1,2\n")
    with start_run(experiment="e") as run:
        log_dataset(rows, copy=True)
    place = places.parse(f"git+file://{folder}")

    def use(name: str) -> None:
        shelf.have(kept, KEY, _build, rebuild=False, say=silent)
        clones.check_out(place, None, tmp_path / name, home=kept, say=silent)
        dataset(f"{run.id}/rows.csv")

    use("one")
    marks = _marks(kept)
    _age(31, *marks)
    use("two")
    assert [time.time() - mark.stat().st_mtime < DAY for mark in marks] == [True, True, True]


def test_an_environment_that_another_took_the_place_of_goes_by_itself(kept: Path) -> None:
    """It was left to the runs in it; the one that counts stays."""
    old, new = _planted(kept), _planted(kept, rebuild=True)
    assert _collected().caches == []
    _age(31, old)
    assert [one.path for one in _collected().caches] == [str(old)]
    assert not old.exists()
    found = shelf.find(kept, KEY)
    assert found is not None
    assert found.folder == new


def test_one_that_is_taken_makes_the_one_that_counts_no_older(kept: Path) -> None:
    """Where no file told of a use yet, the one that is made to look has the time of the place and not that of what goes."""
    old, new = _planted(kept), _planted(kept, rebuild=True)
    (new.parent / "used").unlink()
    _age(31, old)
    _age(10, new.parent)
    assert [one.path for one in _collected().caches] == [str(old)]
    assert _collected().caches == []
    assert _collected(days=5).caches != []


# --- what is used --------------------------------------------------------------------------------------------------------

_SLEEPS = "import os, pathlib, time; pathlib.Path(os.environ['TOLD']).write_text(str(os.getpid())); time.sleep(600)"
_STARTS = """
import os, signal, sys
from prefect_ledger import run_project
run_project(sys.argv[1], "main.py", wait=False, echo=False)
os.kill(os.getpid(), signal.SIGKILL)
"""


def _said(path: Path) -> int:
    while not path.exists() or not path.read_text():
        time.sleep(0.01)
    return int(path.read_text())


def test_an_environment_that_a_run_works_in_stays_however_long(
    kept: Path, project: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the process that started it was killed, and it alone goes on; when it has ended, it goes."""
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    folder = project(main_py=_SLEEPS, python_env_yaml="python: '3.11'\nbuild_dependencies: []\ndependencies: []\n")
    assert _python(_STARTS, folder, home=kept).returncode == -signal.SIGKILL
    pid = _said(tmp_path / "told")
    (place,) = (kept / shelf.FOLDER).iterdir()
    try:
        _age(400, place / "used")
        assert _collected(dry_run=True).caches == []
        assert _collected().caches == []
    finally:
        os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.01)
    assert [one.path for one in _collected().caches] == [str(place)]
    assert not place.exists()


def test_a_run_of_this_process_keeps_its_environment(kept: Path, project: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its age, and all of it."""
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    folder = project(main_py=_SLEEPS, python_env_yaml="python: '3.11'\nbuild_dependencies: []\ndependencies: []\n")
    run = run_project(folder, "main.py", wait=False, echo=False)
    try:
        _said(tmp_path / "told")
        (place,) = (kept / shelf.FOLDER).iterdir()
        _age(400, place / "used")
        before = _files(kept)
        assert _collected().caches == []
        assert _files(kept) == before
    finally:
        run.cancel()


def test_what_a_living_process_has_got_stays(kept: Path, tmp_path: Path) -> None:
    """An environment, and data that it may read at any time: no process names them, and their locks alone tell."""
    (tmp_path / "rows.csv").write_text("1,2\n")
    with start_run(experiment="e") as run:
        log_dataset(tmp_path / "rows.csv", copy=True)
    got = dataset(f"{run.id}/rows.csv")
    shelf.have(kept, KEY, _build, rebuild=False, say=silent)
    _age(400, *_marks(kept))
    assert _collected(dry_run=True).caches == []
    assert _collected().caches == []
    assert shelf.find(kept, KEY) is not None
    assert got.read_text() == "1,2\n"


def test_what_is_being_built_or_fetched_stays(kept: Path, project: Write, tmp_path: Path) -> None:
    """Garbage is collected in the middle of a build and of a fetch, of what was not used for long before."""
    seen: list[int] = []

    def collect() -> None:
        _age(400, *[mark for mark in _marks(kept) if mark.exists()])
        seen.append(len(_collected().caches))

    def build(folder: Path) -> Mapping[str, Any]:
        _age(400, folder)
        collect()
        return _build(folder)

    built = shelf.have(kept, KEY, build, rebuild=False, say=silent)
    assert shelf.find(kept, KEY) == shelf.Built(built.folder, built.about)
    place = places.parse(f"git+file://{repository(project(main_py=''))}")
    clones.check_out(place, None, tmp_path / "tree", home=kept, say=lambda _line: collect())
    assert (tmp_path / "tree" / "main.py").exists()
    assert seen == [0, 0]


def test_who_comes_while_it_is_taken_gets_a_whole_one_or_none(kept: Path) -> None:
    """The lock that is waited for is that of the one that stands then, not of the one that was renamed meanwhile."""
    place = _planted(kept).parent
    lock = lockfile.acquire(place / "used")
    assert lock is not None
    got: list[shelf.Built] = []
    other = threading.Thread(target=lambda: got.append(shelf.have(kept, KEY, _build, rebuild=False, say=silent)))
    other.start()
    place.rename(place.with_name(".gone-" + "0" * 12))
    lock.release()
    other.join()
    assert [shelf.find(kept, KEY)] == [shelf.Built(one.folder, one.about) for one in got]
    assert lockfile.is_held(place / "used")


def test_no_more_files_are_held_than_a_process_can_open(tmp_path: Path) -> None:
    """Of many things those that were used last are held, and using one again makes it one of them."""
    for name in (*range(70), 20, *range(100, 150)):
        uses.hold(tmp_path / str(name))
    held = {int(path.name) for path in tmp_path.iterdir() if lockfile.is_held(path)}
    assert held == {20, *range(57, 70), *range(100, 150)}


def test_a_temporary_folder_that_a_run_works_in_stays(kept: Path) -> None:
    """The checkout of a run that lasts longer than the grace time is no leftover until the run has ended."""
    folders = [Path(tempfile.mkdtemp(prefix=prefix)) for prefix in ("prefect-ledger-", "prefect-ledger-rerun-")]
    program = subprocess.Popen([sys.executable, "-c", "input()"], cwd=folders[0], stdin=subprocess.PIPE)
    _age(8, *folders)
    try:
        assert _collected().folders == [str(folders[1])]
        assert folders[0].is_dir()
    finally:
        program.communicate(b"\n", timeout=60)
    assert _collected().folders == [str(folders[0])]


# --- what is never half, and what is not ours ------------------------------------------------------------------------------

_KILLED = """
import os, shutil, signal
from prefect_ledger import collect_garbage
shutil.rmtree = lambda *_args, **_more: os.kill(os.getpid(), signal.SIGKILL)
collect_garbage(dry_run=False, caches_days=0)
"""


def test_a_killed_gc_leaves_nothing_that_is_used(kept: Path) -> None:
    """What it was over is not found any more, is built anew, and the next gc takes what is left of it."""
    folder = _planted(kept)
    done = _python(_KILLED, home=kept)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (rest,) = (kept / shelf.FOLDER).iterdir()
    assert (rest / folder.name / "python").exists()
    assert shelf.find(kept, KEY) is None
    assert shelf.have(kept, KEY, _build, rebuild=False, say=silent).new
    assert [(one.kind, one.path) for one in _collected(dry_run=True).caches] == [("remains", str(rest))]
    assert [one.path for one in _collected().caches] == [str(rest)]
    assert [path.name for path in (kept / shelf.FOLDER).iterdir()] == [KEY]


def test_several_take_the_same_away_at_once(tmp_path: Path) -> None:
    """Each thing is taken, none stands in the way of another, and what one has renamed the other may take too."""
    for number in range(8):
        place = tmp_path / "datasets" / f"{number:064x}"
        (place / "data" / "sub").mkdir(parents=True)
        (place / "data" / "sub" / "rows.csv").write_text("1,2\n")
        _age(31, place)
    found = [Garbage(dry_run=False) for _ in range(3)]
    threads = [threading.Thread(target=caches.trim, args=(one, tmp_path, time.time_ns() // 1000)) for one in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [cache.path for one in found for cache in one.caches if cache.kind == "dataset"]
    assert sorted(taken) == [str(tmp_path / "datasets" / f"{number:064x}") for number in range(8)]
    assert [one.left for one in found] == [[], [], []]
    assert list((tmp_path / "datasets").iterdir()) == []


def test_half_an_environment_that_a_killed_process_left_goes(kept: Path) -> None:
    """Nothing names it, and its age is its own."""
    folder = _planted(kept)
    half = folder.with_name("0" * 12)
    half.mkdir()
    (half / "half").touch()
    assert _collected().caches == []
    _age(31, half)
    assert [one.path for one in _collected().caches] == [str(half)]
    assert shelf.find(kept, KEY) is not None


@pytest.mark.parametrize("link", ["folder", "environment", "mark"])
def test_no_link_is_followed(link: str, kept: Path, tmp_path: Path) -> None:
    """Neither one in the place of a folder, nor of an environment, nor of the file by which its use is told."""
    _planted(tmp_path / "elsewhere")
    outside = tmp_path / "elsewhere" / shelf.FOLDER
    _age(400, outside / KEY / "used", outside / KEY)
    kept.mkdir(exist_ok=True)
    if link == "folder":
        (kept / shelf.FOLDER).symlink_to(outside)
    elif link == "environment":
        (kept / shelf.FOLDER).mkdir()
        (kept / shelf.FOLDER / KEY).symlink_to(outside / KEY)
        _age(400, kept / shelf.FOLDER / KEY)
    else:
        _planted(kept)
        (kept / shelf.FOLDER / KEY / "used").unlink()
        (kept / shelf.FOLDER / KEY / "used").symlink_to(tmp_path / "made")
        _age(400, kept / shelf.FOLDER / KEY / "used")
    before = {*_files(kept), *_files(outside.parent)}
    assert _collected().caches == []
    assert {*_files(kept), *_files(outside.parent)} == before
    assert not (tmp_path / "made").exists()


def test_what_an_environment_links_to_stays(kept: Path, tmp_path: Path) -> None:
    """As the interpreter that it was made from does; and names that we give nobody are left alone."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "rows.csv").write_text("1,2\n")
    folder = _planted(kept)
    (folder / "data").symlink_to(tmp_path / "outside")
    other = kept / shelf.FOLDER / "mine"
    other.mkdir()
    _age(400, other, folder.parent / "used")
    assert [one.path for one in _collected().caches] == [str(folder.parent)]
    assert (tmp_path / "outside" / "rows.csv").exists()
    assert [path.name for path in (kept / shelf.FOLDER).iterdir()] == ["mine"]


def test_what_was_kept_before_uses_were_told_goes_by_its_own_time(kept: Path) -> None:
    """No file tells of a use, and looking makes none that would make it young."""
    folder = _planted(kept)
    (folder.parent / "used").unlink()
    _age(29, folder.parent)
    assert _collected().caches == []
    _age(31, folder.parent)
    found = [_collected(dry_run=dry_run).caches for dry_run in (True, False)]
    assert [[one.path for one in some] for some in found] == [[str(folder.parent)]] * 2
    assert 30 < _days(found[1][0].used) < 32
