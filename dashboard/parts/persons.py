"""Persons, and how far what they are called can be believed."""

from __future__ import annotations

from prefect_ledger.identities import Identity, Strength

from . import said

_COLOURS = {Strength.CLAIMED: "gray", Strength.OS: "blue", Strength.SIGNED: "green"}
MEANS = {
    Strength.CLAIMED: "a name that somebody typed",
    Strength.OS: "the user of the operating system",
    Strength.CI: "a verified token of a CI system",
    Strength.CLOUD: "Prefect Cloud says so",
    Strength.OIDC: "signed in with an identity provider",
    Strength.SIGNED: "a signature by a key of this person's",
}


def marked(by: Identity) -> str:
    """A name with its strength as a badge, for a place that reads Markdown.

    Example:
        >>> marked(Identity("alice"))
        'alice :gray-badge[claimed]'
    """
    return f"{said.plain(by.name)} :{_COLOURS.get(by.strength, 'green')}-badge[{by.strength}]"


def text(by: Identity) -> str:
    """The same for a cell of a table: ``alice (claimed)``."""
    return f"{by.name} ({by.strength})"
