"""Floor 6. The table of a comparison: a column for each run, a row for each thing that differs, the best value starred."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from prefect_ledger.cli.render import cell, dim, show, status, table
from prefect_ledger.comparison import SECTIONS, Row
from prefect_ledger.entities import Run
from prefect_ledger.formats import MISSING, duration, moment, number, numbers, short

_ARROWS = {"lower": "↓", "higher": "↑", None: " "}
_WIDEST = 40


def show_comparison(runs: Sequence[Run], rows: Sequence[Row], *, everything: bool) -> None:
    """Write the table to stdout."""
    if not rows:
        dim("these runs do not differ in anything the ledger knows; --all shows what they share")
        return
    made = table([("", "text"), *((run.id[:8], "value") for run in runs)])
    for section in SECTIONS:
        found = [row for row in rows if row.section == section]
        if found:
            made.add_section()
            made.add_row(cell(section, "bold"), *("" for _ in runs))
        for row in found:
            made.add_row(_key(row), *_values(row))
    show(made)
    if any(row.best for row in rows):
        dim("★ best (↓ lower is better, ↑ higher); --lower KEY and --higher KEY say it otherwise")
    if not everything:
        dim("only what differs; --all shows the rest")


def _key(row: Row) -> Any:
    arrow = f" {_ARROWS[row.direction]}" if row.direction else ""
    return cell(f"  {short(row.key, _WIDEST)}{arrow}")


def _values(row: Row) -> list[Any]:
    if row.section == "metrics":
        texts = numbers(row.values)
        if len(set(texts)) < len({repr(value) for value in row.values}):  # they differ where the common format does not look
            texts = [number(value) if value is None else f"{value:.10g}" for value in row.values]
        return [cell(f"{text} {'★' if i in row.best else ' '}", "bold green" if i in row.best else "") for i, text in enumerate(texts)]
    if row.key == "status" and row.section == "run":
        return [status(str(value)) for value in row.values]
    return [cell(_text(row, value)) for value in row.values]


def _text(row: Row, value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, datetime):
        return moment(value)
    if row.section == "run" and row.key == "duration":
        return duration(value)
    if row.section == "datasets" or (row.section, row.key) in (("run", "parent"), ("git", "commit")):
        return short(value, 13)
    return short(value, _WIDEST)
