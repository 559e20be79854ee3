"""Floor 6. What ``doctor --artifacts`` says: whether each artifact's bytes are still those that were logged."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect_ledger.cli.checks import Check, Verdict
from prefect_ledger.cli.render import console
from prefect_ledger.cli.store import opened
from prefect_ledger.errors import LedgerError
from prefect_ledger.formats import count, size
from prefect_ledger.settings import Settings

if TYPE_CHECKING:
    from prefect_ledger.integrity import Bytes, Integrity

_SHOWN = 100  # problems that get a line of their own
_REMEDIES = {
    "missing": "restore it from a backup, or log it again; the row stays",
    "changed": "it is not handed out: restore it from a backup, or log it again",
    "copy": "restore what is named from a backup; or delete it, and log the data again with copy=True from where it is whole",
    "elsewhere": "run doctor with the artifact root that it was logged with",
}


def digests(settings: Settings) -> Iterator[Check]:
    """Read every artifact, and the content of copied data, and compare their digests, with a bar on a terminal."""
    from prefect_ledger.artifact_store import ArtifactStore
    from prefect_ledger.integrity import check_artifacts
    from prefect_ledger.queries import artifacts

    try:
        with opened(settings) as database:
            if database.version() is None:
                yield Check("artifacts", "digests", "ok", "none yet")
                return
            with database.read() as tx:
                total = artifacts.total(tx)[1]
            with _bar(total) as (progress, more):
                store = ArtifactStore(settings.artifact_root, settings.storage_options)
                found = check_artifacts(database, store, progress=progress, more=more)
    except LedgerError as error:
        yield Check(
            "artifacts", "digests", "wrong", f"could not be read: {str(error).splitlines()[0]}", "see what is wrong above, and ask again"
        )
        return
    for one in found.problems[:_SHOWN]:
        verdict: Verdict = "note" if one.kind == "elsewhere" else "wrong"
        yield Check("artifacts", one.kind, verdict, f"{one.path} of run {one.run}: {one.text}", _REMEDIES[one.kind], asdict(one))
    yield from _copies(found)
    bad = sum(one.kind not in ("elsewhere", "copy") for one in found.problems)
    details = {"artifacts": found.artifacts, "bytes": found.size, "problems": len(found.problems)}
    said = f"{count(found.artifacts, 'artifact')}, {size(found.size)}"
    if bad:
        yield Check("artifacts", "digests", "wrong", f"{bad:,} of {said} are not what was logged", "see above", details)
    else:
        yield Check("artifacts", "digests", "ok", f"{said}: what was read is what was logged", details=details)


def _copies(found: Integrity) -> Iterator[Check]:
    """Of the content of copied data, where there is any."""
    if not found.contents:
        return
    bad = sum(one.kind == "copy" for one in found.problems)
    details = {"contents": found.contents, "bytes": found.contents_size, "damaged": bad}
    said = f"{count(found.contents, 'file')} of copied data, {size(found.contents_size)}"
    if bad:
        copied = count(bad, "copy is", "copies are")
        yield Check("artifacts", "copies", "wrong", f"{copied} damaged; {said} were read", "see above", details)
    else:
        yield Check("artifacts", "copies", "ok", f"{said}: what was read is what was copied", details=details)


@contextlib.contextmanager
def _bar(total: int) -> Iterator[tuple[Bytes, Bytes]]:
    """What hears of bytes that were read, and of bytes that will come on top of ``total``."""
    if not console("err").is_terminal:
        yield (lambda _: None), (lambda _: None)
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("reading artifacts"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console("err"), transient=True) as bar:
        task, all_of_it = bar.add_task("", total=total), total

        def more(number: int) -> None:
            nonlocal all_of_it
            all_of_it += number
            bar.update(task, total=all_of_it)

        yield (lambda done: bar.advance(task, done)), more
