"""Floor 5. What is served beside a model to be compared with it, and which requests it answers.

A request's side follows from the request alone, so that whoever asks the same twice is answered by one model, by every worker and after
every start; and a larger share keeps the requests of a smaller one.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from prefect_ledger.errors import InvalidValue

_KEY = 64 << 10  # bytes of a body that tell it from others


@dataclass(frozen=True, slots=True)
class Beside:
    """The model that challenges the one that is served: with a ``share`` it answers that part of the requests; else it is a shadow, asked
    about every request too, its answers compared with those that were given.

    Numbers agree that differ by at most ``tolerance``, or by that part of the greater.

    Raises:
        InvalidValue: there is no reference, or a number is out of its range.
    """

    reference: str
    share: float | None = None
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        if not self.reference:
            raise InvalidValue("--beside: say which model, as in models:/churn@challenger")
        if self.share is not None and not 0 < self.share < 1:
            raise InvalidValue(f"--share {self.share:g}: give the part of the requests that the model beside answers, as 0.1 for a tenth")
        if not (self.tolerance >= 0 and math.isfinite(self.tolerance)):
            raise InvalidValue(f"--tolerance {self.tolerance:g}: give a number of 0 or more")


def chosen(share: float, request: str, body: bytes) -> bool:
    """Whether the model beside answers this one: by the id of the ``request``, where it has one, else by its body.

    Example:
        >>> [chosen(0.5, f"request-{n}", b"") for n in range(4)] == [chosen(0.5, f"request-{n}", b"other") for n in range(4)]
        True
    """
    key = request.encode() if request else b"%d " % len(body) + body[:_KEY]
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest()) < share * 2**64
