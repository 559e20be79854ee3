"""Floor 5. Trials that are runs of a project: each a program of its own, in the project's environment."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger.projects import opening, places, reading
from prefect_ledger.projects.running import Job, start_job
from prefect_ledger.projects.spec import MAIN
from prefect_ledger.sweep.trials import Trial
from prefect_ledger.tracking.context import using
from prefect_ledger.tracking.ledger import ledger

if TYPE_CHECKING:
    from prefect_ledger.projects.handle import ProjectRun
    from prefect_ledger.tracking.runs import ActiveRun

_LOOK = 0.05  # seconds between two looks at whether one has ended


class ProjectRunner:
    """Runs trials as programs of a project. ``fixed`` are parameters that are the same for all."""

    def __init__(
        self,
        uri: str,
        entry_point: str = MAIN,
        *,
        version: str | None = None,
        env_manager: str | None = None,
        fixed: dict[str, Any] | None = None,
    ) -> None:
        uri = str(Path(uri).resolve()) if Path(uri).exists() else uri  # whoever goes on may be in another folder
        self._job = Job(uri, entry_point, fixed or {}, version=version, env_manager=env_manager, echo="none")
        self._running: dict[int, ProjectRun] = {}

    @property
    def target(self) -> dict[str, Any]:
        """What is run, as facts say it."""
        job = self._job
        about = {"project": job.uri, "entry_point": job.entry_point, "version": job.version, "env_manager": job.env_manager}
        return {**about, "fixed": dict(job.parameters)}

    def check(self, names: Collection[str]) -> None:  # noqa: ARG002  # a project takes parameters that it does not name
        """Raises ProjectNotFound, ProjectInvalid, EntryPointNotFound, InvalidValue."""
        with opening.opened(places.parse(self._job.uri), self._job.version, home=ledger().settings.home, say=self._job.say) as opened:
            reading.load(opened.folder).entry_point(self._job.entry_point)

    def start(self, sweep: ActiveRun, trial: Trial) -> None:
        """Raises as ``run_project``."""
        job, tags = self._job, trial.tags(sweep.id)
        values = {**job.parameters, **trial.parameters}
        with using(sweep):
            made = Job(
                job.uri,
                job.entry_point,
                values,
                version=job.version,
                env_manager=job.env_manager,
                name=f"trial-{trial.number}",
                tags=tags,
                echo=job.echo,
            )
            self._running[trial.number] = start_job(made)

    def wait(self, seconds: float | None) -> Sequence[int]:
        """Those that ended."""
        left = seconds
        while self._running:
            if ended := [number for number, one in self._running.items() if one.wait(0)]:
                for number in ended:
                    del self._running[number]
                return ended
            if left is not None and left <= 0:
                break
            pause = _LOOK if left is None else min(left, _LOOK)
            next(iter(self._running.values())).wait(pause)
            left = None if left is None else left - pause
        return []

    def begun(self) -> Mapping[int, str]:
        """All that run."""
        return {number: one.id for number, one in self._running.items() if one.status == "RUNNING"}

    def stop(self, number: int, reason: str) -> None:
        """Its process and all it started: each is a program of its own."""
        if (one := self._running.get(number)) is not None:  # which takes as long as the program takes to end
            threading.Thread(target=one.cancel, args=(reason,), name=f"prefect-ledger-stop-{number}", daemon=True).start()

    def cancel(self, number: int, reason: str) -> None:
        """Its process and all it started."""
        if (one := self._running.pop(number, None)) is not None:
            one.cancel(reason)
