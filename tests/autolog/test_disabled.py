"""Callbacks where the ledger is disabled: nothing of what a framework trains is looked at, computed or drawn."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from prefect_ledger import configure, start_run
from prefect_ledger.autolog import CatBoostCallback, LightGBMCallback, OptunaCallback, XGBoostCallback
from prefect_ledger.tracking import context
from prefect_ledger.tracking import ledger as module
from prefect_ledger.tracking.ledger import Ledger


class Untouchable:
    """Something of a framework's that must not be looked at."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was looked at")


@pytest.fixture
def disabled(fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process's ledger is disabled."""
    monkeypatch.setattr(module, "_ledger", module._ledger)
    monkeypatch.setattr(context, "anywhere", None)
    configure(mode="disabled")


def _xgboost() -> None:
    callback, booster = XGBoostCallback(), Untouchable()
    assert callback.before_training(booster) is booster
    assert not callback.after_iteration(booster, 0, Untouchable())  # type: ignore[arg-type]
    assert callback.after_training(booster) is booster


def _lightgbm() -> None:
    with LightGBMCallback() as callback:
        callback(Untouchable())
        callback._booster = Untouchable()


def _catboost() -> None:
    import catboost

    class Model(catboost.CatBoostRegressor):  # type: ignore[misc]
        def is_fitted(self) -> bool:
            raise AssertionError("is_fitted was looked at")

    with CatBoostCallback(Model()) as callback:
        assert callback.after_iteration(Untouchable())


def _optuna() -> None:
    with OptunaCallback() as callback:
        callback(Untouchable(), Untouchable())


@pytest.mark.parametrize("use", [_xgboost, _lightgbm, _catboost, _optuna])
def test_a_disabled_callback_looks_at_nothing(disabled: None, use: Callable[[], None]) -> None:
    """No parameter, evaluation, importance or model is asked for, and the framework gets the answers that let it go on."""
    with start_run(experiment="e"):
        use()


def test_an_enabled_callback_does_look(fresh_ledger: Ledger) -> None:
    """The things that must not be looked at above are looked at where the ledger records."""
    with start_run(experiment="e"), pytest.warns(match="could not log parameters: AssertionError"):
        LightGBMCallback(name=None)(SimpleNamespace(iteration=0, begin_iteration=0, end_iteration=2, params=Untouchable(), model=None))
