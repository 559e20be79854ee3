"""Floor 5. The run of a project: below what started it, with what is run and in which environment, and an end that is the program's."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger import capture
from prefect_ledger.errors import LedgerError, NoActiveRun
from prefect_ledger.events import ArtifactLogged
from prefect_ledger.masking import mask_text
from prefect_ledger.names import check_name, fitted_name
from prefect_ledger.projects import clones
from prefect_ledger.settings import PREFIX, Settings
from prefect_ledger.tracking import context, given, surroundings
from prefect_ledger.tracking.clock import now
from prefect_ledger.tracking.keeping import keep
from prefect_ledger.tracking.ledger import ledger
from prefect_ledger.tracking.media_types import media_type

if TYPE_CHECKING:
    from prefect_ledger.artifact_store import ArtifactStore, Stored
    from prefect_ledger.projects.commands import Command
    from prefect_ledger.projects.environments import Environment
    from prefect_ledger.projects.opening import Opened
    from prefect_ledger.projects.places import Place
    from prefect_ledger.projects.spec import EntryPoint, Project
    from prefect_ledger.tracking.runs import ActiveRun

KIND = "project"
LOG = "output.log"
_BY_SHELL = 128  # what a shell adds to the number of the signal that ended its command
_KILLS = {int(one) for one in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGTERM, signal.SIGILL)}


def begin(project: Project, point: EntryPoint, *, experiment: str | None, name: str | None, tags: Mapping[str, Any]) -> ActiveRun:
    """A new run, below the run that is open here, if one is: in its experiment, else in one named after the project.

    Raises:
        InvalidName, InvalidValue: of the experiment, the name or the tags.
    """
    parent = _parent()
    where = experiment or (parent.experiment if parent is not None else "") or fitted_name(project.name)
    run_id = str(uuid.uuid4())
    if name is not None:
        check_name(name, "run")
    run = ledger().enter(
        run_id,
        experiment=check_name(where),
        name=name or fitted_name(f"{point.name}-{run_id[:8]}"),
        kind=KIND,
        parent=parent.id if parent is not None else None,
    )
    if tags:
        run.set_tags(tags)
    return run


def _parent() -> ActiveRun | None:
    try:
        found = context.active()
    except NoActiveRun:
        return None
    return found if not found.finished else None


def say_what(run: ActiveRun, place: Place, opened: Opened, project: Project, point: EntryPoint, version: str | None, manager: str) -> None:
    """Say what is run, before anything is built: as tags, by which runs are found, and as facts."""
    said = {
        "project.name": project.name,
        "project.uri": place.shown,
        "project.entry_point": point.name,
        "project.version": version or "",
        "project.commit": opened.commit,
        "project.branch": opened.branch,
        "project.environment": manager,
    }
    run.set_tags({key: value for key, value in said.items() if value})
    facts: dict[str, Any] = {"project": {key.removeprefix("project."): value for key, value in said.items()} | {"form": project.form}}
    if opened.commit:
        root = "" if opened.temporary else str(opened.folder)
        state = capture.GitState(opened.commit, opened.branch, opened.dirty, mask_text(opened.remote), root)
        facts["git"] = asdict(state) | _changes(run, opened, state)
    run.describe(facts)


def _changes(run: ActiveRun, opened: Opened, state: capture.GitState) -> dict[str, Any]:
    """What the project has and its commit has not, kept now: its program may change it, and need not be one that keeps anything."""
    settings = ledger().settings
    if (opened.temporary and not opened.dirty) or not settings.capture_git or not surroundings.keeps_changes(settings):
        return {}
    top = clones.top_of(opened.folder)
    return {} if top is None else {"changes": surroundings.kept(run, replace(state, root=str(top)))}


def say_how(run: ActiveRun, environment: Environment, command: Command, opened: Opened, project: Project) -> None:
    """Say what came of the environment, and the command."""
    here = capture.environment()
    here |= {"python": environment.python, "executable": environment.executable} if environment.python else {}
    here |= {"command": command.shown, "cwd": str(opened.folder)}
    made = {
        "manager": environment.manager,
        "description": environment.description,
        "key": environment.key,
        "notes": list(environment.notes),
        "form": project.environment.kind,
    }
    run.describe({"environment": here, "project_environment": made}, environment.packages or None)
    run.set_tags({"project.command": command.shown[:5000]})


def variables(run: ActiveRun, settings: Settings) -> dict[str, str]:
    """What has the program, and all it starts, log into ``run`` in this ledger, wherever the settings of this process come from."""
    found = {**settings.travelling(), "mode": settings.mode}
    if settings.mode != "disabled":
        found |= {"home": str(settings.home), "journal_root": str(settings.journal_root)}
    for name in ("capture_git", "capture_packages", "prefect_artifacts", "watch"):
        if settings.origin.get(name, "default") != "default":
            found[name] = str(getattr(settings, name)).lower()
    if settings.storage_options and settings.origin.get("storage_options", "default") in ("argument", "default"):
        found["storage_options"] = json.dumps(dict(settings.storage_options))
    return {f"{PREFIX}{name.upper()}": value for name, value in found.items()} | given.variables(run)


class Log:
    """The artifact ``output.log`` of a run: what its program has said so far, and in the end all of it. Trouble never ends the run.

    What was said so far lies in two places by turns, and the row names the one that was written last: whoever is killed while they write
    the other leaves a row whose bytes are whole. While the artifact root is away texts are held on this machine, one at a time.
    """

    def __init__(self, run: ActiveRun) -> None:
        self._run, self._ledger = run, ledger()
        self._turn = 0
        self._beside: dict[str, None] = {}  # places that have been written to, below the root
        self._held = ""  # the folder of the text that is held

    def so_far(self, text: str) -> None:
        """Keep ``text``, masked as it is, in the place of what was kept before."""
        self._turn += 1
        with contextlib.suppress(LedgerError, OSError):
            self._keep(text, f"{LOG}.{self._turn % 2}")

    def whole(self, text: str) -> None:
        """Keep all that was said, masked as it is; after it comes nothing."""
        with contextlib.suppress(LedgerError, OSError):  # the end of the run is to be told all the same
            self._keep(text, LOG)
            if self._beside:
                self._ledger.artifacts.remove(list(self._beside))

    def _keep(self, text: str, place: str) -> None:
        one, data, held = self._ledger, text.encode("utf-8", "replace"), ""
        if one.settings.mode == "disabled":
            return

        def put(store: ArtifactStore, base: str) -> Sequence[Stored]:
            nonlocal held
            held = base if one.offline or store is not one.artifacts else ""
            if held or place == LOG:
                return [store.put_bytes(base, LOG, data)]
            stored = store.put_bytes(base, place, data)
            self._beside[stored.uri.removeprefix(f"{store.root}/")] = None
            return [replace(stored, path=LOG)]

        keep(one, self._run, put, self._event, now())
        if self._held:
            shutil.rmtree(Path(self._held).parent, ignore_errors=True)
        self._held = held

    def _event(self, stored: Stored) -> ArtifactLogged:
        what = (stored.path, stored.uri, stored.size, stored.sha256, "text")
        return ArtifactLogged(self._run.id, now(), self._run.attempt, *what, metadata={"media": media_type(LOG)})


def end(run: ActiveRun, code: int | None, *, cancelled: str, by_shell: bool) -> str:
    """End the run as its program ended; returns the status."""
    killed = 0 if code is None else -code if code < 0 else code - _BY_SHELL if by_shell and code - _BY_SHELL in _KILLS else 0
    if cancelled:
        status, reason = "CANCELLED", cancelled
    elif code is None:
        status, reason = "FAILED", "how it ended is not known: another part of this process asked for its exit code, or SIGCHLD is ignored"
    elif code == 0:
        status, reason = "COMPLETED", ""
    elif killed:
        status, reason = "CRASHED", f"ended by the signal {_name(killed)}"
    else:
        status, reason = "FAILED", f"exit code {code}"
    run.finish(status, reason=reason)
    return status


def broken_off(run: ActiveRun, error: BaseException) -> None:
    """End the run whose program did not begin."""
    if isinstance(error, LedgerError):
        reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"[:500]
        run.finish("FAILED", reason=reason, exception=capture.exception(error))
    elif isinstance(error, Exception):
        run.end(error)
    else:
        run.finish("CANCELLED", reason="interrupted while it was being prepared")


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
