"""Floor 4. Gates on what was measured of the models themselves: the latency of predictions and the size."""

from __future__ import annotations

import math

import numpy as np

from prefect_ledger.errors import InvalidValue
from prefect_ledger.gates.evidence import Evidence, Side
from prefect_ledger.gates.finding import Built, Finding, rounded, yes
from prefect_ledger.gates.options import Options
from prefect_ledger.gates.wording import said

_MOST = 1 << 62


def latency(options: Options) -> Built:
    """A quantile of the candidate's seconds, held against ``at_most``, or ``times`` the champion's (or both)."""
    quantile = options.number("quantile", least=0.0, most=0.9999, default=0.99)
    assert quantile is not None
    enough = math.ceil(round(1 / (1 - quantile), 6))  # below that the quantile is the slowest call of all
    most, times = _limits(options)
    min_rows = options.whole("min_rows", least=1, most=_MOST, default=enough)

    def check(evidence: Evidence) -> Finding:
        limits = {} if most is None else {"": most}
        if times is not None:
            limits[f" ({said(times)} times the champion's)"] = rounded(times * _seconds(evidence.champion, "champion", quantile, min_rows))
        value, count = _seconds(evidence.candidate, "candidate", quantile, min_rows), len(evidence.candidate.latency)
        return _held(
            f"the {said(quantile)} quantile of {count:,} measured latencies", value, "s", limits, {"quantile": quantile, "rows": count}
        )

    return Built(check, needs_champion=times is not None, needs_rows=yes)


def size(options: Options) -> Built:
    """The candidate's bytes, held against ``at_most``, or ``times`` the champion's (or both)."""
    most, times = _limits(options)

    def check(evidence: Evidence) -> Finding:
        limits = {} if most is None else {"": most}
        if times is not None:
            limits[f" ({said(times)} times the champion's)"] = rounded(times * _bytes(evidence.champion, "champion"))
        return _held("the size", _bytes(evidence.candidate, "candidate"), "bytes", limits, {})

    return Built(check, needs_champion=times is not None)


def _limits(options: Options) -> tuple[float | None, float | None]:
    options.one_of("at_most", "times")
    return options.number("at_most", least=0.0), options.number("times", least=0.0)


def _held(what: str, value: float, unit: str, limits: dict[str, float], values: dict[str, float]) -> Finding:
    passed = all(value <= one for one in limits.values())
    allowed = " and ".join(f"{said(one)} {unit}{whose}" for whose, one in limits.items())
    reason = f"{what} is {said(value, *limits.values())} {unit}, where {allowed} {'is' if len(limits) == 1 else 'are'} the most"
    return Finding(passed, reason, {"value": value, "at_most": min(limits.values()), **values})


def _seconds(side: Side | None, who: str, quantile: float, min_rows: int) -> float:
    found = np.array(side.latency if side else (), dtype=np.float64)
    if len(found) < min_rows:
        raise InvalidValue(f"{len(found):,} latencies of the {who} were measured, where {min_rows:,} are the least")
    if not np.isfinite(found).all() or found.min() < 0:
        raise InvalidValue(f"latencies of the {who} are not all finite seconds")
    return rounded(float(np.quantile(found, quantile, method="higher")))


def _bytes(side: Side | None, who: str) -> int:
    if side is None or side.size is None:
        raise InvalidValue(f"the size of the {who} is not on record")
    return side.size
