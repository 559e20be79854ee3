"""Floor 5. What is wrong with a project, all of it at once: whoever mends a file wants to mend it once."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from prefect_ledger.errors import ProjectInvalid
from prefect_ledger.formats import clean, listed


class Findings:
    """Sentences about what is wrong, each with its place."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def add(self, place: str, sentence: str) -> None:
        """Something at ``place`` is wrong."""
        self.said.append(clean(f"{place}: {sentence}"))

    def unknown(self, place: str, table: Mapping[Any, Any], known: Collection[str]) -> None:
        """Keys of ``table`` that nobody reads."""
        for key in table:
            if key not in known:
                near = nearest(str(key), known)
                self.add(place, f"there is no key {str(key)!r:.80}{near or f'; known are {listed(sorted(known), 12)}'}")

    def raise_any(self, what: str) -> None:
        """Refuse ``what``, when something was found.

        Raises:
            ProjectInvalid.
        """
        if self.said:
            raise ProjectInvalid(what, self.said)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint such as ``; did you mean 'parameters'?``, or nothing."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def texts(value: Any, place: str, findings: Findings, what: str) -> tuple[str, ...]:
    """``value`` as a list of texts; numbers, as YAML reads versions, are texts too."""
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        findings.add(place, f"{what} is a list of texts, not {type_word(value)}")
        return ()
    for one in value:
        if isinstance(one, bool) or not isinstance(one, str | int | float):
            findings.add(place, f"{what} is a list of texts, and has {type_word(one)}")
            return ()
    return tuple(str(one) for one in value)


def type_word(value: Any) -> str:
    """What ``value`` is, as a person would say it.

    Example:
        >>> type_word({"a": 1}), type_word(None)
        ('a table', 'nothing')
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    names: tuple[tuple[Any, str], ...] = (
        (Mapping, "a table"),
        (str, "a text"),
        (int | float, "a number"),
        (Sequence, "a list"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), f"a {type(value).__name__}")
