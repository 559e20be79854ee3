"""Floor 6. Alerts in rows."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from prefect_ledger.cli.render import cell, table
from prefect_ledger.entities import Alert
from prefect_ledger.formats import moment, short

_COLORS = {"error": "red", "warning": "yellow"}


def alerts_table(alerts: Sequence[Alert], *, of_runs: bool = False) -> Table:
    """Alerts in the order given; with ``of_runs`` each with its run."""
    names = [*(["run"] if of_runs else []), "level", "alert", "text", "said", "told"]
    made = table([(name, "text") for name in names])
    for one in alerts:
        run = [cell(one.run_id[:8], "dim")] if of_runs else []
        level, title = cell(one.level, _COLORS.get(one.level, "")), cell(one.title, "bold")
        made.add_row(*run, level, title, cell(short(one.text, 80)), cell(moment(one.logged_at)), cell(short(_told(one), 80), "dim"))
    return made


def _told(one: Alert) -> str:
    """By which ways, or why by none."""
    if one.told:
        return ", ".join(one.told)
    return f"no: {one.answer}" if one.answer else "not yet" if one.waiting else "no"
