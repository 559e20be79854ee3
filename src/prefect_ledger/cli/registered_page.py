"""Floor 6. Registered models and versions as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from prefect_ledger.cli.registry_records import person, tags_text
from prefect_ledger.cli.render import cell, heading, pairs, show, table
from prefect_ledger.formats import MISSING, clean, moment, paragraph
from prefect_ledger.registered import ModelVersion, Note, RegisteredModel

_STAGES = {"production": "green", "staging": "cyan", "archived": "dim", "none": "dim"}


def stage(name: str) -> Any:
    """A stage in its color."""
    return cell(name, _STAGES.get(name, ""))


def models_table(found: Sequence[RegisteredModel]) -> Any:
    """Registered models in rows, with what their stages and aliases mean."""
    gone = any(one.deleted_at for one in found)
    last: list[tuple[str, Any]] = [("deleted", "text")] if gone else []
    names: list[tuple[str, Any]] = [("model", "text"), ("latest", "number"), ("production", "number"), ("staging", "number")]
    made = table([*names, ("aliases", "text"), ("changed", "text"), ("description", "text"), *last])
    for one in found:
        stages = [cell(one.stages.get(name, MISSING)) for name in ("production", "staging")]
        deleted = [cell(moment(one.deleted_at), "yellow")] if gone else []
        latest, aliases = cell(one.latest or MISSING), cell(_aliases(one))
        made.add_row(cell(one.name, "bold"), latest, *stages, aliases, cell(moment(one.updated_at)), cell(one.description), *deleted)
    return made


def versions_table(found: Sequence[ModelVersion], *, named: bool = False) -> Any:
    """Versions in rows; with their models' names where they are of several."""
    gone = any(one.deleted_at for one in found)
    last: list[tuple[str, Any]] = [("deleted", "text")] if gone else []
    first: list[tuple[str, Any]] = [("model", "text")] if named else []
    names: list[tuple[str, Any]] = [("version", "number"), ("stage", "text"), ("aliases", "text"), ("by", "text"), ("registered", "text")]
    made = table([*first, *names, ("run", "text"), ("description", "text"), *last])
    for one in found:
        aliases = cell(", ".join(f"@{alias}" for alias in one.aliases))
        deleted = [cell(moment(one.deleted_at), "yellow")] if gone else []
        by, at, run = cell(person(one.author)), cell(moment(one.created_at)), cell(one.run_id[:8], "dim")
        model = [cell(one.name, "bold")] if named else []
        made.add_row(*model, cell(one.version, "bold"), stage(one.stage), aliases, by, at, run, cell(one.description), *deleted)
    return made


def show_model(one: RegisteredModel, versions: Sequence[ModelVersion]) -> None:
    """The page of a registered model."""
    stages = ", ".join(f"{name}: {version}" for name, version in one.stages.items())
    rows = [
        ("model", cell(one.name, "bold")),
        ("description", one.description),
        ("aliases", _aliases(one)),
        ("stages", stages),
        ("tags", tags_text(one.tags)),
        ("made", moment(one.created_at)),
        ("deleted", moment(one.deleted_at)),
    ]
    show(pairs(_said(rows)))
    if versions:
        show(versions_table(versions))


def version_rows(one: ModelVersion) -> Iterator[tuple[str, object]]:
    """What the registry says of a version, line by line."""
    rows = [
        ("version", cell(f"{one.name} {one.version}", "bold")),
        ("stage", stage(one.stage)),
        ("aliases", ", ".join(f"@{alias}" for alias in one.aliases)),
        ("description", one.description),
        ("tags", tags_text(one.tags)),
        ("registered", f"{moment(one.created_at)} by {person(one.author)}"),
        ("deleted", moment(one.deleted_at)),
    ]
    yield from _said(rows)


def show_notes(found: Sequence[Note]) -> None:
    """What people wrote about a version."""
    if not found:
        return
    from rich.text import Text

    heading("notes")
    verdicts = {"approve": " approves", "reject": " rejects"}
    show(
        pairs((moment(one.at), Text(f"{clean(person(one.author))}{verdicts.get(one.verdict, '')}: {paragraph(one.text)}")) for one in found)
    )


def _aliases(one: RegisteredModel) -> str:
    return ", ".join(f"@{alias}: {version}" for alias, version in one.aliases.items())


def _said(rows: Iterable[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    return ((name, value) for name, value in rows if value not in ("", MISSING))
