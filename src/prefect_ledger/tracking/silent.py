"""Floor 5. The mode "disabled": a ledger and a run that take every verb and keep nothing. No journal, thread, file or connection.

The verbs are made from the public names of :class:`ActiveRun`, so that one which is added there is silent here by itself. What a verb is
given is not looked at.
"""

from __future__ import annotations

import inspect
import threading
import uuid
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from prefect_ledger.entities import LoggedModel
from prefect_ledger.errors import NotOnline
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.runs import ActiveRun, Shared

if TYPE_CHECKING:
    from collections.abc import Callable

    from prefect_ledger.settings import Settings

_WRITES = ("log", "set", "add", "alert", "watch", "edit", "describe")  # what names begin with of verbs that say something


def refuse(*_ignored: Any, **_also: Any) -> NoReturn:
    """Say that there is nothing to be read.

    Raises:
        NotOnline.
    """
    raise NotOnline(
        "the ledger is disabled here, so nothing was recorded and nothing can be read: leave PREFECT_LEDGER_MODE=disabled (or the setting"
        " mode) out, or say online"
    )


def _nothing(*_ignored: Any, **_also: Any) -> None:
    """Does nothing."""


class SilentRun(ActiveRun):
    """A run that keeps nothing: it has an id and a name, and every verb of :class:`ActiveRun` returns at once."""

    def __init__(self, ledger: Ledger, shared: Shared) -> None:  # of Channel's own there is nothing: it would join a journal
        self.run_id, self.attempt, self.task_run_id, self.try_number = shared.run_id, shared.attempt, "", 1
        self._ledger, self._shared = ledger, shared

    def __repr__(self) -> str:
        return f"<SilentRun {self.id[:8]}: the ledger is disabled>"

    @property
    def artifact_uri(self) -> str:
        """Nowhere."""
        return ""

    def log_model(self, model: Any = None, name: Any = "", *_ignored: Any, **_also: Any) -> LoggedModel:  # noqa: ARG002
        """A model that is nowhere, with an id and the name that was given."""
        return LoggedModel(f"m-{uuid.uuid4().hex}", str(name), self.run_id, path="", digest="", flavor="", size=0)

    def log_prepared_model(self, prepared: Any = None, name: Any = "", *_ignored: Any, **_also: Any) -> LoggedModel:
        """As :meth:`log_model`; what was saved aside is removed."""
        if hasattr(prepared, "drop"):
            prepared.drop()
        return self.log_model(None, name)

    def for_task(self, *_ignored: Any, **_also: Any) -> ActiveRun:
        """This run: there are no points to be kept apart."""
        return self

    def finish(self, *_ignored: Any, **_also: Any) -> None:
        """End the run, which changes :attr:`finished` and nothing else."""
        self._shared.finished = True

    def end(self, *_ignored: Any, **_also: Any) -> None:
        """As :meth:`finish`."""
        self.finish()

    def __enter__(self) -> Self:
        from prefect_ledger.tracking.context import _current

        self._shared.entered.append((threading.get_ident(), _current.set(self)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        super().__exit__(kind, error, trace)


def _silent(name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
    """What stands for a verb: one that says something, or gives nothing back, does nothing; one that reads refuses."""
    gives = inspect.signature(verb).return_annotation
    return _nothing if name.startswith(_WRITES) or gives in (None, "None") else refuse


for _name in dir(ActiveRun):
    _verb = getattr(ActiveRun, _name)
    if not _name.startswith("_") and callable(_verb) and _name not in vars(SilentRun):
        setattr(SilentRun, _name, _silent(_name, _verb))


class SilentLedger(Ledger):
    """The ledger of a process in which nothing is recorded."""

    silent = True

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.anywhere = self.start()

    database = property(refuse)
    artifacts = property(refuse)
    reader = property(refuse)

    def enter(self, run_id: str = "", *, attempt: int = 1, experiment: str | None = None, name: str = "", **_ignored: Any) -> ActiveRun:
        """A silent run of this id."""
        return SilentRun(self, Shared(run_id, attempt, name=name or run_id[:8], experiment=experiment or "", artifact_uri="", owner=True))

    def start(self, *, experiment: Any = None, name: Any = None, **_ignored: Any) -> ActiveRun:
        """A silent run of a new id."""
        run_id = str(uuid.uuid4())
        return self.enter(run_id, experiment=experiment, name=name or f"disabled-{run_id[:8]}")

    def attach(self, run_id: str) -> ActiveRun:
        """A silent run of this id."""
        return self.enter(str(run_id))

    def ended(self, run: ActiveRun) -> None:
        """Nothing was begun."""

    def flush(self, timeout: float = 0.0) -> int:  # noqa: ARG002
        """Nothing is held."""
        return 0

    def close(self, timeout: float = 0.0, *, refuse: bool = True) -> None:
        """Nothing was opened."""
