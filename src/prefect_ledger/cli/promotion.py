"""Floor 6. ``prefect-ledger promotion``: the requests to move versions, what their gates said and who agreed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from prefect_ledger.cli.options import By, Json, Request, Why
from prefect_ledger.cli.registry_records import registry_record
from prefect_ledger.cli.render import dim, print_json, say, show
from prefect_ledger.cli.request_page import requests_table, show_request
from prefect_ledger.formats import clean, count

app = App(name="promotion", help="List, show, replay and withdraw requests to move versions.")
State = Literal["open", "done", "rejected", "withdrawn", "expired", "void"]


@app.command(name="list")
def list_(
    name: Annotated[str | None, Parameter(help="Only those of this registered model.")] = None,
    /,
    *,
    state: Annotated[State | None, Parameter(help="Only those that are open, done, rejected, withdrawn, expired or void.")] = None,
    limit: Annotated[int, Parameter(name=["--limit", "-n"], help="How many at most (20).")] = 20,
    json: Json = False,
) -> None:
    """Requests, the newest first.

    For example:

        prefect-ledger promotion list
        prefect-ledger promotion list churn --state open
    """
    from prefect_ledger import registry

    found = registry.list_requests(name, state=state, limit=limit)
    if json:
        print_json({"requests": [registry_record(one) for one in found]})
    elif found:
        show(requests_table(found))
    else:
        dim("no requests" + (" match" if name or state else "; prefect-ledger promote NAME VERSION opens one where the policy wants it"))


@app.command(name="show")
def show_(request: Request, /, *, json: Json = False) -> None:
    """A request: what it asks, what each gate said, who agreed, and what is missing.

    For example:

        prefect-ledger promotion show 3
    """
    from prefect_ledger import registry

    one = registry.get_request(request)
    if json:
        print_json(registry_record(one))
    else:
        show_request(one)


@app.command
def replay(request: Request, /, *, json: Json = False) -> int:
    """Judge a request again, on the evidence that was kept. Exits with 1 when it comes out otherwise.

    For example:

        prefect-ledger promotion replay 3
    """
    from prefect_ledger import registry

    done = registry.replay(request)
    if json:
        print_json({"request": request, "same": done.same, "differences": done.differences, "report": done.report.to_json()})
    elif done.same:
        verdict = f"{'passed' if done.report.passed else 'refused'}, {count(len(done.report.verdicts), 'gate')}"
        say(f"request {request} comes to the same verdict again, to the last digit: {verdict}")
    else:
        say(f"request {request} comes out otherwise:", *(f"  {clean(line)}" for line in done.differences), style="bold red")
    return 0 if done.same else 1


@app.command
def evidence(
    request: Request, /, *, arrays: Annotated[Path | None, Parameter(help="Write the arrays of its holdout to this .npz file.")] = None
) -> None:
    """Write what a request was judged on to stdout, as JSON, its digest checked: for reports, and for recorded cases of a policy.

    For example:

        prefect-ledger promotion evidence 3 > case.json
        prefect-ledger promotion evidence 3 --arrays holdout.npz
    """
    from prefect_ledger import registry

    found = registry.get_evidence(request)
    if arrays is not None:
        import numpy as np

        with arrays.open("xb") as file:
            np.savez_compressed(file, allow_pickle=False, **found.arrays())
    print_json(found.to_json())


@app.command
def withdraw(request: Request, /, *, why: Why = "", by: By = None) -> None:
    """Take your own request back, known at least as well as when you asked. Somebody else's can be rejected.

    For example:

        prefect-ledger promotion withdraw 3 --why "trained on the wrong month"
    """
    from prefect_ledger import registry

    one = registry.withdraw(request, why, by=by)
    say(f"request {one.id} ({clean(one.name)} {one.version} to {one.stage}) is withdrawn")


@app.command
def to_sign(
    request: Request, /, *, reject: Annotated[bool, Parameter(negative="", help="For a rejection; for an approval if not said.")] = False
) -> None:
    """Write what a vote's signature is made of to stdout, for a key that is elsewhere.

    Where the key is here, PREFECT_LEDGER_IDENTITY_KEY names it, and approve
    and reject sign by themselves.

    For example:

        prefect-ledger promotion to-sign 3 | ssh-keygen -Y sign -n prefect-ledger -f ~/.ssh/id_ed25519 > vote.sig
        prefect-ledger approve 3 --signature vote.sig
    """
    from prefect_ledger import registry

    sys.stdout.write(registry.to_sign(request, approves=not reject).decode())


@app.command
def settle(name: Annotated[str | None, Parameter(help="Only those of this registered model.")] = None, /, *, json: Json = False) -> None:
    """End open requests that expired, or that rest on what is no longer so.

    That happens by itself when somebody votes or moves a version; this is for
    schedules.

    For example:

        prefect-ledger promotion settle
    """
    from prefect_ledger import registry

    found = registry.settle(name)
    if json:
        print_json({"requests": [registry_record(one) for one in found]})
    elif found:
        show(requests_table(found))
    else:
        dim("every open request still holds")
