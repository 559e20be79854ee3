"""Floor 5. What a sweep looks through: a set of values for each parameter, as frozen values that text can say. Pure."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from prefect_ledger.errors import InvalidValue

_RANGE = re.compile(r"(?P<low>[^.]+(?:\.\d+)?(?:[eE][+-]?\d+)?)\.\.(?P<high>.+?)(?P<kind>:log|:int)?(?::(?P<points>\d+))?", re.ASCII)
_MOST = 100_000  # trials of a grid


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values, of any kind that JSON has."""

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise InvalidValue("a choice has at least one value")

    def grid(self) -> tuple[Any, ...]:
        """All of them."""
        return self.values

    def draw(self, rnd: random.Random) -> Any:
        """One of them."""
        return self.values[rnd.randrange(len(self.values))]


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``, both taken: whole ones (``whole``), or on a logarithmic scale (``log``).

    ``points`` are how many a grid takes of them.
    """

    low: float
    high: float
    whole: bool = False
    log: bool = False
    points: int = 5

    def __post_init__(self) -> None:
        numbers: tuple[object, ...] = (self.low, self.high)
        if not all(isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) for one in numbers):
            raise InvalidValue(f"a range goes from a number to a number, not from {self.low!r:.60} to {self.high!r:.60}")
        if not self.low < self.high:
            raise InvalidValue(f"a range goes upwards, not from {self.low!r} to {self.high!r}")
        if self.log and self.low <= 0:
            raise InvalidValue(f"a logarithmic range begins above 0, not at {self.low!r}")
        if self.points < 2:
            raise InvalidValue(f"a grid takes 2 points or more of a range, not {self.points!r}")

    def grid(self) -> tuple[float, ...]:
        """``points`` of them at equal distances, the ends among them; fewer where whole numbers are fewer."""
        parts = [self._at(place / (self.points - 1)) for place in range(self.points)]
        return tuple(dict.fromkeys(parts))

    def draw(self, rnd: random.Random) -> float:
        """One of them, each equally likely on its scale."""
        if self.whole and not self.log:
            return rnd.randint(math.ceil(self.low), math.floor(self.high))
        return self._at(rnd.random())

    def _at(self, part: float) -> float:
        if part in (0.0, 1.0):  # exact at the ends
            found = self.high if part else self.low
        elif self.log:
            found = math.exp(math.log(self.low) + part * (math.log(self.high) - math.log(self.low)))
        else:
            found = self.low + part * (self.high - self.low)
        return round(found) if self.whole else float(min(max(found, self.low), self.high))


Axis = Choice | Range


@dataclass(frozen=True, slots=True)
class Space:
    """The axes by the names of the parameters.

    Example:
        >>> Space.read({"depth": "2..6:int", "rate": [0.1, 0.01]}).axes["rate"]
        Choice(values=(0.1, 0.01))
    """

    axes: Mapping[str, Axis]

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Space:
        """A space from texts (``"xgb,lgbm"``, ``"0.001..0.1:log"``, ``"2..8:int:4"``), lists of values, and axes.

        Raises:
            InvalidValue: nothing to look through, or something that is no set of values.
        """
        if not given:
            raise InvalidValue("a sweep needs parameters to look through, such as depth=2,4,8 or rate=0.001..0.1:log")
        return cls(MappingProxyType({name: _axis(name, value) for name, value in given.items()}))

    def size(self) -> int:
        """How many trials a grid has."""
        return math.prod(len(axis.grid()) for axis in self.axes.values())

    def at(self, number: int) -> dict[str, Any]:
        """The values of a place of the grid, of which the last axis moves first.

        Raises:
            InvalidValue: the grid is too large to go through.
        """
        if self.size() > _MOST:
            raise InvalidValue(f"the grid has {self.size():,} trials; at most {_MOST:,} are gone through: draw them (--method random)")
        found: dict[str, Any] = {}
        for name, axis in reversed(list(self.axes.items())):
            values = axis.grid()
            number, place = divmod(number, len(values))
            found[name] = values[place]
        return dict(reversed(list(found.items())))

    def draw(self, seed: int, number: int) -> dict[str, Any]:
        """The values of the trial of this number: the same for the same seed, whoever draws it and in whatever order."""
        rnd = random.Random(f"{seed}:{number}")  # noqa: S311  # which trial comes next is no secret
        return {name: axis.draw(rnd) for name, axis in self.axes.items()}


def _axis(name: str, value: Any) -> Axis:
    try:
        if isinstance(value, Choice | Range):
            return value
        if isinstance(value, str):
            return _read(value)
        if isinstance(value, Sequence):
            return Choice(tuple(value))
    except InvalidValue as error:
        raise InvalidValue(f"{name}: {error}") from None
    raise InvalidValue(f"{name}: a list of values, a range such as '0.001..0.1:log', or values with commas, not {value!r:.80}")


def _read(text: str) -> Axis:
    if (found := _RANGE.fullmatch(text.strip())) is not None:
        low, high = _number(found["low"]), _number(found["high"])
        whole = found["kind"] == ":int"
        points = int(found["points"]) if found["points"] else 5
        if whole and not (low.is_integer() and high.is_integer()):
            raise InvalidValue(f"a range of whole numbers goes from one to one, not {text!r:.60}")
        return Range(int(low) if whole else low, int(high) if whole else high, whole, found["kind"] == ":log", points)
    values = [part.strip() for part in text.split(",")]
    if not all(values):
        raise InvalidValue(f"values with commas between them, not {text!r:.60}")
    return Choice(tuple(map(_value, values)))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidValue(f"a range goes from a number to a number, not {text!r:.60}") from None


def _value(text: str) -> Any:
    """A number, bool or null as JSON has them, else the text."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if not isinstance(found, dict | list) else text
