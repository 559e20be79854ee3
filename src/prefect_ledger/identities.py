"""Floor 0. Who did something, and how far that can be believed."""

from __future__ import annotations

import unicodedata
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
        InvalidValue: no name, or one that is longer than 250 characters, or has line breaks or characters that nobody sees.
    """

    name: str
    strength: Strength = Strength.CLAIMED
    how: str = ""

    def __post_init__(self) -> None:
        name: object = self.name
        if not isinstance(name, str) or not self.name.strip() or len(self.name) > 250 or not self.name.isprintable():
            raise InvalidValue(f"an identity has a name of 1 to 250 printable characters, not {self.name!r:.80}")
        if unseen := next((c for c in self.name if ord(c) in _UNSEEN), ""):
            raise InvalidValue(f"the name {self.name!a:.80} has a character that nobody sees (U+{ord(unseen):04X}): leave it out")
        try:
            object.__setattr__(self, "strength", Strength(self.strength))
        except ValueError:
            known = ", ".join(Strength)
            raise InvalidValue(f"a strength is one of {known}, not {self.strength!r:.80}") from None

    @property
    def person(self) -> str:
        """The name as it is compared: "Alice " is nobody else than "alice".

        Example:
            >>> Identity("Alice ").person == Identity("alice").person
            True
        """
        return person(self.name)


def person(name: str) -> str:
    """``name`` as names are compared: without case, outer spaces and the two ways to write an accent (Unicode NFC).

    Letters of another script that look alike stay other letters, and so other people.

    Example:
        >>> person(" Zoe\u0308 ") == person("ZO\u00cb")
        True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name.strip()).casefold())


# Printable in Python's eyes and yet drawn as nothing or as a space: fillers, joiners, selectors of variants.
_UNSEEN = frozenset(
    [
        0x034F,
        0x115F,
        0x1160,
        0x17B4,
        0x17B5,
        0x2800,
        0x3164,
        0xFFA0,
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    ]
)
