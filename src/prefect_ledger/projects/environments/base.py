"""Floor 5. What every kind of environment gives: which program ``python`` is, what a process in it sees, and how it is said to people."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from prefect_ledger.projects.tools import Say, clean_environment, silent


@dataclass(frozen=True, slots=True)
class Asked:
    """How an environment is to be had: ``home`` is the ledger's folder, ``name`` the project's, ``rebuild`` even where one stands."""

    home: Path
    name: str = "project"
    rebuild: bool = False
    build_image: bool = False
    say: Say = silent


@dataclass(frozen=True)
class Environment:
    """An environment that is ready. ``key`` is the digest of what decides it, "" for one that was not built here; ``notes`` are what a
    person should know of how it came to be; ``packages`` what is installed in it, as far as that is known."""

    manager: str
    description: str
    python: str = ""  # its version
    executable: str = ""
    key: str = ""
    path: tuple[str, ...] = ()  # folders that come before those of PATH
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    packages: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()

    def seen(self, more: Mapping[str, str]) -> dict[str, str]:
        """The variables of a process in it: those of this process, its own, and ``more``."""
        found = clean_environment() | dict(self.variables) | dict(more)
        found["PATH"] = os.pathsep.join([*self.path, found.get("PATH", os.defpath)])
        return found

    def words(  # a container's need what others have already
        self,
        words: Sequence[str],
        folder: Path,  # noqa: ARG002
        run_id: str,  # noqa: ARG002
        more: Mapping[str, str],  # noqa: ARG002
        places: Sequence[str] = (),  # noqa: ARG002
    ) -> list[str]:
        """What is run to have ``words`` run in it, working in ``folder``, with the files and folders ``places`` to be seen."""
        return list(words)

    def stop(self, run_id: str) -> None:
        """End what processes cannot end that were started here."""
