"""Floor 5, pure. How long something holds, as people write it: ``7d``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from prefect_ledger.errors import InvalidValue

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_TEXT = re.compile(r"([0-9]{1,12}) ?([smhdw])")
_LONGEST = 100 * 365 * 86_400


def duration(text: object) -> int:
    """The microseconds of ``"90s"``, ``"15m"``, ``"12h"``, ``"7d"`` or ``"2w"``.

    Raises:
        InvalidValue: not a whole number and one of these units, nothing at all, or over a hundred years.

    Example:
        >>> duration("7d") == 7 * 24 * 3600 * 1_000_000
        True
    """
    found = _TEXT.fullmatch(text) if isinstance(text, str) else None
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST:
        raise InvalidValue(f"a duration is a whole number and s, m, h, d or w, such as '7d', at most a hundred years, not {text!r:.80}")
    return seconds * 1_000_000


def duration_text(microseconds: int) -> str:
    """The shortest way to write a duration of whole seconds in days, hours, minutes or seconds.

    Example:
        >>> duration_text(duration("2w")), duration_text(duration("90s"))
        ('14d', '90s')
    """
    seconds = microseconds // 1_000_000
    unit = next(unit for unit in "dhms" if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def moment(microseconds: int) -> str:
    """A time for people, in UTC.

    Example:
        >>> moment(0)
        '1970-01-01 00:00:00 UTC'
    """
    try:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        return f"{microseconds} µs after 1970"
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
