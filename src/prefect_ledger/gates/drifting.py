"""Floor 4. The gate on drift: how far the holdout's columns are from those of the training data.

``psi`` is the population stability index over the tenths of the reference (of texts, over their values), with what is missing as a bin of
its own and half a row added to each bin, so that an empty one does not make it infinite. ``ks`` is the two-sample statistic of Kolmogorov
and Smirnov, the greatest distance of the two distributions; it takes numbers alone.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefect_ledger.errors import InvalidValue
from prefect_ledger.gates.checked import column
from prefect_ledger.gates.evidence import Arrays, Evidence
from prefect_ledger.gates.finding import Built, Finding, rounded, yes
from prefect_ledger.gates.options import Options
from prefect_ledger.gates.wording import near, said

BINS = 10


def drift(options: Options) -> Built:
    """Each of the columns, all of the reference where none is named, held against ``at_most``."""
    columns = options.names("columns")
    method = options.choice("method", ("psi", "ks"), "psi")
    most = options.number("at_most", least=0.0, default=0.2)
    min_rows = options.whole("min_rows", least=1, most=1 << 62, default=200)
    assert most is not None

    def check(evidence: Evidence) -> Finding:
        if evidence.holdout is None:
            raise InvalidValue("the evidence has no holdout, which this gate is judged on")
        reference = evidence.holdout.reference
        if not reference:
            raise InvalidValue(f"the holdout {evidence.holdout.name!r} has no columns of the training data to compare with")
        found = {}
        for name in columns or sorted(reference):
            before = _read(reference, name, "the training data", min_rows)
            now = _read(evidence.holdout.columns, name, "the holdout", min_rows)
            found[name] = rounded(_psi(before, now, name) if method == "psi" else _ks(before, now, name))
        wrong = {name: value for name, value in found.items() if not value <= most}
        worst = max(found, key=lambda name: found[name])
        if wrong:
            each = ", ".join(f"{name} {said(value, most)}" for name, value in sorted(wrong.items(), key=lambda one: -one[1])[:10])
            reason = f"{len(wrong)} of {len(found)} columns drifted from the training data: {method} above {said(most)} for {each}"
        else:
            reason = f"{method} of {len(found)} columns is {said(most)} at most; greatest for {worst}, {said(found[worst], most)}"
        return Finding(not wrong, reason, {"method": method, "at_most": most, "min_rows": min_rows, "columns": found})

    return Built(check, needs_champion=False, needs_rows=yes)


def _read(there: Arrays, name: str, where: str, min_rows: int) -> NDArray[Any]:
    if name not in there:
        raise InvalidValue(f"{where} has no column {name!r}{near(name, there)}")
    found = column(there[name], f"the values of {name!r} in {where}")
    if len(found) < min_rows:
        raise InvalidValue(f"{where} has {len(found):,} rows of {name!r}, where {min_rows:,} are the least")
    return found


def _psi(before: NDArray[Any], now: NDArray[Any], name: str) -> float:
    one, other = _binned(before, now, name)
    p, q = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (one, other))
    return float(((q - p) * np.log(q / p)).sum())


def _binned(before: NDArray[Any], now: NDArray[Any], name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    texts = [values.dtype.kind in "UO" for values in (before, now)]
    if any(texts):
        if not all(texts):
            raise InvalidValue(f"the column {name!r} has texts in one of training data and holdout, and no texts in the other")
        counts = [Counter(values.tolist()) for values in (before, now)]
        every = sorted({*counts[0], *counts[1]}, key=lambda one: (one is not None, one or ""))
        one, other = (np.array([found[value] for value in every], dtype=np.float64) for found in counts)
        return one, other
    before, now = _floats(before, name), _floats(now, name)
    there = before[~np.isnan(before)]
    edges = np.unique(np.quantile(there, np.linspace(0, 1, BINS + 1)[1:-1], method="higher")) if len(there) else np.empty(0)
    one, other = (_counts(values, edges) for values in (before, now))
    return one, other


def _counts(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows up to each edge, above the last, and missing."""
    place = np.searchsorted(edges, values, "left")
    place[np.isnan(values)] = len(edges) + 1
    return np.bincount(place, minlength=len(edges) + 2).astype(np.float64)


def _ks(before: NDArray[Any], now: NDArray[Any], name: str) -> float:
    one, other = np.sort(_floats(before, name)), np.sort(_floats(now, name))
    for values, where in ((one, "the training data"), (other, "the holdout")):
        if odd := int(np.isnan(values).sum()):
            raise InvalidValue(f"the column {name!r} has {odd:,} missing values in {where}, which ks does not take; psi does")
    at = np.concatenate([one, other])
    shares = [np.searchsorted(values, at, "right") / len(values) for values in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def _floats(values: NDArray[Any], name: str) -> NDArray[np.float64]:
    if values.dtype.kind in "mM":
        missing = np.isnat(values)
        values = values.astype(f"{values.dtype.kind}8[us]").astype(np.int64).astype(np.float64)
        values[missing] = np.nan
    if values.dtype.kind not in "biuf":
        kind = "texts" if values.dtype.kind in "UO" else f"values of the type {values.dtype}"
        raise InvalidValue(f"the column {name!r} has {kind}, where numbers are wanted")
    return values.astype(np.float64)
