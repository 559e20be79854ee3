"""Floor 5. ``export_runs``: runs and all their points as files, at one moment of the ledger, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from prefect_ledger import unfinished
from prefect_ledger.database import Database
from prefect_ledger.errors import InvalidValue
from prefect_ledger.exporting import tables
from prefect_ledger.exporting.columns import Field
from prefect_ledger.exporting.parquet import ParquetSheet, arrow
from prefect_ledger.exporting.place import Format, Place
from prefect_ledger.exporting.sheets import CsvSheet, JsonSheet, Sheet
from prefect_ledger.queries import batches, search

if TYPE_CHECKING:
    import sqlalchemy as sa

Experiments = str | int | Sequence[str | int] | None
Attempts = Literal["last", "all"]
Progress = Callable[[int, int], object]  # runs that are written, and runs there are


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be exported; the arguments of :func:`export_runs`."""

    to: str | os.PathLike[str]
    experiment: Experiments = None
    filter: str = ""
    order_by: Sequence[str] | str | None = ()
    lifecycle: search.Lifecycle = "active"
    what: Sequence[str] = ()
    format: Format | None = None
    attempts: Attempts = "last"
    watched: bool = False
    spreadsheet: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.attempts not in ("last", "all"):
            raise InvalidValue(f"attempts={self.attempts!r}: it is 'last' or 'all'")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the place, the file and the number of rows of each table, runs, bytes, and how long it took."""

    to: Path
    files: Mapping[str, Path]
    rows: Mapping[str, int]
    runs: int
    bytes: int
    seconds: float


def export_runs(
    to: str | os.PathLike[str],
    experiment: Experiments = None,
    filter: str = "",  # noqa: A002 - the name that search_runs has
    *,
    what: Sequence[str] = (),
    format: Format | None = None,  # noqa: A002 - what everybody calls it
    order_by: Sequence[str] | str | None = (),
    lifecycle: search.Lifecycle = "active",
    attempts: Attempts = "last",
    watched: bool = False,
    spreadsheet: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write runs, and what they logged, to a file or a folder that pandas, polars, DuckDB and others read.

    ``to`` is a file where its name ends in .parquet, .csv, .json or .jsonl, and then holds one table, "runs" if ``what`` does not say
    another. Otherwise it is a folder, which gets a file for each table, all of them if ``what`` does not say which: "runs" (a row a run,
    with columns ``params.x``, ``metrics.y``, ``tags.z``), "metrics" (a row a run and key: last, min, max, mean), "series" (every
    point), "params", "tags", "artifacts", "datasets" and "alerts". docs/export.md has all columns.

    ``experiment``, ``filter``, ``order_by`` and ``lifecycle`` are as in :func:`prefect_ledger.search_runs`, without its limit.
    "series" has the last attempt alone unless ``attempts="all"``; ``watched`` adds what was seen of the machine. ``spreadsheet`` puts
    an apostrophe before text of a CSV file that a spreadsheet would run as a formula. ``progress`` is called with the number of runs
    that are written and that of all.

    Everything is of one moment, whatever is logged meanwhile. Values are exact: int64 steps, microseconds, every float64; JSON says
    ``"NaN"``. The place has everything or nothing; what is there is replaced with ``overwrite`` alone. Memory is that of a million
    points, or of the longest series.

    Raises:
        InvalidFilter, ExperimentNotFound, InvalidValue: as search_runs; and for a name, format or table that cannot be.
        OutputExists: something is there already. MissingExtra: Parquet without pyarrow. StoreUnavailable.

    Example:
        >>> import tempfile
        >>> from prefect_ledger import export_runs, start_run
        >>> with start_run(experiment="exported") as run:
        ...     run.log_metrics({"loss": 0.5, "auc": 0.9})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     done = export_runs(f"{folder}/all", "exported", format="jsonl", what=["runs", "series"])
        ...     sorted(path.name for path in done.files.values()), dict(done.rows)
        (['runs.jsonl', 'series.jsonl'], {'runs': 1, 'series': 2})
    """
    from prefect_ledger.tracking.ledger import ledger

    wanted = Wanted(to, experiment, filter, order_by, lifecycle, what, format, attempts, watched, spreadsheet, overwrite)
    one = ledger()
    one.flush()
    return export(one.database, wanted, progress)


def export(database: Database, wanted: Wanted, progress: Progress | None = None) -> Exported:
    """As :func:`export_runs`, from this database."""
    start = time.perf_counter()
    place = Place(wanted.to, wanted.what, wanted.format, overwrite=wanted.overwrite)
    asked = search.read_search(wanted.filter, wanted.order_by, wanted.lifecycle, search.LIMIT)
    if place.format == "parquet":
        arrow()  # missed before anything is asked
    with database.read() as tx, unfinished.aside(place.path, folder=place.folder, check=place.check) as path:
        ids = batches.all_ids(tx, search.within(tx, asked, wanted.experiment))
        choice = tables.Choice(ids, place.format in ("json", "jsonl"), wanted.attempts == "all", wanted.watched)
        rows = _write(tx, place.files(path), choice, place.format, wanted, progress or _nobody)
    files = place.files(place.path)
    size = sum(one.stat().st_size for one in files.values())
    return Exported(place.path, files, rows, len(ids), size, time.perf_counter() - start)


def _write(
    tx: sa.Connection, files: Mapping[str, Path], choice: tables.Choice, format_: Format, wanted: Wanted, progress: Progress
) -> dict[str, int]:
    """All tables, as many runs at a time as are read together; the number of rows of each."""
    count = dict.fromkeys(files, 0)
    with contextlib.ExitStack() as stack:
        sheets: list[tuple[tables.Table, Sheet]] = []
        for name, path in files.items():
            table = tables.table(tx, name, choice)
            sheets.append((table, stack.enter_context(_sheet(path, table.fields, format_, wanted))))
        done = 0
        for ids in batches.parts(choice.ids, batches.RUNS):
            for table, sheet in sheets:
                for batch in tables.rows(tx, table, choice, ids):
                    sheet.write(batch)
                    count[table.name] += batch.rows
                    progress(done, len(choice.ids))
            done += len(ids)
            progress(done, len(choice.ids))
    return count


@contextlib.contextmanager
def _sheet(path: Path, fields: Sequence[Field], format_: Format, wanted: Wanted) -> Iterator[Sheet]:
    sheet: Sheet
    if format_ == "parquet":
        sheet = ParquetSheet(path, fields)
    elif format_ == "csv":
        sheet = CsvSheet(path, fields, harmless=wanted.spreadsheet)
    else:
        sheet = JsonSheet(path, fields, lines=format_ == "jsonl")
    try:
        yield sheet
    except BaseException:
        sheet.close(whole=False)
        raise
    sheet.close(whole=True)


def _nobody(_done: int, _of: int) -> None:
    """Progress that nobody watches."""
