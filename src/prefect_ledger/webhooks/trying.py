"""Floor 5, pure. What an answer means: taken, to be tried again and when, or dead."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from prefect_ledger.hooks import State
from prefect_ledger.webhooks.posting import Answer

WAITS = (10, 60, 300, 1_800, 7_200, 21_600, 86_400)  # seconds after the first try, the second, …; after the last one it is dead
_LONGEST = float(WAITS[-1])
_AGAIN = (408, 425, 429)
_JITTER = 0.2


class Outcome(NamedTuple):
    """What a delivery is from now on; ``wait`` are the seconds until the next try."""

    state: State
    wait: float = 0.0


def outcome(answer: Answer, tries: int, delivery: str) -> Outcome:
    """What comes of the answer to the last of so many tries.

    A wait is up to a fifth longer than :data:`WAITS` says, by the delivery's id, so that what failed together does not come back together;
    what the receiver asks for by Retry-After is kept to, up to a day.

    Example:
        >>> outcome(Answer(204), 1, "d").state, outcome(Answer(404), 1, "d").state, outcome(Answer(500), 8, "d").state
        ('done', 'dead', 'dead')
        >>> 10 <= outcome(Answer(500), 1, "d").wait <= 12
        True
    """
    if answer.taken:
        return Outcome("done")
    again = answer.status == 0 or answer.status >= 500 or answer.status in _AGAIN
    if not again or tries > len(WAITS):
        return Outcome("dead")
    wait = WAITS[tries - 1] * (1 + _JITTER * _fraction(f"{delivery}/{tries}"))
    return Outcome("waiting", max(wait, min(answer.retry_after or 0.0, _LONGEST)))


def _fraction(text: str) -> float:
    """A number in [0, 1), the same for the same text."""
    return int.from_bytes(sha256(text.encode()).digest()[:6]) / (1 << 48)
