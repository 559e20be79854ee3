"""Floor 5. Under which surroundings a run was started: recorded beside it, by a thread that nobody waits for."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prefect_ledger.capture import GitState
    from prefect_ledger.settings import Settings
    from prefect_ledger.tracking.runs import ActiveRun

PATCH = "code/changes.patch"  # the artifact that has what the commit has not
_CODE = "code"  # its kind


def describe(run: ActiveRun, folder: Path, settings: Settings, facts: Mapping[str, Any] | None = None) -> None:
    """Record what can be known of the surroundings of a run whose code lies in ``folder``; ``facts`` is what is known already."""
    from prefect_ledger import capture

    found: dict[str, Any] = {**(facts or {}), "environment": capture.environment()}
    state = capture.git(folder) if settings.capture_git else None
    if state is not None:
        found["git"] = asdict(state)
        if state.root and state.dirty is not None and keeps_changes(settings):
            found["git"]["changes"] = kept(run, state)
    if settings.capture_packages and (elsewhere := capture.origins()):
        found["origins"] = elsewhere
    if settings.capture_packages and (
        locks := capture.lock_files([Path(state.root), folder] if state is not None and state.root else [folder])
    ):
        found["locks"] = [list(pair) for pair in locks.items()]  # pairs: a path is no name of a secret
    found["variables"] = capture.variables(settings.capture_variables)
    run.describe(found, capture.packages() if settings.capture_packages else None)


def keeps_changes(settings: Settings) -> bool:
    """Whether uncommitted changes are kept: by themselves where nobody but this machine's users sees them."""
    if settings.capture_changes != "auto":
        return settings.capture_changes == "on"
    return settings.store_url.startswith("sqlite") and "://" not in settings.artifact_root


def entry_of_script(place: int = 0) -> dict[str, Any]:
    """What was started: a script or module with its arguments, a notebook, or nothing that could be started again.

    ``place``: of the run among those that the process began.
    """
    from prefect_ledger.masking import mask_argv

    main: Any = sys.modules.get("__main__")
    if "ipykernel" in sys.modules:
        return {"kind": "notebook"}
    file, spec = getattr(main, "__file__", None), getattr(main, "__spec__", None)
    if not file:
        return {"kind": "interactive"}
    # Arguments as they are now: a program may have changed them, and then it is not known what they were.
    entry = {"kind": "script", "file": os.path.abspath(file), "arguments": mask_argv(sys.argv)[1:], "place": place}
    return {**entry, "module": spec.name.removesuffix(".__main__")} if spec is not None and spec.name else entry


def kept(run: ActiveRun, state: GitState) -> dict[str, Any] | None:
    """Keep the changes of the working tree whose top is ``state.root`` as an artifact; returns what to say of them, None where git does not
    say."""
    from prefect_ledger import capture

    found = capture.changes(state.root)
    if found is None:
        return None
    told: dict[str, Any] = {
        "files": list(found.files),
        "left_out": [list(pair) for pair in found.left_out.items()],
    }  # pairs: a path is no name of a secret
    if found.patch:
        try:
            run.keep_code(found.patch, PATCH)
        except LedgerError as error:  # the run goes on without them
            return {**told, "lost": str(error)}
        told["artifact"] = PATCH
    return told
