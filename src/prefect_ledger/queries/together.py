"""Floor 3. What some dozen runs have, side by side: each question is asked once, however many they are."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger import names
from prefect_ledger.errors import InvalidName, RunNotFound
from prefect_ledger.points import Points, order
from prefect_ledger.queries import batches, details

if TYPE_CHECKING:
    from prefect_ledger.database import Database
    from prefect_ledger.entities import Run
    from prefect_ledger.queries.reader import Reader

_WHOLE = 36  # characters of a run id
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
    ids: dict[str, str] = {}
    missing: dict[str, str] = {}
    for text in dict.fromkeys(asked):
        try:
            prefix = names.run_id_prefix(text)
            ids[text] = prefix if len(prefix) == _WHOLE else reader.run(prefix).id
        except (InvalidName, RunNotFound) as error:
            missing[text] = str(error)
    with database.read() as tx:
        found = details.runs(tx, list(dict.fromkeys(ids.values())), reader)
    there = {run.id for run in found}
    missing |= {text: f"no run has the id {one}; it may have been erased" for text, one in ids.items() if one not in there}
    return Found(found, missing)


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
