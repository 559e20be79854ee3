"""Floor 5. Child runs for what is tried below a run: candidates of a search, trials of a study."""

from __future__ import annotations

import uuid

from prefect_ledger.tracking.runs import ActiveRun


def open_child(parent: ActiveRun, name: str, *, started: int | None = None) -> ActiveRun:
    """A run below ``parent``, in its experiment, begun at ``started`` (µs since 1970); its surroundings are its parent's."""
    return parent._ledger.enter(
        str(uuid.uuid4()), experiment=parent.experiment, name=name, kind="script", parent=parent.id, started=started
    )
