"""Floor 6. ``prefect-ledger alerts``: what runs wanted somebody to know."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from prefect_ledger.cli.alerts_table import alerts_table
from prefect_ledger.cli.options import Experiments, Json, Limit
from prefect_ledger.cli.records import alert_record
from prefect_ledger.cli.render import dim, print_json, say, show
from prefect_ledger.formats import count
from prefect_ledger.tracking.alerts import Level

app = App(name="alerts", help="List what runs wanted somebody to know, and tell of it.")


@app.command(name="list")
def list_(
    *,
    experiment: Experiments = (),
    level: Annotated[Level, Parameter(help="This level or a graver one: info, warning or error.")] = "info",
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """Alerts of runs, the latest first, and who was told.

    For example:

        prefect-ledger alerts list -e churn --level warning
    """
    from prefect_ledger import search_alerts

    found = search_alerts(list(experiment) or None, level=level, limit=limit)
    if json:
        print_json({"alerts": [alert_record(one) for one in found]})
    elif not found:
        dim("no alerts" + (" match" if experiment or level != "info" else "; prefect_ledger.alert(title, text, level) says one"))
    else:
        show(alerts_table(found, of_runs=True))


@app.command
def send(*, json: Json = False) -> None:
    """Tell of the alerts that wait, by the ways that the settings name.

    The process that says an alert tells of it; this is for what it could not,
    and the deployment outbox does it by itself. After a day an alert is no
    news any more.

    For example:

        prefect-ledger alerts send
    """
    from prefect_ledger.tracking.ledger import ledger
    from prefect_ledger.webhooks import telling

    done = telling.tell_alerts()
    if json:
        print_json({"told": done.done, "waiting": done.waiting, "given_up": done.dead})
        return
    say(f"told of {count(done.done, 'alert')}" + (f", {done.waiting} will be tried again" if done.waiting else ""))
    if done.dead:
        say(f"gave up {count(done.dead, 'alert')}: prefect-ledger alerts list says what came back")
    if not telling.ways(ledger().settings):
        dim("nobody is named: set PREFECT_LEDGER_ALERT_TO to a URL or a block, such as block:slack-webhook/team")
