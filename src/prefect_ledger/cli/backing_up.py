"""Floor 6. ``prefect-ledger backup`` and ``restore``: what they say of what they did."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_ledger.cli.render import dim, print_json, say, warn
from prefect_ledger.formats import clean, count, size
from prefect_ledger.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prefect_ledger.backups.archive import Trouble

_SHOWN = 5


def back_up(file: Path, *, artifacts: bool, overwrite: bool, json: bool) -> int:
    """Back up the ledger of the settings; returns 1 when something could not be had, else 0."""
    from prefect_ledger.backups.backup import backup

    done = backup(Settings.resolve(mode="online"), file, artifacts=artifacts, overwrite=overwrite)
    code = 1 if done.troubles or done.waiting else 0
    if json:
        print_json(asdict(done))
        return code
    with_bytes = f" and {count(done.artifacts, 'artifact')}" if artifacts else ""
    say(f"{count(done.runs, 'run')}{with_bytes}, {size(done.bytes)}, schema {done.schema} in {done.seconds:,.1f} s: {clean(done.file)}")
    if done.live:
        dim(f"{count(done.live, 'process', 'processes')} went on logging: what came after this moment is in the next backup")
    for what in done.waiting[:_SHOWN]:
        warn(f"not in it, since it could not be brought in before (prefect-ledger sync): {clean(what)}")
    _tell(done.troubles)
    return code


def put_back(file: Path, *, overwrite: bool, json: bool) -> int:
    """Restore a backup as the ledger of the settings; returns 0."""
    from prefect_ledger.backups.restore import restore
    from prefect_ledger.database import SCHEMA

    done = restore(Settings.resolve(mode="online"), file, overwrite=overwrite)
    if json:
        print_json(asdict(done))
        return 0
    with_bytes = f" and {count(done.artifacts, 'artifact')}" if done.root is not None else ""
    say(f"{count(done.runs, 'run')}{with_bytes}, schema {done.schema}: {clean(done.store)}")
    if done.root is not None:
        dim(f"artifacts are in {clean(done.root)}")
    for kept in done.kept:
        dim(f"what was there before is kept as {clean(kept)}")
    _tell(done.troubles)
    if done.schema < SCHEMA:
        warn(f"it has schema {done.schema}, this prefect-ledger writes {SCHEMA}: run prefect-ledger db upgrade")
    return 0


def _tell(troubles: Sequence[Trouble]) -> None:
    for one in troubles[:_SHOWN]:
        warn(f"{clean(one.uri)}: {clean(one.said)}")
    if len(troubles) > _SHOWN:
        warn(f"and {len(troubles) - _SHOWN:,} artifacts more: prefect-ledger doctor --artifacts says which")
