"""Artifacts on a real S3 server: large ones in parts, faults survived or said, nothing half, and no key shown or kept anywhere."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import buckets
from prefect_ledger.artifact_store import ArtifactStore, Wanted
from prefect_ledger.errors import ArtifactCorrupt, ArtifactNotFound, ArtifactsUnavailable
from prefect_ledger.remotes import S3
from tests.services_real.proxy import Fault, Proxy, proxy
from tests.services_real.s3 import S3Server, keys, uploads

MIB = 1 << 20
PART = 5 * MIB  # the least that S3 takes
IMPATIENT: dict[str, Any] = {"read_timeout": 0.5, "connect_timeout": 2, "retries": {"mode": "standard", "total_max_attempts": 2}}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts as small as S3 takes them, so that few bytes make many, and little patience."""
    monkeypatch.setattr(buckets, "PART_BYTES", PART)
    monkeypatch.setattr(buckets, "TRIES", 3)


@pytest.fixture
def bucket(s3: S3Server) -> str:
    """An empty bucket."""
    return s3.bucket()


@pytest.fixture
def store(s3: S3Server, bucket: str) -> ArtifactStore:
    """A store in it."""
    return ArtifactStore(f"s3://{bucket}/root", s3.options())


@pytest.fixture
def between(s3: S3Server) -> Iterator[Proxy]:
    """A proxy before the server."""
    with proxy(s3.url) as one:
        yield one


@pytest.fixture
def faulty(s3: S3Server, bucket: str, between: Proxy) -> ArtifactStore:
    """A store in the same bucket, through the proxy, that does not wait for long."""
    return ArtifactStore(f"s3://{bucket}/root", s3.options(between.url, **IMPATIENT))


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_of(folder: Path, data: bytes, name: str = "f") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


# --- parts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, MIB, MIB + 1, PART - 1, PART, PART + 1, 2 * PART, 3 * PART + 7])
def test_any_size_comes_back_as_it_was(store: ArtifactStore, tmp_path: Path, size: int) -> None:
    """Around the sizes where one call becomes several, bytes and files come back whole, with the digest of what was sent."""
    data, base = noise(size), store.uri(0, "r")
    for stored in (store.put_bytes(base, "b", data), store.put_file(base, "f", file_of(tmp_path, data))):
        assert (stored.size, stored.sha256) == (size, sha(data))
        assert store.read_bytes(stored.uri, sha256=stored.sha256) == data
        assert store.download(stored.uri, tmp_path / "back", sha256=stored.sha256).read_bytes() == data
        assert store.digest(stored.uri) == (size, sha(data))


def test_a_large_file_is_sent_in_parts(store: ArtifactStore, s3: S3Server, bucket: str, tmp_path: Path) -> None:
    """A file of four parts and a bit stands as an object of five parts, and no upload is left open."""
    store.put_file(store.uri(0, "r"), "large", file_of(tmp_path, noise(4 * PART + 1)))
    tag = s3.client().head_object(Bucket=bucket, Key="root/0/r/artifacts/large")["ETag"]
    assert tag.strip('"').endswith("-5")
    assert uploads(s3, bucket) == []


@pytest.mark.long
def test_many_files_go_and_come_together(store: ArtifactStore, s3: S3Server, bucket: str, tmp_path: Path) -> None:
    """Three hundred small files and a large one between them are stored under their paths and brought back, each checked."""
    folder = tmp_path / "in"
    folder.mkdir()
    files = {f"f{n:03}": noise(n * 17, n) for n in range(300)} | {"f150x": noise(2 * PART)}
    for name, data in files.items():
        file_of(folder, data, name)
    stored = store.put_folder(store.uri(0, "r"), "many", folder)
    assert [one.path for one in stored] == [f"many/{name}" for name in sorted(files)]
    assert keys(s3, bucket) == {f"root/0/r/artifacts/many/{name}": len(data) for name, data in files.items()}
    back = store.download_many([Wanted(one.uri, tmp_path / "out" / one.path, one.sha256) for one in stored])
    assert [path.read_bytes() for path in back] == [files[name] for name in sorted(files)]
    wrong = [Wanted(one.uri, tmp_path / "bad" / one.path, sha(b"other")) for one in stored[:5]]
    with pytest.raises(ArtifactCorrupt):
        store.download_many(wrong)
    assert [path for path in (tmp_path / "bad").rglob("*") if path.is_file()] == []


@pytest.mark.long
def test_a_large_object_that_is_replaced_while_it_is_read_comes_in_one_version(store: ArtifactStore) -> None:
    """While an object of several parts is overwritten again and again, what is read is one of its versions, whole."""
    base, versions = store.uri(0, "r"), [noise(2 * PART + 9, n) for n in range(2)]
    uri, stop = store.put_bytes(base, "p", versions[0]).uri, threading.Event()

    def overwrite() -> None:
        n = 0
        while not stop.is_set():
            store.put_bytes(base, "p", versions[(n := n + 1) % 2])

    writer = threading.Thread(target=overwrite)
    writer.start()
    try:
        for _ in range(6):
            try:
                size, digest = store.digest(uri)
            except ArtifactsUnavailable:  # replaced each time it was asked for: said, and nothing mixed is given
                continue
            assert (size, digest) in {(len(v), sha(v)) for v in versions}
    finally:
        stop.set()
        writer.join()


# --- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault("cut", "up", 3 * MIB, 1), Fault("stall", "up", 3 * MIB, 1)], ids=lambda f: f.kind)
def test_an_upload_survives_a_bad_connection(
    faulty: ArtifactStore, store: ArtifactStore, between: Proxy, tmp_path: Path, fault: Fault
) -> None:
    """Connections that are cut or stall in the middle of a part cost a second try, and what stands then is whole."""
    between.fault = fault
    data = noise(3 * PART + 5)
    stored = faulty.put_file(faulty.uri(0, "r"), "p", file_of(tmp_path, data))
    assert fault.met == fault.times
    assert store.read_bytes(stored.uri, sha256=sha(data)) == data


@pytest.mark.parametrize("size", [3 * MIB, 3 * PART + 5])
@pytest.mark.parametrize("kind", ["cut", "stall"])
def test_a_download_survives_a_bad_connection(
    faulty: ArtifactStore, store: ArtifactStore, between: Proxy, tmp_path: Path, kind: Any, size: int
) -> None:
    """An answer that ends or stands still in its middle is asked for again, and what comes out is whole."""
    data = noise(size)
    stored = store.put_bytes(store.uri(0, "r"), "p", data)
    between.fault = fault = Fault(kind, "down", 2 * MIB, 1)
    assert faulty.download(stored.uri, tmp_path / "back", sha256=stored.sha256).read_bytes() == data
    assert fault.met == 1


@pytest.mark.soak
def test_five_thousand_files_through_a_bad_line(store: ArtifactStore, s3: S3Server, bucket: str, between: Proxy, tmp_path: Path) -> None:
    """While some twenty connections are cut on the way up and on the way down, 5,000 files arrive and come back as they were."""
    patient = ArtifactStore(f"s3://{bucket}/root", s3.options(between.url, read_timeout=5))
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(5_000):
        file_of(folder, noise(10_000, n), f"f{n:04}")
    between.fault = up = Fault("cut", "up", MIB, 20)
    stored = patient.put_folder(patient.uri(0, "r"), "", folder)
    between.fault = down = Fault("cut", "down", MIB, 20)
    back = patient.download_many([Wanted(one.uri, tmp_path / "out" / one.path, one.sha256) for one in stored])
    assert (up.met, down.met) == (20, 20)
    assert [path.read_bytes() for path in back] == [noise(10_000, n) for n in range(5_000)]
    assert len(keys(s3, bucket)) == 5_000


def test_an_upload_that_is_cut_for_good_leaves_nothing(
    faulty: ArtifactStore, between: Proxy, s3: S3Server, bucket: str, tmp_path: Path
) -> None:
    """When every connection is cut in the middle of its bytes, the error says so, no object stands and no parts are left behind."""
    between.fault = Fault("cut", "up", 2 * MIB)
    for size in (3 * MIB, 3 * PART):
        with pytest.raises(ArtifactsUnavailable, match="cannot be used now"):
            faulty.put_file(faulty.uri(0, "r"), "p", file_of(tmp_path, noise(size)))
    assert keys(s3, bucket) == {}
    assert uploads(s3, bucket) == []


def test_an_overwrite_that_is_cut_leaves_what_was_there(faulty: ArtifactStore, store: ArtifactStore, between: Proxy) -> None:
    """A failed upload over an artifact leaves the former one as it was."""
    former = store.put_bytes(store.uri(0, "r"), "p", b"former")
    between.fault = Fault("cut", "up", 2 * MIB)
    with pytest.raises(ArtifactsUnavailable):
        faulty.put_bytes(faulty.uri(0, "r"), "p", noise(2 * PART))
    assert store.read_bytes(former.uri, sha256=former.sha256) == b"former"


def test_a_download_that_is_cut_for_good_leaves_no_file(
    faulty: ArtifactStore, store: ArtifactStore, between: Proxy, tmp_path: Path
) -> None:
    """When the bytes do not come, the error says so and the folder holds neither the file nor a part of it."""
    stored = store.put_bytes(store.uri(0, "r"), "p", noise(2 * PART))
    between.fault = Fault("cut", "down", MIB)
    (tmp_path / "out").mkdir()
    with pytest.raises(ArtifactsUnavailable):
        faulty.download(stored.uri, tmp_path / "out" / "p", sha256=stored.sha256)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_flipped_byte_on_the_way_is_noticed(store: ArtifactStore, s3: S3Server, bucket: str) -> None:
    """Bytes changed behind our back on the server are not handed out."""
    stored = store.put_bytes(store.uri(0, "r"), "p", b"good")
    s3.client().put_object(Bucket=bucket, Key="root/0/r/artifacts/p", Body=b"evil")
    with pytest.raises(ArtifactCorrupt, match="artifacts/p"):
        store.read_bytes(stored.uri, sha256=stored.sha256)


KILLED = """
import sys
from prefect_ledger import buckets
from prefect_ledger.artifact_store import ArtifactStore
buckets.PART_BYTES = 5 << 20
store = ArtifactStore(sys.argv[1])
sent = 0
def told(count):
    global sent
    sent += count
    print(sent, flush=True)
store._place.put(store._place.where(store.uri(0, "r") + "/p"), open(sys.argv[2], "rb", buffering=0), told)
"""


@pytest.mark.long
def test_a_killed_upload_leaves_nothing_that_looks_whole(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    """A process killed by SIGKILL when some parts are there leaves no object; its parts can be found and given up."""
    large = file_of(tmp_path, noise(8 * PART))
    command = [sys.executable, "-c", KILLED, f"s3://{bucket}/root", str(large)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | s3.environment())
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
    store = ArtifactStore(f"s3://{bucket}/root", s3.options())
    assert (keys(s3, bucket), store.list(store.uri(0, "r"))) == ({}, [])
    [left] = store._place.uploads(store._place.where(f"{store.root}/0"))
    assert left.path == "r/artifacts/p"
    store._place.abort(store._place.where(store.uri(0, "r") + "/p"), left.id)
    assert uploads(s3, bucket) == []


# --- what is said --------------------------------------------------------------------------------------------------------


def refused(s3: S3Server, bucket: str, between: Proxy) -> Iterator[tuple[str, ArtifactStore]]:
    """Stores that cannot work, each with a word that its error must have."""
    wrong, stranger = s3.options(**IMPATIENT), s3.options(**IMPATIENT)
    wrong["secret"], stranger["key"] = "notThisSecret0123456789", "AKnotthiskey"
    between.close()
    yield "let us in", ArtifactStore(f"s3://{bucket}/root", wrong)
    yield "let us in", ArtifactStore(f"s3://{bucket}/root", stranger)
    yield "no such bucket", ArtifactStore("s3://there-is-none/root", s3.options(**IMPATIENT))
    yield "cannot be used now", ArtifactStore(f"s3://{bucket}/root", s3.options(between.url, **IMPATIENT))


def verbs(store: ArtifactStore) -> Iterator[Callable[[], object]]:
    """Reading, listing and writing; this server makes a bucket that is not there for whoever writes into it."""
    yield lambda: store.read_bytes(f"{store.uri(0, 'r')}/p", sha256=sha(b"x"))
    yield lambda: store.list(store.uri(0, "r"))
    if "there-is-none" not in store.root:
        yield lambda: store.put_bytes(store.uri(0, "r"), "p", b"x")


@pytest.mark.long
def test_a_root_that_cannot_be_used_says_why_and_shows_no_keys(s3: S3Server, bucket: str, between: Proxy) -> None:
    """Wrong keys, no bucket and no server come out as ArtifactsUnavailable from every verb; not even a traceback shows a key."""
    for word, store in refused(s3, bucket, between):
        for verb in verbs(store):
            with pytest.raises(ArtifactsUnavailable, match=word) as caught:
                verb()
            shown = "".join(traceback.format_exception(caught.value)) + repr(store) + store.root
            for secret in (s3.secret, s3.key, "notThisSecret", "AKnotthiskey"):
                assert secret not in shown


def test_what_is_missing_is_not_found(store: ArtifactStore) -> None:
    """In a bucket that can be read, an artifact that is not there is ArtifactNotFound, not trouble with the root."""
    with pytest.raises(ArtifactNotFound):
        store.read_bytes(f"{store.uri(0, 'r')}/none", sha256=sha(b""))


FORKED = """
import os, sys
from prefect_ledger.artifact_store import ArtifactStore
store = ArtifactStore(sys.argv[1])
store.put_bytes(store.uri(0, "r"), "parent", b"1")
child = os.fork()
stored = store.put_bytes(store.uri(0, "r"), "child" if child == 0 else "again", b"2" * (6 << 20))
assert store.read_bytes(stored.uri, sha256=stored.sha256) == b"2" * (6 << 20)
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.long
def test_a_forked_child_can_store_too(s3: S3Server, bucket: str) -> None:
    """After a fork both processes go on storing and reading."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED, f"s3://{bucket}"]
    subprocess.run(command, check=True, timeout=60, env=os.environ | s3.environment())
    assert sorted(keys(s3, bucket)) == [f"0/r/artifacts/{name}" for name in ("again", "child", "parent")]


def test_settings_of_the_client_that_a_user_gives_stay(s3: S3Server, bucket: str) -> None:
    """What a user says of the client holds, one setting of S3 among them, and all that nobody spoke of is as we set it up."""
    store = ArtifactStore(f"s3://{bucket}/root", s3.options(read_timeout=7, s3={"addressing_style": "path"}))
    store.put_bytes(store.uri(0, "r"), "a", b"x" * 1000)
    assert isinstance(store._place, S3)
    config = store._place.fs.s3.meta.config
    assert (config.read_timeout, config.connect_timeout) == (7, buckets.CLIENT["connect_timeout"])
    assert config.s3["addressing_style"] == "path"
    assert config.s3["payload_signing_enabled"] is False
