"""Floor 6. Schedules of deployments as people write them: cron, so many seconds, or an RRule."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from prefect_ledger.errors import InvalidValue

_INTERVAL = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
# Fixed: it would else begin anew with each deploying, and never be the same schedule twice.
_ANCHOR = datetime(2020, 1, 1, tzinfo=UTC)


def read(texts: Iterable[str], timezone: str | None = None) -> list[tuple[str, Any]]:
    """Prefect's schedules, each with its slug, by which deploying again finds it.

    Raises:
        InvalidValue: what is no schedule, all of it.

    Example:
        >>> [(slug, one.cron) for slug, one in read(["0 3 * * *"], "Europe/Berlin")]
        [('schedule-1', '0 3 * * *')]
        >>> read(["15m"])[0][1].interval.total_seconds()
        900.0
    """
    found, wrong = [], []
    for number, text in enumerate(texts, start=1):
        try:
            found.append((f"schedule-{number}", _schedule(text.strip(), timezone)))
        except (ValidationError, ValueError) as error:
            wrong.append(f"schedule {text!r:.120}: {_reason(error)}")
    if timezone is not None and not found and not wrong:
        wrong.append("a timezone is said, and no schedule: add --schedule")
    if wrong:
        raise InvalidValue("; ".join(wrong))
    return found


def yaml_of(slug: str, schedule: Any) -> dict[str, Any]:
    """The schedule as ``prefect.yaml`` has it."""
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

    zone = {"timezone": schedule.timezone} if schedule.timezone else {}
    if isinstance(schedule, CronSchedule):
        return {"cron": schedule.cron, **zone, "slug": slug}
    if isinstance(schedule, IntervalSchedule):
        return {"interval": schedule.interval.total_seconds(), "anchor_date": schedule.anchor_date.isoformat(), **zone, "slug": slug}
    return {"rrule": schedule.rrule, **zone, "slug": slug}


def shown(schedule: Any) -> str:
    """The schedule for people; equal for equal ones."""
    zone = f" ({schedule.timezone})" if getattr(schedule, "timezone", None) else ""
    if (cron := getattr(schedule, "cron", None)) is not None:
        return f"{cron}{zone}"
    if (interval := getattr(schedule, "interval", None)) is not None:
        return f"every {interval.total_seconds():g} s{zone}"
    return f"{schedule.rrule}{zone}"


def _schedule(text: str, timezone: str | None) -> Any:
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule

    if (found := _INTERVAL.fullmatch(text)) is not None:
        seconds = float(found[1]) * _SECONDS[found[2]]
        return IntervalSchedule(interval=timedelta(seconds=seconds), anchor_date=_ANCHOR, timezone=timezone)
    if "FREQ=" in text.upper():
        return RRuleSchedule(rrule=text, timezone=timezone or "UTC")
    if len(text.split()) not in (5, 6) and not text.startswith("@"):
        raise ValueError("write cron ('0 3 * * *'), an interval (900, 15m, 2h, 1d) or an RRule ('FREQ=WEEKLY;BYDAY=MO')")
    return CronSchedule(cron=text, timezone=timezone)


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(str(one["msg"]).removeprefix("Value error, ") for one in error.errors())
    return str(error)
