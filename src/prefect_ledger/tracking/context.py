"""Floor 5. Which run is meant when none is named: the one this context entered, else the one the orchestrator is running here."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING

from prefect_ledger.errors import LedgerError, NoActiveRun

if TYPE_CHECKING:
    from prefect_ledger.tracking.runs import ActiveRun

_current: ContextVar[ActiveRun | None] = ContextVar("prefect_ledger_run", default=None)

# Asked when no run was entered here, such as in a task's process; the front door sets it, so that this floor knows no orchestrator.
resolver: Callable[[], ActiveRun | None] | None = None

# The run that every verb means where none was entered: there is one where the ledger is disabled, and it keeps nothing.
anywhere: ActiveRun | None = None

# Told when the registry was changed, and events of that wait to be sent; the front door sets it too.
messenger: Callable[[], None] | None = None


# Told when an alert was said and waits to be told on; the front door sets it as well.
crier: Callable[[], None] | None = None


def current() -> ActiveRun | None:
    """The run entered in this context, if any. Threads made by hand begin without one: pass them the handle."""
    return _current.get()


def active() -> ActiveRun:
    """The run that a verb without a run means.

    Raises:
        NoActiveRun: none is open here.
    """
    run = _current.get() or anywhere
    if run is None and resolver is not None:
        run = resolver()
    if run is None:
        run = _given() or _of_no_ledger()
    if run is None:
        raise NoActiveRun(
            "no run is open here: decorate the flow with @tracked_flow, open one with start_run(), or in a thread of your own"
            " use the handle: run = current_run() outside, run.log_metric(...) inside"
        )
    return run


def _given() -> ActiveRun | None:
    """The run that this process was started for, such as a project's."""
    from prefect_ledger.tracking import given
    from prefect_ledger.tracking.ledger import ledger

    return given.attach(ledger()) if given.run_id() else None


def _of_no_ledger() -> ActiveRun | None:
    """The first verb of a process in which nothing is recorded finds that out here."""
    from prefect_ledger.tracking.ledger import ledger

    with contextlib.suppress(LedgerError):  # of settings that cannot be used: that there is no run is what is to be said
        return ledger().anywhere
    return None


@contextlib.contextmanager
def telling_later() -> Iterator[None]:
    """Tell of changes when the block ends: for somebody who waits for what it does, and not for the import of an orchestrator."""
    global messenger  # one for the process, as it was
    teller, wanted = messenger, list[None]()
    messenger = None if teller is None else lambda: wanted.append(None)
    try:
        yield
    finally:
        messenger = teller
        if wanted and teller is not None:
            with contextlib.suppress(Exception):  # the changes stand; what is not sent now is sent by the next one who looks
                teller()


@contextlib.contextmanager
def using(run: ActiveRun) -> Iterator[ActiveRun]:
    """Make ``run`` the current one of this context while the block runs."""
    token = _current.set(run)
    try:
        yield run
    finally:
        with contextlib.suppress(ValueError):  # a generator closed from another context
            _current.reset(token)
