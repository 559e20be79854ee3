"""The cache of what was read: found by digest, checked, bounded, and never in the way."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from pathlib import Path

import pytest

from prefect_ledger.artifact_store import ArtifactStore
from prefect_ledger.errors import ArtifactCorrupt
from prefect_ledger.read_cache import ReadCache
from tests.services_real.s3 import S3Server


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_was_read_is_not_fetched_again(s3: S3Server, tmp_path: Path) -> None:
    """Each way to read fills the cache and is served by it, also when the server has lost the bytes; digest() asks the server."""
    store = ArtifactStore(f"s3://{s3.bucket()}/root", s3.options(), cache=tmp_path / "cache")
    stored = store.put_bytes(store.uri(0, "r"), "a", b"hello")
    assert not (tmp_path / "cache").exists()
    assert store.download(stored.uri, tmp_path / "out", sha256=stored.sha256.upper()).read_bytes() == b"hello"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [stored.sha256]
    store.put_bytes(store.uri(0, "r"), "a", b"other")
    assert store.read_bytes(stored.uri, sha256=stored.sha256) == b"hello"
    with store.open(stored.uri, sha256=stored.sha256) as stream:
        assert stream.read() == b"hello"
    assert store.digest(stored.uri) == (5, sha(b"other"))


def test_what_was_changed_in_the_cache_is_not_handed_out(s3: S3Server, tmp_path: Path) -> None:
    """A cached file that was tampered with, or is a link, is passed over, and the bytes come from the server again."""
    store = ArtifactStore(f"s3://{s3.bucket()}/root", s3.options(), cache=tmp_path / "cache")
    stored = store.put_bytes(store.uri(0, "r"), "a", b"hello")
    store.read_bytes(stored.uri, sha256=stored.sha256)
    cached = tmp_path / "cache" / stored.sha256
    cached.write_bytes(b"evil!")
    assert store.read_bytes(stored.uri, sha256=stored.sha256) == b"hello"
    assert cached.read_bytes() == b"hello"
    cached.unlink()
    (tmp_path / "secret").write_bytes(b"hello")
    cached.symlink_to(tmp_path / "secret")
    assert store.read_bytes(stored.uri, sha256=stored.sha256) == b"hello"
    with pytest.raises(ArtifactCorrupt):
        store.read_bytes(stored.uri, sha256=sha(b"never"))


def test_a_local_root_needs_no_cache(tmp_path: Path) -> None:
    """What lies on this machine is not kept a second time."""
    store = ArtifactStore(str(tmp_path / "root"), cache=tmp_path / "cache")
    stored = store.put_bytes(store.uri(0, "r"), "a", b"hello")
    assert store.read_bytes(stored.uri, sha256=stored.sha256) == b"hello"
    assert not (tmp_path / "cache").exists()


def test_the_cache_stays_within_its_limit(tmp_path: Path) -> None:
    """However much is read, by several threads, the folder holds no more than the limit; what was used last is still there."""
    cache = ReadCache(tmp_path, limit=160_000)
    first = b"f" * 1_000

    def fill(thread: int) -> None:
        for _ in range(100):
            data = os.urandom(5_000)
            cache.keep(sha(data), io.BytesIO(data), len(data))
            if cache.copy_to(sha(first), io.BytesIO()) is None:
                cache.keep(sha(first), io.BytesIO(first), len(first))

    threads = [threading.Thread(target=fill, args=(n,)) for n in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    kept = [path.stat().st_size for path in tmp_path.iterdir()]
    assert 0 < sum(kept) <= 160_000 + 3 * 5_000
    large = b"l" * 50_000
    cache.keep(sha(large), io.BytesIO(large), len(large))
    assert cache.copy_to(sha(large), io.BytesIO()) is None


def test_a_cache_that_cannot_be_written_is_no_error(s3: S3Server, tmp_path: Path) -> None:
    """Where the folder is a file, reading goes on without a cache."""
    (tmp_path / "cache").write_text("")
    store = ArtifactStore(f"s3://{s3.bucket()}/root", s3.options(), cache=tmp_path / "cache")
    stored = store.put_bytes(store.uri(0, "r"), "a", b"hello")
    assert store.read_bytes(stored.uri, sha256=stored.sha256) == b"hello"
