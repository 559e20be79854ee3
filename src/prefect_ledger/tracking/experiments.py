"""Floor 5. Experiments, as users name and arrange them. What this process logged is brought in first."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from prefect_ledger.entities import Experiment
from prefect_ledger.events import clean
from prefect_ledger.masking import mask_text
from prefect_ledger.names import check_name
from prefect_ledger.tracking.editing import check_description
from prefect_ledger.tracking.ledger import LedgerWarning, ledger
from prefect_ledger.tracking.tags import tag_texts


def create_experiment(name: str, *, tags: Mapping[str, Any] | None = None) -> Experiment:
    """A new experiment. Runs make theirs by naming it; this is for one with tags, or one that must not be there yet.

    Raises:
        ExperimentExists: the name is taken, perhaps by a deleted one. InvalidName, InvalidValue. StoreUnavailable.

    Example:
        >>> from prefect_ledger import create_experiment
        >>> create_experiment("prices", tags={"team": "risk"}).name
        'prices'
    """
    from prefect_ledger import experiment_store as store
    from prefect_ledger.queries import experiments

    check_name(name)
    texts = tag_texts({} if tags is None else tags, "experiment")
    with _store() as tx:
        return experiments.get(tx, store.create(tx, name, texts))


def get_experiment(name_or_id: str | int) -> Experiment:
    """The experiment of this name, else of this id; also a deleted one, as its ``lifecycle`` says.

    Raises:
        ExperimentNotFound: the message offers near names. StoreUnavailable.

    Example:
        >>> from prefect_ledger import create_experiment, get_experiment
        >>> made = create_experiment("sales")
        >>> get_experiment("sales") == get_experiment(made.id)
        True
    """
    from prefect_ledger.queries import experiments

    with _store(write=False) as tx:
        return experiments.get(tx, experiments.find(tx, name_or_id))


def search_experiments(
    filter: str = "",  # noqa: A002 - the name that MLflow's users know
    *,
    lifecycle: Literal["active", "deleted", "all"] = "active",
    limit: int = 1000,
) -> list[Experiment]:
    """Experiments that match, the latest made first.

    The filter is the language of :func:`search_runs` over ``name``, ``experiment_id``, ``created``, ``description`` and ``tags.<key>``.

    Raises:
        InvalidFilter: the message points at the place. InvalidValue: lifecycle, or a limit outside 1 to 50,000. StoreUnavailable.

    Example:
        >>> from prefect_ledger import create_experiment, search_experiments
        >>> _ = create_experiment("returns", tags={"team": "risk"})
        >>> [found.name for found in search_experiments("name like 'ret%' and tags.team = 'risk'")]
        ['returns']
    """
    from prefect_ledger.queries import experiments
    from prefect_ledger.queries.search import check_lifecycle, check_limit

    lifecycle, limit = check_lifecycle(lifecycle), check_limit(limit)
    with _store(write=False) as tx:
        return experiments.search(tx, filter, lifecycle=lifecycle, limit=limit)


def count_runs() -> dict[int, tuple[int, int]]:
    """By the ids of experiments that have runs: how many are active, and how many deleted.

    Raises:
        StoreUnavailable.
    """
    from prefect_ledger.queries import experiments

    with _store(write=False) as tx:
        return experiments.run_counts(tx)


def rename_experiment(name_or_id: str | int, new_name: str) -> Experiment:
    """Give an experiment another name; its id, runs and artifacts stay where they are. Returns it as it is now.

    Raises:
        ExperimentNotFound. ExperimentExists: the new name is taken, perhaps by a deleted one. InvalidName.
        InvalidValue: "Default", or a deleted experiment. StoreUnavailable.

    Example:
        >>> from prefect_ledger import create_experiment, rename_experiment
        >>> _ = create_experiment("old-idea")
        >>> rename_experiment("old-idea", "new-idea").name
        'new-idea'
    """
    from prefect_ledger import experiment_store as store
    from prefect_ledger.queries import experiments

    check_name(new_name)
    with _store() as tx:
        number = experiments.find(tx, name_or_id)
        store.rename(tx, number, new_name)
        return experiments.get(tx, number)


def describe_experiment(name_or_id: str | int, text: str) -> Experiment:
    """Write what an experiment is about, in Markdown if you like; "" takes it away. Returns it as it is now.

    Raises:
        ExperimentNotFound. InvalidValue: more than 20,000 characters. StoreUnavailable.

    Example:
        >>> describe_experiment("churn", "Who leaves within a month.").description
        'Who leaves within a month.'
    """
    from prefect_ledger import experiment_store as store
    from prefect_ledger.queries import experiments

    text = clean(mask_text(check_description(text)))
    with _store() as tx:
        number = experiments.find(tx, name_or_id)
        store.describe(tx, number, text)
        return experiments.get(tx, number)


def tag_experiment(name_or_id: str | int, tags: Mapping[str, Any]) -> Experiment:
    """Set tags of an experiment; None removes one. Returns it as it is now.

    Raises:
        ExperimentNotFound. InvalidName, InvalidValue: of a tag. StoreUnavailable.

    Example:
        >>> dict(tag_experiment("churn", {"team": "risk", "draft": None}).tags)
        {'team': 'risk'}
    """
    from prefect_ledger import experiment_store as store
    from prefect_ledger.queries import experiments

    texts = tag_texts(tags, "experiment")
    with _store() as tx:
        number = experiments.find(tx, name_or_id)
        store.set_tags(tx, number, texts)
        return experiments.get(tx, number)


def delete_experiment(name_or_id: str | int) -> Experiment:
    """Mark an experiment and its active runs as deleted; nothing is erased and the name stays taken. Returns it as it is now.

    A run that names it afterwards makes it active again, without its deleted runs; :func:`restore_experiment` brings those back too.

    Raises:
        ExperimentNotFound. InvalidValue: "Default". StoreUnavailable.

    Example:
        >>> from prefect_ledger import create_experiment, delete_experiment, search_experiments
        >>> _ = create_experiment("scratch")
        >>> delete_experiment("scratch").lifecycle
        'deleted'
        >>> search_experiments("name = 'scratch'")
        []
    """
    from prefect_ledger import experiment_store as store
    from prefect_ledger.queries import experiments

    with _store() as tx:
        number = experiments.find(tx, name_or_id)
        store.delete(tx, number)
        return experiments.get(tx, number)


def restore_experiment(name_or_id: str | int) -> Experiment:
    """Take a deletion back: the experiment, and the runs that were deleted with it. Returns it as it is now.

    Runs that gc has begun to erase do not come back; a ``LedgerWarning`` says how many.

    Raises:
        ExperimentNotFound. StoreUnavailable.

    Example:
        >>> from prefect_ledger import create_experiment, delete_experiment, restore_experiment
        >>> _ = create_experiment("wanted")
        >>> _ = delete_experiment("wanted")
        >>> restore_experiment("wanted").lifecycle
        'active'
    """
    from prefect_ledger import experiment_store as store
    from prefect_ledger.queries import experiments

    with _store() as tx:
        number = experiments.find(tx, name_or_id)
        erased = store.restore(tx, number)
        found = experiments.get(tx, number)
    if erased:
        what = "one run" if erased == 1 else f"{erased:,} runs"
        warnings.warn(
            f"{what} of experiment {found.name!r} cannot be restored: gc has taken away what was logged, and will take the rest",
            LedgerWarning,
            stacklevel=2,
        )
    return found


@contextlib.contextmanager
def _store(*, write: bool = True) -> Iterator[Any]:
    """A transaction; Any, because nothing up here speaks SQL."""
    one = ledger()
    one.flush()
    with one.database.write() if write else one.database.read() as tx:
        yield tx
