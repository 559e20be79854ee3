"""Floor 5. What a sweep is to do, as it is kept with its run: so that it can be gone on with. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from prefect_ledger.comparison import Direction
from prefect_ledger.comparison import direction as guessed
from prefect_ledger.errors import InvalidValue
from prefect_ledger.sweep.proposing import Proposer, proposer
from prefect_ledger.sweep.space import Axis, Choice, Range, Space
from prefect_ledger.sweep.stopping import Median

FACT = "sweep"  # among the facts of the run


@dataclass(frozen=True, slots=True)
class Limits:
    """When a sweep is over, how many trials run at once, and by which rule one that does badly is stopped (None: none is).

    ``seconds`` are of this process, not of what was before.
    """

    trials: int | None = None
    seconds: float | None = None
    at_once: int = 1
    stopping: Median | None = None

    def __post_init__(self) -> None:
        numbers: tuple[tuple[str, Any], ...] = (("trials", self.trials), ("at_once", self.at_once))
        for name, least in numbers:
            if least is not None and (isinstance(least, bool) or not isinstance(least, int) or least < 1):
                raise InvalidValue(f"{name} is a whole number from 1, not {least!r:.60}")
        if self.seconds is not None and not (math.isfinite(self.seconds) and self.seconds > 0):
            raise InvalidValue(f"a sweep has more than 0 seconds, not {self.seconds!r:.60}")

    def of(self, plan: Plan) -> Limits:
        """These, with as many trials as ``plan`` was to have where they say none."""
        return dataclasses.replace(self, trials=self.trials or plan.trials)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is looked through, how, and by which metric; ``trials`` are how many it was to have, None for all of a grid.

    Raises:
        InvalidValue: nothing says which way the metric gets better, no such method, or a search without an end.
    """

    space: Space
    metric: str
    method: str = "random"
    seed: int = 0
    direction: Direction | None = None
    trials: int | None = None
    target: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        metric, seed = _any(self.metric), _any(self.seed)
        if not isinstance(metric, str) or not metric:
            raise InvalidValue("a sweep needs the name of the metric that it looks for the best of, such as auc")
        if self.direction not in (None, *get_args(Direction)):
            raise InvalidValue(f"a metric gets better when it is lower or higher, not {self.direction!r:.60}")
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise InvalidValue(f"a seed is a whole number, not {self.seed!r:.60}")
        if self.towards is None:
            raise InvalidValue(f"nothing in the name {self.metric!r:.80} says which way it gets better: say 'lower' or 'higher'")

    @property
    def towards(self) -> Direction | None:
        """Which way the metric gets better: as said, else as its name tells."""
        return self.direction or guessed(self.metric)

    @property
    def lower(self) -> bool:
        """Whether less is better."""
        return self.towards == "lower"

    def proposer(self) -> Proposer:
        """Who proposes values. Raises InvalidValue, MissingExtra."""
        return proposer(self.method, self.space, self.seed, minimize=self.lower)

    def said(self) -> dict[str, Any]:
        """As facts of a run."""
        axes = {name: _said(axis) for name, axis in self.space.axes.items()}
        about = {"metric": self.metric, "method": self.method, "seed": self.seed, "direction": self.towards}
        return {**about, "trials": self.trials, "target": dict(self.target), "space": axes}

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Plan:
        """From the facts of a run.

        Raises:
            InvalidValue: it is the run of no sweep.
        """
        found = facts.get(FACT)
        if not isinstance(found, Mapping) or not isinstance(found.get("space"), Mapping):
            raise InvalidValue("the run is that of no sweep")
        space = Space.read({name: _read(axis) for name, axis in found["space"].items()})
        names = ("metric", "method", "seed", "direction", "trials", "target")
        return cls(space, **{name: found[name] for name in names})


def _any(value: object) -> Any:
    """As strangers give it, whatever its type says."""
    return value


def _said(axis: Axis) -> dict[str, Any]:
    return {"values": list(axis.values)} if isinstance(axis, Choice) else dataclasses.asdict(axis)


def _read(said: Mapping[str, Any]) -> Axis:
    return Choice(tuple(said["values"])) if "values" in said else Range(**said)
