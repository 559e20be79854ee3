"""Digests of files and folders: the same wherever and however they lie; and an unchanged file is not read again, a changed one always."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger.errors import InvalidValue
from prefect_ledger.listings import Listing
from prefect_ledger.tracking import folders, known_digests
from prefect_ledger.tracking.datasets import describe
from prefect_ledger.tracking.known_digests import is_settled

LAW = settings(max_examples=25, deadline=None)
FILES = st.dictionaries(
    st.lists(st.sampled_from(["a", "b", "c.csv", "é"]), min_size=1, max_size=3).map(lambda parts: "/".join(parts) + ".x"),
    st.binary(max_size=20),
    max_size=6,
)

_opened: list[str] | None = None


def _hear(event: str, args: tuple[object, ...]) -> None:
    if event == "open" and _opened is not None and isinstance(args[0], str):
        _opened.append(args[0])


sys.addaudithook(_hear)


@contextmanager
def opened(below: Path) -> Iterator[list[str]]:
    """The files below a folder that Python opens in the block."""
    global _opened
    _opened, found = [], list[str]()
    try:
        yield found
    finally:
        found += [path for path in _opened if path.startswith(f"{below}/")]
        _opened = None


def fill(folder: Path, files: dict[str, bytes]) -> None:
    """Put files into a folder, in this order."""
    folder.mkdir(exist_ok=True)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as written long ago at once."""
    monkeypatch.setattr(known_digests, "GRAIN", -(10**12))


@LAW
@given(FILES, st.integers(1, 2_000_000_000), st.data())
def test_same_paths_and_content_same_digest(files: dict[str, bytes], at: int, data: st.DataObject) -> None:
    """Whatever the folder is called, in which order, when and with which rights it was filled, with empty folders in it, cached or not."""
    with tempfile.TemporaryDirectory() as top:
        one, other, cache = Path(top, "one"), Path(top, "other"), Path(top, "cache")
        fill(one, files)
        fill(other, dict(data.draw(st.permutations(sorted(files.items())))))
        (other / "empty" / "deeper").mkdir(parents=True)
        for path in files:
            os.utime(other / path, (at, at))
            (other / path).chmod(0o600)
        expected = folders.read(one).listing.digest
        for _ in range(2):
            assert folders.read(other, cache=cache).listing.digest == expected
        assert describe(one, name="d").digest == expected


@LAW
@given(FILES, FILES)
def test_other_paths_or_content_other_digest(files: dict[str, bytes], others: dict[str, bytes]) -> None:
    """Also where both are found through one cache."""
    with tempfile.TemporaryDirectory() as top:
        one, other, cache = Path(top, "one"), Path(top, "other"), Path(top, "cache")
        fill(one, files)
        fill(other, others)
        same = folders.read(one, cache=cache).listing.digest == folders.read(other, cache=cache).listing.digest
        assert same == (files == others)


def test_a_digest_of_threads_is_that_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large files and small ones in turns, more than go into one batch."""
    fill(tmp_path / "d", {f"{n % 7}/{n}": os.urandom(400_000 if n % 40 == 0 else n) for n in range(300)})
    monkeypatch.setattr(folders, "THREADS", 1)
    one = folders.read(tmp_path / "d").listing
    monkeypatch.setattr(folders, "THREADS", 8)
    assert folders.read(tmp_path / "d").listing == one
    assert len(one.files) == 300


# --- what is known is not read again ---------------------------------------------------------------------------------------


def test_an_unchanged_folder_is_not_read_again(tmp_path: Path, settled: None) -> None:
    """The second time opens no file of it; when one changes, that one alone, and one that is gone is gone."""
    data, cache = tmp_path / "data", tmp_path / "cache"
    fill(data, {f"d{n % 3}/{n}.txt": f"{n}".encode() for n in range(30)})
    (data / "link.txt").symlink_to("d0/0.txt")
    with opened(data) as first:
        expected = describe(data, name="d", cache=cache)
    assert len(first) == 31
    with opened(data) as again:
        assert describe(data, name="d", cache=cache) == expected
    assert again == []
    (data / "d1" / "1.txt").write_text("changed")
    (data / "d0" / "3.txt").unlink()
    with opened(data) as changed:
        found = describe(data, name="d", cache=cache)
    assert changed == [f"{data}/d1/1.txt"]
    assert found == describe(data, name="d")


def _rewritten(file: Path) -> None:
    file.write_bytes(b"other")


def _replaced(file: Path) -> None:
    file.with_suffix(".new").write_bytes(b"other")
    file.with_suffix(".new").replace(file)


@pytest.mark.parametrize("change", [_rewritten, _replaced])
def test_a_change_that_hides_is_seen(tmp_path: Path, settled: None, change: Callable[[Path], None]) -> None:
    """Of the same size, with its time of writing set back: nobody sets back the time at which its inode was changed."""
    data, cache = tmp_path / "data", tmp_path / "cache"
    fill(data, {"a": b"first"})
    before = (data / "a").stat()
    expected = describe(data, name="d", cache=cache).digest
    change(data / "a")
    os.utime(data / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (data / "a").stat().st_mtime_ns == before.st_mtime_ns
    assert describe(data, name="d", cache=cache).digest == describe(data, name="d").digest != expected


def test_what_was_written_just_now_is_not_remembered(tmp_path: Path) -> None:
    """It may be written to once more within the grain of the clock, with no sign of it."""
    data, cache = tmp_path / "data", tmp_path / "cache"
    fill(data, {"a": b"1"})
    os.utime(data / "a", (1, 1))
    describe(data, name="d", cache=cache)
    with opened(data) as again:
        describe(data, name="d", cache=cache)
    assert again == [f"{data}/a"]
    second = 1_000_000_000
    assert is_settled((1, 5 * second, 5 * second, 1), 8 * second)
    assert not is_settled((1, 5 * second, 7 * second, 1), 8 * second)
    assert not is_settled((1, 9 * second, 5 * second, 1), 8 * second), "a clock that is ahead of ours"


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "other", "folder"])
def test_a_damaged_cache_is_dropped(tmp_path: Path, settled: None, damage: str) -> None:
    """And made anew; it is never believed, and never an error."""
    data, cache = tmp_path / "data", tmp_path / "cache"
    fill(data, {"a": b"1", "b": b"2"})
    expected = describe(data, name="d", cache=cache)
    (file,) = cache.iterdir()
    raw = file.read_bytes()
    if damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        at = raw.rindex(b'"]')
        flipped = raw[: at - 1] + (b"0" if raw[at - 1 : at] != b"0" else b"1") + raw[at:]
        file.write_bytes({"cut": raw[:-20], "flipped": flipped, "emptied": b"", "other": b"[]"}[damage])
    with opened(data) as read:
        assert describe(data, name="d", cache=cache) == expected
    assert len(read) == 2
    if damage != "folder":
        assert file.read_bytes() == raw


def test_the_cache_is_bounded(tmp_path: Path, settled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that were not digested for longest go; a list that is very long is not kept at all."""
    cache = tmp_path / "cache"
    monkeypatch.setattr(known_digests, "_FOLDERS", 3)
    for n in range(6):
        fill(tmp_path / f"d{n}", {"a": b"1"})
        describe(tmp_path / f"d{n}", name="d", cache=cache)
        os.utime(max(cache.iterdir(), key=lambda path: path.stat().st_mtime_ns), (n + 1, n + 1))
    assert len(list(cache.iterdir())) == 3
    for kept, times in ((5, 0), (0, 1)):
        with opened(tmp_path / f"d{kept}") as read:
            describe(tmp_path / f"d{kept}", name="d", cache=cache)
        assert len(read) == times
    monkeypatch.setattr(known_digests, "LIMIT", 100)
    fill(tmp_path / "more", {"a": b"1"})
    describe(tmp_path / "more", name="d", cache=cache)
    with opened(tmp_path / "more") as again:
        describe(tmp_path / "more", name="d", cache=cache)
    assert len(again) == 1


def test_no_place_for_a_cache_is_no_error(tmp_path: Path) -> None:
    """Such as a home that is a file."""
    fill(tmp_path / "d", {"a": b"1"})
    (tmp_path / "file").write_text("in the way")
    assert describe(tmp_path / "d", name="d", cache=tmp_path / "file" / "cache").schema == {"bytes": 1, "files": 1}


def test_many_at_once_share_a_cache(tmp_path: Path, settled: None) -> None:
    """While files change under some of them, each digest is one that the folder had, and the cache stays whole."""
    data, cache = tmp_path / "data", tmp_path / "cache"
    fill(data, {"a": b"0", "b": b"x"})
    wrong: list[str] = []

    def work(own: Path) -> None:
        fill(own, {"a": b"1"})
        for _ in range(20):
            found = folders.read(data, cache=cache).listing
            if found.digest != expected or Listing.from_json(found.to_json()) != found:
                wrong.append(found.digest)
            folders.read(own, cache=cache)

    expected = folders.read(data).listing.digest
    threads = [threading.Thread(target=work, args=(tmp_path / f"own{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert not [path for path in cache.iterdir() if path.suffix == ".part"]


# --- what is in a folder -----------------------------------------------------------------------------------------------


def test_empty_files_and_folders_have_digests(tmp_path: Path) -> None:
    """A folder without files is one dataset, wherever; an empty file has the sha256 of nothing."""
    (tmp_path / "one" / "sub").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "empty").touch()
    assert describe(tmp_path / "one", name="d").digest == describe(tmp_path / "other", name="d").digest
    assert describe(tmp_path / "empty", name="d").digest.startswith("e3b0c44298fc1c14")
    assert describe(tmp_path / "one", name="d").schema == {"bytes": 0, "files": 0}


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A pipe, which nobody writes to, and a socket's kin do not hang the run; names that are no text are fine."""
    fill(tmp_path / "d", {"a": b"1"})
    os.mkfifo(tmp_path / "d" / "pipe")
    with pytest.raises(InvalidValue, match=r"dataset 'd': .*/pipe is neither a file nor a folder"):
        describe(tmp_path / "d", name="d")
    with pytest.raises(InvalidValue, match=r"dataset 'd': .*/pipe is neither a file nor a folder"):
        describe(tmp_path / "d" / "pipe", name="d")
    (tmp_path / "d" / "pipe").unlink()
    with open(os.fsencode(tmp_path / "d") + b"/\xff\xfe", "wb") as odd:  # noqa: PTH123  # a name that is no text
        odd.write(b"2")
    found = folders.read(tmp_path / "d").listing
    assert len(found.files) == 2
    assert Listing.from_json(found.to_json()) == found
