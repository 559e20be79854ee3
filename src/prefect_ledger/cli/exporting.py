"""Floor 6. ``prefect-ledger runs export``: a bar while it goes on, and what was written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from prefect_ledger.cli.render import console, dim, print_json, say
from prefect_ledger.formats import clean, count, size

if TYPE_CHECKING:
    from prefect_ledger.exporting.job import Exported, Progress


def export(to: str, *, json: bool, **options: Any) -> None:
    """Export and say what was written."""
    from prefect_ledger import export_runs

    with _bar() as progress:
        done = export_runs(to, progress=progress, **options)
    if json:
        print_json(asdict(done))
        return
    say(f"{count(done.runs, 'run')}, {size(done.bytes)} in {done.seconds:,.1f} s: {clean(done.to)}")
    if len(done.rows) > 1 or "runs" not in done.rows:
        dim(_tables(done))


def _tables(done: Exported) -> str:
    return ", ".join(f"{clean(done.files[table].name)} {rows:,}" for table, rows in done.rows.items())


@contextlib.contextmanager
def _bar() -> Iterator[Progress | None]:
    """A bar of runs on the error stream, where a person watches it."""
    if not console("err").is_terminal:
        yield None
        return
    from rich import progress

    columns = (progress.TextColumn("exporting"), progress.BarColumn(), progress.MofNCompleteColumn(), progress.TimeRemainingColumn())
    with progress.Progress(*columns, console=console("err"), transient=True) as bar:
        task = bar.add_task("exporting", total=None)
        yield lambda runs, total: bar.update(task, completed=runs, total=total)
