"""Artifacts: whole or absent, checked before used, and never outside the root; in folders and in fsspec's stores alike."""

from __future__ import annotations

import hashlib
import io
import os
import pty
import random
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_ledger import transfer
from prefect_ledger.artifact_store import ArtifactStore, Stored
from prefect_ledger.errors import ArtifactCorrupt, ArtifactNotFound, InvalidName, InvalidSettings, InvalidValue
from tests.services_real.s3 import S3Server

LAW = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
RUN = "8f2c51aa-0000-4000-8000-000000000000"
DIGEST = re.compile(r"[0-9a-f]{64}")


class Plain(LocalFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """A store that is neither local to us nor an object store: a name may show half of what is sent to it."""

    protocol = "plain"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return super()._strip_protocol(path.removeprefix("plain://") if isinstance(path, str) else path)


fsspec.register_implementation("plain", Plain, clobber=True)


@pytest.fixture(params=["folder", "file://", "memory://", "plain://", "s3://"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArtifactStore]:
    """The same store over each kind of root."""
    kind = request.param
    if kind == "s3://":
        server: S3Server = request.getfixturevalue("s3")
        yield ArtifactStore(f"s3://{server.bucket()}/root", server.options())
        return
    root = {"folder": f"{tmp_path}/root", "memory://": f"memory://{tmp_path.name}"}.get(kind, f"{kind}{tmp_path}/root")
    yield ArtifactStore(root)
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture
def local(tmp_path: Path) -> ArtifactStore:
    """A store over a local folder."""
    return ArtifactStore(str(tmp_path / "root"))


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def leftovers(folder: Path) -> list[str]:
    return [name for _, _, names in os.walk(folder) for name in names if transfer.PART.fullmatch(name)]


# --- round trips -------------------------------------------------------------------------------------------------------


def test_what_is_put_is_read(store: ArtifactStore) -> None:
    """Every way to put gives the size and digest of the bytes, and every way to read gives the bytes."""
    base = store.uri(7, RUN)
    data = bytes(range(256)) * 5_000
    stored = store.put_bytes(base, "a/b c/ü%2F.bin", data)
    assert stored == Stored("a/b c/ü%2F.bin", f"{base}/a/b c/ü%2F.bin", len(data), sha(data))
    assert store.read_bytes(stored.uri, sha256=stored.sha256.upper()) == data
    with store.open(stored.uri, sha256=stored.sha256) as stream:
        assert stream.read() == data
    assert store.exists(stored.uri)
    assert store.list(base) == ["a/b c/ü%2F.bin"]


def test_the_layout_is_readable_without_us(tmp_path: Path) -> None:
    """Bytes lie as a plain file in root/experiment/run/artifacts/path."""
    store = ArtifactStore(str(tmp_path))
    store.put_bytes(store.uri(12, RUN), "x/y.txt", b"hello")
    assert (tmp_path / "12" / RUN / "artifacts" / "x" / "y.txt").read_bytes() == b"hello"


@pytest.mark.parametrize("data", [b"", b"x", b"ab" * 300_000])
def test_a_file_is_stored_as_it_is_now(store: ArtifactStore, tmp_path: Path, data: bytes) -> None:
    """A local file of any size is stored whole, also through a link, and a download gives an equal file."""
    (tmp_path / "f").write_bytes(data)
    (tmp_path / "link").symlink_to("f")
    for source in ("f", "link"):
        stored = store.put_file(store.uri(0, RUN), f"{source}.bin", tmp_path / source)
        assert (stored.size, stored.sha256) == (len(data), sha(data))
        assert store.download(stored.uri, tmp_path / "new" / "copy", sha256=stored.sha256).read_bytes() == data


def zipped(stream: BinaryIO) -> None:
    with zipfile.ZipFile(stream, "w") as archive:  # goes back to fill in the sizes
        archive.writestr("a.txt", "hello" * 1_000)


def patched(stream: BinaryIO) -> None:
    stream.write(b"0123456789" * 100_000)
    stream.seek(3)
    stream.write(b"XXX")
    assert stream.read(2) == b"67"
    stream.seek(0, os.SEEK_END)
    stream.write(b"end")


def closed(stream: BinaryIO) -> None:
    stream.write(b"done")
    stream.close()


def cut(stream: BinaryIO) -> None:
    stream.write(b"0123456789")
    stream.seek(4)
    stream.truncate()


@pytest.mark.parametrize("writer", [zipped, patched, closed, cut])
def test_a_writer_may_treat_the_stream_as_a_file(store: ArtifactStore, writer: Callable[[BinaryIO], None]) -> None:
    """Serialisers that seek, overwrite, read back, cut or close give the same bytes as on a plain file, with the right digest."""
    stored = store.put_stream(store.uri(0, RUN), "m.bin", writer)
    data = store.read_bytes(stored.uri, sha256=stored.sha256)
    assert stored.size == len(data)
    if writer is zipped:
        assert zipfile.ZipFile(io.BytesIO(data)).read("a.txt") == b"hello" * 1_000
    elif writer is patched:
        assert data == b"012XXX6789" + b"0123456789" * 99_999 + b"end"
    else:
        assert data == (b"done" if writer is closed else b"0123")


def test_a_folder_is_stored_with_all_its_files(store: ArtifactStore, tmp_path: Path) -> None:
    """Files of all subfolders come in path order, links to files inside as those files; an empty folder stores nothing."""
    folder = tmp_path / "in"
    expected = {}
    for n in range(40):
        file = folder / f"d{n % 3}" / f"f{n}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"%d" % n)
        expected[f"out/d{n % 3}/f{n}.txt"] = b"%d" % n
    (folder / "same").symlink_to("d0/f0.txt")
    expected["out/same"] = b"0"
    stored = store.put_folder(store.uri(0, RUN), "out", folder)
    assert [s.path for s in stored] == sorted(expected) == store.list(store.uri(0, RUN))
    assert {s.path: store.read_bytes(s.uri, sha256=s.sha256) for s in stored} == expected
    (tmp_path / "empty").mkdir()
    assert store.put_folder(store.uri(0, RUN), "", tmp_path / "empty") == []


def test_the_last_write_of_a_path_wins(store: ArtifactStore) -> None:
    """Putting a path again replaces it; the old digest then no longer fits."""
    base = store.uri(0, RUN)
    old, new = store.put_bytes(base, "p", b"old"), store.put_bytes(base, "p", b"new")
    assert store.read_bytes(new.uri, sha256=new.sha256) == b"new"
    with pytest.raises(ArtifactCorrupt):
        store.read_bytes(old.uri, sha256=old.sha256)


def test_runs_do_not_see_each_other(store: ArtifactStore) -> None:
    """Listing and deleting touch one run only; deleting what is not there is no error."""
    a, b = store.uri(1, RUN), store.uri(1, RUN.replace("8", "9"))
    store.put_bytes(a, "x", b"1")
    kept = store.put_bytes(b, "x", b"2")
    store.delete_tree(a)
    store.delete_tree(a)
    assert store.list(a) == []
    assert store.read_bytes(kept.uri, sha256=kept.sha256) == b"2"


# --- whole or absent ---------------------------------------------------------------------------------------------------

KILLED = """
import sys, time
from prefect_ledger.artifact_store import ArtifactStore
store = ArtifactStore(sys.argv[1])
base, blocks = store.uri(0, "r"), 64
def write(stream):
    for _ in range(blocks):
        stream.write(sys.argv[3].encode() * (1 << 20))
print("go", flush=True)
store.put_stream(base, sys.argv[2], write)
store.put_file(base, "again-" + sys.argv[2], f"{sys.argv[1]}/0/r/artifacts/{sys.argv[2]}")
time.sleep(60)
"""


@pytest.mark.long
def test_a_killed_write_leaves_the_whole_artifact_or_none(tmp_path: Path) -> None:
    """A process killed by SIGKILL at ten random moments of writing 64 MB leaves at each name nothing, or all of it: old or new."""
    store, chance = ArtifactStore(str(tmp_path)), random.Random(7)
    base = store.uri(0, "r")
    names = ["new0", "old1"]
    for letter in (b"a", b"b"):
        store.put_bytes(base, "old1", letter * (64 << 20))
    whole = {sha(letter * (64 << 20)) for letter in (b"b", b"c")}
    for n in range(10):
        name = names[n % 2]
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), name, "c"], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(chance.uniform(0, 0.25))
        child.kill()
        child.wait()
        child.stdout.close()
        for path in (name, f"again-{name}"):
            file = tmp_path / "0" / "r" / "artifacts" / path
            if file.exists():
                with file.open("rb") as stream:
                    assert hashlib.file_digest(stream, "sha256").hexdigest() in whole
        assert set(store.list(base)) <= {*names, *(f"again-{name}" for name in names)}
    store.delete_tree(base)
    assert leftovers(tmp_path) == []


def test_a_writer_that_fails_leaves_nothing(store: ArtifactStore, tmp_path: Path) -> None:
    """When the writer raises after a megabyte, its own error comes out, nothing stands at the path and no rest lies about."""

    def fails(stream: BinaryIO) -> None:
        stream.write(b"x" * (1 << 20))
        raise FileExistsError("mine")

    with pytest.raises(FileExistsError, match="mine"):
        store.put_stream(store.uri(0, RUN), "p", fails)
    assert store.list(store.uri(0, RUN)) == []
    assert leftovers(tmp_path) == []


def test_readers_see_one_whole_version(store: ArtifactStore) -> None:
    """While a path is overwritten again and again, what is read there is always one of the versions, whole."""
    base = store.uri(0, RUN)
    versions = [bytes([n]) * 200_000 for n in range(4)]
    uri = store.put_bytes(base, "p", versions[0]).uri
    digests, stop = {sha(v) for v in versions}, threading.Event()

    def overwrite() -> None:
        n = 0
        while not stop.is_set():
            store.put_bytes(base, "p", versions[(n := n + 1) % 4])

    writer = threading.Thread(target=overwrite)
    writer.start()
    try:
        for _ in range(60):
            with pytest.raises(ArtifactCorrupt) as caught:
                store.read_bytes(uri, sha256="0" * 64)
            assert set(DIGEST.findall(str(caught.value))) - {"0" * 64} <= digests
    finally:
        stop.set()
        writer.join()


# --- checked before used -----------------------------------------------------------------------------------------------


def test_a_changed_byte_is_found_before_anything_is_handed_out(store: ArtifactStore, tmp_path: Path) -> None:
    """Reading, opening and downloading bytes that are not those logged name the artifact and both digests, and give nothing."""
    base = store.uri(0, RUN)
    good = sha(b"good")
    bad = store.put_bytes(base, "m.pkl", b"evil")
    for read in (
        lambda: store.read_bytes(bad.uri, sha256=good),
        lambda: store.open(bad.uri, sha256=good),
        lambda: store.download(bad.uri, tmp_path / "got", sha256=good),
    ):
        with pytest.raises(ArtifactCorrupt, match=r"m\.pkl") as caught:
            read()
        assert good in str(caught.value)
        assert bad.sha256 in str(caught.value)
    assert not (tmp_path / "got").exists()
    assert leftovers(tmp_path) == []


def test_what_was_checked_cannot_be_changed_afterwards(local: ArtifactStore) -> None:
    """Bytes changed in place after ``open`` do not reach its reader."""
    stored = local.put_bytes(local.uri(0, RUN), "p", b"checked")
    with local.open(stored.uri, sha256=stored.sha256) as stream:
        Path(stored.uri).write_bytes(b"swapped")
        assert stream.read() == b"checked"


def test_what_is_not_there_is_not_found(store: ArtifactStore) -> None:
    """A missing artifact, and a folder in place of one, are ArtifactNotFound."""
    base = store.uri(0, RUN)
    store.put_bytes(base, "d/x", b"1")
    for path in ("nothing", "d", "d/x/y"):
        assert not store.exists(f"{base}/{path}")
        with pytest.raises(ArtifactNotFound, match=path):
            store.read_bytes(f"{base}/{path}", sha256=sha(b"1"))


# --- inside the root -----------------------------------------------------------------------------------------------------

DOTS = st.lists(st.sampled_from(["..", ".", "", "a", "%2e%2e", "~", "C:", "\\", "a\\..", "\0", "a b", "…", " ..", "x" * 300]), max_size=6)


@LAW
@given(st.one_of(DOTS.map("/".join), st.text(max_size=20), DOTS.map(lambda parts: "/" + "/".join(parts))))
def test_no_path_leaves_the_run(tmp_path: Path, path: str) -> None:
    """Whatever is given as a path is refused, or its bytes lie below the run's folder and nowhere else."""
    store = ArtifactStore(str(tmp_path / "root"))
    run = tmp_path / "root" / "0" / RUN / "artifacts"
    try:
        stored = store.put_bytes(store.uri(0, RUN), path, b"x")
    except InvalidName:
        pass
    else:
        assert Path(os.path.realpath(stored.uri)).is_relative_to(run)
        store.delete_tree(store.uri(0, RUN))
    assert [p for p in tmp_path.rglob("*") if p.is_file() and not p.is_relative_to(run)] == []


@LAW
@given(DOTS.map("/".join), st.sampled_from(["", "/", "0/", "x/artifacts/", "../"]))
def test_no_uri_leaves_the_root(tmp_path: Path, path: str, start: str) -> None:
    """Whatever is given as a URI, nothing outside the root is read, deleted or listed."""
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "a").write_bytes(b"s")
    for root in (str(tmp_path / "root"), "memory://inner"):
        store = ArtifactStore(root)
        for uri in (f"{store.root}/{start}{path}", f"{start}{path}", f"{store.root}{path}"):
            with pytest.raises((InvalidName, ArtifactNotFound, OSError)):
                store.read_bytes(uri, sha256=sha(b"s"))
            try:
                store.delete_tree(uri)
                assert store.list(uri) == []
            except InvalidName:
                pass
    assert (tmp_path / "secret").exists()
    assert (tmp_path / "a").exists()


def test_links_do_not_lead_out(local: ArtifactStore, tmp_path: Path) -> None:
    """A folder or file in the root that is a link to elsewhere is neither written through, read, listed nor deleted through."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_bytes(b"s")
    base = local.uri(0, RUN)
    local.put_bytes(base, "ok", b"1")
    (Path(base) / "out").symlink_to(outside)
    (Path(base) / "f").symlink_to(outside / "f")
    with pytest.raises(InvalidName):
        local.put_bytes(base, "out/new", b"x")
    with pytest.raises(InvalidName):
        local.read_bytes(f"{base}/out/f", sha256=sha(b"s"))
    with pytest.raises(InvalidName):
        local.list(f"{base}/out")
    with pytest.raises(InvalidName):
        local.delete_tree(f"{base}/out")
    with pytest.raises(InvalidValue):
        local.read_bytes(f"{base}/f", sha256=sha(b"s"))
    assert not local.exists(f"{base}/f")
    local.put_bytes(base, "f", b"mine")  # replaces the link, not what it leads to
    local.delete_tree(base)
    assert sorted(p.name for p in outside.iterdir()) == ["f"]
    assert (outside / "f").read_bytes() == b"s"


def test_the_root_itself_may_be_reached_by_a_link(tmp_path: Path) -> None:
    """A root that is a link, as on mounted disks, works like the folder it leads to."""
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to("real")
    store = ArtifactStore(str(tmp_path / "root"))
    stored = store.put_bytes(store.uri(0, RUN), "p", b"x")
    assert store.read_bytes(stored.uri, sha256=stored.sha256) == b"x"


def test_the_root_is_never_deleted(store: ArtifactStore) -> None:
    """Neither the root nor anything above it can be deleted or written as a run's folder."""
    kept = store.put_bytes(store.uri(0, RUN), "p", b"x")
    for uri in (store.root, store.root + "/", store.root + "/..", "/", "", "memory://", "file:///", store.root + "x"):
        with pytest.raises(InvalidName):
            store.delete_tree(uri)
        with pytest.raises(InvalidName):
            store.put_bytes(uri + "/..", "p", b"y")
    assert store.read_bytes(kept.uri, sha256=kept.sha256) == b"x"


@pytest.mark.parametrize(("experiment", "run"), [(-1, RUN), (True, RUN), ("1", RUN), (0, ""), (0, ".."), (0, "a/b"), (0, "/a"), (0, "a\0")])
def test_ids_are_plain_parts_of_a_path(local: ArtifactStore, experiment: Any, run: str) -> None:
    """An experiment id that is no count, or a run id that is no plain name, gets no place."""
    with pytest.raises(InvalidName):
        local.uri(experiment, run)


def test_a_name_of_an_unfinished_write_is_refused(local: ArtifactStore) -> None:
    """A path that would be taken for an unfinished write, and so never listed, is refused."""
    with pytest.raises(InvalidName, match="unfinished"):
        local.put_bytes(local.uri(0, RUN), f"d/{transfer.part_name()}", b"x")


def test_a_file_is_no_folder(local: ArtifactStore) -> None:
    """A path below a file, and a file in place of a folder, are refused by name, and what is there stays."""
    base = local.uri(0, RUN)
    kept = local.put_bytes(base, "a", b"1")
    local.put_bytes(base, "d/x", b"1")
    for path in ("a/b", "a/b/c", "d"):
        with pytest.raises(InvalidName, match="already"):
            local.put_bytes(base, path, b"2")
    assert local.read_bytes(kept.uri, sha256=kept.sha256) == b"1"
    assert local.list(base) == ["a", "d/x"]


@pytest.mark.parametrize("kind", ["link out", "link up", "broken link", "folder link", "pipe"])
def test_a_folder_with_something_odd_is_refused_whole(local: ArtifactStore, tmp_path: Path, kind: str) -> None:
    """A folder holding a link that leads out, nowhere or to a folder, or a pipe, is refused before anything is stored."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_bytes(b"1")
    (tmp_path / "in2").write_bytes(b"s")
    odd = folder / "sub" / "odd"
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to({"link out": f"{tmp_path}/in2", "link up": "..", "broken link": "nothing", "folder link": f"{folder}/sub"}[kind])
    with pytest.raises(InvalidValue, match="odd"):
        local.put_folder(local.uri(0, RUN), "", folder)
    assert local.list(local.uri(0, RUN)) == []


def test_only_files_and_folders_can_be_put(local: ArtifactStore, tmp_path: Path) -> None:
    """A pipe or device as a file, which could make us wait for ever, a folder as a file and a file as a folder are refused."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "f").write_bytes(b"")
    for source, error in ((tmp_path / "pipe", InvalidValue), ("/dev/zero", InvalidValue), (tmp_path, IsADirectoryError), ("/no", OSError)):
        with pytest.raises(error):
            local.put_file(local.uri(0, RUN), "p", source)
    with pytest.raises(InvalidValue):
        local.put_folder(local.uri(0, RUN), "", tmp_path / "f")


# --- roots and what is shown ---------------------------------------------------------------------------------------------


def test_a_relative_root_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative folder is the one below the working folder of the moment, also when that changes."""
    monkeypatch.chdir(tmp_path)
    store = ArtifactStore("here/../art")
    assert store.root == f"{tmp_path}/art"


@pytest.mark.parametrize("root", ["nosuch://x", "file://relative", "s3://AKIAIOSFODNN7EXAMPLE:abc@bucket", "ftp://bob:pw@host/x"])
def test_roots_that_cannot_be_used_are_refused(root: str) -> None:
    """An unknown scheme, a file URL without an absolute path and a root with a password are refused without showing the password."""
    with pytest.raises(InvalidSettings) as caught:
        ArtifactStore(root)
    assert "pw" not in str(caught.value)
    assert "AKIA" not in str(caught.value)


def test_a_missing_driver_is_named() -> None:
    """Without s3fs, an s3 root says which extra to install."""
    code = (
        "import sys; sys.modules['s3fs'] = None\n"
        "from prefect_ledger.artifact_store import ArtifactStore\n"
        "from prefect_ledger.errors import MissingExtra\n"
        "try: ArtifactStore('s3://b')\n"
        "except MissingExtra as e: print(e)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "prefect-ledger[s3]" in out


def test_local_artifacts_need_no_fsspec() -> None:
    """Importing the module and writing to a folder loads neither fsspec nor rich."""
    code = (
        "import sys, tempfile; from prefect_ledger.artifact_store import ArtifactStore as S\n"
        "with tempfile.TemporaryDirectory() as d: s = S(d); s.put_bytes(s.uri(0, 'r'), 'a', b'x')\n"
        "print(sorted({'fsspec', 'rich', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


SHOWS = """
import sys
from prefect_ledger import transfer
from prefect_ledger.artifact_store import ArtifactStore
transfer._PATIENCE = 0.0
store = ArtifactStore(sys.argv[1])
store.put_file(store.uri(0, "r"), "model[bold].bin", sys.executable)
"""


def test_a_long_transfer_shows_a_bar_on_a_terminal_only(tmp_path: Path) -> None:
    """On a terminal a transfer past its time shows its name and size; into a pipe it writes nothing."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    command = [sys.executable, "-c", SHOWS, str(tmp_path)]
    subprocess.run(command, stderr=theirs, check=True, env=environment)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "model[bold].bin" in shown
    assert " kB" in shown
    assert subprocess.run(command, stderr=subprocess.PIPE, check=True, env=environment).stderr == b""
