"""Floor 3. What many runs have, a batch at a time: rows by one statement a batch and kind, points by one a million points.

All ids are one parameter, so that there may be any number of them. Nothing here asks the database about one run.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from prefect_ledger.chunks import decode, decode_mixed
from prefect_ledger.database import execute
from prefect_ledger.points import Integers, Points, take
from prefect_ledger.queries import details, search
from prefect_ledger.series_store import each_blob

if TYPE_CHECKING:
    import sqlalchemy as sa

RUNS = 1_000  # a batch
POINTS = 1 << 20  # that are read together, where no single series has more
_DENSE = 1 << 22  # ids of series between the least and the greatest, up to which a table of all of them is made
# The series that count for each run: its own, and by link those of tasks whose results its tasks took from the cache.
_SERIES = """SELECT s.run_id, s.key, s.attempt, s.task_run_id, s.run_id, s.task_run_id, s.attempt, s.try_number, s.id, s.n
 FROM series s WHERE s.run_id {among} AND s.n > 0 AND {own}{of_keys}
UNION ALL SELECT l.run_id, s.key, l.attempt, l.task_run_id, s.run_id, s.task_run_id, s.attempt, s.try_number, s.id, s.n
 FROM cache_links l JOIN series s ON s.run_id = l.source_run_id AND s.task_run_id = l.source_task AND s.attempt = l.source_attempt
 WHERE l.run_id {among} AND s.n > 0 AND {own}{of_keys}"""
_CHUNKS = """SELECT id, series_id, data FROM chunks WHERE series_id {numbers}
UNION ALL SELECT id, series_id, data FROM chunks WHERE run_id {texts}"""
_AMONG = {
    "sqlite": {"texts": "IN (SELECT value FROM json_each(?))", "numbers": "IN (SELECT value FROM json_each(?))"},
    "postgresql": {"texts": "= ANY(?::text[])", "numbers": "= ANY(?::bigint[])"},
}
_SIDES = {
    "params": """SELECT p.run_id, p.key, p.value FROM params p JOIN runs r ON r.id = p.run_id AND r.attempt = p.attempt
 WHERE p.run_id {texts}""",
    "tags": "SELECT t.run_id, t.key, t.value FROM tags t WHERE t.run_id {texts} AND t.value IS NOT NULL",
    "metrics": """SELECT m.run_id, m.key, m.attempt, m.n, m.nan, m.fv, m.fs, m.ft, m.lv, m.ls, m.lt, m.vmin, m.smin, m.vmax, m.smax, m.mean
 FROM metrics m JOIN runs r ON r.id = m.run_id AND r.attempt = m.attempt WHERE m.run_id {texts} AND {own}""",
    "datasets": """SELECT u.run_id, u.name, u.digest, u.context, d.source, d.row_count, d.schema_json, u.at FROM dataset_uses u
 JOIN runs r ON r.id = u.run_id AND r.attempt = u.attempt JOIN datasets d ON d.name = u.name AND d.digest = u.digest
 WHERE u.run_id {texts}""",
    "alerts": "SELECT a.run_id, a.at, a.id, a.level, a.title, a.text, a.attempt, a.task_run_id FROM alerts a WHERE a.run_id {texts}",
}
# Of each path the last attempt's that has it; what came by link counts as the attempt that took it, and after what is the run's own.
_ARTIFACTS = """SELECT a.run_id, a.path, a.attempt, 1, a.at, a.run_id, a.kind, a.size, a.sha256, a.uri, a.task_run_id, a.details
 FROM artifacts a WHERE a.run_id {texts}
UNION ALL SELECT l.run_id, a.path, l.attempt, 0, a.at, a.run_id, a.kind, a.size, a.sha256, a.uri, a.task_run_id, a.details
 FROM cache_links l JOIN artifacts a ON a.run_id = l.source_run_id AND a.task_run_id = l.source_task AND a.attempt = l.source_attempt
 WHERE l.run_id {texts}"""
_KEYS = {
    "params": "SELECT DISTINCT p.key FROM params p JOIN runs r ON r.id = p.run_id AND r.attempt = p.attempt WHERE r.id {texts}",
    "metrics": "SELECT DISTINCT m.key FROM metrics m JOIN runs r ON r.id = m.run_id AND r.attempt = m.attempt WHERE r.id {texts} AND {own}",
    "tags": "SELECT DISTINCT t.key FROM tags t WHERE t.run_id {texts} AND t.value IS NOT NULL",
}


class Piece(NamedTuple):
    """The points of one key of a run that one task run (``""``: the run itself) logged in one attempt: so many of the batch's."""

    run: str
    key: str
    attempt: int
    task_run_id: str
    points: int


class Stretch(NamedTuple):
    """Points of several pieces, one after the other, each by step, time, arrival."""

    pieces: list[Piece]
    points: Points


class _Series(NamedTuple):
    piece: Piece
    id: int
    owner: str  # the run that logged it


def all_ids(tx: sa.Connection, asked: search.Search) -> list[str]:
    """The ids of all runs that match, in order."""
    found: list[str] = []
    page = None
    while True:
        one = search.find(tx, asked, page)
        found += one.ids
        page = one.next_page
        if page is None:
            return found


def keys(tx: sa.Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    """Which params, metrics (not those watched of the machine) and tags any of the runs has now, sorted, by "params" and so on."""
    found: dict[str, set[str]] = {side: set() for side in _KEYS}
    for part in parts(ids, 50 * RUNS):
        for side, text in _KEYS.items():
            found[side].update(row[0] for row in _of(tx, text, part, watched=False))
    return {side: sorted(names) for side, names in found.items()}


def side(tx: sa.Connection, table: str, ids: Sequence[str], *, watched: bool = False) -> list[tuple[Any, ...]]:
    """Rows of a table of these runs ("params", "tags", "metrics", "datasets", "artifacts", "alerts"): in their order, then by key, name,
    path or time."""
    place = {run: at for at, run in enumerate(ids)}
    if table == "artifacts":
        rows = sorted(_of(tx, _ARTIFACTS, ids, watched=True), key=lambda row: (place[row[0]], *row[1:6]))
        return [list(same)[-1] for _, same in itertools.groupby(rows, key=itemgetter(0, 1))]
    return sorted(_of(tx, _SIDES[table], ids, watched=watched), key=lambda row: (place[row[0]], *row[1:4]))


def stretches(
    tx: sa.Connection,
    ids: Sequence[str],
    *,
    every_attempt: bool = False,
    watched: bool = False,
    keys: Sequence[str] | None = None,
    attempts: Mapping[str, Collection[int]] | None = None,
) -> Iterator[Stretch]:
    """All points that count of these runs: of the last attempt or of every one, of each task run the last try. In the order of the runs,
    then by key, attempt and task run. A stretch has at most :data:`POINTS` points, or is one series.

    With ``keys`` of these metrics alone, watched or not; ``attempts`` names those that are wanted of a run instead of the last one.
    """
    for part in parts(ids, RUNS):
        choice = _Choice(every_attempt, watched, keys, attempts or {})
        series = _counted(tx, part, choice)
        for some in _together(series):
            yield _read(tx, some)


def select(tx: sa.Connection, text: str, texts: Sequence[str]) -> Iterator[Any]:
    """The rows of a statement that has ``{texts}`` behind a column where it is to be one of these texts."""
    return _of(tx, text, texts, watched=True)


def parts(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """One batch after the other."""
    return (ids[low : low + size] for low in range(0, len(ids), size))


class _Choice(NamedTuple):
    every_attempt: bool
    watched: bool
    keys: Sequence[str] | None
    attempts: Mapping[str, Collection[int]]

    def wants(self, run: str, attempt: int, last: int) -> bool:
        """Whether this attempt of the run is wanted."""
        chosen = self.attempts.get(run)
        return self.every_attempt or (attempt == last if chosen is None else max(1, attempt) in chosen)


def _counted(tx: sa.Connection, ids: Sequence[str], choice: _Choice) -> list[_Series]:
    place = {run: at for at, run in enumerate(ids)}
    last = {row[0]: row[1] for row in _of(tx, "SELECT id, attempt FROM runs WHERE id {texts}", ids, watched=True)}
    rows = list(_all_series(tx, ids, choice))
    rows.sort(key=lambda row: (place[row[0]], row[1], row[2], *row[4:8]))
    found = []
    for (run, key, attempt), tries in itertools.groupby(rows, key=itemgetter(0, 1, 2)):
        if run in last and choice.wants(run, attempt, last[run]):
            counting = {row[4:6]: row for row in tries}.values()  # in order of try: the last one stays
            ordered = sorted(counting, key=itemgetter(3, 4))
            found += [_Series(Piece(run, key, max(1, attempt), row[3], row[9]), row[8], row[4]) for row in ordered]
    return found


def _all_series(tx: sa.Connection, ids: Sequence[str], choice: _Choice) -> Iterator[Any]:
    if choice.keys is None:
        return _of(tx, _SERIES.replace("{of_keys}", ""), ids, watched=choice.watched)
    among = _AMONG[tx.dialect.name]["texts"]
    text = _SERIES.format(among=among, own="1 = 1", of_keys=f" AND s.key {among}")
    both: list[Any] = [list(ids), list(choice.keys)]
    return iter(execute(tx, text, 2 * (both if tx.dialect.name == "postgresql" else [json.dumps(one) for one in both])).all())


def _together(series: Iterable[_Series]) -> Iterator[list[_Series]]:
    some: list[_Series] = []
    total = 0
    for one in series:
        if some and total + one.piece.points > POINTS:
            yield some
            some, total = [], 0
        some.append(one)
        total += one.piece.points
    if some:
        yield some


def _read(tx: sa.Connection, series: Sequence[_Series]) -> Stretch:
    numbers = list(dict.fromkeys(one.id for one in series))
    owners = {one.id: one.owner for one in series}
    ranks = _Ranks(numbers)
    found: list[_Found] = []
    for number, of_one, data in _chunks(tx, numbers, sorted(set(owners.values()))):
        rank, points = ranks.pick(of_one, data)
        if len(rank):
            found.append(_Found(owners[numbers[int(rank[0])]], number, of_one is None, rank, points))
    return _arranged(series, numbers, _arrival(found))


class _Found(NamedTuple):
    owner: str
    chunk: int
    mixed: bool
    ranks: Integers
    points: Points


def _arrival(found: Sequence[_Found]) -> list[_Found]:
    """Chunks so that the points of each series stay in the order they came in, and all are nearly in the order that is wanted."""
    first: dict[str, int] = {}
    mixed = {one.owner for one in found if one.mixed}
    for one in found:
        first[one.owner] = min(int(one.ranks[0]), first.get(one.owner, int(one.ranks[0])))
    return sorted(found, key=lambda one: (first[one.owner], 0 if one.owner in mixed else int(one.ranks[0]), one.chunk))


class _Ranks:
    """The place of a series among those that are read, by its id."""

    def __init__(self, numbers: Sequence[int]) -> None:
        ids = np.array(numbers, np.int64)
        self._sorted = np.sort(ids)
        self._rank = np.argsort(ids, kind="stable")
        self._low = int(self._sorted[0])
        span = int(self._sorted[-1]) - self._low + 1
        self._table: Integers | None = None
        if span <= _DENSE:
            self._table = np.full(span + 2, -1, np.int64)  # one more at each end, for ids beyond
            self._table[ids - self._low + 1] = np.arange(len(ids))

    def of(self, ids: Integers) -> Integers:
        """The rank of each; -1 for one that is not read."""
        if self._table is not None:
            found: Integers = self._table[np.clip(ids - self._low + 1, 0, len(self._table) - 1)]
            return found
        at = np.minimum(np.searchsorted(self._sorted, ids), len(self._sorted) - 1)
        return np.where(self._sorted[at] == ids, self._rank[at], -1)

    def pick(self, of_one: int | None, data: bytes) -> tuple[Integers, Points]:
        """What is to be read of a chunk: the rank of each point, and the points."""
        if of_one is not None:
            points = decode(data)
            return np.full(len(points.values), self.of(np.array([of_one], np.int64))[0]), points
        ids, points = decode_mixed(data)
        ranks = self.of(ids)
        if ranks.min() >= 0:
            return ranks, points
        where = ranks >= 0
        return ranks[where], Points(points.steps[where], points.times[where], points.values[where])


def _arranged(series: Sequence[_Series], numbers: Sequence[int], found: Sequence[_Found]) -> Stretch:
    ranks = np.concatenate([one.ranks for one in found]) if found else np.empty(0, np.int64)
    points = _joined([one.points for one in found])
    if not _in_order(ranks, points):
        index = np.lexsort((points.times, points.steps, ranks))
        ranks, points = ranks[index], take(points, index)
    counts = np.bincount(ranks, minlength=len(numbers))
    places = {number: at for at, number in enumerate(numbers)}
    if len(numbers) == len(series):
        return Stretch([_counting(one, counts[places[one.id]]) for one in series], points)
    ends = np.cumsum(counts)  # what several runs have by link is there once, and wanted several times
    wanted = [places[one.id] for one in series]
    index = np.concatenate([np.arange(ends[at] - counts[at], ends[at]) for at in wanted])
    return Stretch([_counting(one, counts[at]) for one, at in zip(series, wanted, strict=True)], take(points, index))


def _counting(one: _Series, points: int) -> Piece:
    return one.piece._replace(points=int(points))


def _in_order(ranks: Integers, points: Points) -> bool:
    steps, times, _ = points
    same = ranks[1:] == ranks[:-1]
    rising = (steps[1:] > steps[:-1]) | ((steps[1:] == steps[:-1]) & (times[1:] >= times[:-1]))
    return bool(((ranks[1:] > ranks[:-1]) | (same & rising)).all())


def _joined(found: Sequence[Points]) -> Points:
    if not found:
        return Points(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))
    steps, times, values = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return Points(steps, times, values)


def _chunks(tx: sa.Connection, numbers: Sequence[int], runs: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    # One statement, so that a compaction in between can neither hide nor double a chunk.
    text = _CHUNKS.format(**_AMONG[tx.dialect.name])
    both: list[Any] = [list(numbers), list(runs)]
    return each_blob(tx, text, both if tx.dialect.name == "postgresql" else [json.dumps(one) for one in both])


def _of(tx: sa.Connection, text: str, ids: Sequence[str], *, watched: bool) -> Iterator[Any]:
    """The rows of these runs, handed on one by one."""
    among = _AMONG[tx.dialect.name]
    own = "1 = 1" if watched else details.OF_USERS.format(key="m.key" if "metrics m" in text else "s.key")
    text = text.format(own=own, among=among["texts"], **among)
    one = list(ids) if tx.dialect.name == "postgresql" else json.dumps(list(ids))
    return iter(execute(tx, text, [one] * text.count("?")).all())
