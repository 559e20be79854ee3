"""log_artifact(s) and what a run knows of files: whole folders and none by halves, files that change, names that look alike, kinds."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pty
import re
import resource
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_ledger import artifact_store, get_run, log_artifact, log_artifacts, start_run
from prefect_ledger.artifact_store import ArtifactStore
from prefect_ledger.errors import InvalidName, InvalidValue
from prefect_ledger.roots import Folder
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.media_types import kind_of, media_type
from prefect_ledger.transfer import Bar, folded, walk

STORED = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
parts = st.text(st.characters(categories=["L", "N"], include_characters=" ._-+#%"), min_size=1, max_size=6).filter(lambda t: t.strip(".~"))


@STORED
@given(st.dictionaries(st.lists(parts, min_size=1, max_size=3).map("/".join), st.binary(max_size=8), max_size=8))
def test_a_folder_comes_back(fresh_ledger: Ledger, tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    """Every file of every folder below, whatever it is called, with its bytes and their digest."""
    folder = tmp_path_factory.mktemp("in")
    for name, data in list(files.items()):
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        except OSError:  # a file where a folder should be
            del files[name]
    with start_run(experiment="e") as run:
        log_artifacts(folder, "all")
    found = get_run(run.id)
    assert {one.path: one.sha256 for one in found.artifacts} == {
        f"all/{name}": hashlib.sha256(data).hexdigest() for name, data in files.items()
    }
    assert all(found.read_artifact(f"all/{name}") == data for name, data in files.items())


def test_one_bad_file_keeps_the_whole_folder_out(fresh_ledger: Ledger, tmp_path: Path) -> None:
    """A link that points outside, a pipe, a name that is no path: refused in words before anything is stored."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    (tmp_path / "secret").write_text("s")
    with start_run(experiment="e") as run:
        for name, target, said in (
            ("z", "../secret", "links to .*secret, which is no file inside"),
            ("z", "/etc", "links to /etc"),
            ("z", "gone", "links to .*gone"),
        ):
            (folder / name).symlink_to(target)
            with pytest.raises(InvalidValue, match=said):
                run.log_artifacts(folder)
            (folder / name).unlink()
        os.mkfifo(folder / "z")
        with pytest.raises(InvalidValue, match="neither a file nor a folder"):
            run.log_artifacts(folder)
        (folder / "z").unlink()
        (folder / "z\n").write_text("")
        with pytest.raises(InvalidName, match="control characters"):
            run.log_artifacts(folder)
    assert get_run(run.id).artifacts == []
    assert not fresh_ledger.artifacts.list(run.artifact_uri)


@pytest.mark.parametrize("whole", [False, True])
def test_a_file_that_changes_is_kept_as_it_was_read(fresh_ledger: Ledger, tmp_path: Path, whole: bool) -> None:
    """The digest is of what stands, which reads back; a note on the run says that it was being written to."""
    file, done, started = tmp_path / "in" / "log.bin", threading.Event(), threading.Event()
    file.parent.mkdir()
    file.write_bytes(bytes(1 << 20))

    def write() -> None:
        with file.open("r+b") as sink:
            while not done.is_set():
                sink.seek(0)
                sink.write(os.urandom(64))
                sink.flush()
                started.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert started.wait(10)
        with start_run(experiment="e") as run:
            for _ in range(20):  # whether a file changes while it is read is for the machine to say
                if whole:
                    log_artifacts(file.parent)
                else:
                    log_artifact(file)
                if (found := get_run(run.id)).notes:
                    break
    finally:
        done.set()
        writer.join()
    (one,) = found.artifacts
    assert hashlib.sha256(found.read_artifact("log.bin")).hexdigest() == one.sha256
    assert found.notes[0] == "written to while they were logged, and kept as they were read: log.bin"


def test_names_that_differ_by_case_are_two_where_the_root_says_so(fresh_ledger: Ledger, tmp_path: Path) -> None:
    """On a file system that looks at case, both are kept."""
    (tmp_path / "in").mkdir()
    for name in ("Model.txt", "model.txt"):
        (tmp_path / "in" / name).write_text(name)
    with start_run(experiment="e") as run:
        run.log_artifacts(tmp_path / "in")
    assert [get_run(run.id).read_artifact(name) for name in ("Model.txt", "model.txt")] == [b"Model.txt", b"model.txt"]


def test_names_that_a_root_takes_for_one_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a root that does not look at case one would take the other's place: both are named, and nothing is stored."""
    assert not Folder(str(tmp_path / "root"), "").folds()
    assert list((tmp_path / "root").iterdir()) == []
    (tmp_path / "in" / "A").mkdir(parents=True)
    (tmp_path / "in" / "a").mkdir()
    (tmp_path / "in" / "A" / "é.txt").write_text("1")
    (tmp_path / "in" / "a" / "É.txt").write_text("2")
    monkeypatch.setattr(Folder, "folds", lambda _self: True)
    store = ArtifactStore(str(tmp_path / "root"))
    with pytest.raises(InvalidName, match=r"'A/é\.txt' and 'a/É\.txt' are one file below .*root, which does not look at case"):
        store.put_folder(store.uri(1, "r"), "", tmp_path / "in")
    assert store.list(store.uri(1, "r")) == []
    (tmp_path / "in" / "a" / "É.txt").unlink()
    assert len(store.put_folder(store.uri(1, "r"), "", tmp_path / "in")) == 1


@given(st.text(max_size=8))
def test_letters_are_folded_as_file_systems_fold_them(text: str) -> None:
    """Twice folded is once folded, and upper and lower case are one, where the letters have both."""
    assert folded(folded(text)) == folded(text)
    if text.isascii():
        assert folded(text.upper()) == folded(text.lower())
    assert folded("e\u0301") == folded("É")


@pytest.mark.soak
def test_a_hundred_thousand_files(fresh_ledger: Ledger, tmp_path: Path) -> None:
    """They are logged in time that grows with their number, in memory that a list of them takes, and one of them is found at once."""
    count = 100_000
    for n in range(count):
        if n % 1000 == 0:
            (tmp_path / "in" / str(n // 1000)).mkdir(parents=True)
        (tmp_path / "in" / str(n // 1000) / str(n)).write_bytes(b"%d" % n)
    with start_run(experiment="e") as run:
        run.log_text("warm", "warm.txt")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        run.log_artifacts(tmp_path / "in", "all", progress=False)
        print(f"{count:,} files in {time.perf_counter() - began:.1f} s")
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    found = get_run(run.id)
    assert len(found.artifacts) == count + 1
    assert found.read_artifact("all/77/77777") == b"77777"
    assert grown < 400 << 10  # KiB


# --- progress ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Standard error as a terminal; the list holds what was shown there afterwards."""
    controller, end = pty.openpty()
    seen: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):
            while data := os.read(controller, 4096):
                seen.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(end, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        yield seen
        monkeypatch.undo()
    reader.join(10)
    os.close(controller)


def test_a_bar_is_shown_where_somebody_looks_and_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal after a second; not before, not in a pipe, never when it is switched off, and at once when it is asked for."""
    for wait, shown, expected in ((0.0, None, False), (1.1, None, True), (1.1, False, False), (0.0, True, True)):
        with terminal(monkeypatch) as seen, Bar("weights.bin", 100, shown) as bar:
            time.sleep(wait)
            bar(50)
            time.sleep(0.2 if expected else 0)
        assert (b"weights.bin" in b"".join(seen)) is expected
    piped = io.StringIO()
    monkeypatch.setattr(sys, "stderr", piped)
    with Bar("weights.bin", 100) as bar:
        time.sleep(1.1)
        bar(50)
    assert piped.getvalue() == ""


class ZMQInteractiveShell:
    """As a notebook's kernel calls its own."""


def test_a_notebook_is_somebody_who_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its standard error is no terminal, and yet a bar is read there."""
    fake = type(sys)("IPython")
    fake.get_ipython = ZMQInteractiveShell  # type: ignore[attr-defined]
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not Bar("a", 1)._wanted
    monkeypatch.setitem(sys.modules, "IPython", fake)
    assert Bar("a", 1)._wanted
    assert not Bar("a", 1, shown=False)._wanted


# --- kinds ---------------------------------------------------------------------------------------------------------------

KINDS = {
    "a.png": ("image/png", "image"),
    "a.JPG": ("image/jpeg", "image"),
    "a.svg": ("image/svg+xml", "image"),
    "a.webp": ("image/webp", "image"),
    "sound.wav": ("audio/wav", "audio"),
    "sound.mp3": ("audio/mpeg", "audio"),
    "sound.flac": ("audio/flac", "audio"),
    "film.mp4": ("video/mp4", "video"),
    "film.webm": ("video/webm", "video"),
    "page.html": ("text/html", "html"),
    "notes.md": ("text/markdown", "markdown"),
    "t.parquet": ("application/vnd.apache.parquet", "table"),
    "t.csv": ("text/csv", "table"),
    "a.pdf": ("application/pdf", "pdf"),
    "a.json": ("application/json", "dict"),
    "a.yaml": ("application/yaml", "dict"),
    "train.log": ("text/plain", "text"),
    "train.py": ("text/x-python", "text"),
    "scene.glb": ("model/gltf-binary", "mesh"),
    "a.zip": ("application/zip", "file"),
    "weights": ("", "file"),
    "weights.odd-ending": ("", "file"),
    ".hidden": ("", "file"),
}


def test_a_files_type_and_kind_are_those_of_its_ending(fresh_ledger: Ledger, tmp_path: Path) -> None:
    """The same on every machine, for files and folders alike, so that a reader knows how to show them."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in KINDS:
        (folder / name).write_bytes(b"x")
    with start_run(experiment="e") as run:
        log_artifacts(folder, "all")
        log_artifact(folder / "sound.wav", "one")
    found = {one.path: (one.metadata.get("media", ""), one.kind) for one in get_run(run.id).artifacts}
    assert found == {f"all/{name}": kind for name, kind in KINDS.items()} | {"one/sound.wav": KINDS["sound.wav"]}


def test_our_own_table_is_whole() -> None:
    """Every type in it is spelled as types are, and has a kind."""
    for name in KINDS:
        assert re.fullmatch(r"([a-z]+/[a-z0-9.+-]+)?", media_type(name))
    assert kind_of("text/x-anything") == "text"
    assert kind_of("application/octet-stream") == "file"


def test_a_folder_that_becomes_a_link_out_of_the_root_is_noticed(tmp_path: Path) -> None:
    """Also between two artifacts of one run: where each really goes is judged when it is put."""
    store = ArtifactStore(str(tmp_path / "root"))
    base = store.uri(1, "r")
    store.put_bytes(base, "a/one.txt", b"1")
    (tmp_path / "outside").mkdir()
    for link in (Path(base) / "a", Path(base)):
        link.rename(tmp_path / f"was {link.name}")
        link.symlink_to(tmp_path / "outside")
        for path in ("a/two.txt", "two.txt") if link.name != "a" else ("a/two.txt",):
            with pytest.raises(InvalidName, match="not below the artifact root"):
                store.put_bytes(base, path, b"2")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_file_that_goes_meanwhile_is_named(fresh_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of which a file is taken away between the look and the copy is refused with what to do, and the run has nothing of it."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.txt").write_text(name)

    def looked_through(where: str) -> Iterator[tuple[str, str, int]]:
        yield from list(walk(where))
        (folder / "b.txt").unlink()

    monkeypatch.setattr(artifact_store, "walk", looked_through)
    with start_run(experiment="e") as run, pytest.raises(InvalidValue, match=r"b\.txt has gone .* a folder that nobody changes"):
        log_artifacts(folder)
    assert get_run(run.id).artifacts == []
