"""Floor 5. What people write about runs afterwards: names, descriptions, tags. One transaction each, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.events import RunEdited, TagsSet, pack, unpack
from prefect_ledger.masked_events import masked_event
from prefect_ledger.names import DESCRIPTION_LIMIT, check_name

if TYPE_CHECKING:
    from prefect_ledger.entities import Run
    from prefect_ledger.events import Event
    from prefect_ledger.tracking.ledger import Ledger


def check_description(text: object) -> str:
    """``text`` if it can be a description.

    Raises:
        InvalidValue: otherwise.
    """
    if not isinstance(text, str) or len(text) > DESCRIPTION_LIMIT:
        found = f"{len(text):,} characters" if isinstance(text, str) else type(text).__name__
        raise InvalidValue(f"a description is text of at most {DESCRIPTION_LIMIT:,} characters, not {found}: log_text keeps long texts")
    return text


def rename_run(run_id: str, name: str) -> Run:
    """Give a run another name, also one that has ended; its id stays. Returns it as it is now.

    Raises:
        RunNotFound: no such run, or several. InvalidName: of the run, or the new one. StoreUnavailable.

    Example:
        >>> from prefect_ledger import rename_run, start_run
        >>> with start_run(experiment="docs", name="first") as run:
        ...     run.log_metric("auc", 0.5)
        >>> rename_run(run.id, "baseline").name
        'baseline'
    """
    check_name(name, "run")
    return _edited(run_id, name=name)


def describe_run(run_id: str, text: str) -> Run:
    """Write what a run is about, in Markdown if you like; "" takes it away. Returns the run as it is now.

    Raises:
        RunNotFound: no such run, or several. InvalidValue: more than 20,000 characters. StoreUnavailable.

    Example:
        >>> from prefect_ledger import describe_run, search_runs, start_run
        >>> with start_run(experiment="docs") as run:
        ...     run.log_metric("auc", 0.5)
        >>> _ = describe_run(run.id, "The **baseline** that all others are compared to.")
        >>> [found.id == run.id for found in search_runs("docs", "description ilike '%baseline%'")]
        [True]
    """
    check_description(text)
    return _edited(run_id, description=text)


def tag_runs(*runs: str, tags: Mapping[str, Any]) -> list[str]:
    """Set tags of any number of runs at once, also of ended ones; None removes one. All are tagged or none. Returns their whole ids.

    Raises:
        RunNotFound: no such run, or several. InvalidName, InvalidValue: of a tag. StoreUnavailable.

    Example:
        >>> from prefect_ledger import get_run, start_run, tag_runs
        >>> with start_run(experiment="docs") as run:
        ...     run.log_metric("auc", 0.5)
        >>> tag_runs(run.id, tags={"reviewed": "yes"}) == [run.id], get_run(run.id).tags["reviewed"]
        (True, 'yes')
    """
    from prefect_ledger.tracking.deletion import whole_ids
    from prefect_ledger.tracking.ledger import ledger
    from prefect_ledger.tracking.runs import now
    from prefect_ledger.tracking.tags import tag_texts

    texts = tag_texts(tags)
    one = ledger()
    found, at = whole_ids(one, runs), now()
    if texts:
        _write(one, found, (TagsSet(run=run, at=at, values=texts) for run in found))
    return found


def _edited(run_id: str, *, name: str | None = None, description: str | None = None) -> Run:
    from prefect_ledger.tracking.deletion import whole_ids
    from prefect_ledger.tracking.ledger import ledger
    from prefect_ledger.tracking.runs import now

    one = ledger()
    [run] = whole_ids(one, [run_id])
    _write(one, [run], [RunEdited(run=run, at=now(), name=name, description=description)])
    return one.reader.run(run)


def _write(one: Ledger, runs: list[str], events: Iterable[Event]) -> None:
    """Fold events as if a journal had brought them: who is later by the clock wins, wherever it was said.

    Raises:
        RunNotFound: one of the runs is not there, and nothing is written.
    """
    from prefect_ledger import removal_store, run_store

    with one.database.write() as tx:
        removal_store.check_there(tx, runs)
        run_store.fold(tx, (_kept(event) for event in events), "")


def _kept(event: Event) -> Event:
    """As the journal would have brought it: with nothing in it that a database does not take."""
    found = unpack(pack(masked_event(event)))
    assert found is not None
    return found
