"""Floor 6. Which parameters, metrics and tags stand beside a run in a table: those asked for, else those that tell runs apart. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from prefect_ledger.entities import Run
from prefect_ledger.errors import InvalidValue
from prefect_ledger.formats import numbers, short

_PREFIXES = ("params", "metrics", "tags")
_ATTRIBUTES = ("user", "kind", "attempt", "parent_id", "experiment", "lifecycle", "status_reason", "artifact_uri", "id")
_WIDEST = 24
_MOST_PARAMS, _MOST_METRICS = 4, 4


@dataclass(frozen=True, slots=True)
class Column:
    """A column: one text for each run."""

    title: str
    texts: tuple[str, ...]
    kind: Literal["text", "number"]
    style: str = ""

    @property
    def width(self) -> int:
        """Characters it takes, with the space before it."""
        return 3 + max(len(self.title), *(len(text) for text in self.texts))


def named(text: str) -> list[tuple[str, str]]:
    """What ``--columns`` names, as (where, key).

    Raises:
        InvalidValue: it is none of a run's things.
    """
    found = []
    for name in (part.strip() for part in text.split(",")):
        where, _, key = name.partition(".")
        if where in _PREFIXES and key:
            found.append((where, key))
        elif name in _ATTRIBUTES:
            found.append(("run", name))
        else:
            raise InvalidValue(f"--columns {name!r}: write params.<key>, metrics.<key>, tags.<key>, or one of {', '.join(_ATTRIBUTES)}")
    return found


def chosen(runs: Sequence[Run], wanted: Sequence[tuple[str, str]] | None, *, room: int) -> list[Column]:
    """The columns ``wanted``; where nobody says, as many telling ones as a line of ``room`` characters takes."""
    if wanted is not None:
        return [_column(runs, where, key) for where, key in wanted]
    left = room
    kept: list[Column] = []
    for where, key in [("metrics", key) for key in _telling_metrics(runs)] + [("params", key) for key in _telling_params(runs)]:
        column = _column(runs, where, key)
        if column.width <= left:
            kept.append(column)
            left -= column.width
    return sorted(kept, key=lambda column: column.kind == "number" and not column.style)  # parameters before metrics


def _telling_params(runs: Sequence[Run]) -> list[str]:
    varied = {key for key in _keys(run.params for run in runs) if len({run.params.get(key) for run in runs}) > 1}
    known = {key for key in varied if all(run.params.get(key) == run.name for run in runs)}
    return [key for key in _keys(run.params for run in runs) if key in varied - known][:_MOST_PARAMS]


def _telling_metrics(runs: Sequence[Run]) -> list[str]:
    keys = _keys(run.metrics for run in runs)
    return sorted(keys, key=lambda key: "train" in key.lower())[:_MOST_METRICS]  # how well it was learnt by heart comes last


def _keys(mappings: Any) -> list[str]:
    """Keys, those that most have first, then by name."""
    counted = Counter(key for mapping in mappings for key in mapping)
    return sorted(counted, key=lambda key: (-counted[key], key))


def _column(runs: Sequence[Run], where: str, key: str) -> Column:
    title = short(key, _WIDEST)
    if where == "metrics":
        return Column(title, tuple(numbers(run.metrics.get(key) for run in runs)), "number")
    held: list[Mapping[str, Any]] = [
        run.params if where == "params" else run.tags if where == "tags" else {key: getattr(run, key)} for run in runs
    ]
    values = [found.get(key) for found in held]
    texts = tuple("" if value is None else short(value, _WIDEST) for value in values)
    number = all(_reads_as_number(value) for value in values if value is not None)
    return Column(title, texts, "number" if number else "text", "cyan")


def _reads_as_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
