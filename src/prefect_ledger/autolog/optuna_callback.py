"""Floor 5. An Optuna callback: each trial as it ends, and the study at the end of its block."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, Self

from prefect_ledger.autolog.children import open_child
from prefect_ledger.autolog.studies import STATES, names_of, write_study
from prefect_ledger.autolog.writer import Writer, key_of, where_written
from prefect_ledger.errors import InvalidValue

if TYPE_CHECKING:
    from types import TracebackType

    from prefect_ledger.tracking.runs import ActiveRun

_WHO = "OptunaCallback"


class OptunaCallback:
    """Log the trials of ``study.optimize(..., callbacks=[OptunaCallback()])`` into the run.

    Each finished trial's value is a point of the series ``value`` at the trial's number (of several objectives, ``value_0``, ``value_1``,
    …, or their names); the best so far is the series ``best_value``, whose steps count finished trials. With ``children`` every trial is
    also a child run with its parameters, values, intermediate values and attributes: COMPLETED, CANCELLED when it was pruned, FAILED when
    it failed. As a block, ``with OptunaCallback() as callback:``, it ends with what :func:`log_study` logs.

    Threads of ``n_jobs`` may call it. The run is the one that is open where the callback is made, or ``run``. It never changes the study.

    Raises:
        InvalidValue, InvalidName: an argument that cannot be. NoActiveRun: no run is open.

    Example:
        >>> import optuna
        >>> from prefect_ledger import start_run
        >>> from prefect_ledger.autolog import OptunaCallback
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> study = optuna.create_study()
        >>> with start_run(experiment="docs") as run, OptunaCallback() as callback:
        ...     study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=3, callbacks=[callback])
        >>> bool(run.metric("best_value").values[-1] == study.best_value)
        True
    """

    def __init__(self, *, children: bool = True, prefix: str = "", run: ActiveRun | None = None) -> None:
        if not isinstance(children, bool):
            raise InvalidValue(f"{_WHO}: children is True or False, not {children!r:.80}")
        self._writer = Writer(run, prefix, _WHO)
        self._children, self._ended = children, 0
        self._study: Any = None
        self._mutex = threading.Lock()

    def __enter__(self) -> Self:
        return self

    @where_written
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        study, self._study = self._study, None
        if study is not None:  # after an error too: the trials until then are known
            write_study(self._writer, study)

    @where_written
    def __call__(self, study: Any, trial: Any) -> None:
        self._study = study
        with self._writer.attempt("a trial's values"):
            self._values(study, trial)
        if self._children:
            with self._writer.attempt("a trial's run"):
                _child(self._writer, study, trial)

    def _values(self, study: Any, trial: Any) -> None:
        if trial.state.name == "COMPLETE":
            for name, value in zip(names_of(study), trial.values, strict=True):
                self._writer.metric(name, value, trial.number)
        with self._mutex:  # so that the best so far never goes back
            step, self._ended = self._ended, self._ended + 1
            if len(study.directions) == 1:
                best = None
                with contextlib.suppress(ValueError):  # no trial is complete yet
                    best = study.best_value
                if best is not None:
                    self._writer.metric("best_value", best, step)


def _child(writer: Writer, study: Any, trial: Any) -> None:
    started = trial.datetime_start
    child = open_child(writer.run, f"trial {trial.number}", started=None if started is None else int(started.timestamp() * 1_000_000))
    status, reason = STATES[trial.state.name]
    try:
        child.set_tags({"optuna.study": study.study_name, "optuna.trial": trial.number, "optuna.state": trial.state.name})
        child.log_auto_params({key_of(name): value for name, value in trial.params.items()})
        if trial.user_attrs:
            child.log_auto_params({f"user_attrs.{key_of(name)}": value for name, value in trial.user_attrs.items()})
        if trial.intermediate_values:
            steps, values = zip(*sorted(trial.intermediate_values.items()), strict=True)
            child.log_series("intermediate", values, steps=steps)
        if status == "COMPLETED":
            child.log_metrics(dict(zip(map(key_of, names_of(study)), trial.values, strict=True)))
        if trial.duration is not None:
            child.log_metric("duration_seconds", trial.duration.total_seconds())
    finally:
        child.finish(status, reason=reason)
