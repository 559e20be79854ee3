"""Floor 6. ``prefect-ledger datasets``: the data that runs used, and copies of it got back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from prefect_ledger.cli.options import Json, Limit
from prefect_ledger.cli.render import cell, dim, print_json, say, show, table
from prefect_ledger.entities import to_datetime
from prefect_ledger.formats import MISSING, moment, size

if TYPE_CHECKING:
    from prefect_ledger.queries.datasets import Known

app = App(name="datasets", help="List the data that runs used, and get back copies of it.")


@app.command(name="list")
def list_(*, limit: Limit = 20, json: Json = False) -> None:
    """The data of runs, what was used last first, and of which there is a copy.

    For example:

        prefect-ledger datasets list
        prefect-ledger datasets list --json
    """
    from prefect_ledger.tracking.snapshots import datasets

    found = datasets(limit)
    if json:
        print_json({"datasets": [_record(one) for one in found]})
    elif not found:
        dim("no datasets; prefect_ledger.log_dataset(path, copy=True) records one and keeps a copy")
    else:
        show(_table(found))


@app.command
def get(
    ref: Annotated[str, Parameter(help="The data: its digest, the first 8 digits of it or more, or RUN/name.")],
    to: Annotated[
        Path | None, Parameter(help="The path that it gets: nothing may be there yet. Below the ledger's home if not said.")
    ] = None,
    /,
    *,
    json: Json = False,
) -> None:
    """Get back data that a run logged with copy=True, checked, and say where.

    It appears whole or not at all. Data that was recorded and not copied is
    not to be had from here: it is said where it was, and whether it is still
    what it was there.

    For example:

        prefect-ledger datasets get 8f2c51aa/train data/train
        prefect-ledger datasets get 3ac61bf0
    """
    from prefect_ledger.tracking.snapshots import dataset

    place = dataset(ref, to)
    if json:
        print_json({"path": str(place)})
    else:
        say(str(place))


def _record(one: Known) -> dict[str, Any]:
    data = one.dataset
    about = {"name": data.name, "digest": data.digest, "source": data.source, "rows": data.rows, "schema": data.schema}
    return {**about, "runs": one.runs, "used_at": to_datetime(one.used), "copied": one.copied}


def _table(found: list[Known]) -> Any:
    made = table([("dataset", "text"), ("digest", "text"), ("holds", "value"), ("runs", "number"), ("used", "text"), ("copy", "text")])
    for one in found:
        data = one.dataset
        row = [
            cell(data.name, "bold"),
            cell(data.digest[:12], "dim"),
            cell(_holds(one)),
            cell(one.runs),
            cell(moment(to_datetime(one.used))),
        ]
        made.add_row(*row, cell("yes" if one.copied else "no", "" if one.copied else "dim"))
    return made


def _holds(one: Known) -> str:
    data = one.dataset
    if data.rows is not None:
        return f"{data.rows:,} rows"
    files, many = data.schema.get("files"), data.schema.get("bytes")
    if isinstance(files, int) and isinstance(many, int):
        return f"{files:,} file{'' if files == 1 else 's'}, {size(many)}"
    return MISSING
