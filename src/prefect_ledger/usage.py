"""Floor 0. What runs and their tasks used: seconds of waiting, of work, of CPU and GPU, and what they cost at the user's prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Used:
    """Seconds of one task run, or of several together.

    ``waited``: from when it could have begun until it did. ``ran``: in its body, all tries. ``retried``: of these, in tries that failed.
    ``cpu``: of its process, split evenly among the bodies that ran there at the time, so an estimate where several did. ``gpu``: GPUs
    its process may use, times how busy they were, split likewise.
    """

    waited: float = 0.0
    ran: float = 0.0
    retried: float = 0.0
    cpu: float = 0.0
    gpu: float = 0.0

    def __add__(self, other: Used) -> Used:
        return added((self, other))


def added(parts: Iterable[Used]) -> Used:
    """All of these together."""
    rows = [(one.waited, one.ran, one.retried, one.cpu, one.gpu) for one in parts]
    return Used(*(sum(column) for column in zip(*rows, strict=True))) if rows else Used()


@dataclass(frozen=True, slots=True)
class Prices:
    """What an hour of one CPU and of one GPU costs, in whatever money; 0: not said."""

    cpu_hour: float = 0.0
    gpu_hour: float = 0.0

    def of(self, used: Used) -> float | None:
        """What this cost; None where no price was said."""
        if not self.cpu_hour and not self.gpu_hour:
            return None
        return (used.cpu * self.cpu_hour + used.gpu * self.gpu_hour) / _HOUR


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run used in all of its attempts: ``own`` outside of tasks, ``tasks`` by their ids, ``children`` all runs below it."""

    own: Used = field(default_factory=Used)
    tasks: Mapping[str, Used] = field(default_factory=lambda: MappingProxyType({}))
    children: Used = field(default_factory=Used)
    prices: Prices = field(default_factory=Prices)

    @property
    def run(self) -> Used:
        """The run with its tasks, without the runs below it."""
        return added((self.own, *self.tasks.values()))

    @property
    def total(self) -> Used:
        """The run with its tasks and all runs below it."""
        return self.run + self.children

    @property
    def cost(self) -> float | None:
        """What the total cost; None where the settings name no price."""
        return self.prices.of(self.total)
