"""Registered models and their versions: asked of the registry, kept for seconds, and changed as the person who is there."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import streamlit as st

from prefect_ledger import registry, search_runs
from prefect_ledger.deploying.records import Record, Records
from prefect_ledger.entities import Dataset, LoggedModel, Run
from prefect_ledger.errors import InvalidValue, LedgerError, RunNotFound
from prefect_ledger.identities import Identity
from prefect_ledger.models.schema import Signature
from prefect_ledger.registered import ModelVersion, Note, RegisteredModel
from prefect_ledger.registry.history import meant_at
from prefect_ledger.registry.versions import logged_versions
from prefect_ledger.tracking.ledger import ledger

MOST = 500
_SCORINGS = 20


class Name(NamedTuple):
    """A registered model in a list."""

    name: str
    latest: int
    stages: dict[str, int]
    aliases: dict[str, int]
    changed: datetime | None
    description: str
    tags: dict[str, str]
    deleted: bool


class Version(NamedTuple):
    """A version in a list."""

    version: int
    stage: str
    aliases: tuple[str, ...]
    flavor: str
    size: int | None
    author: Identity
    created: datetime | None
    run_id: str
    description: str
    tags: dict[str, str]
    digest: str
    deleted: bool


class Whole(NamedTuple):
    """All that is known of a version: what was registered, the logged model it is, and the run that made it, where these are there."""

    one: ModelVersion
    logged: LoggedModel | None
    run: Run | None

    @property
    def signature(self) -> Signature | None:
        """What it takes and gives."""
        found = self.logged.details.get("signature") if self.logged else None
        with contextlib.suppress(InvalidValue):
            return None if found is None else Signature.from_mlmodel(found)
        return None


class Served(NamedTuple):
    """A deployment that this machine remembers."""

    target: str
    name: str
    model: str
    created: str


@st.cache_data(ttl=5, max_entries=4, show_spinner=False)
def listed(*, deleted: bool = False) -> list[Name]:
    """Registered models by name."""
    return [_name(one) for one in registry.list_models(deleted=deleted, limit=5_000)]


@st.cache_data(ttl=5, max_entries=32, show_spinner=False)
def versions(name: str, *, deleted: bool = False) -> list[Version]:
    """The newest versions of a registered model."""
    return [_version(one, logged) for one, logged in logged_versions(name, deleted=deleted, limit=MOST)]


def get(name: str) -> RegisteredModel:
    """A registered model as it is this moment."""
    return registry.get_model(name)


def whole(name: str, version: str) -> Whole:
    """A version as it is this moment; ``version`` is what an address may have: a number, an alias, a stage."""
    one = registry.get_version(name, version)
    reader = ledger().reader
    logged = run = None
    with contextlib.suppress(LedgerError):
        logged = reader.model(one.logged_id)
    with contextlib.suppress(RunNotFound):
        run = reader.run(one.run_id)
    return Whole(one, logged, run)


def notes(one: ModelVersion) -> list[Note]:
    """What people wrote about it."""
    return registry.notes(one.name, one.version)


def datasets(run_id: str) -> list[Dataset]:
    """The data that a run used."""
    return ledger().reader.datasets(run_id)


@st.cache_data(ttl=60, max_entries=32, show_spinner=False)
def packages(run_id: str) -> dict[str, str]:
    """What was installed where a run ran."""
    found = ledger().reader.facts(run_id).get("packages", {})
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, Mapping) else {}


@st.cache_data(ttl=10, max_entries=32, show_spinner=False)
def scorings(model_id: str) -> list[tuple[str, str, datetime | None]]:
    """The latest runs that asked this model about data: id, name and when."""
    found = search_runs(filter=f"tags.model_id = '{model_id}'", limit=_SCORINGS)
    return [(run.id, run.name, run.started_at) for run in found]


@st.cache_data(ttl=10, max_entries=32, show_spinner=False)
def served(model_id: str) -> list[Served]:
    """The deployments of this model that targets remember on this machine; what other machines have only they know."""
    home = ledger().settings.home
    found: list[Served] = []
    for folder in sorted(home.glob("deployments/[!.]*")):
        records = Records(folder.name, home)
        for name in records.names():
            with contextlib.suppress(LedgerError):
                found += _served(records.target, records.read(name), model_id)
    return found


def then(name: str, when: datetime) -> tuple[dict[int, str], dict[str, int]]:
    """The stage of each version and the version of each alias at a moment."""
    return meant_at(name, when)


# --- changes ---------------------------------------------------------------------------------------------------------------------


def annotate(one: ModelVersion, text: str, verdict: str, by: Identity) -> str:
    """Write something about a version, or review it."""
    registry.annotate(one.name, one.version, text, verdict=verdict, by=by)  # type: ignore[arg-type]  # the registry refuses another word
    return _changed("Your note stands beside the version.")


def set_alias(one: ModelVersion, alias: str, seen: Mapping[str, int], why: str, by: Identity) -> str:
    """Let an alias mean this version, if it still means what was ``seen``."""
    registry.set_alias(one.name, alias, one.version, expected=seen.get(alias.removeprefix("@")), why=why, by=by)
    return _changed(f"@{alias.removeprefix('@')} means version {one.version} of {one.name}.")


def drop_alias(one: ModelVersion, alias: str, why: str, by: Identity) -> str:
    """Let an alias mean nothing any more, if it still means this version."""
    registry.set_alias(one.name, alias, None, expected=one.version, why=why, by=by)
    return _changed(f"@{alias} means nothing any more.")


def tag(one: ModelVersion, key: str, value: str, by: Identity) -> str:
    """Set a tag of a version; an empty value takes it away."""
    registry.tag_version(one.name, one.version, {key: value or None}, by=by)
    return _changed(f"The tag {key} is {'set' if value else 'taken away'}.")


def describe(one: ModelVersion, text: str, by: Identity) -> str:
    """Set the description of a version."""
    registry.describe_version(one.name, one.version, text, by=by)
    return _changed("The description is set.")


def request(one: ModelVersion, stage: str, why: str, by: Identity) -> tuple[str, int]:
    """Ask that it go to a stage; returns what came of it, and the number of the request."""
    asked = registry.request_transition(one.name, one.version, stage, why=why, by=by)
    word = "waits for its approvals" if asked.state == "open" else f"is {asked.state}: {asked.reason}"
    return _changed(f"Request {asked.id} {word}."), asked.id


def _changed(words: str) -> str:
    listed.clear()
    versions.clear()
    return words


def _name(one: RegisteredModel) -> Name:
    about = (one.name, one.latest, dict(one.stages), dict(one.aliases), one.updated_at, one.description, dict(one.tags))
    return Name(*about, one.deleted_at is not None)


def _version(one: ModelVersion, logged: LoggedModel | None) -> Version:
    about = (one.author, one.created_at, one.run_id, one.description, dict(one.tags), one.digest, one.deleted_at is not None)
    flavor, size = (logged.flavor, logged.size) if logged else ("", None)
    return Version(one.version, one.stage, tuple(one.aliases), flavor, size, *about)


def _served(target: str, record: Record, model_id: str) -> list[Served]:
    return [Served(target, record.name, record.model, record.created)] if record.model_id == model_id else []


def beside(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """What differs of two mappings: key, and both values; None where one has none.

    Example:
        >>> beside({"a": 1, "b": 2}, {"b": 3})
        [('a', 1, None), ('b', 2, 3)]
    """
    return [(key, left.get(key), right.get(key)) for key in sorted({*left, *right}) if left.get(key) != right.get(key)]
