"""Floor 3. Points in, points out: chunks of encoded columns, a summary row per series and one per (run, key).

However many series a flush holds, it is one mixed chunk and two statements, because against a busy main thread each step of the
database costs 5 ms of waiting for the GIL. A series with many points in the flush gets chunks of its own. Mixed chunks are merged when
they are many, and cut into chunks per series when they are large or the run ends. Functions take an open transaction and never commit.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from prefect_ledger import run_store
from prefect_ledger.chunks import CHUNK, Shelf, begins, decode, decode_many, decode_mixed, encode
from prefect_ledger.database import execute
from prefect_ledger.database import rows as select
from prefect_ledger.errors import StoreUnavailable
from prefect_ledger.flushes import SMALL_CHUNK, Chunk, Flush, SeriesName, mixed_chunks, own_chunks
from prefect_ledger.points import Points, grouped, order
from prefect_ledger.summaries import SUMMARY_COLUMNS, merge_summaries

if TYPE_CHECKING:
    import sqlalchemy as sa
    from numpy.typing import NDArray

MIXED_CHUNKS = 16  # mixed chunks of a run that are merged into one
REMEMBERED = 20_000  # ids of series, about 10 MB, beside those that are used now
SMALL_RUN = 4_096  # points up to which a run's mixed chunk stays as it is when the run ends
_NAME = ("run_id", "key", "attempt", "task_run_id", "try_number")
_TEXTS = ("run_id", "key", "task_run_id")
_FLOATS = ("mean", "vmin", "vmax", "fv", "lv")
_ROWS = 1_000  # rows a statement: 22 columns each, below SQLite's 32,766 parameters
# The series that count for a run: its own, and by link those of tasks whose results its tasks took from the cache. Columns: the attempt
# and the task run they count for here; who logged them, in which attempt and try; key; then what is asked for.
_TRIES = """SELECT s.attempt, s.task_run_id AS here, s.run_id, s.task_run_id, s.attempt AS there, s.try_number, s.key, {}
            FROM series s WHERE s.run_id = ? AND s.key {among} AND s.n > 0
            UNION ALL SELECT l.attempt, l.task_run_id, s.run_id, s.task_run_id, s.attempt, s.try_number, s.key, {}
            FROM cache_links l
            JOIN series s ON s.run_id = l.source_run_id AND s.task_run_id = l.source_task AND s.attempt = l.source_attempt
            WHERE l.run_id = ? AND s.key {among} AND s.n > 0 ORDER BY 7, 1, 3, 4, 5, 6"""
_OWN = """SELECT s.attempt, s.task_run_id, s.try_number, s.id, s.n, EXISTS (SELECT 1 FROM cache_links l WHERE l.run_id = ?),
          (SELECT r.attempt FROM runs r WHERE r.id = ?) FROM series s WHERE s.run_id = ? AND s.key = ? AND s.n > 0 ORDER BY 1, 2, 3"""
_ASKED = 7  # where in such a row stands what is asked for


@dataclass
class SeriesIds:
    """The store's ids of series, remembered."""

    ids: dict[SeriesName, int] = field(default_factory=dict)

    def missing(self, names: Iterable[SeriesName]) -> list[SeriesName]:
        """Those of ``names`` whose id is not known here, sorted so that two processes lock in one order."""
        wanted = set(names)
        if len(self.ids) > 2 * len(wanted) + REMEMBERED:  # of runs whose end is said elsewhere, or never
            self.ids.clear()
        return sorted(name for name in wanted if name not in self.ids)

    def forget(self, run: str) -> None:
        """Forget the series of a run that has ended."""
        self.ids = {name: number for name, number in self.ids.items() if name[0] != run}

    def clear(self) -> None:
        """Forget everything: the transaction that taught it was rolled back, or the database is another one."""
        self.ids.clear()


def ensure_series(tx: sa.Connection, known: SeriesIds, names: Sequence[SeriesName]) -> None:
    """Have a row for each series and its run, and learn the ids. Runs not heard of yet get a placeholder."""
    runs = sorted({name[0] for name in names})
    run_store.placeholders(tx, runs)
    for rows in _parts(names, _ROWS):
        source, params = _source(tx, _NAME, rows)
        execute(tx, f"INSERT INTO series ({', '.join(_NAME)}) {source} ON CONFLICT DO NOTHING", params)
    for run in runs:
        run_store.reach(tx, run, max(name[2] for name in names if name[0] == run))
        keys = sorted({name[1] for name in names if name[0] == run})
        for part in _parts(keys, _ROWS):
            among, params = (f"IN ({_marks(part)})", [run, *part]) if tx.dialect.name == "sqlite" else ("= ANY(?)", [run, part])
            text = f"SELECT id, key, attempt, task_run_id, try_number FROM series WHERE run_id = ? AND key {among}"
            for number, key, attempt, task, turn in select(tx, text, params):
                known.ids[run, key, attempt, task, turn] = number


def write_flush(tx: sa.Connection, flush: Flush) -> None:
    """Write chunks, add to the summaries of the series, and bring those of (run, key) up to date. The caller holds the runs."""
    insert_chunks(tx, flush.chunks)
    rows = sorted((i, *name, *row) for i, name, row in flush.series)
    _upsert(tx, "series", ("id", *_NAME), ("id",), rows, _SERIES_SET)
    metrics = [(run, key, attempt, *row) for (run, key), (attempt, row) in sorted(flush.metrics.items())]
    _upsert(tx, "metrics", ("run_id", "key", "attempt"), ("run_id", "key"), metrics, _METRIC_SET)
    for run, key in _contested(tx, flush):
        resettle(tx, run, [key])


def _contested(tx: sa.Connection, flush: Flush) -> list[tuple[str, str]]:
    """The (run, key) of which a task logged points in several tries: adding up does not do, only the last try counts. Asked of the
    store each time, because the other try may have been logged elsewhere."""
    by_tasks = {(name[0], name[1]) for _, name, _ in flush.series if name[3]}
    found: set[tuple[str, str]] = set()
    for run in sorted({run for run, _ in by_tasks}):
        text = "SELECT DISTINCT key FROM series WHERE run_id = ? AND try_number > 1"
        found |= {(run, row[0]) for row in select(tx, text, [run])}
    return sorted(found & by_tasks)


def insert_chunks(tx: sa.Connection, chunks: Sequence[Chunk]) -> None:
    """Write chunks as they are."""
    for rows in _parts(chunks, 100):
        text = ", ".join(["(?, ?, ?, %b)" if tx.dialect.name == "postgresql" else "(?, ?, ?, ?)"] * len(rows))  # bytes as they are
        execute(tx, f"INSERT INTO chunks (series_id, run_id, n, data) VALUES {text}", list(itertools.chain.from_iterable(rows)))


def resettle(tx: sa.Connection, run: str, keys: Sequence[str]) -> None:
    """Make the summaries of (run, key) anew from the series that count: last attempt, and of each task run the last try, each once."""
    for part in _parts(keys, _ROWS):
        made = []
        for key, found in itertools.groupby(_tries(tx, run, part, *(f"s.{column}" for column in SUMMARY_COLUMNS)), key=itemgetter(6)):
            rows = list(found)
            last = max(row[0] for row in rows)
            by_task = {row[2:4]: row[_ASKED:] for row in rows if row[0] == last}  # in order of try: the last one stays
            made.append((run, key, last, *functools.reduce(merge_summaries, by_task.values())))
        execute(tx, f"DELETE FROM metrics WHERE run_id = ? AND key IN ({_marks(part)})", [run, *part])
        _upsert(tx, "metrics", ("run_id", "key", "attempt"), ("run_id", "key"), made, _METRIC_SET)


def _tries(tx: sa.Connection, run: str, keys: Sequence[str], *columns: str) -> list[tuple[Any, ...]]:
    among = "= ?" if len(keys) == 1 else f"IN ({_marks(keys)})"
    asked = ", ".join(columns)
    return select(tx, _TRIES.format(asked, asked, among=among), [run, *keys, run, *keys])


# --- reading ------------------------------------------------------------------------------------------------------


def live_series(tx: sa.Connection, run: str, key: str, attempt: int | None = None, task_run_id: str | None = None) -> list[int]:
    """Ids of the series that make up ``key`` of a run: of the last (or the named) attempt, of each task run the last try."""
    return list(series_for(tx, run, key, attempt, task_run_id))


def series_for(tx: sa.Connection, run: str, key: str, attempt: int | None = None, task_run_id: str | None = None) -> dict[int, str]:
    """As :func:`live_series`, each with the run that logged it: another one where a result came from the cache."""
    return {number: source for number, source, _ in _series(tx, run, key, attempt, task_run_id)}


def _series(tx: sa.Connection, run: str, key: str, attempt: int | None, task_run_id: str | None) -> list[tuple[int, str, int]]:
    """Id, the run that logged it, and points, of each series."""
    rows = _tries(tx, run, [key], "s.id", "s.n")
    if task_run_id is not None:
        rows = [row for row in rows if row[1] == task_run_id]
    if not rows:
        return []
    wanted = max(row[0] for row in rows) if attempt is None else attempt
    return [(row[_ASKED], row[2], row[_ASKED + 1]) for row in {row[2:4]: row for row in rows if row[0] == wanted}.values()]


def read_metric(tx: sa.Connection, run: str, key: str, attempt: int | None = None, task_run_id: str | None = None) -> Points | None:
    """The points of a key in the named attempt, or the run's last, of the series that :func:`live_series` names; None without any."""
    found = _own_series(tx, run, key, attempt, task_run_id)
    if found is None:
        if attempt is None:
            attempt = next((row[0] for row in select(tx, "SELECT attempt FROM runs WHERE id = ?", [run])), 0)
        found = _series(tx, run, key, attempt, task_run_id)
    return read_points(tx, [row[1] for row in found], [row[0] for row in found], sum(row[2] for row in found)) if found else None


def _own_series(tx: sa.Connection, run: str, key: str, attempt: int | None, task_run_id: str | None) -> list[tuple[int, str, int]] | None:
    """As :func:`_series`, for a run that took nothing from the cache, in one statement which a new connection plans in half the time.
    None where there is none of the key, or the cache is to be looked at."""
    rows = select(tx, _OWN, [run, run, run, key])
    if not rows or rows[0][5]:
        return None
    wanted = rows[0][6] if attempt is None else attempt
    last = {row[1]: row for row in rows if row[0] == wanted and task_run_id in (None, row[1])}
    return [(row[3], run, row[4]) for row in last.values()]


def read_points(tx: sa.Connection, run: str | Iterable[str], series: Sequence[int], expected: int = 0) -> Points:
    """All points of these series, which one run has logged or several, by step, time, arrival. ``expected``: how many there are, if known:
    then each chunk is decoded where it stays, while the next one is on its way."""
    if not series:
        return _join([])
    runs = [run] if isinstance(run, str) else sorted(set(run))
    marks = ", ".join(map(str, map(int, series)))  # in the text: a run may have more task runs than a statement has parameters
    # One statement, so that a compaction in between can neither hide nor double a chunk. Put in order here: SQLite would copy all bytes.
    text = f"""SELECT id, series_id, data FROM chunks WHERE series_id IN ({marks})
               UNION ALL SELECT id, series_id, data FROM chunks WHERE run_id IN ({_marks(runs)})"""
    shelf = Shelf(expected)
    pieces = []
    for number, of_one, data in each_blob(tx, text, runs):
        if of_one is not None:
            at = shelf.used
            found = shelf.put(data)
            pieces.append(_Piece(begins(data), number, decode(data) if found is None else found, -1 if found is None else at))
            continue
        ids, points = decode_mixed(data)
        mine = _pick(points, ids == series[0] if len(series) == 1 else np.isin(ids, series))
        if len(mine.steps):
            pieces.append(_Piece((int(mine.steps[0]), int(mine.times[0])), number, mine, -1))
    return _arranged(pieces, shelf)


class _Piece(NamedTuple):
    begins: tuple[int, int]  # step and time
    id: int  # of its chunk: the order of arrival
    points: Points
    at: int  # where on the shelf; -1 when not there


def _arranged(pieces: list[_Piece], shelf: Shelf) -> Points:
    """All points by step, time, arrival. Mostly it is enough to put the pieces in order."""
    pieces.sort(key=itemgetter(0, 1))
    points = _whole(pieces, shelf)
    if all(a.id < b.id for a, b in itertools.pairwise(pieces)):
        return order(points)
    steps, times, _ = points
    if order(points) is points and not ((steps[1:] == steps[:-1]) & (times[1:] == times[:-1])).any():
        return points
    return order(_whole(sorted(pieces, key=itemgetter(1)), shelf))


def _whole(pieces: Sequence[_Piece], shelf: Shelf) -> Points:
    """The points of all pieces, one after the other; as they lie where that is how they lie on the shelf."""
    ends = itertools.accumulate((len(piece.points.steps) for piece in pieces), initial=0)
    if all(piece.at == end for piece, end in zip(pieces, ends, strict=False)):
        return shelf.points()
    return pieces[0].points if len(pieces) == 1 else _join([piece.points for piece in pieces])


# --- compaction ---------------------------------------------------------------------------------------------------


def compact(tx: sa.Connection, run: str, *, final: bool, hurried: bool = False) -> None:
    """Merge a run's mixed chunks, or cut them into chunks per series: when they are large, or the run has ended (``final``).

    ``hurried``: small chunks were written that are not deflated, which is made up for at the end.
    """
    if tx.dialect.name == "postgresql":  # else two that compact one run both write what both have read
        execute(tx, "SELECT id FROM runs WHERE id = ? FOR UPDATE", [run])
    rows = _blobs(tx, "SELECT id, n, data FROM chunks WHERE run_id = ? ORDER BY id", [run])
    total = sum(row[1] for row in rows)
    cut = total >= CHUNK or (final and total > SMALL_RUN)
    if rows and (cut or len(rows) > 1) and (final or len(rows) >= MIXED_CHUNKS):
        decoded = [decode_mixed(row[2]) for row in rows]
        groups = grouped(np.concatenate([d[0] for d in decoded]), _join([d[1] for d in decoded]))
        _delete_chunks(tx, [row[0] for row in rows])
        insert_chunks(tx, list(own_chunks(groups) if cut else mixed_chunks(run, groups.each, groups.points)))
    if final:
        _merge_tails(tx, run, least=1 if hurried else 2)


def _merge_tails(tx: sa.Connection, run: str, least: int) -> None:
    """Of each series, join neighbouring chunks that are small, ``least`` of them or more: as many as fit into one, so that a long run
    takes no more memory."""
    text = "SELECT c.series_id, c.id, c.n FROM chunks c JOIN series s ON s.id = c.series_id WHERE s.run_id = ? ORDER BY 1, 2"
    for (_, small), rows in itertools.groupby(select(tx, text, [run]), key=lambda row: (row[0], row[2] < SMALL_CHUNK)):
        for ids in _fitting(rows) if small else ():
            if len(ids) >= least:
                _merge(tx, ids)


def _fitting(rows: Iterable[tuple[Any, ...]]) -> Iterable[list[int]]:
    """The ids of chunks (series, id, n) that follow each other, as many together as one chunk can hold."""
    ids: list[int] = []
    total = 0
    for _, number, n in rows:
        if total + n > CHUNK:
            yield ids
            ids, total = [], 0
        ids.append(number)
        total += n
    yield ids


def _merge(tx: sa.Connection, ids: Sequence[int]) -> None:
    """Join chunks of one series that follow each other; the first one's id is kept, for it says what arrived when."""
    data = {
        r[0]: r[1] for part in _parts(ids, _ROWS) for r in _blobs(tx, f"SELECT id, data FROM chunks WHERE id IN ({_marks(part)})", part)
    }
    merged = order(decode_many([data[i] for i in ids]))
    execute(tx, "UPDATE chunks SET n = ?, data = ? WHERE id = ?", [len(merged.values), encode(merged), ids[0]])
    _delete_chunks(tx, ids[1:])


def _delete_chunks(tx: sa.Connection, ids: Sequence[int]) -> None:
    for part in _parts(ids, _ROWS):
        execute(tx, f"DELETE FROM chunks WHERE id IN ({_marks(part)})", part)


# --- SQL ----------------------------------------------------------------------------------------------------------


def _merged(table: str) -> dict[str, str]:
    """For each summary column, the SQL that adds ``excluded`` to a row of ``table``: the same in any order."""
    old, new = f"{table}.", "excluded."
    total = f"({old}finite + {new}finite)"

    def weighted(side: str) -> str:  # PostgreSQL refuses a product that underflows
        return f"CASE WHEN abs({side}mean) < 1e-280 THEN 0.0 ELSE {side}mean * ({side}finite * 1.0 / {total}) END"

    before = f"{old}fs IS NULL OR ({new}fs, {new}ft) < ({old}fs, {old}ft)"
    after = f"{old}ls IS NULL OR ({new}ls, {new}lt) >= ({old}ls, {old}lt)"
    lower = f"{old}vmin IS NULL OR {new}vmin < {old}vmin OR ({new}vmin = {old}vmin AND {new}smin < {old}smin)"
    higher = f"{old}vmax IS NULL OR {new}vmax > {old}vmax OR ({new}vmax = {old}vmax AND {new}smax < {old}smax)"

    def pick(when: str, column: str) -> str:
        return f"CASE WHEN {when} THEN {new}{column} ELSE {old}{column} END"

    mean = f"CASE WHEN {old}finite = 0 THEN {new}mean WHEN {new}finite = 0 THEN {old}mean ELSE {weighted(old)} + {weighted(new)} END"
    return (
        {c: f"{old}{c} + {new}{c}" for c in ("n", "nan", "finite")}
        | {"mean": mean}
        | {c: pick(lower, c) for c in ("vmin", "smin")}
        | {c: pick(higher, c) for c in ("vmax", "smax")}
        | {c: pick(before, c) for c in ("fs", "ft", "fv", "fnan")}
        | {c: pick(after, c) for c in ("ls", "lt", "lv", "lnan")}
    )


_SERIES_SET = ", ".join(f"{column} = {text}" for column, text in _merged("series").items())
_METRIC_SET = ", ".join(
    f"{column} = CASE WHEN excluded.attempt > metrics.attempt THEN excluded.{column}"
    f" WHEN excluded.attempt < metrics.attempt THEN metrics.{column} ELSE {text} END"
    for column, text in (_merged("metrics") | {"attempt": "metrics.attempt"}).items()
)


def _blobs(tx: sa.Connection, text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows with a column of bytes: PostgreSQL would write those out as text, at several times the price."""
    if tx.dialect.name == "sqlite":
        return select(tx, text, params)
    driver: Any = tx.dialect.loaded_dbapi
    raw: Any = tx.connection.driver_connection
    try:
        with raw.cursor(binary=True) as cursor:
            found: list[tuple[Any, ...]] = cursor.execute(text.replace("?", "%s"), tuple(params)).fetchall()
            return found
    except driver.OperationalError as error:  # the driver's own: SQLAlchemy does not see this statement
        raise StoreUnavailable(f"the store cannot be used now: {error}") from error


def each_blob(tx: sa.Connection, text: str, params: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """The same, one by one: the memory of one is used for the next, and the server sends on while this one is looked at."""
    driver: Any = tx.dialect.loaded_dbapi
    try:
        if tx.dialect.name == "sqlite":
            yield from execute(tx, text, params).cursor  # type: ignore[misc]
            return
        raw: Any = tx.connection.driver_connection
        with raw.cursor(binary=True) as cursor:
            yield from cursor.stream(text.replace("?", "%s"), tuple(params))
    except driver.OperationalError as error:  # the driver's own: SQLAlchemy does not see these rows
        raise StoreUnavailable(f"the store cannot be read now: {error}") from error


def _upsert(tx: sa.Connection, table: str, key: Sequence[str], unique: Sequence[str], rows: Sequence[tuple[Any, ...]], change: str) -> None:
    columns = (*key, *SUMMARY_COLUMNS)
    for part in _parts(rows, _ROWS):
        source, params = _source(tx, columns, part)
        execute(tx, f"INSERT INTO {table} ({', '.join(columns)}) {source} ON CONFLICT ({', '.join(unique)}) DO UPDATE SET {change}", params)


def _source(tx: sa.Connection, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    """What an INSERT takes these rows from, and its parameters: on PostgreSQL an array for each column, because its driver goes through
    a statement mark by mark, and 22,000 of them took it longer than the server needs."""
    if tx.dialect.name == "sqlite":
        return f"VALUES {', '.join([f'({_marks(columns)})'] * len(rows))}", list(itertools.chain.from_iterable(rows))
    types = ["text" if name in _TEXTS else "float8" if name in _FLOATS else "bigint" for name in columns]
    arrays = [list(values) if kind == "text" else _array(values) for kind, values in zip(types, zip(*rows, strict=True), strict=True)]
    return f"SELECT * FROM unnest({', '.join(f'?::{kind}[]' for kind in types)})", arrays


def _array(numbers: Iterable[float | None]) -> str:
    """Numbers as PostgreSQL writes an array of them, every bit kept."""
    return f"{{{','.join('NULL' if number is None else repr(number) for number in numbers)}}}"


def _marks(items: Sequence[Any]) -> str:
    return ", ".join("?" * len(items))


def _parts(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (items[low : low + size] for low in range(0, len(items), size))


def _pick(points: Points, where: NDArray[Any]) -> Points:
    return Points(points.steps[where], points.times[where], points.values[where])


def _join(parts: Sequence[Points]) -> Points:
    if not parts:
        return Points(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))
    steps, times, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Points(steps, times, values)
