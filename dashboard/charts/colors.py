"""A colour for each run, the same on every chart, told apart on white and on black."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

_HUES = (211, 28, 145, 0, 271, 48, 187, 325, 95, 240, 12, 165)  # neighbours in the list are far apart on the wheel
COLORS = tuple(f"hsl({hue},{strength}%,{light}%)" for strength, light in ((68, 52), (42, 64)) for hue in _HUES)

# From low to high, each of a lightness that is seen on white and on black, and told apart by those who do not see red and green.
SCALE = ((0.0, "hsl(225,65%,55%)"), (0.35, "hsl(195,60%,48%)"), (0.65, "hsl(95,40%,52%)"), (1.0, "hsl(40,92%,52%)"))


def of(ids: Sequence[str]) -> dict[str, str]:
    """A colour for each id. It hangs on the id alone as long as no other wants the same one, so that taking a run away or adding one
    leaves the others as they were; where two want one, the later takes the next that is free, and beyond 24 colours come twice.

    Example:
        >>> of(["a", "b"])["b"] == of(["b"])["b"]
        True
    """
    given: dict[str, str] = {}
    taken: set[int] = set()
    for one in dict.fromkeys(ids):
        at = zlib.crc32(one.encode("utf-8", "surrogatepass")) % len(COLORS)
        if len(taken) < len(COLORS):
            while at in taken:
                at = (at + 1) % len(COLORS)
            taken.add(at)
        given[one] = COLORS[at]
    return given
