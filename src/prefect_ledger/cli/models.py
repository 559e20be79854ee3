"""Floor 6. ``prefect-ledger models``: what runs logged as models, and what of it is registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter

from prefect_ledger.cli import promoting, registered_models, registering
from prefect_ledger.cli.options import Experiments, Json, Limit
from prefect_ledger.cli.records import model_record
from prefect_ledger.cli.registered_page import show_model, show_notes, version_rows
from prefect_ledger.cli.registry_records import registry_record
from prefect_ledger.cli.render import cell, dim, heading, pairs, print_json, show, table
from prefect_ledger.cli.versions import is_short, meant
from prefect_ledger.entities import LoggedModel
from prefect_ledger.formats import moment, size
from prefect_ledger.registered import ModelVersion

app = App(name="models", help="List and show models, and look after registered ones.")
_VERBS: tuple[Callable[..., None], ...] = (
    registering.register,
    registering.register_logged,
    registering.create,
    registered_models.registered,
    registered_models.versions,
    registered_models.search,
    registering.alias,
    registering.describe,
    registering.note,
    registering.rename,
    registering.delete,
    registering.restore,
    promoting.transition,
    registering.undo,
    registered_models.history,
    registered_models.as_of,
)
for _verb in _VERBS:
    app.command(_verb)
app.command(registering.tag_, name="tag")


@app.command(name="list")
def list_(
    *,
    experiment: Experiments = (),
    name: Annotated[str | None, Parameter(help="Of this name alone.")] = None,
    limit: Limit = 20,
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
    model: Annotated[
        str, Parameter(help="A registered model (churn), a version (churn/7, churn@champion), or models:/m-…, runs:/RUN/NAME.")
    ],
    /,
    *,
    json: Json = False,
) -> None:
    """A model: where it comes from, what it eats and gives, its files, and what it says it needs.

    Of a registered model its versions and what its stages and aliases mean; of
    a version also its stage, and what people wrote about it.

    For example:

        prefect-ledger models show runs:/8f2c51aa/churn
        prefect-ledger models show churn
        prefect-ledger models show churn@champion
    """
    if not is_short(model):
        _show_logged(model, None, json)
        return
    from prefect_ledger import registry

    one = meant(model)
    if one.selector:
        version = registry.get_version(one.name, one.selector)
        _show_logged(version.uri, version, json)
        return
    found, versions = registry.get_model(one.name), registry.list_versions(one.name)
    if json:
        print_json(registry_record(found) | {"versions": [registry_record(each) for each in versions]})
    else:
        show_model(found, versions)


def _show_logged(reference: str, version: ModelVersion | None, json: bool) -> None:
    """The page of a logged model, with what the registry says of it before."""
    from prefect_ledger import registry
    from prefect_ledger.tracking.ledger import ledger
    from prefect_ledger.tracking.models import find_model
    from prefect_ledger.tracking.references import parse

    found = find_model(reference)
    if version is None and parse(reference).kind == "registry":
        version = registry.get_version(reference)
    files = ledger().reader.model_files(found)
    needs = [
        line
        for one in files
        if one.path == f"{found.path}/requirements.txt"
        for line in ledger().reader.read_artifact(one).decode().splitlines()
    ]
    among = [] if version is not None else _versions_of(found)
    notes = [] if version is None else registry.notes(version.name, version.version)
    if json:
        record = model_record(found) | {"requirements": needs, "files": [one.path for one in files]}
        if version is not None:
            record["version"] = registry_record(version) | {"notes": [registry_record(note) for note in notes]}
        else:
            record["versions"] = [registry_record(one) for one in among]
        print_json(record)
        return
    is_version = [("registered", f"{one.name} {one.version}, in stage {one.stage}") for one in among]
    show(pairs([*(() if version is None else version_rows(version)), *_head(found), *is_version]))
    show_notes(notes)
    _lines("signature", _signature(found))
    _lines("requirements", needs)
    heading("files")
    made = table([("file", "text"), ("size", "number"), ("sha256", "text")])
    for one in files:
        made.add_row(cell(one.path[len(found.path) + 1 :]), cell(size(one.size)), cell(one.sha256[:12], "dim"))
    show(made)


def _versions_of(one: LoggedModel) -> list[ModelVersion]:
    """The versions that a logged model is."""
    from prefect_ledger.queries import registered
    from prefect_ledger.registry.access import looking

    with looking() as tx:
        return registered.of_logged(tx, [one.id])


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
