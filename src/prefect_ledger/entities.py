"""Floor 0. What the ledger knows about, as frozen values. Times are microseconds since 1970, UTC, unless named ``*_at`` of a public value,
which are aware ``datetime``s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from prefect_ledger import formats, html

if TYPE_CHECKING:
    from prefect_ledger.queries.shown import Shown
    from prefect_ledger.series import Series
    from prefect_ledger.usage import Usage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 20  # names in a message
_EMPTY: Mapping[str, Any] = MappingProxyType({})
_SHOWN = 30  # lines of a table in a notebook


class RunStatus(StrEnum):
    """Where a run stands. ``final`` statuses do not change by themselves."""

    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CRASHED = "CRASHED"
    CANCELLED = "CANCELLED"

    @property
    def final(self) -> bool:
        """Whether a run of this status has ended."""
        return self in _FINAL


_FINAL = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CRASHED, RunStatus.CANCELLED})


def to_datetime(micros: int | None) -> datetime | None:
    """The aware UTC datetime of microseconds since 1970, exact; None stays None."""
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)


def to_micros(at: datetime) -> int:
    """The microseconds since 1970 of an aware datetime, exact."""
    return (at - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Experiment:
    """A named set of runs. ``id`` 0 is "Default"."""

    id: int
    name: str
    lifecycle: str = "active"
    created_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    description: str = ""

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        state = "" if self.lifecycle == "active" else html.text(self.lifecycle)
        about = {"id": html.text(self.id), "made": html.text(formats.moment(self.created_at))}
        about |= {f"tag {key}": html.text(value) for key, value in self.tags.items()}
        return html.title(self.name, state) + (html.whole(self.description) if self.description else "") + html.pairs(about, most=_SHOWN)


@dataclass(frozen=True, slots=True)
class Summary:
    """A metric of a run in one row: last attempt only, all its task runs merged.

    ``last`` is the value at the greatest (step, time), ``first`` at the smallest. NaN is skipped by ``min``, ``max`` and
    ``mean`` (None when there is nothing else) and counted in ``nan``; infinities count for min and max, not for ``mean``. ``sources``
    are the runs that logged points of it, or attempts of this run, whose results tasks of this run took from the cache.
    """

    key: str
    count: int
    nan: int
    first: float
    last: float
    min: float | None
    max: float | None
    mean: float | None
    first_step: int
    last_step: int
    min_step: int | None
    max_step: int | None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Artifact:
    """Bytes a run logged: where they are, how many, and the sha256 they must have.

    ``run_id`` is the run that logged them: another than the one asked where a task's result came from the cache.
    """

    run_id: str
    path: str
    uri: str
    size: int
    sha256: str
    kind: str = "file"
    attempt: int = 1
    task_run_id: str = ""
    logged_at: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model that a run logged: its id, where its files are among the run's artifacts, and the digest of their list.

    ``run_id`` is the run that logged it: another than the one asked where a task's result came from the cache. ``details`` has its
    signature and metadata.
    """

    id: str
    name: str
    run_id: str
    path: str
    digest: str
    flavor: str
    size: int
    attempt: int = 1
    task_run_id: str = ""
    logged_at: datetime | None = None
    details: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)

    @property
    def uri(self) -> str:
        """The reference that means this model and no other."""
        return f"models:/{self.id}"


@dataclass(frozen=True, slots=True)
class TaskRun:
    """A task run, seen as a step of its run. One that came from the cache has the task run that had computed its result as its source,
    where that one was tracked: what it logged is shown for this run too."""

    id: str
    run_id: str
    name: str
    state: str
    attempt: int = 1
    tries: int = 1
    cached: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exception: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    source_run_id: str | None = None
    source_task_run_id: str | None = None

    @property
    def duration(self) -> float | None:
        """Seconds between start and end; None while it is not known."""
        return (self.ended_at - self.started_at).total_seconds() if self.started_at and self.ended_at else None

    @property
    def cost(self) -> float | None:
        """Seconds of work that its run paid for: 0 for what came from the cache, because its source's run has paid."""
        return 0.0 if self.cached else self.duration


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a run: 1 for the first, one more for each retry."""

    run_id: str
    number: int
    status: RunStatus
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exception: Mapping[str, str] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Data a run used or made, known by name and digest."""

    name: str
    digest: str
    context: str = ""
    source: str = ""
    rows: int | None = None
    schema: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class Alert:
    """What a run's code wanted somebody to know. ``level`` is "info", "warning" or "error".

    ``told`` are the ways it was told by now, ``answer`` is what came back last where that failed, and ``waiting`` says whether it is
    still to be told, where there is a way.
    """

    run_id: str
    title: str
    text: str = ""
    level: str = "info"
    logged_at: datetime | None = None
    attempt: int = 1
    task_run_id: str = ""
    told: tuple[str, ...] = ()
    answer: str = ""
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class SavedView:
    """What somebody wants to see again on a page of the dashboard: the query of its address, by a name."""

    page: str
    name: str
    query: str
    author: str
    saved_at: datetime | None = None


class RunReader(Protocol):
    """What a :class:`Run` asks when it is asked for more than its row."""

    def metric(self, run_id: str, key: str, attempt: int | None, task_run_id: str | None) -> Series: ...
    def summaries(self, run_id: str) -> Mapping[str, Summary]: ...
    def artifacts(self, run_id: str) -> list[Artifact]: ...
    def artifact(self, run_id: str, path: str) -> Artifact | None: ...
    def artifacts_of_kind(self, run_id: str, kind: str) -> list[Artifact]: ...
    def shown(self, run_id: str, kind: str) -> list[Shown]: ...
    def table(self, run_id: str, name: str, as_: str, step: int | None) -> Any: ...
    def models(self, run_id: str) -> list[LoggedModel]: ...
    def task_runs(self, run_id: str) -> list[TaskRun]: ...
    def attempts(self, run_id: str) -> list[Attempt]: ...
    def datasets(self, run_id: str) -> list[Dataset]: ...
    def alerts(self, run_id: str) -> list[Alert]: ...
    def notes(self, run_id: str) -> list[str]: ...
    def children(self, run_id: str) -> list[Run]: ...
    def facts(self, run_id: str) -> Mapping[str, Any]: ...
    def watched(self, run_id: str) -> Mapping[str, Summary]: ...
    def usage(self, run_id: str) -> Usage: ...
    def read_artifact(self, artifact: Artifact) -> bytes: ...


@dataclass(frozen=True, slots=True, repr=False)
class Run:
    """A run as the store has it. ``params``, ``metrics`` (last values) and ``tags`` are those of the last attempt.

    Example:
        >>> from prefect_ledger import get_run  # doctest: +SKIP
        >>> get_run("8f2c51aa").metric("train.loss").values  # doctest: +SKIP
    """

    id: str
    name: str
    experiment: str | None
    experiment_id: int | None
    status: RunStatus
    attempt: int = 1
    parent_id: str | None = None
    kind: str = ""
    user: str = ""
    status_reason: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    artifact_uri: str | None = None
    lifecycle: str = "active"
    description: str = ""
    params: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    metrics: Mapping[str, float] = field(default_factory=lambda: _EMPTY)
    tags: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    reader: RunReader | None = field(default=None, repr=False, compare=False)

    @property
    def duration(self) -> float | None:
        """Seconds between start and end; None while it is not known."""
        return (self.ended_at - self.started_at).total_seconds() if self.started_at and self.ended_at else None

    def __repr__(self) -> str:
        had = f"{len(self.params)} params, {len(self.metrics)} metrics"
        return f"<Run {self.id[:8]} {self.name!r} in {self.experiment!r}: {self.status}, {had}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: what the run is, and the parameters, last values and tags it has. Asks no store."""
        about = {
            "id": html.text(self.id),
            "experiment": html.text(self.experiment or formats.MISSING),
            "started": html.text(formats.moment(self.started_at)),
            "took": html.text(formats.duration(self.duration)),
        }
        reason = f" {html.text(self.status_reason)}" if self.status_reason else ""
        parts = [
            html.title(self.name or self.id[:8], html.status(str(self.status)) + reason),
            html.whole(self.description) if self.description else "",
            html.pairs(about, most=_SHOWN),
            html.pairs({key: html.text(value) for key, value in sorted(self.params.items())}, most=_SHOWN, head="parameters"),
            html.pairs({key: html.text(formats.number(value)) for key, value in sorted(self.metrics.items())}, most=_SHOWN, head="metrics"),
            html.pairs({key: html.text(value) for key, value in sorted(self.tags.items())}, most=_SHOWN, head="tags"),
        ]
        return "".join(parts)

    def _ask(self) -> RunReader:
        if self.reader is None:
            raise RuntimeError("this Run was made by hand and has no ledger behind it; use get_run(id)")
        return self.reader

    def metric(self, key: str, *, attempt: int | None = None, task_run_id: str | None = None) -> Series:
        """The whole series of ``key``, ordered by step, time, arrival: last attempt and all its task runs, unless one is named.

        Raises:
            MetricNotFound: the run has no such key.
        """
        return self._ask().metric(self.id, key, attempt, task_run_id)

    @property
    def summaries(self) -> Mapping[str, Summary]:
        """First, last, min, max, mean and count of every metric."""
        return self._ask().summaries(self.id)

    @property
    def artifacts(self) -> list[Artifact]:
        """What the run logged as bytes, by path; the last one logged of each path."""
        return self._ask().artifacts(self.id)

    def read_artifact(self, path: str) -> bytes:
        """The bytes logged as ``path``, digest checked.

        Raises:
            ArtifactNotFound: nothing was logged there.
            ArtifactCorrupt: the bytes are not what was logged.
        """
        from prefect_ledger.errors import ArtifactNotFound

        found = self._ask().artifact(self.id, path)
        if found is None:
            there = [one.path for one in self.artifacts]
            more = f" and {len(there) - _SHOWN:,} more" if len(there) > _SHOWN else ""
            raise ArtifactNotFound(f"run {self.id} has no artifact {path!r}; it has: {', '.join(there[:_SHOWN]) or 'none'}{more}")
        return self._ask().read_artifact(found)

    def images(self, key: str | None = None) -> list[Shown]:
        """The pictures that the last attempt logged: of the series ``key`` by step and time, or all, those under a path first."""
        return [one for one in self._ask().shown(self.id, "image") if key is None or one.key == key]

    def figures(self, key: str | None = None) -> list[Shown]:
        """The figures that the last attempt logged, as :meth:`images` has pictures."""
        return [one for one in self._ask().shown(self.id, "figure") if key is None or one.key == key]

    def table(self, name: str, *, as_: Literal["pandas", "arrow"] = "pandas", step: int | None = None) -> Any:
        """The table ``name`` that the last attempt logged, all calls as one: by step and time, with a first column ``step`` where it was
        logged at steps. Columns that a call had not are null in its rows. ``step`` asks for the rows of one step alone.

        Raises:
            ArtifactNotFound: there is no such table, or nothing at this step. InvalidName: ``name`` is no text. InvalidValue: parts that
            cannot be one table, because a column changed its type; ``step=`` reads each. ArtifactCorrupt. MissingExtra: pyarrow, pandas.
        """
        return self._ask().table(self.id, name, as_, step)

    @property
    def models(self) -> list[LoggedModel]:
        """The models the run logged, or took from the cache: those of the last attempt last, each attempt's in the order of logging."""
        return self._ask().models(self.id)

    @property
    def task_runs(self) -> list[TaskRun]:
        """The steps of the run, in the order they started."""
        return self._ask().task_runs(self.id)

    @property
    def attempts(self) -> list[Attempt]:
        """Every try of the run, the first one first."""
        return self._ask().attempts(self.id)

    @property
    def datasets(self) -> list[Dataset]:
        """The data the run used or made."""
        return self._ask().datasets(self.id)

    @property
    def alerts(self) -> list[Alert]:
        """What the run's code wanted somebody to know, the oldest first."""
        return self._ask().alerts(self.id)

    @property
    def notes(self) -> list[str]:
        """What the ledger had to say about the run, such as a parameter that two processes disagreed on."""
        return self._ask().notes(self.id)

    @property
    def children(self) -> list[Run]:
        """The runs that name this one as their parent, in the order they started."""
        return self._ask().children(self.id)

    @property
    def facts(self) -> Mapping[str, Any]:
        """Surroundings recorded at the start: git, Python, packages, hardware, command, deployment."""
        return self._ask().facts(self.id)

    @property
    def watched(self) -> Mapping[str, Summary]:
        """What was seen of the machine during the last attempt, by keys such as "system.cpu_percent"; ``metric`` gives their series."""
        return self._ask().watched(self.id)

    @property
    def usage(self) -> Usage:
        """Seconds of work, CPU and GPU of the run, of its tasks and of the runs below it, and their cost at the settings' prices."""
        return self._ask().usage(self.id)
