"""Floor 3. What some dozen runs have, side by side: each question is asked once, however many they are."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger import names
from prefect_ledger.database import rows
from prefect_ledger.entities import Summary
from prefect_ledger.errors import InvalidName
from prefect_ledger.points import Points, order
from prefect_ledger.queries import batches, details

if TYPE_CHECKING:
    import sqlalchemy as sa

    from prefect_ledger.database import Database
    from prefect_ledger.entities import Run
    from prefect_ledger.queries.reader import Reader

_WHOLE = 36  # characters of a run id
_FROM = {"sqlite": "json_each(?) a", "postgresql": "unnest(?::text[]) AS a (value)"}
# The range finds them in the index, whatever the locale; the rest makes it exact.
_BEGUN = """SELECT a.value, r.id FROM {asked} JOIN runs r ON r.id >= a.value AND r.id <= a.value || 'g'
 AND substr(r.id, 1, length(a.value)) = a.value"""
_FACTS = "SELECT r.id, r.facts, r.packages FROM runs r WHERE r.id {texts}"
_PACKAGES = "SELECT digest, content FROM packages WHERE digest {texts}"
_CHILDREN = """SELECT c.parent_id, c.id FROM runs c JOIN runs r ON r.id = c.parent_id AND r.lifecycle = c.lifecycle
 WHERE c.parent_id {texts} ORDER BY c.started IS NULL, c.started, c.id"""
_ATTEMPTS = "SELECT run_id, attempt FROM attempts WHERE run_id {texts} ORDER BY run_id, attempt"


class Found(NamedTuple):
    """Runs in the order they were asked for, each once; and of each text that means none or several, why."""

    runs: list[Run]
    missing: dict[str, str]


class Curve(NamedTuple):
    """The points of one metric of one attempt of a run, all its task runs merged, by step, then time."""

    run: str
    key: str
    attempt: int
    points: Points


def runs(database: Database, reader: Reader, asked: Sequence[str]) -> Found:
    """The runs of these ids or unique beginnings of ids, deleted ones too. Nothing that is asked for makes it raise."""
    prefixes, missing = _prefixes(asked)
    with database.read() as tx:
        begun = _begun(tx, [one for one in prefixes.values() if len(one) < _WHOLE])
        ids = {text: begun.get(one, []) if len(one) < _WHOLE else [one] for text, one in prefixes.items()}
        found = details.runs(tx, list(dict.fromkeys(one[0] for one in ids.values() if len(one) == 1)), reader)
    there = {run.id for run in found}
    for text, few in ids.items():
        if len(few) > 1:
            missing[text] = f"several runs begin with {text!r}: give more characters"
        elif not few or few[0] not in there:
            missing[text] = f"no run has the id {text!r}; it may have been erased"
    return Found(found, {text: missing[text] for text in dict.fromkeys(asked) if text in missing})


def _prefixes(asked: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    good, bad = {}, {}
    for text in dict.fromkeys(asked):
        try:
            good[text] = names.run_id_prefix(text)
        except InvalidName as error:
            bad[text] = str(error)
    return good, bad


def _begun(tx: sa.Connection, prefixes: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    asked: Any = list(prefixes) if tx.dialect.name == "postgresql" else json.dumps(list(prefixes))
    for prefix, run in rows(tx, _BEGUN.format(asked=_FROM[tx.dialect.name]), [asked]) if prefixes else ():
        found.setdefault(prefix, []).append(run)
    return found


def facts(database: Database, ids: Sequence[str]) -> list[Mapping[str, Any]]:
    """The surroundings of each run as :meth:`Reader.facts` has them. What was installed is read once for all that have the same."""
    with database.read() as tx:
        said = {run: (text, digest) for run, text, digest in batches.select(tx, _FACTS, ids)}
        digests = sorted({digest for _, digest in said.values() if digest})
        packages = {digest: json.loads(content) for digest, content in batches.select(tx, _PACKAGES, digests)}
    found: list[Mapping[str, Any]] = []
    for run in ids:
        text, digest = said.get(run, ("{}", None))
        found.append({**json.loads(text), **({"packages": packages[digest]} if digest in packages else {})})
    return found


def datasets(database: Database, ids: Sequence[str]) -> list[dict[str, str]]:
    """The digests of the data of each run's last attempt, by name; by name and context where any of them has several of a name."""
    found: dict[str, dict[tuple[str, str], str]] = {run: {} for run in ids}
    with database.read() as tx:
        for run, name, digest, context, *_ in batches.side(tx, "datasets", ids):
            found[run][name, context] = digest
    several = {name for uses in found.values() for name in {n for n, _ in uses} if len({d for (n, _), d in uses.items() if n == name}) > 1}
    return [
        {f"{name} ({context})" if name in several and context else name: digest for (name, context), digest in found[run].items()}
        for run in ids
    ]


def summaries(database: Database, ids: Sequence[str]) -> dict[str, dict[str, Summary]]:
    """Every metric of each run's last attempt in one row, as :meth:`Reader.summaries` has them, but for where they came from."""
    found: dict[str, dict[str, Summary]] = {run: {} for run in ids}
    with database.read() as tx:
        for run, key, _, n, nan, fv, fs, _, lv, ls, _, vmin, smin, vmax, smax, mean in batches.side(tx, "metrics", ids):
            first, last = (details.NAN if value is None else value for value in (fv, lv))
            found[run][key] = Summary(key, n, nan, first, last, vmin, vmax, mean, fs, ls, smin, smax)
    return found


def children(database: Database, ids: Sequence[str]) -> dict[str, list[str]]:
    """The ids of the runs below each, in the order they started, as :meth:`Reader.children` has them."""
    found: dict[str, list[str]] = {run: [] for run in ids}
    with database.read() as tx:
        for parent, child in batches.select(tx, _CHILDREN, ids):
            found[parent].append(child)
    return found


def attempts(database: Database, ids: Sequence[str]) -> dict[str, list[int]]:
    """The numbers of each run's attempts."""
    found: dict[str, list[int]] = {run: [] for run in ids}
    with database.read() as tx:
        for run, number in batches.select(tx, _ATTEMPTS, ids):
            found[run].append(number)
    return found


def curves(
    database: Database, ids: Sequence[str], keys: Sequence[str], attempts: Mapping[str, Collection[int]] | None = None
) -> Iterator[Curve]:
    """Whole series of these metrics of these runs, one after the other: of the last attempt, or of those that ``attempts`` names.

    About a million points are held at once, whoever reads on lets go of them.
    """
    with database.read() as tx:
        last: Curve | None = None
        for stretch in batches.stretches(tx, ids, keys=keys, attempts=attempts):
            for one in _merged(stretch):
                if last is not None and last[:3] == one[:3]:  # a stretch ended between two of its task runs
                    last = one._replace(points=_both(last.points, one.points))
                    continue
                if last is not None:
                    yield last
                last = one
        if last is not None:
            yield last


def _merged(stretch: batches.Stretch) -> Iterator[Curve]:
    low = 0
    for (run, key, attempt), pieces in itertools.groupby(stretch.pieces, key=attrgetter("run", "key", "attempt")):
        few = list(pieces)
        high = low + sum(piece.points for piece in few)
        steps, times, values = stretch.points
        points = Points(steps[low:high], times[low:high], values[low:high])
        low = high
        yield Curve(run, key, attempt, order(points) if len(few) > 1 else points)


def _both(a: Points, b: Points) -> Points:
    import numpy as np

    steps, times, values = (np.concatenate(columns) for columns in zip(a, b, strict=True))
    return order(Points(steps, times, values))
