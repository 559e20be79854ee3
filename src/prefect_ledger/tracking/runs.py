"""Floor 5. The handle of a run that is being written, and the verbs on it.

A verb checks what can be checked here, puts one record into the journal and returns; no verb waits for a database. Handles of one run
(its tasks' too) share one :class:`Shared`, so that a parameter changed by another thread is refused as well.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from prefect_ledger import html
from prefect_ledger.entities import RunStatus
from prefect_ledger.errors import InvalidValue, LedgerError, ParamChanged, RunFinished, RunStopped
from prefect_ledger.events import (
    ParamsLogged,
    RunDescribed,
    RunEdited,
    RunStatusSeen,
    TagsSet,
)
from prefect_ledger.masking import mask_name
from prefect_ledger.names import check_name
from prefect_ledger.tracking.alerts import EVERY, Level
from prefect_ledger.tracking.artifact_verbs import ArtifactVerbs
from prefect_ledger.tracking.clock import now
from prefect_ledger.tracking.editing import check_description
from prefect_ledger.tracking.params import flatten
from prefect_ledger.tracking.paths import check_model_name
from prefect_ledger.tracking.tags import tag_texts

if TYPE_CHECKING:
    from contextvars import Token

    from prefect_ledger.entities import LoggedModel
    from prefect_ledger.meters import Meter
    from prefect_ledger.series import Series
    from prefect_ledger.tracking.ledger import Ledger
    from prefect_ledger.tracking.models import Prepared

__all__ = ["ActiveRun", "Shared", "now"]

_ENDS = tuple(status.value for status in RunStatus if status.final)
_LIVE: weakref.WeakSet[Shared] = weakref.WeakSet()


class Shared:
    """What all handles of one attempt of a run in this process have in common."""

    def __init__(self, run_id: str, attempt: int, *, name: str, experiment: str, artifact_uri: str, owner: bool, kind: str = "") -> None:
        self.kind = kind
        self.started = 0  # µs since 1970
        self.run_id, self.attempt, self.name, self.experiment = run_id, attempt, name, experiment
        self.artifact_uri, self.owner = artifact_uri, owner
        self.params: dict[str, str] = {}
        # Whoever works for a task holds its handle; a flow of a hundred thousand tasks must not hold them all.
        self.handles: weakref.WeakValueDictionary[tuple[str, int], ActiveRun] = weakref.WeakValueDictionary()
        self.mutex = threading.RLock()  # a signal handler that logs may come in between
        self.finished, self.stopped = False, ""  # why it was asked to end
        self.tables: dict[str, Any] = {}  # arrow's schema of each table so far, as this process logged it
        self.counted: dict[tuple[str, str, str], int] = {}  # the last step of pictures that came without one
        self.alerts: dict[tuple[str, str], float] = {}  # by title and level: when it was said last, on the clock of time.monotonic
        self.meters: dict[str, Meter] = {}  # by task run, '' for the run itself: what each used here
        self.pid = os.getpid()
        self.entered: list[tuple[int, Token[ActiveRun | None]]] = []  # thread, and what was the run there before
        _LIVE.add(self)


class ActiveRun(ArtifactVerbs):
    """A run that takes values: from any thread, from a forked child, until it is finished.

    Made by :func:`start_run`, :func:`open_run`, :func:`current_run` and the decorators.

    Example:
        >>> from prefect_ledger import start_run
        >>> with start_run(experiment="docs") as run:
        ...     run.log_param("depth", 6)
        ...     run.log_metric("loss", 0.25, step=0)
    """

    def __init__(self, ledger: Ledger, shared: Shared, *, task_run_id: str = "", try_number: int = 1) -> None:
        super().__init__(ledger.journal, shared.run_id, attempt=shared.attempt, task_run_id=task_run_id, try_number=try_number)
        self._ledger, self._shared = ledger, shared

    def __repr__(self) -> str:
        return f"<ActiveRun {self.id[:8]} {self.name!r} in {self.experiment!r}>"

    def _repr_html_(self) -> str:
        """What a notebook shows of a run that is open or was: which it is. ``get_run(run.id)`` shows what it logged."""
        state = html.status("RUNNING") if not self.finished else "finished here"
        about = {"id": html.text(self.id), "experiment": html.text(self.experiment)}
        return html.title(self.name, state) + html.pairs(about, most=len(about))

    @property
    def id(self) -> str:
        """The run's id: 36 characters, under Prefect the flow run's."""
        return self.run_id

    @property
    def name(self) -> str:
        """The run's name."""
        return self._shared.name

    @property
    def experiment(self) -> str:
        """The name of the run's experiment."""
        return self._shared.experiment

    @property
    def artifact_uri(self) -> str:
        """Where this attempt's artifacts are put."""
        if not self._shared.artifact_uri:
            self._ledger.find_place(self)
        return self._shared.artifact_uri

    @property
    def kind(self) -> str:
        """What began the run: "flow", "task" or "script"; empty where it was only attached to."""
        return self._shared.kind

    @property
    def owned(self) -> bool:
        """Whether this process began the run, so that its end is the run's. A forked child owns nothing of its parent's."""
        return self._shared.owner and self._shared.pid == os.getpid()

    @property
    def finished(self) -> bool:
        """Whether the run takes no more values from this process."""
        return self._shared.finished

    # --- parameters and tags --------------------------------------------------------------------------------------

    def log_param(self, key: str, value: Any) -> None:
        """Log one parameter; see :meth:`log_params`."""
        self.log_params({key: value})

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters, kept as text; nested values become ``a.b``, secrets are masked. All are checked before any is kept.

        Raises:
            ParamChanged: a key has another value in this attempt; the same value again is fine.
            InvalidName, InvalidValue, RunFinished.
        """
        if not isinstance(params, Mapping):
            raise InvalidValue(f"log_params takes a mapping of names to values, not {type(params).__name__}")
        self._keep_params(flatten(params, strict=True))

    def log_auto_params(self, params: Mapping[str, Any]) -> None:
        """Log the arguments of a call: whatever they are, this never ends the run. Frames and arrays become datasets."""
        from prefect_ledger.tracking.datasets import describe, is_tabular

        plain: dict[str, Any] = {}
        for key, value in params.items():
            try:
                found = describe(value, name=key) if is_tabular(value) else None
            except LedgerError:  # an odd name, or a frame of things that have no digest: described as text like the others
                found = None
            if found is None:
                plain[key] = value
            else:
                self.record_dataset(
                    found.name, found.digest, context="parameter", source=found.source, rows=found.rows, schema=found.schema
                )
        values = flatten(plain, strict=False)
        known = self._shared.params
        self._keep_params({k: v for k, v in values.items() if known.get(k, v) == v})

    def _keep_params(self, values: Mapping[str, str]) -> None:
        self._check_open()
        shared = self._shared
        with shared.mutex:
            for key, value in values.items():
                if shared.params.get(key, value) != value:
                    raise ParamChanged(
                        f"parameter {key!r} is {shared.params[key]!r} in this attempt and cannot become {value!r}:"
                        " log another key, or log_metric for what changes"
                    )
            new = {key: value for key, value in values.items() if key not in shared.params}
            shared.params.update(new)
        if new:
            self.say(ParamsLogged(run=self.id, at=now(), attempt=self.attempt, values=new, task=self.task_run_id))

    def set_tag(self, key: str, value: Any) -> None:
        """Set one tag; see :meth:`set_tags`."""
        self.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags, kept as text; the latest value stays, None removes the tag.

        Raises:
            InvalidName, InvalidValue, RunFinished.
        """
        values = tag_texts(tags)
        self._check_open()
        if values:
            self.say(TagsSet(run=self.id, at=now(), values=values))

    def rename(self, name: str) -> None:
        """Give the run another name. Raises InvalidName, RunFinished; :func:`prefect_ledger.rename_run` is for runs that have ended."""
        check_name(name, "run")
        self._check_open()
        self._shared.name = name = mask_name(name)
        self.say(RunEdited(run=self.id, at=now(), name=name))

    def set_description(self, text: str) -> None:
        """Write what the run is about, in Markdown if you like; "" takes it away.

        Raises:
            InvalidValue: more than 20,000 characters, or no text. RunFinished: :func:`prefect_ledger.describe_run` is for ended runs.
        """
        check_description(text)
        self._check_open()
        self.say(RunEdited(run=self.id, at=now(), description=text))

    def alert(self, title: str, text: str = "", level: Level = "info", *, every: float = EVERY) -> bool:
        """Have somebody know something now: kept on the run, and told by the ways that the settings name (``alert_to``).

        An alert of the same title and level is not said again within ``every`` seconds in this process, so that one in a loop does not
        flood anybody. Returns whether it was said. Like all verbs it waits for nobody.

        Raises:
            InvalidValue: a title of none or more than 250 characters, a text of more than 8,000, another level, or an ``every`` that is
            no number from 0. RunFinished.

        Example:
            >>> from prefect_ledger import start_run
            >>> with start_run(experiment="docs") as run:
            ...     run.alert("loss is NaN", "at step 17", level="error"), run.alert("loss is NaN", "at step 18", level="error")
            (True, False)
        """
        from prefect_ledger.tracking import alerts

        alerts.check(title, text, level)
        alerts.check_every(every)
        self._check_open()
        return alerts.say(self, self._shared, title, text, level, every)

    # --- models ---------------------------------------------------------------------------------------------------

    def log_model(
        self,
        model: Any,
        name: str,
        *,
        flavor: str = "auto",
        signature: Any = "auto",
        input_example: Any = None,
        requirements: Any = "auto",
        metadata: Mapping[str, Any] | None = None,
        code_paths: Sequence[str | os.PathLike[str]] | None = None,
        register: str | bool | None = None,
    ) -> LoggedModel:
        """Log ``model`` as a model ``name`` of this run, a folder in the MLmodel format; each call makes a model of its own.

        What is saved with it, and how it is found out, is said at :func:`prefect_ledger.save_model`. ``register`` asks for a version in the
        registry, under this name (True) or another.

        Raises:
            InvalidName: ``name`` cannot stand in a reference. InvalidValue: the model cannot be saved so. MissingExtra: a package is not
            installed. RunFinished.

        Example:
            >>> from prefect_ledger import start_run
            >>> with start_run(experiment="docs") as run:
            ...     logged = run.log_model(lambda data: [2 * x for x in data], "double", input_example=[1.0])
            >>> logged.uri.startswith("models:/m-")
            True
        """
        from prefect_ledger.models.saving import Request
        from prefect_ledger.tracking import models

        check_model_name(name)
        if register is not None and register is not True and register is not False:
            check_model_name(register)
        self._check_open()
        asked = Request(flavor, signature, input_example, requirements, metadata, code_paths)
        return self.log_prepared_model(models.Prepared(model, asked), name, register)

    def log_prepared_model(self, prepared: Prepared, name: str, register: object = None) -> LoggedModel:
        """Log a model that was saved aside; it is gone from there afterwards."""
        from prefect_ledger.tracking import models

        self._check_open()
        return models.log_prepared(self, prepared, name, register)

    # --- reading and life -----------------------------------------------------------------------------------------

    def metric(self, key: str) -> Series:
        """The whole series of ``key`` so far; what is still in the journal is brought into the store first.

        Raises:
            MetricNotFound: nothing was logged under this key. StoreUnavailable: the store cannot be asked.
        """
        self._ledger.flush()
        return self._ledger.reader.metric(self.id, key, None, None)

    def describe(self, facts: Mapping[str, Any], packages: Mapping[str, str] | None = None) -> None:
        """Record surroundings; values under secret names, and secrets in texts, are masked."""
        self.say(RunDescribed(run=self.id, at=now(), facts=dict(facts), packages=dict(packages or {})))

    def for_task(self, task_run_id: str, try_number: int = 1) -> ActiveRun:
        """The handle for one try of a task run of this run: its points are series of their own."""
        shared, place = self._shared, (task_run_id, try_number)
        with shared.mutex:
            handle = shared.handles.get(place)
            if handle is None:
                handle = shared.handles[place] = ActiveRun(self._ledger, shared, task_run_id=task_run_id, try_number=try_number)
                if shared.finished:
                    handle.close()
                elif shared.stopped:
                    handle.break_off(shared.stopped)
            return handle

    def stop(self, reason: str) -> None:
        """Ask the code of this run, in this process, to end: the next verb that it calls raises RunStopped. Who began the run ends it."""
        shared = self._shared
        with shared.mutex:
            shared.stopped = reason
            handles = [self, *shared.handles.values()]
        for handle in handles:
            handle.break_off(reason)

    @property
    def stopped(self) -> str:
        """Why the run was asked to end; empty where it was not."""
        return self._shared.stopped

    def status_seen(
        self,
        status: str,
        *,
        at: int | None = None,
        reason: str = "",
        provisional: bool = False,
        exception: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a status of the run without closing its handles."""
        self.say(
            RunStatusSeen(
                run=self.id,
                at=at or now(),
                attempt=self.attempt,
                status=RunStatus(status).value,
                reason=reason,
                provisional=provisional,
                exception=dict(exception or {}),
            )
        )

    def finish(
        self,
        status: str = "COMPLETED",
        *,
        reason: str = "",
        exception: BaseException | Mapping[str, Any] | None = None,
        refuse: bool = True,
    ) -> None:
        """End the run; every handle of it in this process refuses values from here on. A second call does nothing.

        ``exception`` is the one that ended it, kept with its traceback. With ``refuse=False`` the end is said and values are still taken.

        Raises:
            InvalidValue: not a status in which a run ends, a reason that is no text, an exception that is none.
        """
        if status not in _ENDS:
            raise InvalidValue(f"a run ends as {', '.join(_ENDS)}, not as {status!r}")
        if not isinstance(reason, str):  # before anything is closed: a run whose end is not said would run for ever
            raise InvalidValue(f"the reason of an end is text, not {type(reason).__name__}")
        described = _described(exception)
        shared = self._shared
        with shared.mutex:
            if shared.finished:
                return
            shared.finished = refuse
            handles = [self, *shared.handles.values()]
        self.status_seen(status, reason=reason, exception=described)
        if refuse:
            for handle in handles:
                handle.close()
            self._ledger.ended(self)

    def end(self, error: BaseException | None, *, refuse: bool = True) -> None:
        """End the run as the block or program did that ``error`` left: with none, it is COMPLETED."""
        if error is None or isinstance(error, GeneratorExit) or (isinstance(error, SystemExit) and not error.code):
            self.finish(refuse=refuse)
        elif isinstance(error, KeyboardInterrupt) or type(error).__name__ == "CancelledError":  # asyncio's, without importing it
            reason = "interrupted from the keyboard" if isinstance(error, KeyboardInterrupt) else "cancelled"
            self.finish("CANCELLED", reason=reason, refuse=refuse)
        elif isinstance(error, RunStopped):
            self.finish("CANCELLED", reason=str(error), refuse=refuse)
        else:
            described = _described(error)
            reason = f"{type(error).__name__}: {described.get('message', '')}"[:500]
            self.finish("FAILED", reason=reason, exception=described, refuse=refuse)

    def __enter__(self) -> Self:
        from prefect_ledger.tracking.context import _current

        if self.finished:
            raise RunFinished(f"run {self.id} is finished; start_run() makes a new one")
        with self._shared.mutex:
            self._shared.entered.append((threading.get_ident(), _current.set(self)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        from prefect_ledger.tracking.context import _current

        token, outermost = self._left()
        with contextlib.suppress(ValueError):  # entered in another context, as a generator may be
            _current.reset(token)
        if outermost and self.owned:  # one attached by open_run is ended by whoever started it
            self.end(error)

    def _left(self) -> tuple[Token[ActiveRun | None], bool]:
        """What the block that is being left had entered, and whether no other block of this run is open in any thread."""
        entered, here = self._shared.entered, threading.get_ident()
        with self._shared.mutex:
            index = max((i for i, (thread, _) in enumerate(entered) if thread == here), default=len(entered) - 1)
            return entered.pop(index)[1], not entered


def _described(error: BaseException | Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What is kept of an exception: its class, text and traceback."""
    if isinstance(error, BaseException):
        from prefect_ledger import capture

        return capture.exception(error)
    if error is not None and not isinstance(error, Mapping):
        raise InvalidValue(f"exception is the exception itself, or a mapping, not {type(error).__name__}")
    return error or {}


def _forked() -> None:
    """In the child: a lock that another thread held at the fork would never be free; blocks are open in this thread alone."""
    here = threading.get_ident()
    for shared in list(_LIVE):
        shared.mutex = threading.RLock()
        shared.meters = {}
        shared.entered = [(thread, token) for thread, token in shared.entered if thread == here]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
