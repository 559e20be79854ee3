"""Floor 5. A sweep: a run of its own, below which trials are started, waited for and told to who proposes the next.

Who runs trials is handed in: :class:`Runner`. This module knows neither projects nor an orchestrator.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from prefect_ledger import leases
from prefect_ledger.errors import InvalidValue, NotFound, RunInUse
from prefect_ledger.names import check_name
from prefect_ledger.sweep import trials
from prefect_ledger.sweep.plan import FACT, Limits, Plan
from prefect_ledger.sweep.trials import Place, Trial
from prefect_ledger.tracking.ledger import ledger
from prefect_ledger.tracking.reading import get_run

if TYPE_CHECKING:
    from prefect_ledger.sweep.proposing import Proposer
    from prefect_ledger.sweep.stopping import Curve, Median
    from prefect_ledger.tracking.runs import ActiveRun

KIND = "sweep"
WHOLE = "the whole grid was tried"
_LOOK = 1.0  # seconds between two looks at how trials do
Say = Callable[[str], None]


class Runner(Protocol):
    """Runs trials, several at once."""

    def check(self, names: Collection[str]) -> None:
        """Whether the target is there and has parameters of these names. Raises a LedgerError where not."""

    def start(self, sweep: ActiveRun, trial: Trial) -> None:
        """Start a trial as a run below ``sweep``, tagged with ``trial.tags(sweep.id)``, and do not wait for it."""

    def wait(self, seconds: float | None) -> Sequence[int]:
        """Wait until one has ended, and what it logged is in the store; returns the numbers of those. Empty when time is up."""

    def cancel(self, number: int, reason: str) -> None:
        """End a trial with all that it started, as far as that can be done; returns when it has ended."""

    def begun(self) -> Mapping[int, str]:
        """The trials that run, with the ids of their runs."""

    def stop(self, number: int, reason: str) -> None:
        """Have a trial end as soon as it can, and do not wait for it: :meth:`wait` gives its number when it has."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What came of a sweep: ``leaderboard`` has every trial, the best first. ``over`` says why it ended."""

    id: str
    plan: Plan
    leaderboard: Sequence[Place]
    over: str = ""

    @property
    def best(self) -> Place | None:
        """The trial with the best value; None where none has one."""
        return trials.best(self.leaderboard)


def sweep(
    runner: Runner,
    plan: Plan,
    limits: Limits | None = None,
    *,
    experiment: str | None = None,
    name: str | None = None,
    say: Say = lambda _line: None,
    begun: Say = lambda _id: None,
) -> Sweep:
    """Run trials until the limits are reached; ``begun`` is told the id of the sweep's run, by which :func:`resume` goes on.

    Raises:
        InvalidValue: nonsense in the plan, or a search without an end. What the runner refuses. Whoever is interrupted cancels what runs.

    Example:
        >>> from pathlib import Path
        >>> from prefect_ledger.sweep import Limits, Plan, ProjectRunner, Space, sweep
        >>> code = "import sys; from prefect_ledger import log_metric; log_metric('loss', (float(sys.argv[-1]) - 2) ** 2)"
        >>> _ = Path("square.py").write_text(code)
        >>> plan = Plan(Space.read({"x": [1, 2, 3]}), "loss", method="grid")
        >>> sweep(ProjectRunner(".", "square.py", env_manager="local"), plan, Limits(at_once=2)).best.parameters
        {'x': 2}
    """
    limits = limits or Limits()
    plan = replace(plan, trials=limits.trials)
    proposing = check(runner, plan, limits)
    run_id = str(uuid.uuid4())
    run = ledger().enter(
        run_id,
        experiment=check_name(experiment) if experiment is not None else None,
        name=check_name(name, "run") if name is not None else f"sweep-{run_id[:8]}",
        kind=KIND,
    )
    run.describe({FACT: plan.said()})
    run.set_tags({"sweep.metric": plan.metric, "sweep.method": plan.method, "sweep.direction": plan.towards or ""})
    begun(run_id)
    return _Sweeping(run, plan, limits, runner, proposing, say).go({})


def resume(runner: Runner, run_id: str, limits: Limits | None = None, *, say: Say = lambda _line: None) -> Sweep:
    """Go on with a sweep that was broken off, or have it make more trials.

    Trials that ended are told again to who proposes; those broken off are run anew with the values they had, under their number.

    Raises:
        RunNotFound. RunInUse: it goes on elsewhere. InvalidValue: the run is that of no sweep. As :func:`sweep`.

    Example:
        >>> from pathlib import Path
        >>> from prefect_ledger.sweep import Limits, Plan, ProjectRunner, Space, resume, sweep
        >>> code = "import sys; from prefect_ledger import log_metric; log_metric('loss', float(sys.argv[-1]))"
        >>> _ = Path("same.py").write_text(code)
        >>> runner = ProjectRunner(".", "same.py", env_manager="local")
        >>> begun = sweep(runner, Plan(Space.read({"x": [3, 2, 1]}), "loss", method="grid"), Limits(trials=1))
        >>> [one.value for one in resume(runner, begun.id, Limits(trials=3)).leaderboard]
        [1.0, 2.0, 3.0]
    """
    found = get_run(run_id)
    plan = Plan.read(found.facts)
    limits = (limits or Limits()).of(plan)
    proposing = check(runner, plan, limits)
    _claim(found.id)
    run = ledger().enter(found.id, attempt=found.attempt, experiment=found.experiment, name=found.name, kind=KIND)  # opened again
    try:  # what is known, only now: whoever had it open before may have made trials until a moment ago
        known = {place.trial: place for place in trials.of_sweep(found.id, plan.metric)}
        for place in known.values():
            if place.settled:
                proposing.told(place.trial, place.parameters, place.result)
    except BaseException as error:
        run.end(error)
        raise
    return _Sweeping(run, plan, limits, runner, proposing, say).go(known)


def check(runner: Runner, plan: Plan, limits: Limits) -> Proposer:
    """Refuse what cannot be done, before anything begins; returns who proposes.

    Raises:
        InvalidValue: a search without an end. MissingExtra. What the runner refuses.
    """
    if limits.trials is None and limits.seconds is None and plan.method != "grid":
        raise InvalidValue(f"a sweep by {plan.method} goes on for ever: say how many trials, or how long")
    proposing = plan.proposer()
    runner.check(plan.space.axes)
    return proposing


def shown(run_id: str) -> Sweep:
    """The sweep as it stands, also while it goes on.

    Raises:
        RunNotFound. InvalidValue: the run is that of no sweep.

    Example:
        >>> from pathlib import Path
        >>> from prefect_ledger.sweep import Plan, ProjectRunner, Space, shown, sweep
        >>> _ = Path("one.py").write_text("from prefect_ledger import log_metric; log_metric('loss', 0.5)")
        >>> done = sweep(ProjectRunner(".", "one.py", env_manager="local"), Plan(Space.read({"x": [1]}), "loss", method="grid"))
        >>> shown(done.id).best.value, shown(done.id).over
        (0.5, 'the whole grid was tried')
    """
    found = get_run(run_id)
    plan = Plan.read(found.facts)
    return Sweep(found.id, plan, trials.ranked(trials.of_sweep(found.id, plan.metric), plan), found.status_reason)


def _claim(run_id: str) -> None:
    """Go on alone: two that went on with one sweep would each run every trial."""
    one = ledger()
    one.flush()  # what this process said of it
    if not leases.claim(one.database, one.settings.journal_folder, run_id):
        raise RunInUse(f"sweep {run_id[:8]} goes on in another process, or in one of another machine that was heard of lately")


@dataclass(slots=True)
class _Sweeping:
    """A sweep that goes on."""

    run: ActiveRun
    plan: Plan
    limits: Limits
    runner: Runner
    proposing: Proposer
    say: Say
    _running: dict[int, Trial] = field(default_factory=dict)
    _curves: dict[str, Curve] = field(default_factory=dict)  # of trials that completed
    _stopped: set[str] = field(default_factory=set)
    _next: int = 0
    _over: str = ""

    def go(self, known: dict[int, Place]) -> Sweep:
        """To the end. However it ends, no trial goes on and the run says so."""
        until = None if self.limits.seconds is None else time.monotonic() + self.limits.seconds
        for place in known.values():
            self._keep_curve(place)
        try:
            while self._fill(known, until):
                self._wait(until)
            self._over = self._over or f"its time of {self.limits.seconds:g} s was up"
            self._cancel()
        except BaseException as error:
            try:
                self._cancel()
            finally:
                self.run.end(error if not isinstance(error, SystemExit) else KeyboardInterrupt())
            raise
        board = trials.ranked(trials.of_sweep(self.run.id, self.plan.metric), self.plan)
        self._end(board)
        return Sweep(self.run.id, self.plan, board, self._over)

    def _fill(self, known: dict[int, Place], until: float | None) -> bool:
        """Start as many as may run at once; whether there is anything to wait for."""
        while len(self._running) < self.limits.at_once and not self._over:
            if until is not None and time.monotonic() >= until:
                self._over = f"its time of {self.limits.seconds:g} s was up"
            elif self.limits.trials is not None and self._next >= self.limits.trials:
                self._over = f"all {self.limits.trials:,} trials were made"
            elif (trial := self._proposed(known)) is not None:
                self._running[trial.number] = trial
                self.runner.start(self.run, trial)
        return bool(self._running) and not (until is not None and time.monotonic() >= until)

    def _proposed(self, known: dict[int, Place]) -> Trial | None:
        """The next to be run: one broken off before, or a new one; None for one that ended already, and at the end of the grid."""
        number, self._next = self._next, self._next + 1
        stoppable = self.limits.stopping is not None
        if (before := known.get(number)) is not None:
            return None if before.settled else Trial(number, before.parameters, stoppable)
        values = self.proposing.propose(number)
        if values is None:
            self._over = WHOLE
            return None
        return Trial(number, values, stoppable)

    def _wait(self, until: float | None) -> None:
        left = None if until is None else max(0.0, until - time.monotonic())
        if self.limits.stopping is not None:
            left = _LOOK if left is None else min(left, _LOOK)
        for number in self.runner.wait(left):
            trial = self._running.pop(number)
            place = next(iter(trials.of_sweep(self.run.id, self.plan.metric, number=number)), None)
            self.proposing.told(number, trial.parameters, place.result if place is not None else None)
            self.say(_line(trial, place))
            self._keep_curve(place)
        if self.limits.stopping is not None:
            self._stop_bad_ones(self.limits.stopping)

    def _keep_curve(self, place: Place | None) -> None:
        if self.limits.stopping is not None and place is not None and place.result is not None:
            self._curves[place.run_id] = self._curve(place.run_id)

    def _stop_bad_ones(self, rule: Median) -> None:
        for number, run_id in self.runner.begun().items():
            if run_id not in self._stopped and rule.stops(self._curve(run_id), self._curves.values(), lower=self.plan.lower):
                self._stopped.add(run_id)
                ledger().attach(run_id).set_tags({trials.STOPPED: "worse than the median"})
                ledger().flush()  # in the store before the trial ends: one that is killed now is not run again either
                self.runner.stop(number, trials.WHY_STOPPED)

    def _curve(self, run_id: str) -> Curve:
        try:
            found = ledger().reader.metric(run_id, self.plan.metric)
        except NotFound:  # nothing is logged yet
            return []
        return list(zip(found.steps.tolist(), found.values.tolist(), strict=True))

    def _cancel(self) -> None:
        for number in list(self._running):
            self.runner.cancel(number, "the sweep ended")
            del self._running[number]

    def _end(self, board: Sequence[Place]) -> None:
        best = trials.best(board)
        if best is None:
            reason = f"no trial completed with a value of {self.plan.metric}"
            self._over = f"{self._over}; {reason}"
            self.run.finish("FAILED", reason=reason)
            return
        assert best.value is not None
        self.run.log_metric(f"best.{self.plan.metric}", best.value)
        self.run.set_tags({"sweep.best": best.run_id})
        self.run.finish(reason=self._over)


def _line(trial: Trial, place: Place | None) -> str:
    values = ", ".join(f"{name}={value}" for name, value in trial.parameters.items())
    if place is None:
        return f"trial {trial.number}: did not begin ({values})"
    how = "stopped early" if place.stopped else place.status
    return f"trial {trial.number}: {how}, {'no value' if place.value is None else f'{place.value:.6g}'} ({values})"
