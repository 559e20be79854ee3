"""Floor 6. ``prefect-ledger models``, the verbs that look into the registry: which models, which versions, what was when."""

from __future__ import annotations

import json as documents
import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from prefect_ledger.cli.options import Json, Limit, LongLimit, OrderBy, Page, Which
from prefect_ledger.cli.registered_page import models_table, version_rows, versions_table
from prefect_ledger.cli.registry_records import person, registry_record
from prefect_ledger.cli.render import dim, pairs, print_json, say, show
from prefect_ledger.cli.versions import ModelName, NameBefore, Named, meant
from prefect_ledger.errors import InvalidValue
from prefect_ledger.formats import clean, moment
from prefect_ledger.registered import Change

if TYPE_CHECKING:
    from rich.text import Text

Deleted = Annotated[bool, Parameter(negative="", help="Those that are deleted, too.")]


def registered(
    *,
    deleted: Deleted = False,
    limit: LongLimit = 1000,
    json: Json = False,
) -> None:
    """Registered models by name, with the versions that stages and aliases mean.

    For example:

        prefect-ledger models registered
        prefect-ledger models registered --deleted --json
    """
    from prefect_ledger import registry

    found = registry.list_models(deleted=deleted, limit=limit)
    if json:
        print_json({"models": [registry_record(one) for one in found]})
    elif found:
        show(models_table(found))
    else:
        dim("nothing is registered; prefect-ledger models register NAME SOURCE makes a version of a logged model")


def versions(name: ModelName, /, *, deleted: Deleted = False, json: Json = False) -> None:
    """The versions of a registered model, the newest first.

    For example:

        prefect-ledger models versions churn
        prefect-ledger models versions churn --deleted
    """
    from prefect_ledger import registry

    found = registry.list_versions(name, deleted=deleted)
    if json:
        print_json({"versions": [registry_record(one) for one in found]})
    elif found:
        show(versions_table(found))
    else:
        dim(f"{clean(name)} has no versions; prefect-ledger models register {clean(shlex.quote(name))} SOURCE makes one")


def search(
    filter: Annotated[str, Parameter(help="As in runs list --filter, and over stage, alias, author and more.")] = "",  # noqa: A002
    /,
    *,
    order_by: OrderBy = (),
    limit: Limit = 20,
    page: Page = None,
    lifecycle: Which = "active",
    json: Json = False,
) -> None:
    """Versions of all registered models that match, by their tags and by the metrics and parameters of their runs.

    For example:

        prefect-ledger models search "stage = 'production' and metrics.auc < 0.9"
        prefect-ledger models search "name = 'churn' and tags.data = 'may'" --order-by "metrics.auc desc"
    """
    from prefect_ledger import registry

    found = registry.search_versions(filter, list(order_by) or None, limit, page, lifecycle=lifecycle)
    if json:
        print_json({"versions": [registry_record(one) for one in found], "next_page": found.next_page})
    elif found:
        show(versions_table(found, named=True))
    else:
        dim("no versions match" if filter or page else "nothing is registered")
    if found.next_page and not json:
        dim(f"more: add --page {found.next_page}")


def history(named: Named, /, *, json: Json = False) -> None:
    """What was changed of a registered model, or of one version: when, by whom, and why.

    For example:

        prefect-ledger models history churn
        prefect-ledger models history churn/7 --json
    """
    from prefect_ledger import registry

    one = meant(named)
    found = registry.history(one.name, one.number() if one.selector else None)
    if json:
        print_json({"changes": [registry_record(change) for change in found]})
        return
    show(pairs((f"{change.seq:>4}  {moment(change.at)}", _told(change)) for change in found))


def as_of(
    name: NameBefore,
    selector: Annotated[str, Parameter(help="A stage, or @alias.")],
    when: Annotated[
        str, Parameter(help="A moment, as in 2026-03-01, 2026-03-01T12:30 or 2026-03-01T12:30+01:00; your time zone if not said.")
    ],
    /,
    *,
    json: Json = False,
) -> None:
    """The version that a stage or an alias of a registered model meant at a moment.

    It is told from the audit log, whatever was moved, renamed or deleted since.

    For example:

        prefect-ledger models as-of churn production 2026-03-01
        prefect-ledger models as-of churn @champion 2026-03-01T12:30+01:00
    """
    from prefect_ledger import registry

    at = _moment(when)
    found = registry.as_of(name, selector, at)
    if json:
        print_json({"at": at, "version": None if found is None else registry_record(found)})
    elif found is None:
        say(f"{clean(selector)} of {clean(name)} meant no version at {moment(at)}")
    else:
        show(pairs([("at", moment(at)), *version_rows(found)]))


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise InvalidValue(f"{text!r:.80} is no moment: write 2026-03-01, 2026-03-01T12:30 or 2026-03-01T12:30+01:00") from None


def _told(change: Change) -> Text:
    """What was changed and by whom; below it what that made of what, and why."""
    from rich.text import Text

    told = Text(f"version {change.version} " if change.version else "")
    told.append(clean(change.action), style="bold red" if change.action == "glass.broken" else "bold")
    told.append(f" by {clean(person(change.by))}")
    for line in ("; ".join(_differences(change)), f"why: {change.why}" if change.why else ""):
        told.append(f"\n{clean(line)}" if line else "")
    return told


def _differences(change: Change) -> Iterator[str]:
    """What a change made of what was before, a text a key."""
    for key, after in change.after.items():
        before = change.before.get(key)
        if before in (None, "") and after in (None, ""):
            continue
        yield f"{key} {_value(after)}" if before in (None, "", after) else f"{key} {_value(before)} → {_value(after)}"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return documents.dumps(dict(value) if isinstance(value, Mapping) else value, default=str, ensure_ascii=False)
