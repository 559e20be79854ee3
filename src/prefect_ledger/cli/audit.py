"""Floor 6. ``prefect-ledger audit``: the log of what was changed in the registry, and whether it holds."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter

from prefect_ledger.cli.options import Json
from prefect_ledger.cli.render import print_json, say
from prefect_ledger.formats import clean, count

app = App(name="audit", help="Verify and export the log of what was changed in the registry.")


@app.command
def verify(
    *,
    anchor: Annotated[str, Parameter(help="A hash that `audit head` gave and that was kept elsewhere: a row must have it.")] = "",
    json: Json = False,
) -> int:
    """Walk the whole audit log, and compare the tables with it. Exits with 1, and says where, when something was tampered with.

    Whoever may write the database could write the whole log anew. That shows
    only beside a hash that was kept out of their reach: give it as --anchor.

    For example:

        prefect-ledger audit verify
        prefect-ledger audit verify --anchor 5f1a...
    """
    from prefect_ledger import registry

    found = registry.verify_audit(anchor)
    if json:
        told = {"broken": found.broken, "reason": found.reason, "disagreements": list(found.disagreements)}
        print_json({"whole": found.whole, "rows": found.rows, "head": found.head, **told})
    elif found.whole:
        say(f"whole: {count(found.rows, 'row')}, head {found.head}" + (", the anchor among them" if anchor else ""))
    else:
        broken = [] if found.broken is None else [f"broken at row {found.broken}: {clean(found.reason)}"]
        say(*broken, *(f"not in the log: {clean(one)}" for one in found.disagreements), style="bold red")
    return 0 if found.whole else 1


@app.command
def head(*, json: Json = False) -> None:
    """The number of the last row and its hash: keep it where the database's owner does not reach.

    For example:

        prefect-ledger audit head
    """
    from prefect_ledger import registry

    found = registry.audit_head()
    if json:
        print_json({"seq": found.seq, "hash": found.hash})
    else:
        say(f"{found.seq} {found.hash}")


@app.command
def export(*, after: Annotated[int, Parameter(help="Only rows beyond the one of this number: 0 if not said.")] = 0) -> None:
    """Write the audit log to stdout, a JSON document a line.

    For example:

        prefect-ledger audit export > audit.jsonl
        prefect-ledger audit export --after 1200 >> audit.jsonl
    """
    from prefect_ledger import registry

    for line in registry.export_audit(after):
        sys.stdout.write(f"{line}\n")
