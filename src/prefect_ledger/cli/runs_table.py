"""Floor 6. Runs in rows, as every command lists them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prefect_ledger.cli.columns import chosen
from prefect_ledger.cli.render import Kind, cell, console, status, table
from prefect_ledger.entities import Run
from prefect_ledger.formats import duration, moment

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_NARROW = 100  # characters, below which a start has no year and no seconds


def runs_table(runs: Sequence[Run], *, title: str = "", wanted: Sequence[tuple[str, str]] | None = None) -> Table:
    """Runs in rows. Beside id, name, status and times stand the parameters that vary and the metrics that most runs have."""
    several = len({run.experiment for run in runs}) > 1
    narrow = console().width < _NARROW
    names = ["id", "name", *(["experiment"] if several else []), "status", "started", "took"]
    front = [_front(run, several=several, narrow=narrow) for run in runs]
    taken = sum(3 + max(len(head), *(len(row[at]) for row in front)) for at, head in enumerate(names))
    more = chosen(runs, wanted, room=console().width - taken)
    kinds: list[tuple[str, Kind]] = [(name, "number" if name == "took" else "text") for name in names]
    made = table([*kinds, *((column.title, column.kind) for column in more)], title=title)
    for at, cells in enumerate(front):
        made.add_row(*cells, *(cell(column.texts[at], column.style) for column in more))
    return made


def _front(run: Run, *, several: bool, narrow: bool) -> list[Text]:
    name = cell(run.name, "bold" if run.lifecycle == "active" else "strike")
    started = moment(run.started_at)
    return [
        cell(run.id[:8], "dim"),
        name,
        *([cell(run.experiment or "")] if several else []),
        status(str(run.status)),
        cell(started[5:-3] if narrow else started),
        cell(duration(run.duration)),
    ]
