"""Floor 4. Finds what nobody can want any more, and takes it away: deleted runs, bytes without a row, copies of data that no run names,
what killed processes left, and what became of webhooks' deliveries long ago.

Nothing is taken that may still be written: a run that is open or was heard of within the grace time is left alone with all its bytes,
and what is younger than that in any case. Bytes of runs that this store has never heard of may be another ledger's that shares the
root: they are counted, and taken only when asked. Safe beside runs that log, beside others that do the same, and to be killed.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_ledger import copies, elsewhere, lockfile, recovery, removal_store, webhook_store
from prefect_ledger.artifact_store import ArtifactStore
from prefect_ledger.errors import ArtifactCorrupt, ArtifactsUnavailable, InvalidName, LedgerError, StoreUnavailable
from prefect_ledger.journal_reader import left_behind
from prefect_ledger.removal_store import Doomed, Known
from prefect_ledger.transfer import PART, Found

if TYPE_CHECKING:
    from prefect_ledger.database import Database

DAY = 86_400_000_000  # µs
_OF_A_RUN = re.compile(r"(\d+)/([0-9A-Za-z-]+)/(artifacts(?:\.\d+)?/.+)", re.DOTALL)
_PROBE = re.compile(r"\.doctor-\d+/.+", re.DOTALL)
_TEMPORARY = re.compile(r"prefect-ledger-(?!\d+$)(?:rerun-)?[a-z0-9_]{8}")
_RUNS_AT_ONCE = 200
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Rules:
    """What may go: runs deleted and deliveries ended by ``deleted_by`` (``own``: runs by experiment), bytes written before ``older_than``;
    µs since 1970."""

    deleted_by: int
    older_than: int
    own: dict[int, int] = field(default_factory=dict)
    unknown_runs: bool = False


@dataclass(frozen=True, slots=True)
class Stray:
    """Bytes that nothing speaks of: where below the root, how many, and why they are taken for garbage."""

    path: str
    size: int
    why: str


@dataclass(frozen=True, slots=True)
class Unused:
    """A folder below the ledger's home that can be had again: of which kind, where, its bytes, when it was used last (µs since 1970)."""

    kind: str
    path: str
    size: int
    used: int


@dataclass
class Garbage:
    """What was found and, unless ``dry_run``, taken away. Sizes are bytes."""

    dry_run: bool
    runs: list[Doomed] = field(default_factory=list)
    experiments: list[str] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)
    journals: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    caches: list[Unused] = field(default_factory=list)
    deliveries: int = 0
    unknown_runs: int = 0
    unknown_size: int = 0
    left: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes below the artifact root that go."""
        return sum(run.size for run in self.runs) + sum(stray.size for stray in self.strays)

    @property
    def caches_size(self) -> int:
        """Bytes below the ledger's home that go."""
        return sum(cache.size for cache in self.caches)

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to take."""
        kinds = (self.runs, self.experiments, self.strays, self.uploads, self.journals, self.folders, self.caches)
        return not (any(kinds) or self.deliveries)


def collect(
    database: Database, store: ArtifactStore, journals: Path, rules: Rules, *, dry_run: bool, step: Callable[[str], object] = str
) -> Garbage:
    """Find garbage by ``rules`` and, unless ``dry_run``, take it away. ``step`` hears what is being looked at.

    Raises:
        StoreUnavailable, ArtifactsUnavailable: what was taken until then is gone, the rest is found the next time.
    """
    found = Garbage(dry_run)
    step("journals")
    _journals(found, database, journals)
    step("deleted runs")
    _runs(found, database, store, rules)
    step("artifacts")
    seen = copies.Seen()
    for batch in _batched_runs(seen.watching(store.everything())):
        _strays(found, database, store, rules, batch)
    _copies(found, store, rules, seen)
    _uploads(found, database, store, rules)
    step("temporary folders")
    _folders(found, rules)
    step("deliveries")
    _deliveries(found, database, rules)
    return found


# --- deleted runs ----------------------------------------------------------------------------------------------------


def _runs(found: Garbage, database: Database, store: ArtifactStore, rules: Rules) -> None:
    with database.read() as tx:
        doomed = removal_store.doomed(tx, rules.deleted_by, rules.own, rules.older_than)
    for run in doomed:
        try:
            places = places_of(run, store)
            if found.dry_run or _take_run(database, store, run, places):
                found.runs.append(run)
        except ArtifactsUnavailable:
            raise
        except (InvalidName, OSError) as error:  # what stands in the way of one run keeps no other
            found.left.append(f"run {run.id}: {error}")
    with database.read() as tx:
        empty = removal_store.empty_experiments(tx, rules.deleted_by, rules.own, [run.id for run in found.runs])
    for number, name in empty:
        if not found.dry_run:
            with database.write() as tx:
                if not removal_store.erase_experiment(tx, number):
                    continue
        found.experiments.append(name)


def _take_run(database: Database, store: ArtifactStore, run: Doomed, places: Sequence[str]) -> bool:
    with database.write() as tx:
        if not removal_store.condemn(tx, run):
            return False
    for place in places:
        store.delete_tree(place)
    with database.write() as tx:
        removal_store.erase(tx, run.id)
    return True


def places_of(run: Doomed, store: ArtifactStore) -> list[str]:
    """The folders that hold all of a run's bytes and nothing else.

    Raises:
        InvalidName: something of it lies elsewhere, or its folder is a link: nothing there is known to be this run's alone.
    """
    places = set()
    for uri in run.uris:
        above, middle, _ = uri.partition(f"/{run.id}/")
        if not middle or not store.contains(f"{above}/{run.id}"):
            raise InvalidName(f"{uri} is not below the artifact root {store.root}: run gc with the settings that it was logged with")
        places.add(f"{above}/{run.id}")
    for place in places:  # before anything of the run is touched: what cannot go whole stays whole
        store.check_tree(place)
    return sorted(places)


# --- bytes without a row ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Files:
    run: str  # empty: of no run
    files: tuple[Found, ...]


def _batched_runs(everything: Iterator[Found]) -> Iterator[list[_Files]]:
    def run_of(file: Found) -> str:
        parts = _OF_A_RUN.fullmatch(file.path)
        return parts[2] if parts else ""

    groups = itertools.groupby(everything, run_of)
    while batch := [_Files(run, tuple(files)) for run, files in itertools.islice(groups, _RUNS_AT_ONCE)]:
        yield batch


def _strays(found: Garbage, database: Database, store: ArtifactStore, rules: Rules, batch: Sequence[_Files]) -> None:
    doomed = {run.id for run in found.runs}
    with database.read() as tx:
        known = removal_store.known(tx, sorted({group.run for group in batch if group.run}))
    strays: list[Stray] = []
    for group in batch:
        if group.run in doomed:  # a dry run: they go with their run
            continue
        if group.run and group.run not in known and not rules.unknown_runs:
            found.unknown_runs += 1
            found.unknown_size += sum(file.size for file in group.files)
        else:
            strays += judge(group.run, group.files, known.get(group.run), rules.older_than)
    if not found.dry_run:
        for low in range(0, len(strays), _BATCH):
            store.remove([stray.path for stray in strays[low : low + _BATCH]])
    found.strays += strays


def judge(run: str, files: Sequence[Found], known: Known | None, older_than: int) -> list[Stray]:
    """Which of the files of one run (``""``: of none) are garbage, given what the store knows of the run (None: nothing)."""
    if not run:
        return [Stray(f.path, f.size, "left by doctor") for f in files if _PROBE.fullmatch(f.path) and f.is_older(older_than)]
    if known is not None and (known.open or known.seen >= older_than):
        return []
    logged = set()
    for uri in known.uris if known is not None else ():
        _, middle, path = uri.partition(f"/{run}/")
        if not middle:
            return []  # logged under another layout: nothing here can be told from it
        logged.add(path)
    strays = []
    for file in files:
        path = file.path.partition(f"/{run}/")[2]
        if path not in logged and file.is_older(older_than):
            unfinished = PART.fullmatch(path.rpartition("/")[2])
            strays.append(Stray(file.path, file.size, "unfinished" if unfinished else "no row" if known is not None else "unknown run"))
    return strays


def _copies(found: Garbage, store: ArtifactStore, rules: Rules, seen: copies.Seen) -> None:
    """Copies of data that no run names any more; what a list of another ledger's run names stays too."""
    doomed, gone = {run.id for run in found.runs}, {stray.path for stray in found.strays}
    strays = [Stray(file.path, file.size, "unfinished") for file in seen.unfinished(rules.older_than)]
    try:
        unnamed = seen.unnamed(store, rules.older_than, lambda run, path: run in doomed or path in gone)
        strays += [Stray(file.path, file.size, "data that no run names") for file in unnamed]
    except ArtifactCorrupt as error:
        found.left.append(str(error))
    if not found.dry_run:
        for low in range(0, len(strays), _BATCH):
            # A run that has the same data copied now gives it a new time, which is looked at right before it goes.
            old = copies.still_old(store, [stray.path for stray in strays[low : low + _BATCH]], rules.older_than)
            store.remove(old)
    found.strays += strays


def _uploads(found: Garbage, database: Database, store: ArtifactStore, rules: Rules) -> None:
    try:
        uploads = store.uploads()
    except LedgerError as error:  # not every S3 server can tell
        found.left.append(f"unfinished uploads cannot be listed: {error}")
        return
    parts = {upload: _OF_A_RUN.fullmatch(upload.path) for upload in uploads}
    with database.read() as tx:
        known = removal_store.known(tx, sorted({part[2] for part in parts.values() if part}))
    ours = {*known, *(run.id for run in found.runs)}
    for upload, part in parts.items():
        ours_too = part[2] in ours or rules.unknown_runs if part else copies.CONTENT.fullmatch(upload.path)
        if ours_too and upload.at < rules.older_than:
            if not found.dry_run:
                store.abort(upload)
            found.uploads.append(upload.path)


def _deliveries(found: Garbage, database: Database, rules: Rules) -> None:
    """Deliveries of webhooks that ended. On PostgreSQL a writer may not see and a registrar not erase them: they wait for the owner."""
    with suppress(StoreUnavailable):
        if found.dry_run:
            with database.read() as tx:
                found.deliveries = webhook_store.ended(tx, rules.deleted_by)
            return
        gone = -1
        while gone:
            with database.write() as tx:
                gone = webhook_store.forget(tx, rules.deleted_by)
            found.deliveries += gone


# --- what processes left on this machine -------------------------------------------------------------------------------


def _journals(found: Garbage, database: Database, folder: Path) -> None:
    """Journals of dead processes: brought in and removed. First, since what they hold may speak of bytes."""
    waiting = [path for path in left_behind(folder) if not lockfile.is_held(path / "lock") and not elsewhere.lives(path, database)]
    if not found.dry_run:
        found.left += recovery.recover(folder, database).broken
        waiting = [path for path in waiting if not path.exists()]
    found.journals += [str(path) for path in waiting]


def _folders(found: Garbage, rules: Rules) -> None:
    """Folders in the temporary folder whose processes did not live to remove them."""
    user = os.geteuid() if hasattr(os, "geteuid") else None
    for path in sorted(Path(tempfile.gettempdir()).glob("prefect-ledger-*")):
        with suppress(FileNotFoundError):
            stat = path.lstat()
            if not _TEMPORARY.fullmatch(path.name) or not path.is_dir() or path.is_symlink():
                continue
            if (user is not None and stat.st_uid != user) or stat.st_mtime_ns // 1000 >= rules.older_than:
                continue
            if is_worked_in(path):  # by a run that lasts longer than that
                continue
            if not found.dry_run:
                shutil.rmtree(path, ignore_errors=True)
            found.folders.append(str(path))


def is_worked_in(path: Path) -> bool:
    """Whether a process of this user works in the folder, or has it, or something in it, in its command or its variables.

    This also finds a program that goes on though whoever started it was killed, and with it the locks that it held.
    """
    import psutil

    names = {str(path), os.path.realpath(path)}
    for process in psutil.process_iter():
        for ask in (process.cwd, process.cmdline, process.environ):
            with suppress(psutil.Error, OSError):
                said = ask()
                texts = [said] if isinstance(said, str) else said.values() if isinstance(said, dict) else said
                if any(name in text for text in texts for name in names):
                    return True
    return False


def microseconds() -> int:
    """Now, in µs since 1970."""
    return time.time_ns() // 1000
