"""The artifact root is nothing that can be written to: one warning, the run goes on, and no path of the user's is blamed."""

from __future__ import annotations

import resource
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import start_run
from prefect_ledger.artifact_store import ArtifactStore
from prefect_ledger.errors import ArtifactsUnavailable, InvalidName
from prefect_ledger.held_artifacts import held, send
from prefect_ledger.settings import Settings
from prefect_ledger.tracking import keeping
from prefect_ledger.tracking import ledger as module
from prefect_ledger.tracking.ledger import Ledger, LedgerWarning

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc")


@contextmanager
def ledger_of(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Iterator[Ledger]:
    """A ledger with these settings, as that of this process."""
    monkeypatch.setattr(keeping, "_away", {})
    before = module._ledger
    module._ledger = Ledger(Settings.resolve(capture_git=False, capture_packages=False, **settings))
    try:
        yield module._ledger
    finally:
        module._ledger.close()
        module._ledger = before


@pytest.mark.parametrize("root", ["/proc/ledger/artifacts", "{tmp}/file", "{tmp}/file/team/artifacts"])
def test_what_is_logged_is_held(root: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be made, a file, what lies below a file: said once, of the root; the bytes wait and follow when it is mended."""
    file = tmp_path / "file"
    file.write_text("in the way")
    root = root.format(tmp=tmp_path)
    with ledger_of(monkeypatch, artifact_root=root) as one:
        with warnings.catch_warnings(record=True) as said, start_run(experiment="e") as run:
            warnings.simplefilter("always")
            run.log_text("hello", "notes/a.txt")
            run.log_text("again", "notes/b.txt")
        (warning,) = (str(w.message) for w in said if issubclass(w.category, LedgerWarning))
        assert root in warning
        assert "notes" not in warning
        one.flush()
        assert one.reader.run(run.id).status == "COMPLETED"
        folder = keeping.folder_of(one.settings)
        assert sorted(event.path for _, events in held(folder) for event in events) == ["notes/a.txt", "notes/b.txt"]
        if not root.startswith("/proc"):
            file.unlink()
            assert send(folder, one.artifacts, one.database).sent == 2
            assert sorted(artifact.path for artifact in one.reader.artifacts(run.id)) == ["notes/a.txt", "notes/b.txt"]


def test_a_home_that_cannot_be_made_ends_no_run(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be held either, the artifact is lost with a warning and a note on the run, which goes on."""
    store = f"sqlite:///{tmp_path}/ledger.db"
    with ledger_of(monkeypatch, home="/proc/ledger", store_url=store, journal_root=str(tmp_path / "journals")) as one:
        with start_run(experiment="e") as run:
            with pytest.warns(LedgerWarning, match="could not be stored, and the run goes on"):
                run.log_text("hello", "a.txt")
            run.log_metric("loss", 0.5)
        one.flush()
        kept = one.reader.run(run.id)
        assert (kept.status, dict(kept.metrics)) == ("COMPLETED", {"loss": 0.5})
        assert "could not be stored" in kept.notes[0]


def test_a_write_that_fails_for_an_uncommon_reason_is_the_roots_trouble(tmp_path: Path) -> None:
    """Whatever the system says when bytes are written, here that files may not be so large, nothing half is left and it is no error of
    the caller's; what the caller's own writer raises stays what it is."""
    store = ArtifactStore(str(tmp_path / "root"))
    base = store.uri(0, "r1")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(ArtifactsUnavailable, match="File too large"):
            store.put_bytes(base, "a.bin", bytes(2 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def broken(stream: object) -> None:
        raise ConnectionResetError(104, "of the caller's")

    with pytest.raises(ConnectionResetError):
        store.put_stream(base, "b.bin", broken)
    assert [path for path in (tmp_path / "root").rglob("*") if path.is_file()] == []
    store.put_bytes(base, "c", b"x")
    with pytest.raises(InvalidName, match="a part of this path is a file already"):
        store.put_bytes(base, "c/d", b"x")
