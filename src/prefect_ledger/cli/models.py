"""Floor 6. ``prefect-ledger models``: what runs logged as models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter

from prefect_ledger.cli.formats import moment, size
from prefect_ledger.cli.options import Json
from prefect_ledger.cli.records import model_record
from prefect_ledger.cli.render import cell, dim, heading, pairs, print_json, show, table
from prefect_ledger.entities import LoggedModel

app = App(name="models", help="List and show models.")


@app.command(name="list")
def list_(
    *,
    experiment: Annotated[tuple[str, ...], Parameter(name=["--experiment", "-e"], negative="", help="Of these alone; name or id.")] = (),
    name: Annotated[str | None, Parameter(help="Of this name alone.")] = None,
    limit: Annotated[int, Parameter(name=["--limit", "-n"], help="How many at most (20).")] = 20,
    json: Json = False,
) -> None:
    """Models that runs logged, the latest first.

    For example:

        prefect-ledger models list
        prefect-ledger models list -e churn --name forest --limit 5
    """
    from prefect_ledger import search_models

    found = search_models(list(experiment) or None, name=name, limit=limit)
    if json:
        print_json({"models": [model_record(one) for one in found]})
    elif not found:
        dim("no models" + (" match" if experiment or name is not None else ": log_model(model, name) in a run makes one"))
    else:
        show(models_table(found))


def models_table(models: Sequence[LoggedModel], *, run_id: str | None = None) -> Any:
    """Models in rows. On the page of the run ``run_id``, the run is named only where another one logged them."""
    where = run_id is None or any(one.run_id != run_id for one in models)
    last: list[tuple[str, Any]] = [("run" if run_id is None else "from", "text")] if where else []
    made = table([("model", "text"), ("reference", "text"), ("flavor", "text"), ("size", "number"), ("logged", "text"), *last])
    for one in models:
        run = [cell("" if one.run_id == run_id else one.run_id[:8], "dim")] if where else []
        made.add_row(cell(one.name, "bold"), cell(one.uri), cell(one.flavor), cell(size(one.size)), cell(moment(one.logged_at)), *run)
    return made


@app.command(name="show")
def show_(
    model: Annotated[str, Parameter(help="A reference, such as models:/m-… or runs:/8f2c51aa/churn.")],
    /,
    *,
    json: Json = False,
) -> None:
    """A model: where it comes from, what it eats and gives, its files, and what it says it needs.

    For example:

        prefect-ledger models show runs:/8f2c51aa/churn
    """
    from prefect_ledger.tracking.ledger import ledger
    from prefect_ledger.tracking.models import find_model

    found = find_model(model)
    files = ledger().reader.model_files(found)
    needs = [
        line
        for one in files
        if one.path == f"{found.path}/requirements.txt"
        for line in ledger().reader.read_artifact(one).decode().splitlines()
    ]
    if json:
        print_json(model_record(found) | {"requirements": needs, "files": [one.path for one in files]})
        return
    show(pairs(_head(found)))
    _lines("signature", _signature(found))
    _lines("requirements", needs)
    heading("files")
    made = table([("file", "text"), ("size", "number"), ("sha256", "text")])
    for one in files:
        made.add_row(cell(one.path[len(found.path) + 1 :]), cell(size(one.size)), cell(one.sha256[:12], "dim"))
    show(made)


def _lines(title: str, lines: Sequence[str]) -> None:
    if lines:
        heading(title)
        show(*(cell(line) for line in lines))


def _signature(one: LoggedModel) -> list[str]:
    from prefect_ledger.models.schema import Signature

    said = one.details.get("signature")
    return str(Signature.from_mlmodel(said)).splitlines() if said else []


def _head(one: LoggedModel) -> Iterator[tuple[str, object]]:
    yield "model", cell(one.name, "bold")
    yield "reference", one.uri
    yield "also", f"runs:/{one.run_id[:8]}/{one.name}"
    yield "flavor", one.flavor
    yield "flavors", ", ".join(map(str, one.details.get("flavors", ())))
    yield "size", size(one.size)
    yield "digest", one.digest
    yield "run", one.run_id
    yield "logged", moment(one.logged_at)
    yield from ((f"metadata {key}", value) for key, value in sorted(dict(one.details.get("metadata") or {}).items()))
