"""Floor 5. Alerts: what a run's code wants somebody to know now. Said here, kept by the store, told by whoever knows the ways."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, TypeAlias

from prefect_ledger.errors import InvalidValue
from prefect_ledger.events import Alerted
from prefect_ledger.names import ALERT_LEVELS
from prefect_ledger.tracking import context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prefect_ledger.entities import Alert
    from prefect_ledger.tracking.runs import ActiveRun, Shared

Level: TypeAlias = Literal["info", "warning", "error"]
EVERY = 60.0  # seconds within which the same title is not said again
_TITLE, _TEXT = 250, 8_000
_REMEMBERED = 1_000  # titles


def check(title: object, text: object, level: object) -> None:
    """Refuse what is no alert.

    Raises:
        InvalidValue.
    """
    if not isinstance(title, str) or not title.strip() or len(title) > _TITLE:
        raise InvalidValue(f"an alert has a title of 1 to {_TITLE} characters, not {title!r:.80}: what is longer belongs into its text")
    if not isinstance(text, str) or len(text) > _TEXT:
        found = f"{len(text):,} characters" if isinstance(text, str) else type(text).__name__
        raise InvalidValue(f"the text of an alert has at most {_TEXT:,} characters, not {found}: log_text keeps long texts")
    if level not in ALERT_LEVELS:
        raise InvalidValue(f"an alert has the level {', '.join(ALERT_LEVELS)}, not {level!r:.80}")


def check_every(every: object) -> None:
    """Refuse what is no number of seconds.

    Raises:
        InvalidValue.
    """
    if not isinstance(every, int | float) or not every >= 0:
        raise InvalidValue(f"every= is a number of seconds, 0 to say each alert, not {every!r:.80}")


def at_least(level: str) -> tuple[str, ...]:
    """This level and those that are graver."""
    return ALERT_LEVELS[ALERT_LEVELS.index(level) :]


def say(run: ActiveRun, shared: Shared, title: str, text: str, level: Level, every: float) -> bool:
    """Keep an alert and have it told, unless it was said a moment ago; returns whether it was said now."""
    from prefect_ledger.tracking.runs import now

    at = time.monotonic()
    with shared.mutex:
        last = shared.alerts.get((title, level))
        if last is not None and at - last < every:
            return False
        if len(shared.alerts) >= _REMEMBERED:
            shared.alerts.clear()
        shared.alerts[title, level] = at
    run.say(Alerted(run=run.id, at=now(), attempt=run.attempt, title=title, text=text, level=level, task=run.task_run_id))
    if context.crier is not None:
        context.crier()
    return True


def search_alerts(experiment: str | int | Sequence[str | int] | None = None, *, level: Level = "info", limit: int = 1000) -> list[Alert]:
    """Alerts of active runs, the latest first: of all experiments or of those named, of this level or a graver one.

    Raises:
        ExperimentNotFound. InvalidValue: the level, or a limit outside 1 to 50,000. StoreUnavailable.

    Example:
        >>> from prefect_ledger import search_alerts, start_run
        >>> with start_run(experiment="docs") as run:
        ...     _ = run.alert("loss is NaN", level="error")
        >>> search_alerts("docs", level="warning")[0].title
        'loss is NaN'
    """
    from prefect_ledger.tracking.ledger import ledger

    check("?", "", level)
    one = ledger()
    one.flush()
    return one.reader.search_alerts(experiment, at_least(level), limit)
