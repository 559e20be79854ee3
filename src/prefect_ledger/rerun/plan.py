"""Floor 5. What running a run again comes to, said before anything is started: what is done, and what cannot be as it was. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from prefect_ledger.errors import NotReproducible
from prefect_ledger.formats import count, listed
from prefect_ledger.rerun.recorded import Recorded, masked

OURS = "prefect-ledger"
_SAME = {"macos": "darwin", "arm64": "aarch64", "amd64": "x86_64", "x64": "x86_64"}  # other names of what we record


@dataclass(frozen=True, slots=True)
class Plan:
    """``entry`` is what is started, with the parameters that were changed in their place. ``lacking`` is what is known not to be as it
    was, in sentences; ``changed`` the parameters that are meant to be other."""

    recorded: Recorded
    entry: Mapping[str, Any]
    packages: Mapping[str, str]
    lacking: tuple[str, ...] = ()
    changed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """What is started, for people."""
        if self.entry["kind"] == "project":
            what = [f"-P{name}={value}" for name, value in self.entry["parameters"].items()]
            return shlex.join(["project", "run", self.entry["uri"], "-e", self.entry["entry_point"], *what])
        if self.entry["kind"] == "flow":
            said = ", ".join(f"{name}={value!r}" for name, value in self.entry["parameters"].items())
            return f"{self.entry['function']}({said})"
        what = ["-m", self.entry["module"]] if self.entry.get("module") else [PurePath(self.entry["file"]).name]
        return shlex.join(["python", *what, *self.entry["arguments"]])


def plan(recorded: Recorded, changed: Mapping[str, Any] | None = None) -> Plan:
    """What is to be done to run it again, with other values for the parameters in ``changed``.

    Raises:
        NotReproducible: nothing that was recorded can be started.
    """
    changed = dict(changed or {})
    entry = _entry(recorded, changed)
    packages = {name: version for name, version in recorded.packages.items() if name not in recorded.origins or name == OURS}
    return Plan(recorded, entry, packages, tuple(_lacking(recorded)), changed)


def other_platform(hardware: Mapping[str, Any], here: str) -> Iterator[str]:
    """That a run was made on another system or another kind of processor than ``here``, in a sentence. Another kernel is no other
    platform, and what was not recorded is not known to be one."""
    then = str(hardware.get("platform") or "")
    if then and here and _kind(then) != _kind(here):
        yield (
            f"the run was made on another platform, {then}, and this one is {here}: packages may not exist for it, and numbers may come"
            " out otherwise"
        )


def _kind(platform: str) -> tuple[str, str]:
    """System and processor of ``Linux-6.1.0-x86_64``, or ``macOS-14.5 arm64``."""
    words = re.split(r"[-\s]+", platform.strip().lower())
    return _SAME.get(words[0], words[0]), _SAME.get(words[-1], words[-1])


def _entry(recorded: Recorded, changed: Mapping[str, Any]) -> Mapping[str, Any]:
    entry, kind = recorded.entry, recorded.entry.get("kind")
    which = f"run {recorded.id[:8]}"
    if kind == "project":
        return _with(which, entry, {name: str(value) for name, value in changed.items()})
    if kind == "flow":
        return _with(which, entry, changed)
    if kind == "script":
        if changed:
            raise NotReproducible(
                f"{which} was a script, which takes its arguments as it likes: -P is for flows and projects; to change what"
                f" it was given, run it yourself: {shlex.join(entry.get('arguments', ()))}"
            )
        if masked(entry.get("arguments", ())):
            raise NotReproducible(f"{which}: an argument was masked when it was recorded, so nobody knows what it was")
        return entry
    said = {
        "notebook": "was made in a notebook: which cells ran, and in which order, is not known",
        "interactive": "was made at a prompt, of which nothing is kept",
    }
    raise NotReproducible(f"{which} {said.get(str(kind), 'does not say what was started (capture was off, or it is of an older version)')}")


def _with(which: str, entry: Mapping[str, Any], changed: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = {**entry.get("parameters", {}), **changed}
    unknown = [name for name in entry.get("unkept", ()) if name not in changed]
    unknown += [name for name, value in parameters.items() if masked(value)]
    if unknown:
        raise NotReproducible(
            f"{which}: the values of {listed(unknown)} are not recorded (secrets are masked, and objects that are no JSON are not kept):"
            " say them with -P"
        )
    return {**entry, "parameters": parameters}


def _lacking(recorded: Recorded) -> Iterator[str]:
    code = recorded.code
    project = recorded.entry.get("kind") == "project"
    if not code.commit and project:
        yield "the project was in no git repository: it is taken as it is now"
    elif not code.commit:
        yield "the code was in no git repository, or git was not asked: it is taken as it is now"
    elif code.left_out:
        yield f"changes of {count(len(code.left_out), 'file')} were not kept: " + listed(
            [f"{path or 'all'} ({why})" for path, why in code.left_out.items()]
        )
    elif code.dirty and not code.patch:
        yield "there were changes that were not committed, and they were not kept: the commit alone is run"
    elif code.dirty is None:
        yield "git did not say in time whether there were changes that were not committed: the commit alone is run"
    if project:
        if recorded.entry.get("environment") in ("conda", "docker"):
            yield "the environment is made of what the project names: packages whose versions it leaves open may be others than they were"
        return
    if not recorded.packages:
        yield "which packages were installed was not recorded: those that are here are used"
    local = [f"{name} ({where})" for name, where in recorded.origins.items() if name != OURS and where.startswith(("-e", "file:"))]
    if local:
        yield f"{count(len(local), 'package')} came from folders that may be others by now: {listed(local)}"
    if recorded.seed is None:
        yield "no seed was recorded (set_seed): what is drawn may be drawn otherwise"
