"""Optuna's callback: every trial as Optuna tells it, from threads too, and the study at the end."""

from __future__ import annotations

import csv
import json
from typing import Any

import numpy as np
import optuna
import pytest

from prefect_ledger import RunStatus, get_run, search_runs, start_run
from prefect_ledger.autolog import OptunaCallback, log_study
from prefect_ledger.errors import InvalidValue, NoActiveRun
from prefect_ledger.tracking.ledger import Ledger, LedgerWarning

optuna.logging.set_verbosity(optuna.logging.CRITICAL)


def objective(trial: optuna.Trial) -> float:
    x = trial.suggest_float("x", -2, 2)
    kind = trial.suggest_categorical("kind", ["a", "b"])
    for step in range(2):
        trial.report(x + step, step)
    if trial.number == 3:
        raise optuna.TrialPruned
    if trial.number == 4:
        raise ZeroDivisionError
    return (x - 1) ** 2 + (kind == "b")


def study_of(jobs: int, callbacks: list[Any]) -> optuna.Study:
    study = optuna.create_study(study_name="parabola", sampler=optuna.samplers.RandomSampler(seed=5))
    study.optimize(objective, n_trials=8, n_jobs=jobs, catch=(ZeroDivisionError,), callbacks=callbacks)
    return study


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_trial_is_a_run_below_and_the_best_so_far_a_series(fresh_ledger: Ledger, jobs: int) -> None:
    """With values, parameters and fate as Optuna knows them; pruned and failed trials say so; threads lose none."""
    with start_run(experiment="hpo") as run, OptunaCallback() as callback:
        study = study_of(jobs, [callback])
    shown = get_run(run.id)
    done = [one for one in study.trials if one.state.name == "COMPLETE"]
    series = shown.metric("value")
    assert dict(zip(series.steps.tolist(), series.values.tolist(), strict=True)) == {one.number: one.value for one in done}
    best = shown.metric("best_value").values
    assert np.all(np.diff(best) <= 0)
    assert best[-1] == study.best_value
    children = {int(one.tags["optuna.trial"]): one for one in search_runs("hpo") if one.parent_id == run.id}
    assert sorted(children) == list(range(8))
    for trial in study.trials:
        child = children[trial.number]
        assert child.params == {"x": str(trial.params["x"]), "kind": trial.params["kind"]}
        assert child.metrics.get("value") == (trial.value if trial in done else None)
        assert trial.datetime_start is not None
        assert child.started_at is not None
        assert child.started_at.timestamp() == pytest.approx(trial.datetime_start.timestamp(), abs=1e-3)
    assert (children[3].status, children[3].status_reason) == (RunStatus.CANCELLED, "pruned by Optuna")
    assert (children[4].status, children[4].tags["optuna.state"]) == (RunStatus.FAILED, "FAIL")
    np.testing.assert_array_equal(children[3].metric("intermediate").values, list(study.trials[3].intermediate_values.values()))
    assert shown.params["best.kind"] == study.best_params["kind"]
    assert (shown.metrics["best_trial"], shown.metrics["trials.pruned"]) == (study.best_trial.number, 1)
    rows = list(csv.DictReader(shown.read_artifact("optuna/trials.csv").decode().splitlines()))
    assert [(row["state"], row["params.kind"]) for row in rows] == [(one.state.name, one.params["kind"]) for one in study.trials]


def test_the_search_is_the_same_with_and_without(fresh_ledger: Ledger) -> None:
    """The same points are tried, and without children no run is made."""
    with start_run(experiment="hpo"):
        watched = study_of(1, [OptunaCallback(children=False)])
    assert [one.params for one in watched.trials] == [one.params for one in study_of(1, []).trials]
    assert len(search_runs("hpo")) == 1


def test_several_objectives_are_logged_by_name_and_by_front(fresh_ledger: Ledger) -> None:
    """Each objective is a series; the trials that no other beats are kept; there is no single best."""
    study = optuna.create_study(directions=["minimize", "maximize"], sampler=optuna.samplers.RandomSampler(seed=1))
    with start_run(experiment="hpo") as run:
        callback = OptunaCallback(children=False, prefix="o.")
        study.optimize(lambda trial: (x := trial.suggest_float("x", 0, 1), x**2), n_trials=3, callbacks=[callback])
        log_study(study)
    shown = get_run(run.id)
    np.testing.assert_array_equal(shown.metric("o.value_1").values, [one.values[1] for one in study.trials])
    assert "o.best_value" not in shown.metrics
    assert [one["number"] for one in json.loads(shown.read_artifact("optuna/best_trials.json").decode())] == [
        one.number for one in study.best_trials
    ]


def test_trouble_ends_no_study_and_wrong_arguments_are_told_at_once(fresh_ledger: Ledger) -> None:
    """A finished run: one warning, every trial done. No run, a flag that is none, a study that is none: an error."""
    with pytest.raises(NoActiveRun):
        OptunaCallback()
    run = start_run(experiment="hpo")
    with pytest.raises(InvalidValue):
        OptunaCallback(children="all")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue):
        log_study("study")
    callback = OptunaCallback(children=False, run=run)
    run.finish()
    with pytest.warns(LedgerWarning, match="is finished") as told:
        assert len(study_of(2, [callback]).trials) == 8
    assert len(told) == 1
