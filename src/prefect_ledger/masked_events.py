"""Floor 1. Events as they may be kept: what somebody wrote into them in their own words has its secrets hidden.

Parameters and tags are masked where they become text; this is for what remains: reasons, notes, exceptions, surroundings, schemas and
names. Pure, and an event masked twice is an event masked once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from prefect_ledger.events import Alerted, DatasetLogged, Event, Noted, RunDescribed, RunEdited, RunStarted, RunStatusSeen, TaskRunSeen
from prefect_ledger.masking import MASK, is_secret_name, mask_name, mask_text, mask_value

# A column may be called "token"; what is said of it is its type, and that is no secret.
_TYPE = re.compile(
    r"(?:(?:large_)?(?:u?int|float|double|complex|bool|boolean|str|string|utf8|bytes|binary|object|category|categorical|date|datetime|time"
    r"|timestamp|timedelta|duration|decimal|dictionary|list|array|struct|map|period|sparse|interval|null|none|nan)"
    r"(?:type)?\d{0,3}(?:[\[<(].*)?(?: \| [A-Za-z]+)*)",
    re.IGNORECASE | re.DOTALL,
)


def masked_event(event: Event) -> Event:
    """``event`` with the secrets in its texts hidden.

    Example:
        >>> masked_event(Noted("8f2c51aa", 0, "not logged: password=hunter2")).text
        'not logged: password=********'
    """
    mask = _MASKS.get(type(event))
    return event if mask is None else mask(event)


def _started(event: RunStarted) -> RunStarted:
    name = mask_name(event.name)
    return event if name == event.name else replace(event, name=name)


def _status(event: RunStatusSeen) -> RunStatusSeen:
    if not event.reason and not event.exception:
        return event
    return replace(event, reason=mask_text(event.reason), exception=mask_value("", event.exception))


def _task(event: TaskRunSeen) -> TaskRunSeen:
    name = mask_name(event.name)
    if name == event.name and not event.exception:
        return event
    return replace(event, name=name, exception=mask_value("", event.exception))


def _described(event: RunDescribed) -> RunDescribed:
    return replace(event, facts=_plain(mask_value("", event.facts)))


def _plain(value: Any) -> Any:
    """``value`` with what would become text on its way made text here, where it can be looked through."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | float) else mask_text(str(value))


def _dataset(event: DatasetLogged) -> DatasetLogged:
    return replace(event, context=mask_text(event.context), source=mask_text(event.source), schema=_schema(event.schema))


def _schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _column(key, value) for key, value in schema.items()}


def _column(name: str, said: Any) -> Any:
    if is_secret_name(str(name)):
        return said if isinstance(said, str) and _TYPE.fullmatch(said) and mask_text(said) == said else MASK
    return mask_value("", said)


def _edited(event: RunEdited) -> RunEdited:
    name = event.name and mask_name(event.name)
    return replace(event, name=name, description=event.description and mask_text(event.description))


def _alerted(event: Alerted) -> Alerted:
    return replace(event, title=mask_text(event.title), text=mask_text(event.text))


def _noted(event: Noted) -> Noted:
    return replace(event, text=mask_text(event.text))


_MASKS: dict[type, Callable[[Any], Event]] = {
    RunStarted: _started,
    RunStatusSeen: _status,
    TaskRunSeen: _task,
    RunDescribed: _described,
    DatasetLogged: _dataset,
    RunEdited: _edited,
    Alerted: _alerted,
    Noted: _noted,
}
