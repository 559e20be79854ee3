"""Floor 6. ``prefect-ledger doctor``: what is well, what is not, and what to do about it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from prefect_ledger.cli.checks import Check, checks, mode_check
from prefect_ledger.cli.render import cell, console, heading, print_json, say, show, warn
from prefect_ledger.errors import InvalidSettings
from prefect_ledger.formats import count
from prefect_ledger.settings import Settings

_MARKS = {"ok": ("✓", "green"), "note": ("•", "yellow"), "wrong": ("✗", "bold red")}


def examine(*, artifacts: bool = False, json: bool) -> int:
    """Make every check and write what was found; returns 1 when something is wrong, else 0."""
    with _patience():
        settings = Settings.resolve(patient=True)
        found = list(_of_disabled(settings) if settings.mode == "disabled" else checks(settings))
    if artifacts and settings.mode != "disabled" and settings.artifact_root and settings.store_url:
        from prefect_ledger.cli.artifact_checks import digests

        found += digests(settings)
    wrong = [check for check in found if check.verdict == "wrong"]
    if json:
        print_json({"well": not wrong, "checks": [dataclasses.asdict(check) for check in found]})
    else:
        _page(found)
        if wrong:
            warn(f"\n{count(len(wrong), 'thing is', 'things are')} wrong", style="bold red")
        else:
            say("", "all is well", style="green")
    return 1 if wrong else 0


def _of_disabled(settings: Settings) -> Iterator[Check]:
    """That nothing is recorded, and what the rest would be if it were; settings that cannot be used matter to nobody now."""
    yield mode_check(settings)
    try:
        others = Settings.resolve(patient=True, mode="online")
    except InvalidSettings as error:
        yield Check("settings", "others", "note", str(error), "mend it before the mode is online again")
        return
    yield from (check for check in checks(others) if check.name != "mode")


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """Prefect takes a second or two to answer."""
    if not console("err").is_terminal:
        yield
        return
    with console("err").status("looking"):
        yield


def _page(found: Sequence[Check]) -> None:
    from rich.table import Table

    topic = ""
    made = Table.grid(padding=(0, 1))
    for check in found:
        if check.topic != topic:
            if topic:
                show(made)
            topic = check.topic
            heading(topic)
            made = Table.grid(padding=(0, 1))
            made.add_column(width=1)
            made.add_column(style="dim", no_wrap=True, min_width=16)
            made.add_column(overflow="fold")
        mark, style = _MARKS[check.verdict]
        text = cell(check.found, style if check.verdict == "wrong" else "")
        text.no_wrap = False
        made.add_row(cell(mark, style), cell(check.name), text)
        if check.remedy and check.verdict != "ok":
            made.add_row("", "", cell(f"→ {check.remedy}", "yellow"))
    show(made)
