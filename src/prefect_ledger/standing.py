"""Floor 1. Where a run stands: a pure function of all that was said of it, in whatever order it was heard.

A run is spoken of by several journals, and a worker's may be heard before its parent's start or after its end. So what was said is kept
as *words*: a mapping of slots to lists, in which each slot has the greatest word it was told (the least, where its name begins with
``<``). Taking the greatest is commutative, associative and idempotent, so :func:`merge` is too, and the columns of a run and of its
attempts are what :func:`stand` reads from the words.

Slots: ``said.N`` [time, rank, status, reason] of attempt N (0: whichever is the last by then), ``guess.N`` the same for what a later word
may overrule, ``lost.N`` [time, reason] when its process was found dead, ``alive.N`` [time] when that was wrong, ``error.N`` [time, JSON],
``<started.N`` [time], ``attempt`` [N] the last one heard of, and what describes the run: ``<name``, ``<kind``, ``<user``, ``<parent``,
``<experiment``, ``<attached`` [time, value], ``name`` and ``description`` [time, value] as somebody edited them, ``uri``
[attempt, time, value], ``owner`` [attempt, time, journal], ``fact:KEY`` [time, digest]. Times are µs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from prefect_ledger.entities import RunStatus

Words: TypeAlias = Mapping[str, list[Any]]

_RANKS = {status: rank for rank, status in enumerate(("SCHEDULED", "RUNNING", "PAUSED", "COMPLETED", "CANCELLED", "FAILED", "CRASHED"))}
_FINAL = frozenset(status.value for status in RunStatus if status.final)


@dataclass(frozen=True, slots=True)
class AttemptStanding:
    """Where one attempt stands; ``exception`` is JSON."""

    number: int
    status: str = "RUNNING"
    at: int = 0
    reason: str = ""
    provisional: bool = False
    started: int | None = None
    ended: int | None = None
    exception: str = "{}"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands: the last attempt, which speaks for the run, and every one that something was said of by its number."""

    last: AttemptStanding
    attempts: tuple[AttemptStanding, ...]
    started: int | None
    owner_attempt: int


def merge(one: Words, other: Words) -> dict[str, list[Any]]:
    """The words of both: of each slot the greatest, or the least where its name begins with ``<``."""
    merged = dict(one)
    for slot, word in other.items():
        keep = min if slot[0] == "<" else max
        merged[slot] = keep(merged[slot], word) if slot in merged else word
    return merged


def status_word(at: int, status: str, reason: str = "") -> list[Any]:
    """The word for a status at a time. Of two at one time the one that is further on is the greater.

    Raises:
        ValueError: not a status.
    """
    return [at, _RANKS[RunStatus(status).value], status, reason]


def stand(words: Words) -> Standing:
    """What the words come to."""
    spoken = {int(slot.partition(".")[2]) for slot in words if "." in slot and not slot.startswith("fact:")}
    numbers = spoken - {0}
    last = max([*numbers, *words.get("attempt", ())], default=len(spoken))  # a run of which only its end is known has had one attempt
    attempts = {number: _attempt(words, number, last, sorted(numbers)) for number in numbers | {last}}
    starts = [words[slot][0] for slot in words if slot.startswith("<started.")]
    told = tuple(attempts[number] for number in sorted(numbers))
    return Standing(attempts[last], told, min(starts, default=None), words.get("owner", [0])[0])


def _attempt(words: Words, number: int, last: int, numbers: list[int]) -> AttemptStanding:
    started = words.get(f"<started.{number}", [None])[0]
    following = next((words[f"<started.{n}"][0] for n in numbers if n > number and f"<started.{n}" in words), None)

    def best(kind: str) -> list[Any] | None:
        """The greatest word of this attempt, or of the run while this attempt was its last."""
        found = [words[slot] for slot in (f"{kind}.{number}",) if slot in words]
        of_run = words.get(f"{kind}.0")
        begun = of_run is not None and (started is None or started <= of_run[0])
        if of_run is not None and begun and (number == last or (following is not None and of_run[0] < following)):
            found.append(of_run)
        return max(found, default=None)

    status, at, reason, provisional = _status(words, number, best("said"), best("guess"))
    ended = at if status in _FINAL else None
    if number < last and status in ("RUNNING", "SCHEDULED"):  # another attempt began, so this one runs no more
        status, reason, provisional, ended = "CRASHED", "another attempt began", True, following
    error = best("error") if status != "COMPLETED" else None
    return AttemptStanding(number, status, at, reason, provisional, started, ended, error[1] if error else "{}")


def _status(words: Words, number: int, said: list[Any] | None, guess: list[Any] | None) -> tuple[str, int, str, bool]:
    """(status, time, reason, provisional) of one attempt."""
    status, at, reason, provisional = "RUNNING", 0, "", False
    if said is not None:
        at, _, status, reason = said
    if guess is not None and status not in _FINAL and guess[0] >= at:
        at, _, status, reason = guess
        provisional = True
    lost, alive = words.get(f"lost.{number}"), words.get(f"alive.{number}", [-1])
    if lost is not None and status in ("RUNNING", "SCHEDULED") and lost[0] >= at and lost[0] >= alive[0]:
        (at, reason), status, provisional = lost, "CRASHED", True
    return status, at, reason, provisional
