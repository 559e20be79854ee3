"""Floor 0. Values as people read them. Pure; nothing a run was called can reach the terminal as anything but letters."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime

MISSING = "-"
# Cc: control characters, escape codes among them. Cf: invisible ones, those that turn the writing direction among them. Zl, Zp: line
# breaks of Unicode. Cs: halves of characters, which no terminal takes.
_UNSHOWN = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_JOINERS = frozenset("\u200c\u200d")  # harmless, and part of real words and emoji


def clean(text: object) -> str:
    """``text`` on one line, every control character written out, as in ``\\x1b``.

    Example:
        >>> clean("red\\x1b[31m")
        'red\\\\x1b[31m'
    """
    raw = str(text)
    if raw.isascii() and raw.isprintable():
        return raw
    return "".join(c if c in _JOINERS or unicodedata.category(c) not in _UNSHOWN else _escaped(c) for c in raw)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def paragraph(text: object) -> str:
    """As :func:`clean`, but line breaks and tabs stay what they are."""
    return "\n".join(clean(line.expandtabs(4)) for line in re.split(r"\r\n|\n", str(text)))


def short(text: object, width: int) -> str:
    """:func:`clean` text of at most ``width`` characters, with an ellipsis where some are left out."""
    whole = clean(text)
    return whole if len(whole) <= width else whole[: max(0, width - 1)] + "…"


def number(value: float | None) -> str:
    """A number in few characters: whole ones whole, others with five significant digits.

    Example:
        >>> [number(v) for v in (3.0, 0.912347, 1234567.0, 1.5e-9, float("nan"), None)]
        ['3', '0.91235', '1,234,567', '1.5e-09', 'NaN', '-']
    """
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return _odd(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if 1e-4 <= abs(value) < 1e6:
        return f"{value:,.5g}" if abs(value) < 1e5 else f"{value:,.0f}"
    return f"{value:.5g}"


def _odd(value: float) -> str:
    return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"


def numbers(values: Iterable[float | None]) -> list[str]:
    """A column of numbers with their points below one another, when aligned to the right.

    Example:
        >>> numbers([0.5, 12.25, None])
        ['0.50', '12.25', '-']
    """
    column = list(values)
    finite = [v for v in column if v is not None and math.isfinite(v)]
    if not finite or any(v and not 1e-4 <= abs(v) < 1e9 for v in finite) or all(v == int(v) for v in finite):
        return [number(v) for v in column]
    greatest = max(abs(v) for v in finite)
    smallest = min((abs(v) for v in finite if v), default=1.0)
    most = max(0, 4 - max(0, math.floor(math.log10(greatest)))) + (2 if smallest < 0.01 else 0)
    places = max((_places(v, most) for v in finite), default=0)
    return [f"{v:,.{places}f}" if v is not None and math.isfinite(v) else number(v) for v in column]


def _places(value: float, most: int) -> int:
    return len(f"{value:.{most}f}".rstrip("0").partition(".")[2])


def duration(seconds: float | None) -> str:
    """A length of time, in two units at most.

    Example:
        >>> [duration(s) for s in (0.0421, 8.25, 75, 7384, 200000)]
        ['42 ms', '8.2 s', '1m 15s', '2h 03m', '2d 07h']
    """
    if seconds is None:
        return MISSING
    if seconds < 0.9995:
        return f"{max(0.0, seconds) * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, below, size, part in (("m", "s", 60, 1), ("h", "m", 3_600, 60), ("d", "h", 86_400, 3_600)):
        if unit == "d" or whole < size * (60 if unit == "m" else 24):
            return f"{whole // size}{unit} {whole % size // part:02d}{below}"
    raise AssertionError("unreachable")


def moment(at: datetime | None) -> str:
    """A time in the reader's time zone, to the second."""
    return MISSING if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def size(count: float) -> str:
    """Bytes, in the unit that leaves one to three digits before the point.

    Example:
        >>> [size(n) for n in (17, 2_300, 4_500_000)]
        ['17 B', '2.3 kB', '4.5 MB']
    """
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def count(how_many: int, noun: str, plural: str = "") -> str:
    """``1 run``, ``2 runs``, ``1,200 journals``."""
    return f"{how_many:,} {noun if how_many == 1 else plural or noun + 's'}"


def listed(items: Sequence[object], most: int = 5) -> str:
    """``a, b, c``; what exceeds ``most`` as a number."""
    shown = ", ".join(clean(item) for item in items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most:,} more"
