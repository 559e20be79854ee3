"""Floor 3. Rows of logged models, folded from what is said of their MLmodel files. Functions take an open transaction, never commit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect_ledger.database import execute
from prefect_ledger.events import ABOUT_MODEL

if TYPE_CHECKING:
    import sqlalchemy as sa

    from prefect_ledger.events import ArtifactLogged

_TEXTS = ("id", "name", "digest", "flavor")


def is_to_register(e: ArtifactLogged) -> bool:
    """Whether a model is to become a version of a registered one by what is said here."""
    about = e.metadata.get(ABOUT_MODEL)
    return isinstance(about, Mapping) and isinstance(about.get("register"), str)


def fold(tx: sa.Connection, e: ArtifactLogged) -> None:
    """Bring a model into its row. One id is one model: of two that claim it, the one logged first keeps it."""
    about = e.metadata.get(ABOUT_MODEL)
    if not isinstance(about, Mapping) or not isinstance(about.get("size"), int) or not all(isinstance(about.get(k), str) for k in _TEXTS):
        return  # an artifact of this kind from somewhere else
    path = e.path.rpartition("/")[0]
    details: dict[str, Any] = {key: value for key, value in about.items() if key not in _TEXTS and key != "size"}
    execute(
        tx,
        """INSERT INTO models (id, run_id, attempt, task_run_id, name, path, digest, flavor, size, at, details)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET run_id = excluded.run_id, attempt = excluded.attempt,
            task_run_id = excluded.task_run_id, name = excluded.name, path = excluded.path, digest = excluded.digest,
            flavor = excluded.flavor, size = excluded.size, at = excluded.at, details = excluded.details
            WHERE (excluded.at, excluded.run_id, excluded.attempt, excluded.digest, excluded.path, excluded.details)
             < (models.at, models.run_id, models.attempt, models.digest, models.path, models.details)""",
        [
            about["id"][:34],
            e.run,
            e.attempt,
            e.task,
            about["name"][:250],
            path,
            about["digest"][:64],
            about["flavor"][:64],
            about["size"],
            e.at,
            json.dumps(details, ensure_ascii=False, separators=(",", ":")),
        ],
    )
    if isinstance(name := about.get("register"), str):
        text = "INSERT INTO registrations (logged_id, name, at) VALUES (?, ?, ?) ON CONFLICT (logged_id) DO NOTHING"
        execute(tx, text, [about["id"][:34], name[:250], e.at])
