"""Floor 5. Copies of datasets: kept when a run logs its data with ``copy=True``, and got back, checked, by ``dataset``."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_ledger.entities import Dataset
from prefect_ledger.errors import (
    ArtifactCorrupt,
    ArtifactNotFound,
    ArtifactsUnavailable,
    DatasetNotCopied,
    DatasetNotFound,
    InvalidValue,
    LedgerError,
)
from prefect_ledger.formats import listed
from prefect_ledger.listings import Listing, is_inside
from prefect_ledger.tracking import known_digests, uses
from prefect_ledger.tracking.ledger import Ledger, ledger

if TYPE_CHECKING:
    from prefect_ledger.artifact_store import ArtifactStore, Stored
    from prefect_ledger.entities import Run
    from prefect_ledger.queries.datasets import Copy, Known
    from prefect_ledger.tracking.folders import Read

_BEGINNING = re.compile(r"[0-9a-f]{8,64}")
_SHOWN = 5


def copying(one: Ledger, name: str, read: Read, progress: bool | None) -> Callable[[ArtifactStore, str], Sequence[Stored]]:
    """What stores a copy of what was read: content first, then the list of it as an artifact of the run.

    Raises:
        InvalidValue: a link that would lead elsewhere from another place.
    """
    from prefect_ledger import copies

    listing = read.listing
    if wrong := next((link for link in listing.links if not is_inside(link)), None):
        raise InvalidValue(
            f"dataset {name!r}: {wrong.path} is a link to {wrong.target}, which a copy could not follow: make it a relative one"
        )

    def put(store: ArtifactStore, base: str) -> Sequence[Stored]:
        if one.offline or store is not one.artifacts:
            raise ArtifactsUnavailable(f"dataset {name!r} was recorded and not copied, since the artifact root is away: log it again later")
        try:
            copies.put(store, listing, read.sources, progress=progress)
        except InvalidValue as error:
            raise InvalidValue(f"dataset {name!r}: {error}") from error
        return [store.put_bytes(base, copies.list_path(listing.digest), listing.to_json())]

    return put


def dataset(ref: str | Dataset, to: str | os.PathLike[str] | None = None, *, progress: bool | None = None) -> Path:
    """Get back data that a run logged with ``copy=True``; returns where it is now, a file or a folder.

    ``ref`` is a digest or its first 8 digits and more, ``"RUN/name"`` for the dataset of that name of a run (its id or the beginning of
    it), or one of ``run.datasets``. ``to`` is the path that it gets, at which nothing may be but an empty folder. Without, it is kept below
    the ledger's home, in ``datasets/<digest>``, and there at once the next time; what was changed there is fetched anew. All of it is
    checked against the digest before it appears.

    Raises:
        DatasetNotFound: no run names it, or several datasets are meant. DatasetNotCopied: a run names it, and none kept a copy; says
        where it was. ArtifactCorrupt, ArtifactNotFound: the copy is damaged; names the file. InvalidValue: ``to`` is taken.
        StoreUnavailable, ArtifactsUnavailable.

    Example:
        >>> from pathlib import Path
        >>> from prefect_ledger import dataset, start_run
        >>> _ = Path("train.csv").write_text("age\\n40\\n")
        >>> with start_run(experiment="docs") as run:
        ...     run.log_dataset("train.csv", copy=True)
        >>> dataset(f"{run.id}/train.csv").read_text()
        'age\\n40\\n'
    """
    one = ledger()
    one.flush()
    meant = _meant(one, ref)
    store = one.artifacts
    listing = _listing(one, store, meant)
    target = one.settings.home / "datasets" / listing.digest / listing.name if to is None else _free(to, listing)
    if to is None:
        uses.hold(target.parent.with_name(f"{listing.digest}.lock"))
    if to is None and _is_there(one, target, listing):
        return target
    from prefect_ledger import copies

    try:
        copies.fetch(store, listing, target, progress=progress)
    except (ArtifactCorrupt, ArtifactNotFound) as error:
        raise type(error)(
            f"dataset {meant.name!r}, {listing.digest[:12]}: {error}; delete that content, and log the data with copy=True from where it is"
            " whole"
        ) from error
    except OSError as error:
        if to is None and _is_there(one, target, listing):  # another process was quicker
            return target
        if isinstance(error, LedgerError):
            raise
        raise InvalidValue(f"{target} cannot be written: {error.strerror or error}") from error
    return target


def datasets(limit: int = 1_000) -> list[Known]:
    """The datasets of all active runs, those used last first, each with whether a run kept a copy.

    Raises:
        StoreUnavailable.
    """
    from prefect_ledger.queries import datasets as queries

    one = ledger()
    one.flush()
    with one.database.read() as tx:
        return queries.known(tx, limit=limit)


def lacking(run: Run) -> list[str]:
    """What is not as it was of the files and folders that a run used, in sentences, with what to do where there is a copy."""
    found = []
    for used in run.datasets:
        if not _of_files(used):
            continue
        state = _state(used)
        if state.startswith("still"):
            continue
        kept = _copies(ledger(), used.digest)
        advice = f": prefect-ledger datasets get {run.id[:8]}/{used.name} TO gets its copy" if kept else ", and no run kept a copy of it"
        found.append(f"the data {used.name!r} that the run used is {state} at {used.source}{advice}")
    return found


# --- which is meant --------------------------------------------------------------------------------------------------


def _meant(one: Ledger, ref: str | Dataset) -> Dataset:
    if isinstance(ref, Dataset):
        return ref
    if not isinstance(ref, str):
        raise InvalidValue(f"a dataset is meant by its digest, or by RUN/name, not by {type(ref).__name__}")
    run, slash, name = ref.removeprefix("runs:/").partition("/")
    return _of_run(one, run, name) if slash else _of_digest(one, ref)


def _of_run(one: Ledger, run: str, name: str) -> Dataset:
    found = one.reader.run(run)
    has = one.reader.datasets(found.id)
    same = {used.digest: used for used in has if used.name == name}
    if not same:
        names = listed(sorted({used.name for used in has})[:_SHOWN]) if has else "none"
        raise DatasetNotFound(f"run {found.id[:8]} has no dataset {name!r}; it has {names}")
    if len(same) > 1:
        several = listed([digest[:12] for digest in same])
        raise DatasetNotFound(f"run {found.id[:8]} has several datasets {name!r}, of other content: say the digest, of {several}")
    return next(iter(same.values()))


def _of_digest(one: Ledger, ref: str) -> Dataset:
    from prefect_ledger.queries import datasets as queries

    beginning = ref.lower()
    if not _BEGINNING.fullmatch(beginning):
        raise InvalidValue(f"{ref!r:.80} means no dataset: give its digest, the first 8 digits of it or more, or RUN/name")
    with one.database.read() as tx:
        found = queries.known(tx, beginning, limit=100)
    if not found:
        raise DatasetNotFound(f"no run has a dataset whose digest begins with {ref}; prefect-ledger datasets list shows what there is")
    if len({each.dataset.digest for each in found}) > 1:
        several = listed([f"{each.dataset.digest[:16]} ({each.dataset.name})" for each in found[:_SHOWN]])
        raise DatasetNotFound(f"several digests begin with {ref}: {several}; give more of it")
    return found[0].dataset


# --- what there is ---------------------------------------------------------------------------------------------------


def _copies(one: Ledger, digest: str) -> list[Copy]:
    from prefect_ledger.queries import datasets as queries

    with one.database.read() as tx:
        return queries.copies(tx, digest)


def _listing(one: Ledger, store: ArtifactStore, meant: Dataset) -> Listing:
    """The list of the dataset's files: any that is whole says the same.

    Raises:
        DatasetNotCopied. ArtifactCorrupt, ArtifactNotFound, ArtifactsUnavailable: of the last that was tried.
    """
    trouble: LedgerError | None = None
    for copy in _copies(one, meant.digest):
        try:
            listing = Listing.from_json(store.read_bytes(copy.uri, sha256=copy.sha256))
            if listing.digest == meant.digest:
                return listing
            trouble = ArtifactCorrupt(f"the list of files that run {copy.run[:8]} kept is that of other data")
        except LedgerError as error:
            trouble = error
    if trouble is None:
        raise DatasetNotCopied(f"dataset {meant.name!r}, {meant.digest[:12]}, was recorded and not copied: {_where(meant)}")
    if isinstance(trouble, ArtifactsUnavailable | ArtifactNotFound):
        raise trouble
    raise ArtifactCorrupt(f"dataset {meant.name!r}, {meant.digest[:12]}: {trouble}") from trouble


def _where(used: Dataset) -> str:
    if not _of_files(used):
        return f"it was {used.source or 'of no known place'}, which is no file" + "; log_dataset(path, copy=True) keeps a copy of files"
    state = _state(used)
    if state.startswith("still"):
        return f"it is {state} at {used.source}; log_dataset({used.source!r}, copy=True) keeps a copy"
    return f"it is {state} at {used.source}"


def _of_files(used: Dataset) -> bool:
    return used.source.startswith("/") and "files" in used.schema and used.rows is None


def _state(used: Dataset) -> str:
    """What is at the place where the data was, on this machine."""
    from prefect_ledger.tracking.datasets import describe

    if not os.path.lexists(used.source):
        return "gone (or on another machine)"
    try:
        now = describe(used.source, name=used.name, cache=ledger().settings.home / known_digests.FOLDER)
    except LedgerError as error:
        return f"not to be read ({error})"
    return (
        "still there, unchanged,"
        if now.digest == used.digest
        else f"changed: it has the digest {now.digest[:12]} now, not {used.digest[:12]},"
    )


def _is_there(one: Ledger, target: Path, listing: Listing) -> bool:
    """Whether the data stands whole at ``target``; what was changed there is taken away."""
    from prefect_ledger.tracking import folders

    if not target.is_symlink() and target.exists():
        try:
            if folders.read(target, cache=one.settings.home / known_digests.FOLDER).listing.digest == listing.digest:
                return True
        except (LedgerError, OSError):
            pass
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
    return False


def _free(to: str | os.PathLike[str], listing: Listing) -> Path:
    """Where the data goes: at ``to``, or, where that is a folder and the data a file, in it; nothing that is there is lost.

    Raises:
        InvalidValue: something is there.
    """
    target = Path(to).absolute()
    if not listing.folder and target.is_dir():
        target /= listing.name
    if os.path.lexists(target) and (target.is_symlink() or not target.is_dir() or any(target.iterdir())):
        raise InvalidValue(f"{target} is there already: say a path at which nothing is, or an empty folder, so that nothing is lost")
    return target
