"""Floor 5. What a run recorded of how it came about: all that is needed to run it again, as far as it was captured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from prefect_ledger.masking import MASK

if TYPE_CHECKING:
    from prefect_ledger.entities import Run

_EMPTY: Mapping[str, Any] = MappingProxyType({})
_HARDWARE = ("platform", "libc", "cpus", "memory", "gpus")


@dataclass(frozen=True, slots=True)
class Code:
    """Where the code came from. ``patch`` is what the commit had not, as an artifact of the run; ``left_out`` files are not in it.

    ``dirty`` None: it is not known whether there was anything.
    """

    commit: str = ""
    branch: str = ""
    remote: str = ""
    root: str = ""
    dirty: bool | None = False
    patch: bytes = b""
    left_out: Mapping[str, str] = field(default_factory=lambda: _EMPTY)

    def within(self, path: str) -> Path | None:
        """``path`` below the repository's top folder; None where it lies elsewhere."""
        try:
            return Path(path).relative_to(self.root) if self.root else None
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run as it was recorded. ``entry`` says what was started: see :mod:`prefect_ledger.tracking.surroundings`.

    ``variables``: of the environment; None where the run is of a version that recorded none.
    """

    id: str
    name: str
    experiment: str
    entry: Mapping[str, Any]
    code: Code
    python: str
    packages: Mapping[str, str]
    origins: Mapping[str, str]
    hardware: Mapping[str, Any]
    params: Mapping[str, str]
    datasets: Mapping[str, str]
    seed: int | None = None
    variables: Mapping[str, str] | None = None
    working_folder: str = ""
    deployment: str = ""

    @classmethod
    def of(cls, run: Run) -> Recorded:
        """What ``run`` recorded.

        Raises:
            ArtifactCorrupt, ArtifactsUnavailable: the patch of its code cannot be read.
        """
        facts = run.facts
        environment, git = _mapping(facts, "environment"), _mapping(facts, "git")
        seed = _mapping(facts, "seeds").get("seed")
        return cls(
            id=run.id,
            name=run.name,
            experiment=run.experiment or "",
            entry=_entry(facts),
            code=_code(run, git),
            python=str(environment.get("python") or ""),
            packages=_mapping(facts, "packages"),
            origins=_mapping(facts, "origins"),
            hardware={name: environment[name] for name in _HARDWARE if name in environment},
            params=run.params,
            datasets={one.name: one.digest for one in run.datasets},
            seed=seed if type(seed) is int else None,
            variables=_mapping(facts, "variables") if "variables" in facts else None,
            working_folder=str(environment.get("cwd") or ""),
            deployment=str(_mapping(facts, "prefect").get("deployment_id") or ""),
        )


def masked(value: Any) -> bool:
    """Whether something in ``value`` was masked, so that it is not known what it was."""
    if isinstance(value, Mapping):
        return any(masked(one) for one in value.values())
    if isinstance(value, list | tuple):
        return any(masked(one) for one in value)
    return isinstance(value, str) and MASK in value


def _entry(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was started; of a project the project, whose program says of itself that it is a script."""
    if project := _mapping(facts, "project"):
        return {"kind": "project", **project, "parameters": _mapping(facts, "project_parameters")}
    return _mapping(facts, "entry")


def _code(run: Run, git: Mapping[str, Any]) -> Code:
    changes = _mapping(git, "changes")
    patch = b""
    if path := changes.get("artifact"):
        kept = next((one for one in run.artifacts if one.path == path), None)
        if kept is not None and run.reader is not None:
            patch = run.reader.read_artifact(kept)
    text = {name: str(git.get(name) or "") for name in ("commit", "branch", "remote", "root")}
    return Code(**text, dirty=git.get("dirty", False), patch=patch, left_out=dict(changes.get("left_out", ())))


def _mapping(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = facts.get(name)
    return found if isinstance(found, Mapping) else _EMPTY
