"""Floor 6. Where a command's answer goes: tables for people, JSON for scripts, sentences for the error stream.

Nothing is read as markup: what runs are called is written letter by letter.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from prefect_ledger.formats import clean

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

Kind = Literal["text", "number", "value"]  # left; right and never cut; right
_PIPE_WIDTH = 10_000  # nothing is cut for a program that reads along
_STYLES = {
    "COMPLETED": "green",
    "RUNNING": "cyan",
    "SCHEDULED": "blue",
    "PAUSED": "yellow",
    "FAILED": "red",
    "CRASHED": "bold red",
    "CANCELLED": "yellow",
}


@cache
def console(stream: Literal["out", "err"] = "out") -> Console:
    """The console of a stream: as wide as the terminal, or as the text is where no terminal listens."""
    from rich.console import Console

    file = sys.stdout if stream == "out" else sys.stderr
    wide = None if file.isatty() else _PIPE_WIDTH
    return Console(stderr=stream == "err", width=wide, markup=False, highlight=False, emoji=False, soft_wrap=False)


def say(*lines: str | Text, style: str = "") -> None:
    """Write lines to stdout."""
    for line in lines:
        console().print(line, style=style or None, soft_wrap=True)


def warn(line: str, *, style: str = "yellow") -> None:
    """Write a line to stderr, where scripts that read the answer do not meet it."""
    console("err").print(line, style=style, soft_wrap=True)


def dim(line: str) -> None:
    """Write a line of lesser weight, for people alone: it goes to stderr."""
    console("err").print(line, style="dim", soft_wrap=True)


def table(columns: Sequence[tuple[str, Kind]], *, title: str = "") -> Table:
    """An empty table. Where the terminal is too narrow, texts and values lose their ends, numbers never do."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, title=Text(title) if title else None, title_justify="left", title_style="bold", pad_edge=False)
    for name, kind in columns:
        head = Text(clean(name), no_wrap=True, overflow="ellipsis")
        # To Rich, columns that may wrap are the ones to make narrower first; their cells do not wrap all the same.
        made.add_column(head, justify="left" if kind == "text" else "right", no_wrap=kind == "number", overflow="ellipsis")
    return made


def cell(value: object, style: str = "") -> Text:
    """Text as it is, on one line, without markup or control characters."""
    from rich.text import Text

    return Text(clean(value), style=style, no_wrap=True, overflow="ellipsis")


def status(value: str) -> Text:
    """A run's status in its color."""
    return cell(value, _STYLES.get(value, ""))


def pairs(rows: Iterable[tuple[str, object]]) -> Table:
    """Two columns: what, and its value; values may take several lines."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(Text(clean(name)), value if isinstance(value, Text) else Text(clean(value)))
    return made


def show(*parts: Any) -> None:
    """Write tables and texts to stdout."""
    for part in parts:
        console().print(part)


def heading(text: str) -> None:
    """The title of a section."""
    from rich.text import Text

    console().print()
    console().print(Text(clean(text), style="bold"))


def print_json(value: Any) -> None:
    """Write ``value`` as one JSON document: NaN and infinities as texts, times in ISO 8601, letters beyond ASCII escaped."""
    sys.stdout.write(json.dumps(plain(value), indent=2, allow_nan=False) + "\n")


def plain(value: Any) -> Any:
    """``value`` as JSON can say it."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return str(value)
