"""Floor 5. What deployments of a project come to, one for each entry point: their names, parameters and forms. Nothing is deployed here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prefect_ledger.errors import EntryPointNotFound, InvalidValue, LedgerError, ProjectInvalid
from prefect_ledger.formats import listed
from prefect_ledger.masking import mask_text
from prefect_ledger.projects import commands, environments, forms, opening, places, reading, values
from prefect_ledger.projects.findings import nearest
from prefect_ledger.projects.places import Place
from prefect_ledger.projects.spec import EntryPoint, Project, scripts
from prefect_ledger.projects.tools import Say, silent
from prefect_ledger.secret_names import is_secret_name

FLOW = "prefect-ledger-project"
ENTRYPOINT = "prefect_ledger.flows.project.run_entry_point"
_BANNED = re.compile(r"[/%&<>\x00-\x1f\x7f]+")  # in names of deployments
_NAME_LIMIT = 200
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Asked:
    """A project, and which deployments of it are wanted. ``entry_points``: all that it names where empty. ``parameters`` are set for
    each run, ``name`` is what the deployments are called after."""

    uri: str
    entry_points: tuple[str, ...] = ()
    name: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    version: str | None = None
    env_manager: str | None = None
    experiment: str | None = None

    def __post_init__(self) -> None:
        if self.name is not None and (not self.name.strip() or _BANNED.search(self.name) or len(self.name) > _NAME_LIMIT):
            raise InvalidValue(f"a deployment's name has 1 to {_NAME_LIMIT} characters, none of them / % & < >, not {self.name!r:.80}")


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment of the project flow. ``parameters`` are the flow's, ``schema`` says which it takes and of which types, ``lacking`` are
    those of the entry point that each run has to be given."""

    name: str
    entry_point: str
    description: str
    parameters: Mapping[str, Any]
    schema: Mapping[str, Any]
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """Deployments of a project, where it is, and what is to be known before they run."""

    deployments: tuple[Deployment, ...]
    place: Place
    notes: tuple[str, ...] = ()

    @property
    def local(self) -> str:
        """The path of this machine that each run reads the project from; "" where it comes from elsewhere."""
        if self.place.kind != "git":
            return str(self.place.path)
        return self.place.url if self.place.url.startswith("file:") else ""


def planned(asked: Asked, *, home: Path, say: Say = silent) -> Planned:
    """The deployments of a project. It is read, and nothing of it is run or built.

    Raises:
        ProjectInvalid: everything that is wrong with the project, or with what is asked of it. ProjectNotFound. InvalidValue: a place or
        a version that cannot be, or a URL with credentials, which a deployment would show.
    """
    place = places.parse(asked.uri)
    if place.login or mask_text(uri(place)) != uri(place):
        raise InvalidValue(
            f"{place.shown}: the URL has credentials, and whoever reads the deployment would read them; leave them out, and give them"
            " to git where the worker runs, by a credential helper or an SSH key"
        )
    with opening.opened(place, asked.version, home=home, say=say) as opened:
        project, findings = reading.look(opened.folder)
        wrong, found = list(findings.said), list[Deployment]()
        wrong += _of_environment(project, asked.env_manager)
        points = list(_points(project, asked, wrong))
        given = _given(points, asked.parameters, wrong)
        for point in points:
            found.append(_deployment(project, point, asked, place, given[point.name], alone=len(points) == 1))
        wrong += _same_names(found)
    if wrong:
        raise ProjectInvalid(f"the project {place.shown} cannot be deployed:", wrong)
    return Planned(tuple(found), place, tuple(_notes(place, asked.version)))


def uri(place: Place) -> str:
    """The place as it is written so that it is read as the same one, whatever folder that happens in."""
    body = str(place.path) if place.kind != "git" else f"git+{place.url}" if place.url.startswith("file:") else place.url
    return f"{body}#{place.subfolder}" if place.subfolder else body


def _of_environment(project: Project, manager: str | None) -> list[str]:
    try:
        environments.choose(project.environment, manager)
    except LedgerError as error:
        return [str(error)]
    return []


def _points(project: Project, asked: Asked, wrong: list[str]) -> Iterator[EntryPoint]:
    names = dict.fromkeys(asked.entry_points) or project.entry_points
    if not names and not wrong:
        wrong.append(f"it names no entry point: say which script is to run, with -e; there are {listed(scripts(project.folder), 10)}")
    for name in names:
        try:
            yield project.entry_point(name)
        except EntryPointNotFound as error:
            wrong.append(str(error))


def _given(points: list[EntryPoint], parameters: Mapping[str, Any], wrong: list[str]) -> dict[str, dict[str, Any]]:
    """The values that are set, for each entry point those that it takes."""
    found: dict[str, dict[str, Any]] = {point.name: {} for point in points}
    for name, value in parameters.items():
        if not commands.is_name(name):
            wrong.append(f"a parameter's name is letters, digits, '_', '-' and '.', a letter or '_' first, not {name!r:.80}")
        elif is_secret_name(name):
            wrong.append(f"parameter {name!r} is a secret, and a deployment shows its parameters: give it to the program as a variable")
        elif takers := [one for one in points if one.parameter(name) is not None] or [
            one for one in points if one.extra and len(points) == 1
        ]:
            for point in takers:
                _set(point, name, value, found[point.name], wrong)
        elif points:
            known = sorted({one.name for point in points for one in point.parameters})
            wrong.append(f"no parameter {name!r:.80}{nearest(name, known) or f'; there are {listed(known, 20)}'}")
    return found


def _set(point: EntryPoint, name: str, value: Any, found: dict[str, Any], wrong: list[str]) -> None:
    parameter = point.parameter(name)
    try:
        text = values.text(value)
        found[name] = text if parameter is None else forms.typed(parameter, text)
    except InvalidValue as error:
        wrong.append(f"entry point {point.name!r}: {error}")


def _deployment(project: Project, point: EntryPoint, asked: Asked, place: Place, given: Mapping[str, Any], *, alone: bool) -> Deployment:
    name = asked.name if asked.name is not None and alone else f"{asked.name or project.name}-{point.name}"
    parameters: dict[str, Any] = {"uri": uri(place), "entry_point": point.name, "version": asked.version, "env_manager": asked.env_manager}
    parameters |= {"experiment": asked.experiment, "rebuild": False, "defaults": dict(given)}
    return Deployment(
        name=_fitted(name),
        entry_point=point.name,
        description=f"Runs the entry point {point.name} of the project {project.name}, from {place.shown}.",
        parameters=parameters,
        schema=_schema(parameters, point, given),
        lacking=tuple(forms.required(point, given)),
    )


def _fitted(name: str) -> str:
    """``name`` as Prefect takes it: it cuts ``.py`` off by itself, so that a name with it would be another one afterwards."""
    return _BANNED.sub("-", name).strip().removesuffix(".py")[:_NAME_LIMIT]


def _schema(parameters: Mapping[str, Any], point: EntryPoint, given: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of the flow's parameters. Place and entry point are fixed, since the types are theirs; the rest can be said for a run."""
    lacking = forms.required(point, given)
    text = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    fixed = {name: {"type": "string", "readOnly": True, "enum": [parameters[name]]} for name in ("uri", "entry_point")}
    made: dict[str, dict[str, Any]] = {
        "parameters": forms.schema(point, given),
        **fixed,
        **{name: dict(text) for name in ("version", "env_manager", "experiment")},
        "rebuild": {"type": "boolean"},
        "defaults": {"type": "object", "additionalProperties": True, "description": "Parameters that were set when it was deployed."},
    }
    properties = {
        name: {"title": name, "position": place, **one, **({"default": parameters[name]} if name in parameters else {})}
        for place, (name, one) in enumerate(made.items())
    }
    required = [*fixed, *(["parameters"] if lacking else [])]
    return {"title": "Parameters", "type": "object", "properties": properties, "required": required, "definitions": {}}


def _same_names(found: list[Deployment]) -> Iterator[str]:
    points: dict[str, list[str]] = {}
    for one in found:
        points.setdefault(one.name, []).append(one.entry_point)
    for name, same in points.items():
        if len(same) > 1:
            yield f"the deployments of {listed(same)} would all be called {name!r}: deploy them one at a time, with -e and --name"


def _notes(place: Place, version: str | None) -> Iterator[str]:
    if place.kind == "git" and version is None:
        yield (
            "no version is said: each run takes what the repository has by then, and the form keeps the parameters of now;"
            " --version v1.2 keeps both together"
        )
