"""Floor 4. Brings in what waits, wherever that is: journals first, then the artifacts that belong to their runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger import held_artifacts
from prefect_ledger.errors import ArtifactsUnavailable
from prefect_ledger.held_artifacts import Delivered
from prefect_ledger.recovery import Recovered, recover

if TYPE_CHECKING:
    from prefect_ledger.artifact_store import ArtifactStore
    from prefect_ledger.database import Database
    from prefect_ledger.waiting import Place


@dataclass
class BroughtIn:
    """What was brought in, and from where."""

    journals: Recovered = field(default_factory=Recovered)
    artifacts: Delivered = field(default_factory=Delivered)
    folders: list[Path] = field(default_factory=list)


def sync(
    places: Iterable[Place],
    database: Database,
    artifacts: Callable[[], ArtifactStore],
    *,
    between: Callable[[], bool] | None = None,
    sent: Callable[[int], object] | None = None,
) -> BroughtIn:
    """Bring everything in that waits in ``places``. Safe to be done twice, by several at once, and to be killed at any moment.

    ``between`` is called between batches of values and says whether to go on; ``sent`` hears the bytes of each artifact. An artifact
    root that is away is told in ``artifacts.trouble``, and hinders no values.

    Raises:
        StoreUnavailable: the store does not take them now; they stay.
    """
    done, places = BroughtIn(), list(places)
    for place in places:
        if place.journals is not None:  # also where it is not: what could not be written there lies in a temporary folder
            done.folders += [place.journals] if place.journals.is_dir() else []
            _add(done.journals, recover(place.journals, database, only=place.only, between=between))
    for place in places:
        if place.held is not None and place.held.is_dir():
            _add(done.artifacts, _sent(place.held, artifacts, database, sent))
            done.folders.append(place.held)
    return done


def _sent(folder: Path, artifacts: Callable[[], ArtifactStore], database: Database, step: Callable[[int], object] | None) -> Delivered:
    try:
        return held_artifacts.send(folder, artifacts(), database, step=step)
    except ArtifactsUnavailable as error:
        left = sum(len(events) for _, events in held_artifacts.held(folder))
        return Delivered(waiting=left, trouble=[str(error)])


def _add(total: Any, more: Any) -> None:
    """Add the numbers and lists of one report to another of its kind."""
    for one in fields(total):
        setattr(total, one.name, getattr(total, one.name) + getattr(more, one.name))
