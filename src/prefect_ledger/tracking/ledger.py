"""Floor 5. The ledger of this process: settings, journal, recorder and stores, made when first needed and ended at exit."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import sys
import threading
import time
import uuid
import warnings
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger import forks
from prefect_ledger.errors import RunNotFound, StoreUnavailable
from prefect_ledger.events import RunAttached, RunStarted, TagsSet
from prefect_ledger.journal import Journal
from prefect_ledger.masking import mask_name
from prefect_ledger.names import DEFAULT_EXPERIMENT, check_name, experiment_id, run_id_prefix
from prefect_ledger.names import run_id as whole_id
from prefect_ledger.settings import Settings
from prefect_ledger.tracking import begun, context, endings, exits, given, measured, seeds
from prefect_ledger.tracking.handles import Handles
from prefect_ledger.tracking.keeping import send_held, send_in_background
from prefect_ledger.tracking.origin import program, user
from prefect_ledger.tracking.runs import ActiveRun, Shared, now
from prefect_ledger.tracking.sending import Sender
from prefect_ledger.tracking.surroundings import describe, entry_of_script
from prefect_ledger.tracking.tags import tag_texts
from prefect_ledger.usage import Prices

if TYPE_CHECKING:
    from prefect_ledger.artifact_store import ArtifactStore
    from prefect_ledger.database import Database
    from prefect_ledger.entities import Run
    from prefect_ledger.queries import Reader
    from prefect_ledger.recorder import Left, Recorder

EXIT_SECONDS = 30.0
_WHOLE = 36  # characters of a run id
_CAPTURE_SECONDS = 5.0  # at exit and before a fork, for git and packages to be found out


class LedgerWarning(UserWarning):
    """Something about where values are kept that the user should know; the run goes on."""


class Ledger:
    """Everything of one ledger in this process. Safe to use from any thread, and after a fork."""

    offline = False  # the mode: nothing is asked of the store, ``offline.OfflineLedger``
    silent = False  # the mode: nothing is recorded at all, ``silent.SilentLedger``
    anywhere: ActiveRun | None = None  # the run that every verb means where none was entered: there is one where nothing is recorded

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.journal = Journal(settings.journal_folder, on_open=self._opened, on_trouble=_warn, store=settings.shown_store_url)
        self.recorder: Recorder | None = None
        self._handles = Handles()
        self._mutex = threading.RLock()
        self._capturing: list[threading.Thread] = []
        _LIVE.add(self)

    @functools.cached_property
    def database(self) -> Database:
        """The store's database; connected when first used."""
        from prefect_ledger.database import Database

        return Database(self._known().store_url)

    @functools.cached_property
    def artifacts(self) -> ArtifactStore:
        """Where artifacts' bytes go."""
        from prefect_ledger.artifact_store import ArtifactStore

        settings = self._known()
        return ArtifactStore(settings.artifact_root, settings.storage_options, cache=settings.home / "cache")

    def _known(self) -> Settings:
        """The settings with nothing missing: the block that could not be loaded is asked for again.

        Raises:
            BlockNotLoaded: in vain; what is logged waits in the journal meanwhile.
        """
        if self.settings.missing:
            self.settings = self.settings.loaded()
        return self.settings

    @functools.cached_property
    def reader(self) -> Reader:
        """Reading access to the store."""
        from prefect_ledger.queries import Reader

        return Reader(
            self.database,
            read_artifact=lambda artifact: self.artifacts.read_bytes(artifact.uri, sha256=artifact.sha256),
            prices=Prices(self.settings.cpu_hour_price, self.settings.gpu_hour_price),
        )

    @functools.cached_property
    def sender(self) -> Sender:
        """Sends what is held for a root that is far, while the run goes on."""
        return Sender(lambda: send_in_background(self))

    # --- runs -----------------------------------------------------------------------------------------------------

    def enter(
        self,
        run_id: str,
        *,
        attempt: int = 1,
        experiment: str | None = None,
        name: str = "",
        kind: str = "flow",
        parent: str | None = None,
        task_run_id: str = "",
        try_number: int = 1,
        owner: bool = True,
        started: int | None = None,
    ) -> ActiveRun:
        """The handle of an attempt of a run, said to have started (``owner``) or to be worked for from here.

        Called again for the same attempt it gives the same handle and says nothing, unless the run had been finished here.
        """
        with self._mutex:
            known = self._handles.open(run_id, attempt)
            if known is None:
                known = self._handles.keep(self._begin(run_id, attempt, experiment, name, kind, parent, owner, started))
        return known.for_task(task_run_id, try_number) if task_run_id else known

    def _begin(
        self, run_id: str, attempt: int, experiment: str | None, name: str, kind: str, parent: str | None, owner: bool, started: int | None
    ) -> ActiveRun:
        where = check_name(experiment or DEFAULT_EXPERIMENT)
        uri = self._artifact_uri(where, run_id, attempt) if not self.settings.missing else ""
        shared = Shared(run_id, attempt, name=mask_name(name) or run_id[:8], experiment=where, artifact_uri=uri, owner=owner, kind=kind)
        run = ActiveRun(self, shared)
        at = shared.started = started or now()
        if owner:
            run.say(
                RunStarted(
                    run=run_id,
                    at=at,
                    attempt=attempt,
                    experiment=where,
                    name=shared.name,
                    kind=kind,
                    user=user(),
                    parent=parent,
                    artifact_uri=uri or None,
                )
            )
            if seed := seeds.said():  # now: what is recorded beside the run may come after a seed that the run sets
                run.describe({"seeds": seed})
            measured.watch(run)
        else:
            run.say(RunAttached(run=run_id, at=at, attempt=attempt, experiment=experiment))
        return run

    def _artifact_uri(self, experiment: str, run_id: str, attempt: int) -> str:
        uri = self.artifacts.uri(experiment_id(experiment), run_id)
        return uri if attempt == 1 else f"{uri}.{attempt}"  # an earlier attempt's bytes stay what they were

    def find_place(self, run: ActiveRun) -> None:
        """Give a run that began before its artifacts' root was known its place there.

        Raises:
            BlockNotLoaded: it is still not known.
        """
        shared = run._shared
        shared.artifact_uri = self._artifact_uri(shared.experiment, run.id, run.attempt)
        if run.owned:  # said with the time it had: a later start would open an ended run again
            run.say(
                RunStarted(
                    run.id, shared.started, run.attempt, shared.experiment, shared.name, shared.kind, artifact_uri=shared.artifact_uri
                )
            )

    def start(
        self, *, experiment: str | None = None, name: str | None = None, tags: dict[str, Any] | None = None, parent: str | None = None
    ) -> ActiveRun:
        """A new run of a script or notebook; or, for the first of a project's program, the project's."""
        if parent is None:
            if (joined := given.join(self, experiment=experiment, name=name, tags=tags)) is not None:
                self._describe(joined)
                return joined
            parent = given.run_id() or None
        run_id = str(uuid.uuid4())
        if name is not None:
            check_name(name, "run")
        texts = tag_texts({} if tags is None else tags)  # before the run is said to have started
        exits.watch()
        run = self.enter(
            run_id,
            experiment=experiment,
            name=name or f"{program()}-{run_id[:8]}",
            kind="script",
            parent=None if parent is None else whole_id(parent),
        )
        if texts:
            run.say(TagsSet(run=run_id, at=now(), values=texts))
        measured.start(run)
        self._describe(run, begun.note(run))
        return run

    def attach(self, run_id: str) -> ActiveRun:
        """A handle of a run that exists: one open in this process, else one of the store. ``run_id`` may be a prefix.

        A whole id is always taken: the run's start may sit in another process's journal, and the store may be away.

        Raises:
            RunNotFound: no run begins with this prefix, or several do. InvalidName: not a run id.
            StoreUnavailable: a prefix, and no store to ask.
        """
        prefix = run_id_prefix(run_id)
        with self._mutex:
            here = self._handles.latest(prefix)
        if here is not None:
            return here
        try:
            found = self._found(prefix)
        except (RunNotFound, StoreUnavailable):
            if len(prefix) < _WHOLE:
                raise
            return self.enter(prefix, owner=False)
        run = self.enter(found.id, attempt=found.attempt, experiment=found.experiment, name=found.name, owner=False)
        if found.artifact_uri:  # its experiment may have had another name when the run was given its place
            run._shared.artifact_uri = found.artifact_uri
        return run

    def _found(self, prefix: str) -> Run:
        """The run in the store, also when it was finished here a moment ago and is still on its way there."""
        with contextlib.suppress(RunNotFound):
            found = self.reader.run(prefix)
            if found.started_at is not None:
                return found
        self.flush()
        return self.reader.run(prefix)

    def ended(self, run: ActiveRun) -> None:
        """A run of this process was finished: forget its handle, have the recorder look."""
        measured.ended(run)
        with self._mutex:
            self._handles.drop(run)
        self.journal.wake.set()

    def _describe(self, run: ActiveRun, place: int = 0) -> None:
        """Record the surroundings, beside the run: the caller does not wait for it."""
        given = (run, Path.cwd(), self.settings, {"entry": entry_of_script(place)})
        thread = threading.Thread(target=describe, args=given, name="prefect-ledger-capture", daemon=True)
        thread.start()
        self._capturing = [*(one for one in self._capturing if one.is_alive()), thread]

    # --- life -----------------------------------------------------------------------------------------------------

    def _opened(self, journal: Journal) -> None:
        """A journal was opened in this process: give it a recorder, and an end at exit."""
        self.recorder = self._new_recorder(journal)
        self.recorder.start()
        _end_at_exit()

    def _new_recorder(self, journal: Journal) -> Recorder:
        from prefect_ledger.recorder import Recorder

        return Recorder(journal, lambda: self.database)

    def flush(self, timeout: float = EXIT_SECONDS) -> int:
        """Bring what was logged until now into the store; returns how many records are still held (0: all is in)."""
        deadline = time.monotonic() + timeout
        held = self.recorder.flush(timeout) if self.recorder is not None else 0
        if "sender" in self.__dict__:
            self.sender.flush(deadline - time.monotonic())
        return held

    def close(self, timeout: float = EXIT_SECONDS, *, refuse: bool = True) -> None:
        """End what this process started and left open, drain, and stop. What the store does not take waits in the journal.

        Handles of those runs refuse values from here on, unless ``refuse`` is False: threads that outlive the program's end may go on.
        """
        deadline = time.monotonic() + _CAPTURE_SECONDS
        for thread in self._capturing:
            thread.join(max(0.0, deadline - time.monotonic()))
        error = exits.error_left_with()
        for run in self._handles.all():
            if run.owned and not run.finished and run.kind == "script":
                run.end(error, refuse=refuse)
        if self.recorder is not None:
            for sentence in self._last_words(self.recorder.finish(timeout)):
                _warn(sentence)
            self.recorder = None
        if "sender" in self.__dict__:
            self.sender.flush(timeout)
        if said := self._send_held():
            _warn(said)
        if "database" in self.__dict__:
            self.database.close()

    def _last_words(self, left: Left) -> Iterable[str]:
        return endings.not_stored(self, left)

    def _send_held(self) -> str:
        return send_held(self)


_ledger: Ledger | None = None
_LIVE: weakref.WeakSet[Ledger] = weakref.WeakSet()
_registered: set[int] = set()
_mutex = threading.Lock()


def ledger() -> Ledger:
    """The ledger of this process, its settings resolved when it is first asked for."""
    if _ledger is None:
        with _mutex:
            if _ledger is None:
                _use(Settings.resolve(patient=True))
    assert _ledger is not None
    return _ledger


def _use(settings: Settings) -> None:
    """Have this process's ledger be the one that the mode in ``settings`` asks for. With the mutex held."""
    global _ledger
    _ledger = _kind(settings)(settings)
    context.anywhere = _ledger.anywhere


def _kind(settings: Settings) -> type[Ledger]:
    if settings.mode == "disabled":
        from prefect_ledger.tracking.silent import SilentLedger

        return SilentLedger
    if settings.mode == "offline":
        from prefect_ledger.tracking.offline import OfflineLedger

        return OfflineLedger
    return Ledger


def configure(**settings: Any) -> Settings:
    """Use other settings from here on in this process, arguments before everything else; returns what was resolved.

    What was logged until now is brought into the store that it belongs to. A run of ``start_run`` that is open then ends, as COMPLETED, and
    its handle takes no more values: configure before the first run begins.

    Raises:
        InvalidSettings: an unknown setting or one that cannot be used.

    Example:
        >>> from prefect_ledger import configure
        >>> settings = configure(watch=False)
        >>> settings.watch, settings.origin["watch"]
        (False, 'argument')
    """
    resolved = Settings.resolve(**settings)
    with _mutex:
        before = _ledger
        _use(resolved)
    if before is not None:
        before.close()
    return resolved


def start_run(
    *, experiment: str | None = None, name: str | None = None, tags: dict[str, Any] | None = None, parent: str | None = None
) -> ActiveRun:
    """Open a run without Prefect: use it in a ``with`` block, or call ``finish()``.

    ``experiment`` is made when it is new ("Default" when left out); ``parent`` is the id of the run this one belongs to. In a program of a
    project the first call gives the project's run, and further ones give runs below it.

    Raises:
        InvalidName, InvalidValue: of the experiment, name, tags or parent. InvalidSettings: of the ledger, at the first run.

    Example:
        >>> from prefect_ledger import start_run
        >>> with start_run(experiment="docs", tags={"team": "risk"}) as run:
        ...     run.log_metric("auc", 0.91)
    """
    return ledger().start(experiment=experiment, name=name, tags=tags, parent=parent)


def open_run(run_id: str) -> ActiveRun:
    """A handle that logs into an existing run, from any process; ``run_id`` may be its first 8 characters.

    A whole id is taken as it is, known or not: workers attach before their run's start has come to the store, and while the store is
    away. What is logged under one that nobody began makes a run without a name, RUNNING until ``reconcile`` finds that nothing was heard
    of it. Its first characters are looked up and refused where no run has them, so they are better for an id that a person types.

    Raises:
        RunNotFound, InvalidName.

    Example:
        >>> from prefect_ledger import get_run, open_run, start_run
        >>> with start_run(experiment="docs") as run:
        ...     run.log_metric("auc", 0.5)
        >>> open_run(run.id).set_tag("reviewed", "yes")
        >>> get_run(run.id).tags["reviewed"]
        'yes'
    """
    return ledger().attach(run_id)


def _end_at_exit() -> None:
    """Have every ledger closed when this process ends, however it was started: forked workers run no ``atexit``, only ``Finalize``."""
    if os.getpid() in _registered:
        return
    _registered.add(os.getpid())
    atexit.register(_close_all)
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, _close_all, exitpriority=100)


def _close_all() -> None:
    for one in list(_LIVE):
        try:
            one.close(refuse=False)
        except Exception as error:  # noqa: BLE001  # the process is ending: say it, do not stand in its way
            _warn(f"{type(error).__name__}: {error}")


def _before_fork() -> None:
    """Let the threads that find out the surroundings end: what they import would never be imported in the child."""
    until = time.monotonic() + _CAPTURE_SECONDS
    for one in list(_LIVE):
        for thread in one._capturing:
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))


def _after_fork() -> None:
    """In the child: locks that another thread held at the fork would never be free."""
    for one in list(_LIVE):
        one._mutex = threading.RLock()
        one._capturing = []


forks.around(-1, before=_before_fork, in_child=_after_fork)


def _warn(sentence: str) -> None:
    try:
        warnings.warn(sentence, LedgerWarning, stacklevel=2)
    except LedgerWarning:  # warnings are errors here; but logging never ends the run, nor the thread that drains
        sys.stderr.write(f"LedgerWarning: {sentence}\n")
