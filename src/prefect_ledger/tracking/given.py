"""Floor 5. The run that this process was started for: a project's program logs into the project's run, and need not know of it.

The first ``start_run()`` of the program is that run. What it starts afterwards, also in processes of its own, is a child of it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from prefect_ledger.events import Noted
from prefect_ledger.names import check_name
from prefect_ledger.names import run_id as whole_id
from prefect_ledger.tracking import context
from prefect_ledger.tracking.clock import now
from prefect_ledger.tracking.tags import tag_texts

if TYPE_CHECKING:
    from prefect_ledger.tracking.ledger import Ledger
    from prefect_ledger.tracking.runs import ActiveRun

RUN, EXPERIMENT, NAME = "PREFECT_LEDGER_RUN_ID", "PREFECT_LEDGER_RUN_EXPERIMENT", "PREFECT_LEDGER_RUN_NAME"
TAKEN = "PREFECT_LEDGER_RUN_TAKEN"  # in the environment, so that processes which this one starts know of it too


def variables(run: ActiveRun) -> dict[str, str]:
    """What has a process that is started with them in its environment log into ``run``."""
    return {RUN: run.id, EXPERIMENT: run.experiment, NAME: run.name}


def run_id() -> str:
    """The id of the run, "" where none was given.

    Raises:
        InvalidName: what was given is no id.
    """
    text = os.environ.get(RUN, "")
    return whole_id(text) if text else ""


def attach(ledger: Ledger) -> ActiveRun | None:
    """A handle of the run; None where none was given. Its store is not asked where its experiment was given too."""
    if not (given := run_id()):
        return None
    experiment = os.environ.get(EXPERIMENT)
    return ledger.enter(given, experiment=experiment, name=os.environ.get(NAME, ""), owner=False) if experiment else ledger.attach(given)


def join(ledger: Ledger, *, experiment: str | None, name: str | None, tags: dict[str, Any] | None) -> ActiveRun | None:
    """The run, for the first who asks: renamed and tagged as asked. None for others, and where none was given.

    Raises:
        InvalidName, InvalidValue: of the name and the tags.
    """
    if not run_id() or os.environ.get(TAKEN) or context.current() is not None:
        return None
    if name is not None:
        check_name(name, "run")
    texts = tag_texts({} if tags is None else tags)
    run = attach(ledger)
    assert run is not None
    os.environ[TAKEN] = run.id
    if name is not None:
        run.rename(name)
    if texts:
        run.set_tags(texts)
    if experiment is not None and experiment != run.experiment:
        run.say(Noted(run.id, now(), f"start_run(experiment={experiment!r:.80}) joined the run of the project, in {run.experiment!r}"))
    return run
