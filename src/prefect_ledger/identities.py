"""Floor 0. Who did something, and how far that can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from prefect_ledger.errors import InvalidValue


class Strength(StrEnum):
    """How an identity was made sure of, weakest first: ``a.at_least(b)`` compares."""

    CLAIMED = "claimed"  # typed by someone
    OS = "os"  # the effective user of the operating system
    CI = "ci"  # a verified token of a CI system
    CLOUD = "cloud"  # Prefect Cloud says so
    OIDC = "oidc"  # a verified token of an identity provider
    SIGNED = "signed"  # a key that only this person has

    def at_least(self, other: Strength) -> bool:
        """Whether this is as strong as ``other``, or stronger.

        Example:
            >>> Strength.OS.at_least(Strength.CLAIMED), Strength.CLAIMED.at_least(Strength.OS)
            (True, False)
        """
        order = list(Strength)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Identity:
    """A person or machine: ``name`` tells it from others, ``how`` says in words what the strength rests on.

    Raises:
        InvalidValue: no name, or one that is longer than 250 characters or has line breaks.
    """

    name: str
    strength: Strength = Strength.CLAIMED
    how: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or len(self.name) > 250 or not self.name.isprintable():
            raise InvalidValue(f"an identity has a name of 1 to 250 printable characters, not {self.name!r:.80}")
        object.__setattr__(self, "strength", Strength(self.strength))
