"""Floor 6. What came of challenges, in rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from prefect_ledger.cli.render import cell, dim, print_json, show, table, warn
from prefect_ledger.formats import MISSING, clean
from prefect_ledger.promotion.challenge_report import WORDS
from prefect_ledger.promotion.challenging import exit_code

if TYPE_CHECKING:
    from prefect_ledger.promotion.challenging import Answer, Challenge

_STYLES: Mapping[Answer, str] = {"opened": "green", "open": "cyan", "refused": "bold red", "unchanged": "yellow", "failed": "bold red"}


def said(found: Sequence[Challenge], *, json: bool) -> int:
    """Say what came of each, and return the exit code."""
    if json:
        print_json({"challenges": [one.to_json() for one in found], "open": sum(one.ok for one in found)})
    elif not found:
        dim("no version waits there: prefect-ledger promote NAME VERSION --to staging brings one")
    else:
        made = table([("version", "text"), ("against", "number"), ("request", "number"), ("", "text"), ("why", "text")])
        for one in found:
            asked = MISSING if one.request is None else one.request.id
            about = [cell(f"{one.name} {one.version}", "bold"), cell(MISSING if one.champion is None else one.champion), cell(asked)]
            made.add_row(*about, cell(WORDS[one.state], _STYLES[one.state]), cell(one.reason))
        show(made)
        for one in found:
            if one.state == "failed":
                warn(f"{clean(one.name)} {one.version}: {clean(one.reason)}", style="bold red")
    return exit_code(found)
