"""Floor 5. The evaluator that is built in: reads the rows whole, asks each model about all of them, and times single ones in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prefect_ledger.errors import InvalidValue, LedgerError
from prefect_ledger.masking import mask_text
from prefect_ledger.promotion.evaluating import Evaluated, Evaluator, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prefect_ledger.gates import Evidence
    from prefect_ledger.scoring.sources import Source

SINGLES = 200  # rows that are asked one by one
_SECONDS = 5.0  # after which no more are
_MOST = 5_000_000  # rows of a holdout, which are in memory
_CHUNK = 100_000
Ask = Callable[[Any], Any]


class AskedRows(Evaluator):
    """Rows of a file, a folder or a query. The candidate and the champion get all columns but the target."""

    def evaluate(self, candidate: str, champion: str | None, rows: Rows) -> Evaluated:
        """The interface's. Neither model sees the target; the order of the rows stays."""
        from prefect_ledger.gates import Holdout

        frame, digest = read_rows(rows.place, rows.query)
        name = mask_text(rows.place)
        _check_columns(frame, [rows.target, *rows.columns], f"the holdout {name}")
        given = frame.drop(columns=[rows.target])
        asks = {"candidate": _asking(candidate, rows.method)}
        if champion is not None:
            asks["champion"] = _asking(champion, rows.method)
        said = {side: _predicted(ask, given, side) for side, ask in asks.items()}
        holdout = Holdout(
            name=name,
            digest=digest,
            columns={name: frame[name].to_numpy() for name in rows.columns},
            target=frame[rows.target].to_numpy(),
            candidate=said["candidate"],
            champion=said.get("champion"),
            reference=_reference(rows),
        )
        return Evaluated(holdout, _timed(asks, given), {"rows": len(frame), "method": rows.method})


def read_rows(place: str, query: str | None = None, *, what: str = "holdout") -> tuple[Any, str]:
    """All rows at ``place`` as a pandas frame, and their digest: of files that of their bytes, of a query's answer that of the rows.

    Raises:
        InvalidValue: nothing is there, or nothing that can be read, which is told of as ``what`` it is; or more than five million rows.
        MissingExtra: pandas or pyarrow is not installed.
    """
    from prefect_ledger.models.frames import pandas
    from prefect_ledger.scoring.sources import arrow, source
    from prefect_ledger.tracking.datasets import describe

    pandas(f"a {what}")
    pa = arrow(f"a {what}")
    _check_there(place, what)
    try:
        found = source(place, query)
        tables = _tables(found)
    except InvalidValue as error:
        raise InvalidValue(f"the {what} cannot be read: {error}") from error
    frame = pa.concat_tables(tables, promote_options="default").to_pandas()
    return frame, found.digest() or describe(frame, name="rows").digest


def judged_on(rows: Rows, evidence: Evidence) -> bool:
    """Whether evidence is of these very rows: the same bytes, target, columns and reference, and the same method of the models.

    Raises:
        As :func:`read_rows`.
    """
    then = evidence.holdout
    if then is None or evidence.facts.get("method") != rows.method or then.columns.keys() != set(rows.columns):
        return False
    frame, digest = read_rows(rows.place, rows.query)
    if digest != then.digest or not {rows.target, *rows.columns}.issubset(frame.columns):
        return False
    now, reference = {name: frame[name].to_numpy() for name in then.columns}, _reference(rows)
    if reference.keys() != then.reference.keys():
        return False
    reference = {name: reference[name] for name in then.reference}
    return replace(then, columns=now, target=frame[rows.target].to_numpy(), reference=reference) == then


def _check_there(place: str, what: str) -> None:
    """Refuse a path where nothing is, before scoring's reader does so in its own words.

    Raises:
        InvalidValue.
    """
    path = Path(place.removeprefix("file://"))
    if "://" not in place.removeprefix("file://") and not path.exists():
        raise InvalidValue(f"there is no {what} {path.absolute()}: no such file or folder")


def _tables(found: Source) -> list[Any]:
    """All rows of a source, in pieces.

    Raises:
        InvalidValue: there are none, or too many, or they cannot be read.
    """
    stream, tables, count = found.open({}), list[Any](), 0
    try:
        for table in stream.chunks(stream.names, _CHUNK):
            tables.append(table)
            if (count := count + table.num_rows) > _MOST:
                raise InvalidValue(f"{found.place} has more than {_MOST:,} rows, which are held in memory: give a sample of them")
    finally:
        stream.close()
    if not count:
        raise InvalidValue(f"{found.place} has no rows")
    return tables


def _reference(rows: Rows) -> dict[str, NDArray[Any]]:
    if rows.reference is None:
        return {}
    frame, _ = read_rows(rows.reference, what="reference")
    names = [name for name in (rows.columns or frame.columns) if name != rows.target]
    _check_columns(frame, names, f"the reference {mask_text(rows.reference)}")
    return {name: frame[name].to_numpy() for name in names}


def _check_columns(frame: Any, wanted: Sequence[str], where: str) -> None:
    if lacking := [name for name in wanted if name not in frame.columns]:
        there = ", ".join(map(str, frame.columns[:20]))
        raise InvalidValue(f"{where} has no column {lacking[0]!r}; it has: {there}")


def _asking(ref: str, method: str) -> Ask:
    """What asks the model: its predictor, or another method of the model as its framework made it.

    Raises:
        InvalidValue: the model has no such method. What load_predictor raises.
    """
    from prefect_ledger.tracking.models import load_model, load_predictor

    if method == "predict":
        return load_predictor(ref).predict
    model = load_model(ref)
    found = getattr(model, method, None)
    if method.startswith("_") or not callable(found):
        raise InvalidValue(f"{ref} has no method {method!r}: it is a {type(model).__module__}.{type(model).__qualname__}")
    ask: Ask = found
    return ask


def _predicted(ask: Ask, frame: Any, side: str) -> NDArray[Any]:
    """One prediction a row.

    Raises:
        InvalidValue: the model fails, or answers with something else.
    """
    try:
        answer = ask(frame)
    except LedgerError as error:
        raise InvalidValue(f"the {side} cannot be asked about these rows: {error}") from error
    except (Exception, SystemExit) as error:  # a model's own code
        raise InvalidValue(f"the {side} cannot be asked about these rows: {type(error).__name__}: {error}") from error
    found = np.asarray(answer)
    if found.ndim == 2 and found.shape[1] in (1, 2):  # one output, or the probabilities of two classes
        found = found[:, -1]
    if found.shape != (len(frame),):
        raise InvalidValue(f"the {side} answers {len(frame):,} rows with an array of shape {found.shape}: one prediction a row is wanted")
    return found


def _timed(asks: dict[str, Ask], frame: Any) -> dict[str, list[float]]:
    """Seconds of single rows, the models in turns, so that what the machine does beside falls on both; the first row warms up."""
    found: dict[str, list[float]] = {side: [] for side in asks}
    until = time.monotonic() + _SECONDS
    for place in range(min(SINGLES, len(frame)) + 1):
        row = frame.iloc[[place % len(frame)]]
        for side, ask in asks.items():
            begun = time.perf_counter()
            ask(row)
            if place:
                found[side].append(time.perf_counter() - begun)
        if time.monotonic() > until:
            break
    return found
