"""Floor 5. A project that runs: waited for, or cancelled with all that it started."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from prefect_ledger.errors import ProjectFailed
from prefect_ledger.projects import recording, trees
from prefect_ledger.projects.interrupts import Interrupts
from prefect_ledger.projects.keeping import Keeping
from prefect_ledger.projects.output import Output, is_child
from prefect_ledger.tracking import given

if TYPE_CHECKING:
    from prefect_ledger.projects.environments import Environment
    from prefect_ledger.tracking.runs import ActiveRun

_LOOK = 1.0  # seconds


class ProjectRun:
    """The run of a project's entry point, made by :func:`run_project`.

    ``id`` is the run's, with which :func:`prefect_ledger.get_run` reads what it logged. The program goes on when this handle is dropped;
    the process that started it waits for it at its end.
    """

    def __init__(
        self,
        run: ActiveRun,
        process: subprocess.Popen[bytes],
        *,
        environment: Environment,
        output: Output,
        open_until_then: ExitStack,
        by_shell: bool,
    ) -> None:
        self.id, self.name, self.experiment = run.id, run.name, run.experiment
        self.environment = environment.description
        self._run, self._process, self._made, self._output = run, process, environment, output
        self._log = recording.Log(run)
        self._open, self._by_shell = open_until_then, by_shell
        self._status, self._code, self._over, self._cancelled = "RUNNING", None, False, ""
        self._mutex = threading.Lock()
        # An event is waited for, not the thread: Python 3.11 takes a thread for ended whose join was interrupted.
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._attend, name=f"prefect-ledger-project-{self.id[:8]}")

    _code: int | None

    def attend(self) -> None:
        """Read what it says from now on, and end its run when it ends."""
        self._thread.start()

    @property
    def attended(self) -> bool:
        """Whether that has begun."""
        return self._thread.ident is not None

    def __repr__(self) -> str:
        return f"<ProjectRun {self.id[:8]} {self.name!r}: {self.status}>"

    @property
    def status(self) -> str:
        """RUNNING, or how it ended: COMPLETED, FAILED (with an exit code), CRASHED (by a signal), CANCELLED."""
        return self._status

    @property
    def exit_code(self) -> int | None:
        """What the program ended with; None while it runs (or where another part of this process took its exit code), negative the number
        of the signal that ended it."""
        return self._code

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended, ``timeout`` seconds at most; returns whether it has."""
        return self._ended.wait(timeout)

    def cancel(self, reason: str = "cancelled", *, grace: float = trees.GRACE) -> None:
        """End the program and all that it started: they are asked to, and after ``grace`` seconds made to. Its run ends as CANCELLED.

        One that has ended already stays as it ended.
        """
        with self._mutex:
            if self._over:
                return
            self._cancelled = self._cancelled or reason
        trees.end(self._process.pid, word=(given.RUN, self.id), seconds=grace)
        self._made.stop(self.id)
        self._ended.wait()

    def finish(self, interrupts: Interrupts) -> None:
        """Wait for its end. Whoever is interrupted meanwhile, or was while it began, cancels it.

        Raises:
            ProjectFailed: it did not end as COMPLETED.
        """
        with self._interruptible():
            interrupts.release()
            while not self._ended.wait(_LOOK):  # a signal that comes just before a wait is not noticed until the wait is over
                pass
        if self._status != "COMPLETED":
            how = f"exit code {self._code}" if self._status == "FAILED" else self._status
            raise ProjectFailed(
                f"{self.name} ended with {how}; what it said is the artifact {recording.LOG} of run {self.id[:8]}",
                run_id=self.id,
                status=self._status,
                exit_code=self._code,
            )

    def begin(self, interrupts: Interrupts) -> None:
        """Raise what came while it began; it is cancelled before."""
        with self._interruptible():
            interrupts.release()

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.interrupted(error)
            raise

    def interrupted(self, error: BaseException) -> None:
        """Cancel, as whoever waits for it was told to end; at once when told again."""
        reason = "interrupted from the keyboard" if isinstance(error, KeyboardInterrupt) else "whoever started it was told to end"
        try:
            self.cancel(reason)
        except BaseException:
            self.cancel(reason, grace=0.0)
            raise

    # --- the thread that attends it ---------------------------------------------------------------------------------------

    def _attend(self) -> None:
        try:
            with Keeping(self._output, self._log.so_far):
                self._output.follow(self._process, lambda: trees.end_session(self._process.pid))
            code = self._exit_code()
            if text := self._output.text():
                self._log.whole(text)
            with self._mutex:
                self._code, self._over = code, True
            self._status = recording.end(self._run, code, cancelled=self._cancelled, by_shell=self._by_shell)
        finally:
            try:
                self._open.close()
            finally:
                self._ended.set()

    def _exit_code(self) -> int | None:
        """None where another part of this process has asked for it: ``Popen.wait`` says 0 then."""
        known = is_child(self._process.pid)
        code = self._process.wait()
        return code if known or code else None
