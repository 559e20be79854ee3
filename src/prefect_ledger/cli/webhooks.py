"""Floor 6. ``prefect-ledger webhooks``: where changes of the registry are posted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter

from prefect_ledger.cli.options import By, Json, Why
from prefect_ledger.cli.render import cell, dim, print_json, say, show, table, warn
from prefect_ledger.formats import clean, count, moment, paragraph
from prefect_ledger.hooks import Delivery, Webhook

app = App(name="webhooks", help="Post changes of the registry to URLs, signed, and look after what was not taken.")
Number = Annotated[int, Parameter(help="The number of the webhook.")]
Which = Annotated[int | None, Parameter(help="Those of this webhook alone.")]


@app.command
def add(
    url: Annotated[str, Parameter(help="Where to post: https or http, without user and password.")],
    /,
    *,
    secret_env: Annotated[
        str | None, Parameter(help="The environment variable that has the secret, wherever events are sent from.")
    ] = None,
    secret_block: Annotated[str | None, Parameter(help="The Secret block of Prefect that has it instead.")] = None,
    events: Annotated[
        str, Parameter(help="Names or patterns with commas between, such as version.moved,request.*: all if not said.")
    ] = "*",
    model: Annotated[str, Parameter(help="Registered models of this name or pattern alone.")] = "*",
    allow_private: Annotated[
        bool, Parameter(negative="", help="The host may be of this machine or of a private network, such as 10.0.0.7.")
    ] = False,
    why: Why = "",
    by: By = None,
    json: Json = False,
) -> None:
    """Post events of the registry to URL from now on, signed by a secret.

    The store has the name of the secret alone. It takes the right that setting
    a policy takes. The receiver checks what comes by
    prefect_ledger.webhooks.verify_signature; docs/webhooks.md says how
    without it.

    For example:

        prefect-ledger webhooks add https://hooks.example/ledger --secret-env LEDGER_HOOK_SECRET
        prefect-ledger webhooks add https://hooks.example/ledger --secret-block ledger-hook --events "request.*" --model "churn*"
    """
    from prefect_ledger import webhooks
    from prefect_ledger.webhooks import secrets

    one = webhooks.add_webhook(
        url,
        secret_env=secret_env,
        secret_block=secret_block,
        events=events,
        model=model,
        allow_private=allow_private,
        why=why,
        by=by,
    )
    if json:
        print_json(_record(one, secrets.lacking(one.secret)))
        return
    say(f"webhook {one.id} posts {', '.join(one.events)} to {clean(one.place)}; prefect-ledger webhooks test {one.id} tries it")
    if lacking := secrets.lacking(one.secret):
        warn(f"{lacking}: what is to be posted waits until somebody sends who has it")


@app.command(name="list")
def list_(*, json: Json = False) -> None:
    """Webhooks, how much waits for each, and what keeps it.

    For example:

        prefect-ledger webhooks list
    """
    from prefect_ledger import webhooks

    found, troubles = webhooks.list_webhooks(), webhooks.troubles()
    if json:
        print_json({"webhooks": [_record(one, troubles.get(one.id, "")) for one in found]})
    elif found:
        show(_table(found, troubles))
    else:
        dim("no webhooks; prefect-ledger webhooks add URL --secret-env NAME makes one")


@app.command
def remove(webhook: Number, /, *, why: Why = "", by: By = None) -> None:
    """Post nothing to a webhook any more, also not what waits.

    For example:

        prefect-ledger webhooks remove 3 --why "the channel is closed"
    """
    from prefect_ledger import webhooks

    one = webhooks.remove_webhook(webhook, why=why, by=by)
    dropped = f", and {count(one.waiting, 'delivery', 'deliveries')} that waited {'is' if one.waiting == 1 else 'are'} dropped"
    say(f"webhook {one.id} to {clean(one.place)} is removed{dropped if one.waiting else ''}")


@app.command(name="test")
def try_(webhook: Number, /, *, json: Json = False) -> int:
    """Post an event prefect-ledger.webhook.ping at once. Exits with 1 when it was not taken.

    For example:

        prefect-ledger webhooks test 3
    """
    from prefect_ledger import webhooks

    answer = webhooks.ping(webhook)
    if json:
        print_json({"webhook": webhook, "taken": answer.taken, "status": answer.status, "answer": answer.text})
    elif answer.taken:
        say(f"taken: {answer.status} {clean(answer.text)}".rstrip())
    else:
        say(f"not taken: {answer.status or 'no answer'} {paragraph(answer.text)}".rstrip(), style="bold red")
    return 0 if answer.taken else 1


@app.command
def dead(
    webhook: Which = None,
    /,
    *,
    retry: Annotated[bool, Parameter(negative="", help="Let them begin anew, with all their tries.")] = False,
    limit: Annotated[int, Parameter(name=["--limit", "-n"], help="How many at most (20).")] = 20,
    json: Json = False,
) -> None:
    """What was given up: refused, or not taken in eight tries over a day and a half. The newest first.

    For example:

        prefect-ledger webhooks dead
        prefect-ledger webhooks dead 3 --retry
    """
    from prefect_ledger import webhooks

    if retry:
        revived = webhooks.retry_dead(webhook)
        if json:
            print_json({"revived": revived})
        else:
            say(f"{count(revived, 'delivery begins', 'deliveries begin')} anew when events are sent next: prefect-ledger webhooks send")
        return
    found = webhooks.dead_letters(webhook, limit=limit)
    if json:
        print_json({"dead": [_letter(one) for one in found]})
    elif found:
        show(_letters(found))
    else:
        dim("nothing was given up")


@app.command
def send(*, json: Json = False) -> None:
    """Post all that is due, as the flow outbox does each five minutes.

    For example:

        prefect-ledger webhooks send
    """
    from prefect_ledger import webhooks

    done = webhooks.deliver()
    if json:
        print_json(done._asdict())
    else:
        say(f"{count(done.done, 'delivery', 'deliveries')} taken, {done.waiting} to be tried again, {done.dead} given up")


def _record(one: Webhook, trouble: str) -> dict[str, Any]:
    told = {"id": one.id, "place": one.place, "secret": one.secret, "events": list(one.events), "model": one.model}
    counts = {"allow_private": one.allow_private, "waiting": one.waiting, "dead": one.dead, "trouble": trouble}
    return {**told, **counts, "author": one.author, "created_at": one.created_at}


def _letter(one: Delivery) -> dict[str, Any]:
    about = {"delivery": one.id, "webhook": one.webhook, "seq": one.seq, "event": one.event, "tries": one.tries}
    return {**about, "status": one.status, "answer": one.answer, "ended_at": one.ended_at}


def _table(found: Sequence[Webhook], troubles: dict[int, str]) -> Any:
    names: list[tuple[str, Any]] = [("webhook", "number"), ("posts to", "text"), ("events", "text"), ("models", "text")]
    made = table([*names, ("secret", "text"), ("waiting", "number"), ("dead", "number"), ("trouble", "text")])
    for one in found:
        trouble = cell(troubles.get(one.id, ""), "yellow")
        about = [cell(one.id, "bold"), cell(one.place), cell(", ".join(one.events)), cell(one.model), cell(one.secret)]
        made.add_row(*about, cell(one.waiting), cell(one.dead, "bold red" if one.dead else ""), trouble)
    return made


def _letters(found: Sequence[Delivery]) -> Any:
    names: list[tuple[str, Any]] = [("webhook", "number"), ("row", "number"), ("event", "text"), ("tries", "number"), ("status", "number")]
    made = table([*names, ("given up", "text"), ("answer", "text")])
    for one in found:
        status = cell(one.status or "none")
        made.add_row(
            cell(one.webhook), cell(one.seq), cell(one.event), cell(one.tries), status, cell(moment(one.ended_at)), cell(one.answer)
        )
    return made
