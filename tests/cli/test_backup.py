"""``prefect-ledger backup`` and ``restore``: taken under load, whole or not at all, believed only after a look at every byte."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import sqlite_copies
from prefect_ledger.database import SCHEMA, Database, execute
from prefect_ledger.queries import Reader
from tests.cli.conftest import Cli, command, document, environment, python

_LOGS = """
import sys
from prefect_ledger import start_run
from prefect_ledger.tracking.ledger import ledger

with start_run(experiment="load") as run:
    print(run.id, flush=True)
    n = 0
    while True:
        for _ in range(500):
            run.log_metric("n", n, step=n)
            n += 1
        ledger().flush()
        print(n, flush=True)
"""
_KILLED = """
import os, signal, sys
from prefect_ledger import start_run

with start_run(experiment="killed") as run:
    print(run.id, flush=True)
    for n in range(1000):
        run.log_metric("n", n, step=n)
    os.kill(os.getpid(), signal.SIGKILL)
"""
_COPIES = """
import sys, time
from pathlib import Path
from prefect_ledger import sqlite_copies
from prefect_ledger.backups import backup
from prefect_ledger.settings import Settings

def progress(done, pages):
    print("copying", flush=True)
    time.sleep(60)

copy = sqlite_copies.copy
backup.sqlite_copies.copy = lambda source, target, _: copy(source, target, progress)
backup.backup(Settings.resolve(), Path(sys.argv[1]), artifacts=sys.argv[1].endswith(".zip"))
"""
_FILL = """
from prefect_ledger import start_run

for number in range(3):
    with start_run(experiment="churn", name=f"run-{number}") as run:
        run.log_metric("loss", number / 2)
        run.log_text("hello " * number, f"notes/{number}.txt")
print(run.artifact_uri.split("/")[-3])
"""

_COPIED = """
from pathlib import Path
from prefect_ledger import start_run

Path("data/sub").mkdir(parents=True)
Path("data/a.csv").write_text("age\\n40\\n")
Path("data/sub/b.bin").write_bytes(bytes(range(256)))
with start_run(experiment="e") as run:
    run.log_dataset("data", copy=True)
print(run.id + "/data")
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a ledger with three runs and their artifacts, to be copied from."""
    home = tmp_path_factory.mktemp("original") / "ledger"
    done = python(_FILL, home)
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture(scope="module")
def archive(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup with artifacts."""
    path = tmp_path_factory.mktemp("archive") / "ledger.zip"
    done = command("backup", str(path), "--artifacts", home=original)
    assert (done.returncode, done.stderr) == (0, "")
    return path


@pytest.fixture
def home(archive: Path, tmp_path: Path) -> Path:
    """A ledger of this test alone."""
    assert command("restore", str(archive), home=tmp_path / "ledger").returncode == 0
    return tmp_path / "ledger"


@pytest.fixture
def cli(home: Path) -> Cli:
    """The command on it."""
    return lambda *args, **more: command(*args, home=home, **more)


def listing(folder: Path) -> dict[str, bytes]:
    """Everything below a folder but what SQLite has beside a file that is open."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and not p.name.endswith(("-shm", "-wal"))}


def runs(home: Path) -> list[Any]:
    """The runs of a ledger, by name."""
    database = Database(f"sqlite:///{home}/ledger.db")
    try:
        return sorted(Reader(database).search_runs(), key=lambda run: run.name)
    finally:
        database.close()


def log(home: Path, code: str) -> subprocess.Popen[str]:
    """A process that logs."""
    return subprocess.Popen([sys.executable, "-c", code], env=environment(home), cwd=home.parent, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def load(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str], str]]:
    """A home, a process that logs there all the time, and its run."""
    home = tmp_path / "busy" / "ledger"
    home.parent.mkdir()
    child = log(home, _LOGS)
    assert child.stdout is not None
    yield home, child, child.stdout.readline().strip()
    child.kill()
    child.wait()
    child.stdout.close()


def test_a_backup_under_load_restores_to_all_that_was_there_before(load: tuple[Path, subprocess.Popen[str], str], tmp_path: Path) -> None:
    """While a process logs: what was in the store when the backup began is in it, with no value missing in between, and it is whole."""
    home, child, run = load
    assert child.stdout is not None
    for number in range(2):
        before = int(child.stdout.readline())
        found = document(command("backup", f"{tmp_path}/{number}.db", "--json", home=home))
        assert (found["runs"], found["schema"], found["live"], found["troubles"]) == (1, SCHEMA, 1, [])
        other = tmp_path / f"other-{number}" / "ledger"
        other.parent.mkdir()
        assert command("restore", f"{tmp_path}/{number}.db", home=other).returncode == 0
        database = Database(f"sqlite:///{other}/ledger.db")
        series = Reader(database).metric(run, "n")
        database.close()
        assert series.values.tolist() == list(range(len(series)))
        assert len(series) >= before
    assert int(child.stdout.readline()) > before


def test_writers_go_on_in_the_middle_of_a_copy(load: tuple[Path, subprocess.Popen[str], str], tmp_path: Path) -> None:
    """However long a copy takes, others commit between its steps, it does not begin anew for them, and it is of the moment it began."""
    home, child, run = load
    out = child.stdout
    assert out is not None
    before = int(out.readline())
    steps = list[tuple[int, int]]()

    def progress(done: int, pages: int) -> None:
        steps.append((done, pages))
        if len(steps) < 4:
            int(out.readline())  # comes only when a flush has got through

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_copies, "_PAGES", 16)
        sqlite_copies.copy(home / "ledger.db", tmp_path / "copy.db", progress)
    done = [step for step, _ in steps]
    assert done == sorted(done)
    assert len({pages for _, pages in steps}) == 1
    database = Database(f"sqlite:///{tmp_path}/copy.db")
    count = len(Reader(database).metric(run, "n"))
    database.close()
    assert before <= count <= before + 1_500
    assert sqlite_copies.check(tmp_path / "copy.db") == SCHEMA


def test_what_a_killed_process_left_is_in_the_backup(tmp_path: Path) -> None:
    """A journal that nobody drained is brought in before; its run is CRASHED, as any next process would say."""
    home = tmp_path / "home" / "ledger"
    home.parent.mkdir()
    child = log(home, _KILLED)
    out, _ = child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert command("backup", f"{tmp_path}/b.db", home=home).returncode == 0
    database = Database(f"sqlite:///{tmp_path}/b.db")
    reader = Reader(database)
    assert (reader.run(out.strip()).status, len(reader.metric(out.strip(), "n"))) == ("CRASHED", 1000)
    database.close()


@pytest.mark.parametrize("name", ["b.db", "b.zip"])
@pytest.mark.long
def test_a_killed_backup_leaves_nothing_that_looks_whole(home: Path, tmp_path: Path, name: str) -> None:
    """Killed in the middle, there is no file of that name, and the next backup takes what was begun away."""
    folder = tmp_path / "backups"
    folder.mkdir()
    child = subprocess.Popen(
        [sys.executable, "-c", _COPIES, str(folder / name)], env=environment(home), stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "copying\n"
    child.kill()
    child.wait()
    child.stdout.close()
    assert list(folder.iterdir()) != []
    assert all(path.name.startswith(".") for path in folder.iterdir())
    assert command("backup", str(folder / name), *(["--artifacts"] if name == "b.zip" else []), home=home).returncode == 0
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.long
def test_a_backup_with_artifacts_becomes_a_ledger_elsewhere(archive: Path, tmp_path: Path) -> None:
    """Runs, values and bytes are there under another home, and rows say where the bytes are now."""
    home = tmp_path / "new" / "ledger"
    home.parent.mkdir()
    done = command("restore", str(archive), home=home)
    assert (done.returncode, done.stdout) == (0, f"3 runs and 3 artifacts, schema {SCHEMA}: {home}/ledger.db\n")
    assert command("doctor", "--artifacts", home=home).returncode == 0
    assert [run.metrics for run in runs(home)] == [{"loss": 0.0}, {"loss": 0.5}, {"loss": 1.0}]
    assert all(run.artifact_uri.startswith(f"{home}/artifacts/") for run in runs(home))
    database = Database(f"sqlite:///{home}/ledger.db")
    [artifact] = Reader(database).artifacts(runs(home)[2].id)
    database.close()
    assert (artifact.path, Path(artifact.uri).read_text()) == ("notes/2.txt", "hello hello ")


@pytest.mark.long
def test_data_that_a_run_had_copied_comes_back_from_a_backup(tmp_path: Path) -> None:
    """Store and artifact root are destroyed, the data is too: from the backup alone it is there again, checked, in a ledger elsewhere."""
    home, backed_up = tmp_path / "ledger", tmp_path / "ledger.zip"
    done = python(_COPIED, home)
    assert done.returncode == 0, done.stderr
    ref = done.stdout.strip()
    assert command("backup", str(backed_up), "--artifacts", home=home).returncode == 0
    shutil.rmtree(home)
    shutil.rmtree(tmp_path / "data")
    elsewhere = tmp_path / "elsewhere" / "ledger"
    assert command("restore", str(backed_up), home=elsewhere).returncode == 0
    checks = document(command("doctor", "--artifacts", "--json", home=elsewhere))["checks"]
    assert [check["details"]["contents"] for check in checks if check["name"] == "copies"] == [2]
    got = command("datasets", "get", ref, str(tmp_path / "back"), home=elsewhere)
    assert got.returncode == 0, got.stderr
    assert listing(tmp_path / "back") == {"a.csv": b"age\n40\n", "sub/b.bin": bytes(range(256))}
    content = next(path for path in (elsewhere / "artifacts" / "datasets").rglob("*") if path.is_file())
    content.write_bytes(content.read_bytes()[::-1])
    assert command("doctor", "--artifacts", home=elsewhere).returncode == 1


def test_artifacts_that_are_not_what_was_logged_are_said(home: Path, tmp_path: Path) -> None:
    """What is missing or changed is named, with exit code 1, and the rest is backed up and restored."""
    files = sorted((home / "artifacts").rglob("*.txt"))
    files[0].unlink()
    files[1].write_text("other")
    done = command("backup", f"{tmp_path}/b2.zip", "--artifacts", home=home)
    assert done.returncode == 1
    assert "is not what was logged" in done.stderr
    other = tmp_path / "other" / "ledger"
    other.parent.mkdir()
    found = document(command("restore", f"{tmp_path}/b2.zip", "--json", home=other))
    assert (found["artifacts"], len(found["troubles"])) == (2, 2)


def test_a_ledger_that_is_not_empty_is_kept(cli: Cli, home: Path, archive: Path) -> None:
    """Without --overwrite nothing happens; with it, database and artifacts are renamed, and hold what they held."""
    before = listing(home)
    done = cli("restore", str(archive))
    assert (done.returncode, "is not empty: say --overwrite" in done.stderr) == (1, True)
    assert listing(home) == before
    (home / "artifacts" / "own.txt").write_text("mine")
    found = document(cli("restore", str(archive), "--overwrite", "--json"))
    artifacts, database = (Path(kept) for kept in found["kept"])
    assert (artifacts / "own.txt").read_text() == "mine"
    assert sqlite_copies.count_runs(database) == len(runs(home)) == 3
    assert sorted(path.name for path in home.iterdir() if path.name.startswith(".")) == []


def test_a_restore_that_comes_to_nothing_gives_the_names_back(cli: Cli, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the last rename fails, the ledger and the artifacts of before stand where they stood."""
    (home / "artifacts" / "own.txt").write_text("mine")
    before, rename = listing(home / "artifacts"), Path.rename

    def fails(self: Path, target: Path) -> Path:
        if ".unfinished" in str(self) and target == home / "ledger.db":
            raise PermissionError(13, "Permission denied", str(target))
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fails)
        assert cli("restore", str(archive), "--overwrite").returncode == 1
    assert len(runs(home)) == 3
    assert listing(home / "artifacts") == before
    assert [path.name for path in home.iterdir() if "before" in path.name or path.name.startswith(".")] == []


def test_a_ledger_in_use_is_not_replaced(load: tuple[Path, subprocess.Popen[str], str], cli: Cli, home: Path, archive: Path) -> None:
    """Neither while a process logs into it nor while anything has it open, also with --overwrite."""
    busy, *_ = load
    done = command("restore", str(archive), "--overwrite", home=busy)
    assert (done.returncode, "a process of this machine logs into" in done.stderr) == (1, True)
    reading = sqlite3.connect(home / "ledger.db")
    reading.execute("SELECT COUNT(*) FROM runs").fetchone()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_copies, "_PATIENCE", 0.1)
        done = cli("restore", str(archive), "--overwrite")
    assert (done.returncode, "is in use: end what logs into it or reads it" in done.stderr) == (1, True)
    reading.close()
    assert cli("restore", str(archive), "--overwrite").returncode == 0


def test_a_backup_takes_no_other_things_place(cli: Cli, home: Path, tmp_path: Path) -> None:
    """Not the ledger's own files, not a file that is there, not a link; and the name says which kind it is."""
    (tmp_path / "there.db").write_text("something")
    (tmp_path / "link.db").symlink_to(home / "ledger.db")
    for name, said in (
        ("ledger/ledger.db", "is a part of the ledger"),
        ("ledger/ledger.db-wal", "is a part of the ledger"),
        ("ledger/artifacts/b.db", "is a part of the ledger"),
        ("there.db", "is there already"),
        ("link.db", "is a link"),
        ("nowhere/b.db", "there is no folder"),
        ("b.zip", "is a database, and no zip"),
    ):
        done = cli("backup", f"{tmp_path}/{name}", *([] if name == "there.db" else ["--overwrite"]))
        assert (done.returncode, said in done.stderr) == (1, True), (name, done.stderr)
    assert "give it a name that ends in .zip" in cli("backup", f"{tmp_path}/b.db", "--artifacts").stderr
    assert cli("backup", f"{tmp_path}/there.db", "--overwrite").returncode == 0
    assert len(runs(home)) == 3


def test_other_stores_are_pointed_to_their_own_tools(cli: Cli, tmp_path: Path) -> None:
    """PostgreSQL has pg_dump and pg_restore, a bucket its own copy; a ledger that is not there yet has nothing to back up."""
    url = {"PREFECT_LEDGER_STORE_URL": "postgresql://ledger:geheim@127.0.0.1:1/ledger"}
    for words, tool in ((("backup", f"{tmp_path}/b.db"), "pg_dump -Fc"), (("restore", f"{tmp_path}/b.db"), "pg_restore")):
        done = cli(*words, **url)
        assert (done.returncode, tool in done.stderr, "geheim" in done.stderr) == (1, True, False)
    done = cli("backup", f"{tmp_path}/b.zip", "--artifacts", PREFECT_LEDGER_ARTIFACT_ROOT="memory://x")
    assert "is no folder of this machine" in done.stderr
    assert "nothing to back up" in command("backup", f"{tmp_path}/b.db", home=tmp_path / "none").stderr


def test_an_older_ledger_is_backed_up_and_asks_for_its_upgrade(cli: Cli, home: Path, tmp_path: Path) -> None:
    """What is about to be upgraded can be backed up by the version that will do it."""
    database = Database(f"sqlite:///{home}/ledger.db")
    with database.write() as tx:
        execute(tx, "UPDATE ledger_schema_version SET version_num = '0001'")
    database.close()
    assert document(cli("backup", f"{tmp_path}/b.db", "--json"))["schema"] == 1
    done = command("restore", f"{tmp_path}/b.db", home=tmp_path / "new" / "ledger")
    assert (done.returncode, "prefect-ledger db upgrade" in done.stderr) == (0, True)


def _database(change: Callable[[sqlite3.Connection], object]) -> Callable[[bytes, Path], bytes]:
    def changed(data: bytes, folder: Path) -> bytes:
        path = folder / "changed.db"
        path.write_bytes(data)
        with sqlite3.connect(path) as ledger:
            change(ledger)
        ledger.close()
        return path.read_bytes()

    return changed


_BAD_DATABASES: dict[str, tuple[Callable[[bytes, Path], bytes], str]] = {
    "newer": (
        _database(lambda db: db.execute("UPDATE ledger_schema_version SET version_num = '9999'")),
        "has schema 9999, .*pip install -U",
    ),
    "no ledger": (_database(lambda db: db.execute("DROP TABLE ledger_schema_version")), "is a database, but no ledger"),
    "trigger": (
        _database(lambda db: db.execute("CREATE TRIGGER t AFTER INSERT ON audit BEGIN DELETE FROM audit; END")),
        "it was tampered with",
    ),
    "cut": (lambda data, _: data[: len(data) // 2], "is damaged|cannot be read as a ledger"),
    "page": (lambda data, _: data[:8192] + bytes([255] * 4096) + data[12288:], "is damaged|cannot be read as a ledger"),
    "text": (lambda _data, _: b"hello", "is no SQLite database"),
    "empty": (lambda _data, _: b"", "is no SQLite database"),
}


@pytest.mark.parametrize("kind", _BAD_DATABASES)
def test_a_damaged_or_strange_database_is_refused(archive: Path, tmp_path: Path, kind: str) -> None:
    """Nothing that is no whole ledger of a schema that is known takes the ledger's place, and the message says what it is."""
    change, said = _BAD_DATABASES[kind]
    with zipfile.ZipFile(archive) as whole:
        data = whole.read("ledger.db")
    (tmp_path / "bad.db").write_bytes(change(data, tmp_path))
    assert _refused(tmp_path, tmp_path / "bad.db", said)


def _refused(tmp_path: Path, file: Path, said: str) -> bool:
    """Whether a restore of the file says so, and leaves nothing anywhere."""
    home = tmp_path / "target" / "ledger"
    home.mkdir(parents=True)
    done = command("restore", str(file), home=home)
    assert (done.returncode, re.search(said, done.stderr) is not None) == (1, True), done.stderr
    return list(home.iterdir()) == [] and not (tmp_path / "evil").exists()


def _rewritten(
    archive: Path, to: Path, change: Callable[[dict[str, Any], dict[str, bytes]], object], *, how: int = zipfile.ZIP_STORED
) -> None:
    """An archive whose list and files somebody has changed; each file keeps what the list says, unless it is changed itself."""
    with zipfile.ZipFile(archive) as whole:
        files = {name: whole.read(name) for name in whole.namelist()}
    manifest = json.loads(files.pop("manifest.json"))
    change(manifest, files)
    with zipfile.ZipFile(to, "w", how) as made:
        for name, data in files.items():
            made.writestr(name, data)
        made.writestr("manifest.json", json.dumps(manifest), zipfile.ZIP_STORED)


def _named(path: str) -> Callable[[dict[str, Any], dict[str, bytes]], object]:
    def change(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
        files[path] = b"evil"
        manifest["artifacts"].append({"path": path, "size": 4, "sha256": hashlib.sha256(b"evil").hexdigest()})

    return change


def _first(change: Callable[[dict[str, Any], dict[str, bytes], str], object]) -> Callable[[dict[str, Any], dict[str, bytes]], object]:
    return lambda manifest, files: change(manifest, files, max(manifest["artifacts"], key=lambda one: int(one["size"]))["path"])


_BAD_ARCHIVES: dict[str, tuple[Callable[[dict[str, Any], dict[str, bytes]], object], str]] = {
    "up": (_named("artifacts/../../evil"), "leads out of the backup"),
    "absolute": (_named("/tmp/evil"), "leads out of the backup"),
    "backslash": (_named("artifacts\\..\\evil"), "leads out of the backup"),
    "elsewhere": (_named("evil"), "files that no backup has"),
    "bytes": (_first(lambda _, files, name: files.update({name: b"x" * len(files[name])})), "are not those that were put there"),
    "size": (_first(lambda _, files, name: files.update({name: files[name] + b"x"})), "is not as large as its list says"),
    "missing": (_first(lambda _, files, name: files.pop(name)), "and its list differ in"),
    "more": (lambda _, files: files.update({"artifacts/more": b""}), "and its list differ in"),
    "twice": (lambda manifest, _: manifest["artifacts"].append(manifest["artifacts"][0]), "or a file twice"),
    "format": (lambda manifest, _: manifest.update({"version": 2}), "is a backup of format 2, .*pip install -U"),
    "other": (lambda manifest, _: manifest.update({"format": "x"}), "does not read as one"),
    "strange": (lambda manifest, _: manifest.update({"artifacts": 7}), "does not read as one"),
    "negative": (lambda manifest, _: manifest["artifacts"][0].update({"size": -1}), "does not read as one"),
    "no database": (lambda manifest, files: (files.pop("ledger.db"), manifest.update({"database": None})), "does not read as one"),
}


@pytest.mark.parametrize("kind", _BAD_ARCHIVES)
def test_an_archive_that_was_changed_is_refused(archive: Path, tmp_path: Path, kind: str) -> None:
    """Paths that lead out, other bytes than the list says, more or fewer files: nothing is restored, and nothing lies anywhere."""
    change, said = _BAD_ARCHIVES[kind]
    _rewritten(archive, tmp_path / "bad.zip", change)
    assert _refused(tmp_path, tmp_path / "bad.zip", said)


def test_bombs_links_and_halves_are_refused(archive: Path, tmp_path: Path) -> None:
    """What is packed could be larger than any disk, a link could lead anywhere, and an archive without its end was not finished."""
    _rewritten(archive, tmp_path / "bomb.zip", lambda _m, _f: None, how=zipfile.ZIP_DEFLATED)
    assert _refused(tmp_path / "a", tmp_path / "bomb.zip", "is a link, is packed")
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(tmp_path / "link.zip", "w") as made:
        for info in whole.infolist():
            if info.filename.endswith("1.txt"):
                info.external_attr = 0o120777 << 16
            made.writestr(info, whole.read(info.filename))
    assert _refused(tmp_path / "b", tmp_path / "link.zip", "is a link, is packed")
    (tmp_path / "half.zip").write_bytes(archive.read_bytes()[:-2000])
    assert _refused(tmp_path / "c", tmp_path / "half.zip", "is no backup with artifacts")
    with zipfile.ZipFile(tmp_path / "plain.zip", "w") as made:
        made.writestr("a.txt", "a")
    assert _refused(tmp_path / "d", tmp_path / "plain.zip", r"has no manifest\.json")


def test_a_ledger_that_was_copied_by_hand_is_no_backup(home: Path, tmp_path: Path) -> None:
    """A file with a write-ahead log beside it is not all there is of a ledger."""
    shutil.copy(home / "ledger.db", tmp_path / "raw.db")
    (tmp_path / "raw.db-wal").write_bytes(b"x" * 32)
    assert _refused(tmp_path, tmp_path / "raw.db", "has a write-ahead log beside it")
    assert (tmp_path / "raw.db-wal").exists()
