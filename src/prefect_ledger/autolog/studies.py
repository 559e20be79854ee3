"""Floor 5. An Optuna study as a whole: its trials as a table, and the best of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect_ledger.autolog.writer import Writer, where_recorded
from prefect_ledger.errors import InvalidValue

if TYPE_CHECKING:
    from prefect_ledger.tracking.runs import ActiveRun

_WHO = "log_study"
# The status of a trial's run, and why.
STATES: Mapping[str, tuple[str, str]] = {
    "COMPLETE": ("COMPLETED", ""),
    "PRUNED": ("CANCELLED", "pruned by Optuna"),
    "FAIL": ("FAILED", "the trial failed"),
}


@where_recorded
def log_study(study: Any, *, prefix: str = "", run: ActiveRun | None = None) -> None:
    """Log an Optuna study: its trials in ``optuna/trials.csv``, how many ended how, and the best trial.

    Of one objective ``best_trial`` and the parameters ``best.…`` are logged; of several, the trials that no other beats are in
    ``optuna/best_trials.json``.

    Raises:
        InvalidValue: not a study. NoActiveRun: no run is open.

    Example:
        >>> import optuna
        >>> from prefect_ledger import start_run
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> study = optuna.create_study()
        >>> study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=3)
        >>> with start_run(experiment="docs") as run:
        ...     log_study(study)
        >>> int(run.metric("best_trial").values[-1]) == study.best_trial.number
        True
    """
    if not (hasattr(study, "trials") and hasattr(study, "directions")):
        raise InvalidValue(f"{_WHO} takes an Optuna study, not {type(study).__name__}")
    write_study(Writer(run, prefix, _WHO), study)


def names_of(study: Any) -> list[str]:
    """The names of what is optimised."""
    if given := study.metric_names:
        return [str(name) for name in given]
    count = len(study.directions)
    return ["value"] if count == 1 else [f"value_{number}" for number in range(count)]


def write_study(writer: Writer, study: Any) -> None:
    """Log ``study`` by ``writer``."""
    with writer.attempt("the study's parameters"):
        about = {
            "name": study.study_name,
            "directions": [one.name.lower() for one in study.directions],
            "sampler": type(study.sampler).__name__,
            "pruner": type(study.pruner).__name__,
        }
        writer.params({f"study.{name}": value for name, value in about.items()})
    trials = study.get_trials(deepcopy=False)
    with writer.attempt("the table of trials"):
        _table(writer, study, trials)
    with writer.attempt("the counts of trials"):
        for state in STATES:
            writer.metric(f"trials.{state.lower()}", sum(one.state.name == state for one in trials))
    with writer.attempt("the best trials"):
        if any(one.state.name == "COMPLETE" for one in trials):
            _best(writer, study)


def _table(writer: Writer, study: Any, trials: list[Any]) -> None:
    params = sorted({name for one in trials for name in one.params})
    names = names_of(study)
    rows = (
        [
            one.number,
            one.state.name,
            *(one.values or [None] * len(names)),
            one.datetime_start,
            one.datetime_complete,
            *(one.params.get(name) for name in params),
        ]
        for one in trials
    )
    writer.table("optuna/trials.csv", ["number", "state", *names, "started", "ended", *(f"params.{name}" for name in params)], rows)


def _best(writer: Writer, study: Any) -> None:
    if len(study.directions) > 1:
        found = [{"number": one.number, "values": one.values, "params": one.params} for one in study.best_trials]
        return writer.run.log_dict(found, writer.path("optuna/best_trials.json"))
    best = study.best_trial
    writer.metric("best_trial", best.number)
    return writer.params({f"best.{name}": value for name, value in best.params.items()})
