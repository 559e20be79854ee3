"""Floor 3. Reading access to the store: runs by id or by search, and everything that belongs to a run.

Each question is answered from one moment of the database, whoever is writing or compacting meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prefect_ledger import alert_store, names
from prefect_ledger.database import Database, rows
from prefect_ledger.entities import Alert, Artifact, Attempt, Dataset, LoggedModel, Run, RunStatus, Summary, TaskRun, to_datetime
from prefect_ledger.errors import ArtifactCorrupt, ArtifactNotFound, MetricNotFound, ModelNotFound, RunNotFound
from prefect_ledger.events import clean
from prefect_ledger.expressions import Operand
from prefect_ledger.queries import artifact_series, cells, census, details, frames, links, models, registered, search
from prefect_ledger.queries.page import Page
from prefect_ledger.queries.shown import Shown
from prefect_ledger.usage import Prices

if TYPE_CHECKING:
    import sqlalchemy as sa

    from prefect_ledger.registered import ModelVersion
    from prefect_ledger.series import Series
    from prefect_ledger.usage import Usage

Experiments = str | int | Sequence[str | int] | None
_SHOWN = 5
_SUMMARIES = """SELECT m.key, m.n, m.nan, m.fv, m.lv, m.vmin, m.vmax, m.mean, m.fs, m.ls, m.smin, m.smax FROM metrics m
 JOIN runs r ON r.id = m.run_id AND r.attempt = m.attempt WHERE m.run_id = ? AND {which} ORDER BY m.key"""


class Reader:
    """Questions about runs. Safe to use from several threads.

    ``read_artifact`` brings an artifact's bytes, their digest checked; this floor knows only where they are. ``prices`` are those that
    usage is priced at.

    Example:
        >>> from prefect_ledger.database import Database
        >>> reader = Reader(Database("sqlite:////tmp/ledger-doc.db"))
        >>> reader.search_runs(filter="metrics.auc > 0.9", order_by=["metrics.auc desc"], limit=10).next_page
    """

    def __init__(
        self, database: Database, *, read_artifact: Callable[[Artifact], bytes] | None = None, prices: Prices | None = None
    ) -> None:
        self._database = database
        self._read_artifact = read_artifact
        self._prices = prices or Prices()

    # --- runs -----------------------------------------------------------------------------------------------------

    def run(self, id_or_prefix: object) -> Run:
        """The run of this id, also a deleted one; its first 8 characters are enough where no other run has them.

        Raises:
            RunNotFound: no run, or several, whose ids the message lists. InvalidName: not the beginning of a run id.
        """
        prefix = names.run_id_prefix(id_or_prefix)
        with self._read() as tx:
            # The range finds them in the index, whatever the locale; LIKE makes it exact.
            text = "SELECT id FROM runs WHERE id >= ? AND id <= ? AND id LIKE ? ORDER BY started DESC, id LIMIT ?"
            found = [row[0] for row in rows(tx, text, [prefix, f"{prefix}g", f"{prefix}%", _SHOWN + 1])]
            if not found:
                raise RunNotFound(
                    f"no run has an id that begins with {prefix!r}; search_runs() or 'prefect-ledger runs list' shows what is there"
                )
            if len(found) > 1:
                more = " and others" if len(found) > _SHOWN else ""
                raise RunNotFound(f"several runs begin with {prefix!r}: {', '.join(found[:_SHOWN])}{more}; give more characters")
            return details.runs(tx, found, self)[0]

    def search_runs(
        self,
        experiment: Experiments = None,
        filter: str = "",  # noqa: A002 - MLflow's users know it by this name
        order_by: Sequence[str] | str | None = (),
        limit: int = 1000,
        page: str | None = None,
        as_: str = "list",
        lifecycle: search.Lifecycle = "active",
    ) -> Any:
        """Runs that match, in order: a :class:`Page`, a DataFrame or an arrow table; see :func:`prefect_ledger.search_runs`."""
        asked = search.read_search(filter, order_by, lifecycle, limit)
        if as_ != "list":
            frames.library(as_)  # refused before the store is asked
        with self._read() as tx:
            found = search.find(tx, search.within(tx, asked, experiment), page)
            if as_ == "list":
                return Page(details.runs(tx, found.ids, self), found.next_page)
            fields, sides = details.read(tx, found.ids)
        return (frames.to_pandas if as_ == "pandas" else frames.to_arrow)(fields, sides, found.next_page)

    def count_runs(
        self,
        experiment: Experiments = None,
        filter: str = "",  # noqa: A002
        lifecycle: search.Lifecycle = "active",
    ) -> int:
        """How many runs a search with this filter goes through, page after page.

        Raises:
            InvalidFilter, ExperimentNotFound, InvalidValue: as :meth:`search_runs`.
        """
        asked = search.read_search(filter, (), lifecycle, 1)
        with self._read() as tx:
            return search.count(tx, search.within(tx, asked, experiment))

    def run_cells(
        self,
        columns: Sequence[str],
        experiment: Experiments = None,
        filter: str = "",  # noqa: A002
        order_by: Sequence[str] | str | None = (),
        limit: int = 100,
        page: str | None = None,
        lifecycle: search.Lifecycle = "active",
        skip: int = 0,
    ) -> cells.Cells:
        """A page of what :meth:`search_runs` finds with these columns alone, as a table that somebody looks at has it.

        ``skip``: leave out so many runs first, where no token leads to the page.

        Raises:
            InvalidFilter: also of a column. ExperimentNotFound, InvalidValue: as :meth:`search_runs`.
        """
        asked = search.read_search(filter, order_by, lifecycle, limit)
        operands = cells.read_columns(columns)
        with self._read() as tx:
            wanted = search.within(tx, asked, experiment)
            while skip > 0:
                few = min(skip, search.LIMIT)
                if (page := search.find(tx, replace(wanted, limit=few), page).next_page) is None:
                    return cells.Cells([], [], {name: [] for name in operands}, None)
                skip -= few
            found = search.find(tx, wanted, page)
            return cells.read(tx, operands, found.ids, lifecycle, found.next_page)

    def gathered(
        self, columns: Sequence[str], parents: Sequence[str], lifecycle: search.Lifecycle = "active"
    ) -> dict[str, dict[str, float]]:
        """What the runs right below each of ``parents`` come to in columns of metrics: by column, then by the id of the run above.

        ``max`` is the greatest of theirs, ``min`` the least, ``count`` the sum, ``mean`` the mean of their means; ``last`` and ``first``
        are those of the run that started last.

        Raises:
            InvalidFilter: of a column. InvalidValue: of the lifecycle.
        """
        operands = cells.read_columns(columns)
        search.check_lifecycle(lifecycle)
        with self._read() as tx:
            return cells.gathered(tx, operands, parents, lifecycle)

    def run_keys(
        self,
        experiment: Experiments = None,
        filter: str = "",  # noqa: A002
        lifecycle: search.Lifecycle = "active",
        latest: int = census.LATEST,
    ) -> census.Census:
        """Which parameters, metrics and tags the latest of matching runs have, and how many of them.

        Raises:
            InvalidFilter, ExperimentNotFound, InvalidValue: as :meth:`search_runs`.
        """
        asked = search.read_search(filter, (), lifecycle, latest)
        with self._read() as tx:
            return census.keys(tx, search.find(tx, search.within(tx, asked, experiment), None).ids)

    def run_values(
        self,
        experiment: Experiments = None,
        filter: str = "",  # noqa: A002
        lifecycle: search.Lifecycle = "active",
        most: int = 30,
        latest: int = census.LATEST,
    ) -> list[tuple[Operand, str, int]]:
        """Values that parameters and tags of the latest of matching runs have, of those with ``most`` values at most.

        Raises:
            InvalidFilter, ExperimentNotFound, InvalidValue: as :meth:`search_runs`.
        """
        asked = search.read_search(filter, (), lifecycle, latest)
        with self._read() as tx:
            return census.values(tx, search.find(tx, search.within(tx, asked, experiment), None).ids, most)

    # --- what belongs to a run --------------------------------------------------------------------------------------

    def metric(self, run_id: str, key: str, attempt: int | None = None, task_run_id: str | None = None) -> Series:
        """The points of a metric: of the run's last attempt unless one is named, all its task runs merged unless one is named.

        Raises:
            MetricNotFound: there are none; the message offers keys that are near.
        """
        from prefect_ledger import series_store
        from prefect_ledger.series import Series

        with self._read() as tx:
            storable = clean(str(key)) == key  # what no database could hold was never logged
            points = series_store.read_metric(tx, run_id, key, attempt, task_run_id) if storable else None
            if points is None:
                if attempt is None:
                    attempt = next((row[0] for row in rows(tx, "SELECT attempt FROM runs WHERE id = ?", [run_id])), 0)
                raise _no_metric(tx, run_id, key, attempt, task_run_id)
        return Series(key, points.steps, points.values, points.times)

    def summaries(self, run_id: str) -> Mapping[str, Summary]:
        """Every metric of the last attempt in one row each, by key."""
        text = _SUMMARIES.format(which=details.OF_USERS.format(key="m.key"))
        with self._read() as tx:
            sources = links.sources(tx, run_id)
            return {row[0]: _summary(row, sources.get(row[0], ())) for row in rows(tx, text, [run_id])}

    def watched(self, run_id: str) -> Mapping[str, Summary]:
        """The same of what was seen of the machine."""
        text = _SUMMARIES.format(which=details.OF_WATCH.format(key="m.key"))
        return {row[0]: _summary(row) for row in self._rows(text, run_id)}

    def last_values(self, run_id: str, attempt: int) -> dict[str, details.Last]:
        """Last value, its step and the number of points of each metric of one attempt."""
        with self._read() as tx:
            return details.last_values(tx, run_id, attempt)

    def usage(self, run_id: str) -> Usage:
        """What the run, its tasks and the runs below it used."""
        from prefect_ledger import usage_store

        with self._read() as tx:
            return usage_store.read(tx, run_id, self._prices)

    def artifacts(self, run_id: str) -> list[Artifact]:
        """What was logged as bytes, by path: of each path, what the last attempt that has it logged, or else took from the cache."""
        found = {one.path: one for one in map(_artifact, self._rows(links.ARTIFACTS, run_id, run_id))}
        return list(found.values())

    def artifact(self, run_id: str, path: str) -> Artifact | None:
        """What :meth:`artifacts` has under this path; None where it has nothing."""
        found = self._rows(links.OF_PATH, run_id, path, run_id, path) if clean(str(path)) == path else ()
        return _artifact(found[-1]) if found else None

    def artifacts_of_kind(self, run_id: str, kind: str) -> list[Artifact]:
        """What the last attempt logged of this kind, or took from the cache, in the order of logging."""
        return [_artifact(row) for row in self._rows(links.OF_KIND, run_id, run_id, kind, run_id)]

    def shown(self, run_id: str, kind: str) -> list[Shown]:
        """The pictures or figures of the last attempt, by key, step and time."""
        found = artifact_series.counted(self.artifacts_of_kind(run_id, kind))
        return [Shown(artifact_series.key_of(one), artifact_series.step_of(one), one, self) for one in found]

    def table(self, run_id: str, name: str, as_: str, step: int | None) -> Any:
        """The table ``name`` of a run as one; see :meth:`prefect_ledger.entities.Run.table`."""
        from prefect_ledger.queries import logged_tables

        return logged_tables.read(self, run_id, name, as_, step)

    def model(self, model_id: str) -> LoggedModel:
        """The logged model of this id, ``m-`` and 32 hexadecimal digits.

        Raises:
            ModelNotFound: there is none.
        """
        with self._read() as tx:
            found = models.by_id(tx, clean(model_id))
        if found is None:
            raise ModelNotFound(f"no model has the id {model_id!r}; run.models lists those of a run")
        return found

    def version(self, name: str, selector: str | int) -> tuple[ModelVersion, LoggedModel]:
        """The version that ``selector`` (a number, ``@alias``, a stage, "latest") means of a registered model, and the logged model it is.

        Raises:
            RegisteredModelNotFound, VersionNotFound. ArtifactCorrupt: what is said of the logged model is not what was registered.
        """
        with self._read() as tx:
            found = registered.version(tx, name, selector)
            logged = models.by_id(tx, found.logged_id)
        if logged is None or logged.digest != found.digest:
            told = "is gone" if logged is None else f"has the digest {logged.digest}, registered was {found.digest}"
            raise ArtifactCorrupt(f"version {found.version} of {name!r}: its logged model {found.logged_id} {told}")
        return found, logged

    def models(self, run_id: str) -> list[LoggedModel]:
        """The models of a run, those of its last attempt last."""
        with self._read() as tx:
            return models.of_run(tx, run_id)

    def search_models(
        self, experiment: str | int | Sequence[str | int] | None = None, name: str | None = None, limit: int = 1000
    ) -> list[LoggedModel]:
        """The models of active runs, those logged last first.

        Raises:
            ExperimentNotFound: one is not there. InvalidValue: of the limit.
        """
        asked = search.read_search("", (), "active", limit)
        with self._read() as tx:
            return models.latest(tx, None if name is None else clean(name), search.within(tx, asked, experiment).experiments, asked.limit)

    def model_files(self, model: LoggedModel) -> list[Artifact]:
        """The files of a logged model, by path."""
        with self._read() as tx:
            return models.files(tx, model)

    def task_runs(self, run_id: str) -> list[TaskRun]:
        """The steps of all attempts, in the order they started; those that did not come last."""
        found = []
        for task, run, name, state, attempt, tries, cached, started, ended, exception, *source in self._rows(links.TASK_RUNS, run_id):
            times, (source_run, source_task) = (to_datetime(started), to_datetime(ended)), (one or None for one in source)
            said = json.loads(exception)
            found.append(TaskRun(task, run, name, state, attempt, tries, bool(cached), *times, said, source_run, source_task))
        return found

    def attempts(self, run_id: str) -> list[Attempt]:
        """Every try, the first one first."""
        text = "SELECT run_id, attempt, status, started, ended, exception FROM attempts WHERE run_id = ? ORDER BY attempt"
        return [
            Attempt(run, number, RunStatus(status), to_datetime(started), to_datetime(ended), json.loads(exception))
            for run, number, status, started, ended, exception in self._rows(text, run_id)
        ]

    def datasets(self, run_id: str) -> list[Dataset]:
        """The data of the last attempt, in the order it was first used."""
        text = """SELECT u.name, u.digest, u.context, d.source, d.row_count, d.schema_json FROM dataset_uses u
                  JOIN runs r ON r.id = u.run_id AND r.attempt = u.attempt JOIN datasets d ON d.name = u.name AND d.digest = u.digest
                  WHERE u.run_id = ? ORDER BY u.at, u.name, u.context, u.digest"""
        return [
            Dataset(name, digest, context, source, count, json.loads(schema))
            for name, digest, context, source, count, schema in self._rows(text, run_id)
        ]

    def alerts(self, run_id: str) -> list[Alert]:
        """What the code of a run wanted somebody to know, the oldest first."""
        with self._read() as tx:
            return alert_store.of_run(tx, run_id)

    def search_alerts(self, experiment: Experiments, levels: Sequence[str], limit: int) -> list[Alert]:
        """Alerts of these levels, of active runs, the latest first.

        Raises:
            ExperimentNotFound: one is not there. InvalidValue: of the limit.
        """
        asked = search.read_search("", (), "active", limit)
        with self._read() as tx:
            return alert_store.latest(tx, levels, search.within(tx, asked, experiment).experiments, asked.limit)

    def notes(self, run_id: str) -> list[str]:
        """What the ledger had to say about the run, the oldest first."""
        return [row[0] for row in self._rows("SELECT text FROM notes WHERE run_id = ? ORDER BY id", run_id)]

    def children(self, run_id: str) -> list[Run]:
        """The runs below this one that are as active (or deleted) as it is, in the order they started."""
        text = """SELECT c.id FROM runs c JOIN runs r ON r.id = c.parent_id AND r.lifecycle = c.lifecycle
                  WHERE c.parent_id = ? ORDER BY c.started IS NULL, c.started, c.id"""
        with self._read() as tx:
            return details.runs(tx, [row[0] for row in rows(tx, text, [run_id])], self)

    def facts(self, run_id: str) -> Mapping[str, Any]:
        """The surroundings recorded at the start, and under "packages" what was installed."""
        with self._read() as tx:
            return details.facts(tx, run_id)

    def read_artifact(self, artifact: Artifact) -> bytes:
        """The bytes of an artifact, digest checked.

        Raises:
            ArtifactNotFound: this reader was given no way to the bytes.
        """
        if self._read_artifact is None:
            raise ArtifactNotFound(f"this reader has rows only; the bytes of {artifact.path!r} are at {artifact.uri}")
        return self._read_artifact(artifact)

    # --- transactions -------------------------------------------------------------------------------------------------

    def _read(self) -> AbstractContextManager[sa.Connection]:
        return self._database.read()

    def _rows(self, text: str, *params: str) -> list[tuple[Any, ...]]:
        with self._read() as tx:
            return rows(tx, text, params)


def _artifact(row: Sequence[Any]) -> Artifact:
    run, path, uri, size, sha256, kind, attempt, task, at, metadata, *_ = row
    return Artifact(run, path, uri, size, sha256, kind, attempt, task, to_datetime(at), json.loads(metadata))


def _summary(row: Sequence[Any], sources: tuple[str, ...] = ()) -> Summary:
    key, count, nan, first, last, *rest = row
    ends = [details.NAN if first is None else first, details.NAN if last is None else last]
    return Summary(key, count, nan, *(*ends, *rest, sources))


def _no_metric(tx: sa.Connection, run_id: str, key: str, attempt: int, task_run_id: str | None) -> MetricNotFound:
    from difflib import get_close_matches

    text = "SELECT DISTINCT key, attempt, task_run_id FROM series WHERE run_id = ? AND n > 0"
    series = rows(tx, text, [run_id])
    if elsewhere := sorted({(row[1], row[2]) for row in series if row[0] == key}):
        places = ", ".join(f"attempt {number}" + (f", task run {task}" if task else "") for number, task in elsewhere[:_SHOWN])
        wanted = f"attempt {attempt}" + ("" if task_run_id is None else f", task run {task_run_id!r}")
        return MetricNotFound(f"run {run_id} has metric {key!r} not in {wanted}, but in {places}: name attempt= and task_run_id=")
    keys = sorted({row[0] for row in series if row[1] == attempt})
    if near := get_close_matches(str(key), keys, _SHOWN, 0.5):
        return MetricNotFound(f"run {run_id} has no metric {key!r}; did you mean {', '.join(map(repr, near))}?")
    own = [one for one in keys if not one.startswith(details.WATCHED)]  # what was seen of the machine is in every run
    more = f" and {len(own) - _SHOWN:,} more" if len(own) > _SHOWN else ""
    offered = f"it has {', '.join(map(repr, own[:_SHOWN]))}{more}" if own else "it has none"
    return MetricNotFound(f"run {run_id} has no metric {key!r}; {offered}")
