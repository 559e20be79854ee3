"""Floor 4. Gates on the rows of a holdout: a metric's threshold, the bootstrap of its difference from the champion's, and slices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefect_ledger.errors import InvalidValue
from prefect_ledger.gates.checked import column, predictions
from prefect_ledger.gates.evidence import Evidence
from prefect_ledger.gates.finding import Built, Finding, rounded, yes
from prefect_ledger.gates.options import Options
from prefect_ledger.gates.row_metrics import Metric, named
from prefect_ledger.gates.wording import near, said
from prefect_ledger.models.wording import listed

SLICES = 1_000
_MOST = 1 << 62
_RESAMPLES = (1_000, 1_000_000)


def threshold(options: Options) -> Built:
    """The candidate's metric of all rows, held against ``at_least`` or ``at_most`` (or both)."""
    metric = named(options.text("metric"))
    options.one_of("at_least", "at_most")
    least, most = options.number("at_least"), options.number("at_most")
    min_rows = options.whole("min_rows", least=1, most=_MOST, default=50)

    def check(evidence: Evidence) -> Finding:
        target, found = predictions(evidence.holdout, "candidate", min_rows)
        value = rounded(metric.value(target, found))
        passed = (least is None or value >= least) and (most is None or value <= most)
        limits = " and ".join(f"at {word} {said(one)}" for word, one in (("least", least), ("most", most)) if one is not None)
        reason = f"{metric.name} is {said(value, least, most)} of {len(target):,} rows, where {limits} is wanted"
        values = {"metric": metric.name, "value": value, "at_least": least, "at_most": most, "rows": len(target)}
        return Finding(passed, reason, values)

    return Built(check, needs_champion=False, needs_rows=yes)


def bootstrap(options: Options) -> Built:
    """The lower end of a bootstrap interval of the difference from the champion on the same rows, held against ``at_least``.

    Below 0 that is a margin: the candidate is not worse by more. At 0 it is superiority, and the interval must lie above 0.
    """
    metric = named(options.text("metric"))
    least = options.number("at_least", default=0.0)
    confidence = options.number("confidence", least=0.5, most=0.9999, default=0.95)
    resamples = options.whole("resamples", least=_RESAMPLES[0], most=_RESAMPLES[1], default=metric.usual)
    seed = options.whole("seed", least=0, most=_MOST, default=0)
    min_rows = options.whole("min_rows", least=2, most=_MOST, default=200)
    assert least is not None
    assert confidence is not None

    def check(evidence: Evidence) -> Finding:
        target, candidate, champion = _both(evidence, min_rows)
        difference = rounded(metric.oriented(metric.value(target, candidate), metric.value(target, champion)))
        found, share = metric.resampled(target, candidate, champion, resamples, seed)
        low, high = (rounded(float(one)) for one in np.quantile(found, ((1 - confidence) / 2, (1 + confidence) / 2)))
        passed = low > 0 if least == 0 else low >= least
        wanted = f"{'' if passed else 'not '}{'above' if least == 0 else 'at least'} {said(least)}"
        reason = (
            f"{metric.better} is {said(difference)} (greater is better), with a {said(rounded(100 * confidence))} % interval "
            f"from {said(low, least)} to {said(high)} of {resamples:,} bootstrap resamples of {len(target):,} rows; "
            f"its lower end is {wanted}"
        )
        values = {
            "metric": metric.name,
            "difference": difference,
            "oriented": metric.better,
            "interval": [low, high],
            "at_least": least,
            "confidence": confidence,
            "resamples": resamples,
            "seed": seed,
            "rows": len(target),
            "normal_share": rounded(share),
        }
        return Finding(passed, reason, values)

    return Built(check, needs_champion=True, needs_rows=yes)


def slices(options: Options) -> Built:
    """The difference from the champion within each slice of the rows by a column, held against ``at_least``."""
    metric, by = named(options.text("metric")), options.text("by")
    least = options.number("at_least", default=0.0)
    min_rows = options.whole("min_rows", least=1, most=_MOST, default=50)
    assert least is not None

    def check(evidence: Evidence) -> Finding:
        target, candidate, champion = _both(evidence, 1)
        judged: dict[str, Any] = {}
        small: dict[str, int] = {}
        wrong: list[str] = []
        for name, rows in _sliced(evidence, by, len(target)):
            if len(rows) < min_rows:
                small[name] = len(rows)
                continue
            try:
                of = [metric.value(target[rows], one[rows]) for one in (candidate, champion)]
            except InvalidValue as error:
                judged[name] = {"rows": len(rows), "difference": None, "passed": False}
                wrong.append(f"{name} ({len(rows):,} rows) cannot be judged: {error}")
                continue
            difference = rounded(metric.oriented(*of))
            judged[name] = {"rows": len(rows), "difference": difference, "passed": difference >= least}
            if not difference >= least:
                wrong.append(f"{name} ({len(rows):,} rows) has {said(difference, least)}")
        reason = _of_slices(metric, by, least, min_rows, judged, small, wrong)
        values = {"metric": metric.name, "by": by, "at_least": least, "min_rows": min_rows, "oriented": metric.better}
        return Finding(bool(judged) and not wrong, reason, {**values, "slices": judged, "too_small": small})

    return Built(check, needs_champion=True, needs_rows=yes)


def _of_slices(
    metric: Metric, by: str, least: float, min_rows: int, judged: dict[str, Any], small: dict[str, int], wrong: list[str]
) -> str:
    unjudged = (
        f"; not judged, with fewer than {min_rows:,} rows: {_first([f'{name} ({rows:,})' for name, rows in small.items()])}"
        if small
        else ""
    )
    if not judged:
        return f"no slice by {by!r} has {min_rows:,} rows{unjudged}"
    if wrong:
        said_so = f"{len(wrong)} of {len(judged)} slices by {by!r} do not hold {metric.better} of at least {said(least)}: {_first(wrong)}"
        return f"{said_so}{unjudged}"
    worst = min(judged, key=lambda name: judged[name]["difference"])
    return (
        f"{metric.better} is at least {said(least)} in each of {len(judged)} slices by {by!r}; "
        f"least in {worst}, {said(judged[worst]['difference'], least)}{unjudged}"
    )


def _first(texts: list[str]) -> str:
    return ", ".join(texts[:10]) + (f" and {len(texts) - 10:,} more" if len(texts) > 10 else "")


def _both(evidence: Evidence, min_rows: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    target, candidate = predictions(evidence.holdout, "candidate", min_rows)
    _, champion = predictions(evidence.holdout, "champion", min_rows)
    return target, candidate, champion


def _sliced(evidence: Evidence, by: str, rows: int) -> list[tuple[str, NDArray[np.intp]]]:
    """The slices by name, and where their rows are; what is missing is a slice of its own."""
    assert evidence.holdout is not None
    columns = evidence.holdout.columns
    if by not in columns:
        raise InvalidValue(f"the holdout {evidence.holdout.name!r} has no column {by!r} to slice by{near(by, columns)}")
    found = column(columns[by], f"the values of {by!r}")
    if len(found) != rows:
        raise InvalidValue(f"the column {by!r} has {len(found):,} rows, and the holdout {rows:,}")
    names = np.array([_name(one) for one in found.tolist()], dtype=object)
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names.tolist()):
        places.setdefault(name, []).append(place)
        if len(places) > SLICES:
            raise InvalidValue(
                f"the column {by!r} has more than {SLICES:,} values, such as {listed(list(places)[:3])}: slice by one with fewer"
            )
    return [(name, np.array(places[name])) for name in sorted(places)]


def _name(value: object) -> str:
    if value is None or value != value:
        return "(missing)"
    return value if isinstance(value, str) else str(value)
