"""Floor 5. Which values a trial gets: the places of a grid, draws, or what Optuna proposes by what came of the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from prefect_ledger.errors import InvalidValue, MissingExtra
from prefect_ledger.sweep.space import Choice, Range, Space

METHODS = ("grid", "random", "optuna")
Method = Literal["grid", "random", "optuna"]


class Proposer(Protocol):
    """Proposes the values of trials, and hears what came of them."""

    def propose(self, number: int) -> dict[str, Any] | None:
        """The values of a trial; None where there are no more."""

    def told(self, number: int, parameters: Mapping[str, Any], value: float | None) -> None:
        """What came of a trial: None where nothing did. Also those of before, where a sweep is gone on with, in their order."""


class Grid:
    """Every place of the grid, in order."""

    def __init__(self, space: Space) -> None:
        self._space, self._size = space, space.size()
        space.at(0)  # refuses one that is too large

    def propose(self, number: int) -> dict[str, Any] | None:
        """The place of this number."""
        return self._space.at(number) if number < self._size else None

    def told(self, number: int, parameters: Mapping[str, Any], value: float | None) -> None:
        """Nothing comes of it."""


class Random:
    """Draws, each by its number alone: so it does not matter in which order trials end, or whether a sweep was broken off."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space, self._seed = space, seed

    def propose(self, number: int) -> dict[str, Any] | None:
        """The draw of this number."""
        return self._space.draw(self._seed, number)

    def told(self, number: int, parameters: Mapping[str, Any], value: float | None) -> None:
        """Nothing comes of it."""


class Optuna:
    """Optuna's sampler (TPE), which has all trials that ended told again where a sweep is gone on with.

    Raises:
        MissingExtra: Optuna is not installed.
    """

    def __init__(self, space: Space, seed: int, *, minimize: bool) -> None:
        try:
            import optuna
        except ImportError as error:
            raise MissingExtra("optuna", "", need="a sweep with Optuna") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna, self._space = optuna, space
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        self._study = optuna.create_study(sampler=sampler, direction="minimize" if minimize else "maximize")
        self._asked: dict[int, Any] = {}

    def propose(self, number: int) -> dict[str, Any] | None:
        """What it asks for next."""
        trial = self._asked[number] = self._study.ask(self._distributions())
        return {name: self._meant(name, value) for name, value in trial.params.items()}

    def told(self, number: int, parameters: Mapping[str, Any], value: float | None) -> None:
        """Tell the study."""
        states = self._optuna.trial.TrialState
        state = states.FAIL if value is None else states.COMPLETE
        if (asked := self._asked.pop(number, None)) is not None:
            self._study.tell(asked, value, state=state)
            return
        known = {name: self._told_as(name, parameters[name]) for name in self._space.axes}
        made = self._optuna.trial.create_trial(params=known, distributions=self._distributions(), value=value, state=state)
        self._study.add_trial(made)

    def _distributions(self) -> dict[str, Any]:
        kinds = self._optuna.distributions
        found: dict[str, Any] = {}
        for name, axis in self._space.axes.items():
            if isinstance(axis, Choice):
                found[name] = kinds.CategoricalDistribution(range(len(axis.values)))  # places: values may be anything
            elif axis.whole:
                found[name] = kinds.IntDistribution(int(axis.low), int(axis.high), log=axis.log)
            else:
                found[name] = kinds.FloatDistribution(axis.low, axis.high, log=axis.log)
        return found

    def _meant(self, name: str, value: Any) -> Any:
        axis = self._space.axes[name]
        return axis.values[value] if isinstance(axis, Choice) else value

    def _told_as(self, name: str, value: Any) -> Any:
        axis = self._space.axes[name]
        return axis.values.index(value) if isinstance(axis, Choice) else value


def proposer(method: str, space: Space, seed: int, *, minimize: bool) -> Proposer:
    """The proposer of a method.

    Raises:
        InvalidValue: no such method, or a grid that is too large. MissingExtra.
    """
    if method == "grid":
        return Grid(space)
    if method == "random":
        return Random(space, seed)
    if method == "optuna":
        return Optuna(space, seed, minimize=minimize)
    raise InvalidValue(f"no method {method!r:.60}; there are {', '.join(METHODS)}")


__all__ = ["METHODS", "Choice", "Grid", "Method", "Optuna", "Proposer", "Random", "Range", "proposer"]
