"""Floor 5. The trials of a sweep: child runs that say by their tags which sweep's they are, and which number they have."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prefect_ledger.entities import Run, RunStatus
from prefect_ledger.sweep.plan import Plan
from prefect_ledger.tracking.reading import search_runs

OF, NUMBER, PARAMETERS, STOPPED = "sweep.of", "sweep.trial", "sweep.parameters", "sweep.stopped"
WHY_STOPPED = "stopped early: worse than the median of the others"
_MOST = 50_000
_SETTLED = (RunStatus.COMPLETED, RunStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Trial:
    """Values to be tried, under a number of their sweep's; ``stoppable``: it may be asked to end before its time."""

    number: int
    parameters: Mapping[str, Any]
    stoppable: bool = False

    def tags(self, sweep: str) -> dict[str, str]:
        """What the run of this trial is tagged with."""
        return {OF: sweep, NUMBER: str(self.number), PARAMETERS: json.dumps(dict(self.parameters))}


@dataclass(frozen=True, slots=True)
class Place:
    """A trial on the leaderboard: ``value`` is what the metric was at last, None where it was not logged."""

    trial: int
    run_id: str
    status: RunStatus
    value: float | None
    parameters: Mapping[str, Any]
    stopped: bool = False

    @property
    def settled(self) -> bool:
        """Whether it ended by itself, or was stopped because it did badly: such a trial is not run again."""
        return self.status in _SETTLED or self.stopped

    @property
    def result(self) -> float | None:
        """What is told to who proposes: None where nothing came of it."""
        usable = self.value is not None and math.isfinite(self.value) and self.status is RunStatus.COMPLETED
        return self.value if usable else None


def of_sweep(run_id: str, metric: str, *, number: int | None = None, running: bool = False) -> list[Place]:
    """One place for each number that was tried, in order; of several runs of a number the one that ended, else the latest.

    ``number`` asks for that one alone, ``running`` for those that run.
    """
    alone = "" if number is None else f" and tags.\"{NUMBER}\" = '{number}'"
    alone += " and status = 'RUNNING'" if running else ""
    found: dict[int, Place] = {}
    for run in search_runs(None, f"tags.\"{OF}\" = '{run_id}'{alone}", "start_time", limit=_MOST):
        place = _place(run, metric)
        if place is not None and not (place.trial in found and found[place.trial].settled):
            found[place.trial] = place
    return [found[number] for number in sorted(found)]


def ranked(places: Iterable[Place], plan: Plan) -> list[Place]:
    """The leaderboard: the best first; NaN, then those without a value, last. What did not end well stands below what did."""

    def key(place: Place) -> tuple[int, float, int]:
        if place.value is None or math.isnan(place.value):
            return 2 + (place.value is None), 0.0, place.trial
        return int(place.status is not RunStatus.COMPLETED), place.value if plan.lower else -place.value, place.trial

    return sorted(places, key=key)


def best(places: Sequence[Place]) -> Place | None:
    """The first of a leaderboard, where it ended well and has a value."""
    first = places[0] if places else None
    return first if first is not None and first.result is not None else None


def _place(run: Run, metric: str) -> Place | None:
    try:
        number, values = int(run.tags[NUMBER]), json.loads(run.tags.get(PARAMETERS, "{}"))
    except (KeyError, ValueError):  # tagged by hand
        return None
    if not isinstance(values, dict):
        return None
    stopped = bool(run.tags.get(STOPPED)) and run.status is not RunStatus.COMPLETED  # it may have been quicker
    return Place(number, run.id, run.status, run.metrics.get(metric), values, stopped)
