"""Floor 2. The tables, in a metadata of their own so that a user's SQLModel app never sees them.

Times are microseconds since 1970 (UTC) as BIGINT. Rows are written through Core, never as objects: SQLModel classes with
``table=True`` do not validate, and 1,000 objects cost as much as 30,000 rows.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Computed, Double, Index, Integer, LargeBinary, MetaData, String, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives a rowid only to "INTEGER PRIMARY KEY"; elsewhere these ids are 64 bits wide.
_IDENTITY = BigInteger().with_variant(Integer(), "sqlite")


class Row(SQLModel):
    """Base of all tables."""

    metadata: ClassVar[MetaData] = METADATA


def _big(**kw: Any) -> Any:
    return Column(BigInteger, **kw)


def _run_key() -> Any:
    return Column(String(36), primary_key=True)


class ExperimentRow(Row, table=True):
    """A named set of runs; the id is derived from the first name it had."""

    __tablename__ = "experiments"
    id: int = Field(sa_column=_big(primary_key=True, autoincrement=False))
    name: str = Field(sa_column=Column(String(500), nullable=False, unique=True))
    lifecycle: str = Field(default="active", sa_column=Column(String(16), nullable=False, server_default="active"))
    created: int = Field(sa_column=_big(nullable=False))
    updated: int = Field(sa_column=_big(nullable=False))
    deleted: int | None = Field(default=None, sa_column=_big())  # when last; the runs deleted with it have the same time
    description: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))


class ExperimentTagRow(Row, table=True):
    __tablename__ = "experiment_tags"
    experiment_id: int = Field(sa_column=_big(primary_key=True, autoincrement=False))
    key: str = Field(sa_column=Column(String(250), primary_key=True))
    value: str = Field(sa_column=Column(Text, nullable=False))


class RunRow(Row, table=True):
    """One run. A row may be a placeholder (experiment NULL) while only its workers were heard."""

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_experiment", "experiment_id", "started", "id"),
        Index("ix_runs_started", "started", "id"),
        Index("ix_runs_parent", "parent_id"),
        Index("ix_runs_open", "status", "seen"),
        Index("ix_runs_owner", "owner"),
        Index("ix_runs_search", "id", "attempt", "lifecycle", "experiment_id", "started"),  # all a search asks of most runs
    )
    id: str = Field(sa_column=_run_key())
    experiment_id: int | None = Field(default=None, sa_column=_big())
    name: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    status: str = Field(sa_column=Column(String(16), nullable=False, server_default="RUNNING"))
    status_at: int = Field(sa_column=_big(nullable=False, server_default="0"))
    provisional: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))
    status_reason: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    attempt: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))
    kind: str = Field(default="", sa_column=Column(String(32), nullable=False, server_default=""))
    user: str = Field(default="", sa_column=Column("user_id", String(250), nullable=False, server_default=""))
    parent_id: str | None = Field(default=None, sa_column=Column(String(36)))
    artifact_uri: str | None = Field(default=None, sa_column=Column(Text))
    started: int | None = Field(default=None, sa_column=_big())
    ended: int | None = Field(default=None, sa_column=_big())
    seen: int = Field(sa_column=_big(nullable=False, server_default="0"))
    owner: str = Field(default="", sa_column=Column(String(36), nullable=False, server_default=""))
    lifecycle: str = Field(default="active", sa_column=Column(String(16), nullable=False, server_default="active"))
    deleted: int | None = Field(default=None, sa_column=_big())
    facts: str = Field(default="{}", sa_column=Column(Text, nullable=False, server_default="{}"))
    packages: str = Field(default="", sa_column=Column(String(64), nullable=False, server_default=""))
    description: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))


class AttemptRow(Row, table=True):
    __tablename__ = "attempts"
    run_id: str = Field(sa_column=_run_key())
    attempt: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    status: str = Field(sa_column=Column(String(16), nullable=False, server_default="RUNNING"))
    status_at: int = Field(sa_column=_big(nullable=False, server_default="0"))
    started: int | None = Field(default=None, sa_column=_big())
    ended: int | None = Field(default=None, sa_column=_big())
    exception: str = Field(default="{}", sa_column=Column(Text, nullable=False, server_default="{}"))


class WordsRow(Row, table=True):
    """What was said of a run, as JSON (see ``standing``): the row of the run and those of its attempts are what it comes to."""

    __tablename__ = "run_words"
    run_id: str = Field(sa_column=_run_key())
    words: str = Field(sa_column=Column(Text, nullable=False))


class PackagesRow(Row, table=True):
    """Installed packages, once per content; ``runs.packages`` names the digest."""

    __tablename__ = "packages"
    digest: str = Field(sa_column=Column(String(64), primary_key=True))
    content: str = Field(sa_column=Column(Text, nullable=False))


class ParamRow(Row, table=True):
    """The value of a parameter in one attempt; ``number`` where it reads as one. ``head`` is as much of the text as an index may hold."""

    __tablename__ = "params"
    __table_args__ = (Index("ix_params_key_value", "key", "number", "head", "run_id"), {"sqlite_with_rowid": False})
    run_id: str = Field(sa_column=_run_key())
    key: str = Field(sa_column=Column(String(250), primary_key=True))
    attempt: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    value: str = Field(sa_column=Column(Text, nullable=False))
    number: float | None = Field(default=None, sa_column=Column(Double))
    head: str = Field(sa_column=Column(Text, Computed("substr(value, 1, 64)", persisted=True)))


class TagRow(Row, table=True):
    __tablename__ = "tags"
    __table_args__ = (Index("ix_tags_key", "key", "run_id"), {"sqlite_with_rowid": False})
    run_id: str = Field(sa_column=_run_key())
    key: str = Field(sa_column=Column(String(250), primary_key=True))
    value: str | None = Field(default=None, sa_column=Column(Text))  # NULL: removed, remembered for the order of words
    at: int = Field(sa_column=_big(nullable=False))


def _summary_columns() -> list[Column[Any]]:
    """n points, of them NaN and finite; mean of the finite; min, max with step; first, last by (step, time); NaN flags of those two."""
    return [
        Column("n", BigInteger, nullable=False, server_default="0"),
        Column("nan", BigInteger, nullable=False, server_default="0"),
        Column("finite", BigInteger, nullable=False, server_default="0"),
        Column("mean", Double),
        Column("vmin", Double),
        Column("smin", BigInteger),
        Column("vmax", Double),
        Column("smax", BigInteger),
        Column("fs", BigInteger),
        Column("ft", BigInteger),
        Column("fv", Double),
        Column("ls", BigInteger),
        Column("lt", BigInteger),
        Column("lv", Double),
        Column("fnan", Integer),
        Column("lnan", Integer),
    ]


class SeriesRow(Row, table=True):
    """The points of one key from one try of one task run (``''``: the flow or script itself) in one attempt."""

    __tablename__ = "series"
    __table_args__ = (
        UniqueConstraint("run_id", "key", "attempt", "task_run_id", "try_number", name="uq_series_identity"),
        *_summary_columns(),
    )
    id: int | None = Field(default=None, sa_column=Column(_IDENTITY, primary_key=True, autoincrement=True))
    run_id: str = Field(sa_column=Column(String(36), nullable=False))
    key: str = Field(sa_column=Column(String(250), nullable=False))
    attempt: int = Field(sa_column=Column(Integer, nullable=False))
    task_run_id: str = Field(sa_column=Column(String(36), nullable=False))  # '' not NULL: NULLs are distinct in UNIQUE
    try_number: int = Field(sa_column=Column(Integer, nullable=False))


class ChunkRow(Row, table=True):
    """Encoded points: of one series, or (series_id NULL) of many series of one run, as a flush left them."""

    __tablename__ = "chunks"
    __table_args__ = (
        Index("ix_chunks_series", "series_id", "id", "n"),
        Index("ix_chunks_mixed", "run_id", "id", "n"),
    )
    id: int | None = Field(default=None, sa_column=Column(_IDENTITY, primary_key=True, autoincrement=True))
    series_id: int | None = Field(default=None, sa_column=_big())
    run_id: str | None = Field(default=None, sa_column=Column(String(36)))  # only mixed chunks
    n: int = Field(sa_column=Column(Integer, nullable=False))
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class MetricRow(Row, table=True):
    """One value per run and key: the last attempt's, its task runs merged. What tables, filters and gates use."""

    __tablename__ = "metrics"
    __table_args__ = (
        *_summary_columns(),
        # In the order of last values; the other aggregates are in it too, so that they are looked through without the rows.
        Index("ix_metrics_key_last", "key", "lv", "run_id", "attempt", "fv", "vmin", "vmax", "mean", "n"),
        {"sqlite_with_rowid": False},
    )
    run_id: str = Field(sa_column=_run_key())
    key: str = Field(sa_column=Column(String(250), primary_key=True))
    attempt: int = Field(sa_column=Column(Integer, nullable=False))


class TaskRunRow(Row, table=True):
    __tablename__ = "task_runs"
    __table_args__ = (Index("ix_task_runs_run", "run_id", "started"),)
    id: str = Field(sa_column=Column(String(36), primary_key=True))
    run_id: str = Field(sa_column=Column(String(36), nullable=False))
    attempt: int = Field(sa_column=Column(Integer, nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(sa_column=Column(String(32), nullable=False))
    state_at: int = Field(sa_column=_big(nullable=False))
    tries: int = Field(sa_column=Column(Integer, nullable=False))
    cached: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))
    started: int | None = Field(default=None, sa_column=_big())
    ended: int | None = Field(default=None, sa_column=_big())
    exception: str = Field(default="{}", sa_column=Column(Text, nullable=False, server_default="{}"))
    parent_id: str = Field(default="", sa_column=Column(String(36), nullable=False, server_default=""))


class ResultRow(Row, table=True):
    """Which task runs computed the result that Prefect keeps under a storage key: one, and one more each time it was refreshed."""

    __tablename__ = "results"
    storage_key: str = Field(sa_column=Column(String(500), primary_key=True))
    task_run_id: str = Field(sa_column=Column(String(36), primary_key=True))
    run_id: str = Field(sa_column=Column(String(36), nullable=False))
    attempt: int = Field(sa_column=Column(Integer, nullable=False))
    at: int = Field(sa_column=_big(nullable=False))


class CacheHitRow(Row, table=True):
    """A task run that was given a result and did not run. Its source is the task run that had computed it; '' while that is not known."""

    __tablename__ = "cache_hits"
    __table_args__ = (Index("ix_cache_hits_run", "run_id"), Index("ix_cache_hits_key", "storage_key"))
    task_run_id: str = Field(sa_column=Column(String(36), primary_key=True))
    run_id: str = Field(sa_column=Column(String(36), nullable=False))
    attempt: int = Field(sa_column=Column(Integer, nullable=False))
    storage_key: str = Field(sa_column=Column(String(500), nullable=False))
    at: int = Field(sa_column=_big(nullable=False))
    source_run_id: str = Field(default="", sa_column=Column(String(36), nullable=False, server_default=""))
    source_task_run_id: str = Field(default="", sa_column=Column(String(36), nullable=False, server_default=""))
    source_attempt: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))


class CacheLinkRow(Row, table=True):
    """What a hit brings into its run: all that this task run logged (``''``: the task was a run of its own), the source or a step in it."""

    __tablename__ = "cache_links"
    __table_args__ = (Index("ix_cache_links_run", "run_id"), Index("ix_cache_links_source", "source_run_id", "source_task"))
    task_run_id: str = Field(sa_column=Column(String(36), primary_key=True))
    source_run_id: str = Field(sa_column=Column(String(36), primary_key=True))
    source_task: str = Field(sa_column=Column(String(36), primary_key=True))
    source_attempt: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    run_id: str = Field(sa_column=Column(String(36), nullable=False))
    attempt: int = Field(sa_column=Column(Integer, nullable=False))


class ArtifactRow(Row, table=True):
    """Bytes that stand whole in the artifact store; written after them."""

    __tablename__ = "artifacts"
    run_id: str = Field(sa_column=_run_key())
    path: str = Field(sa_column=Column(String(1024), primary_key=True))
    attempt: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    uri: str = Field(sa_column=Column(Text, nullable=False))
    size: int = Field(sa_column=_big(nullable=False))
    sha256: str = Field(sa_column=Column(String(64), nullable=False))
    kind: str = Field(sa_column=Column(String(32), nullable=False))
    task_run_id: str = Field(default="", sa_column=Column(String(36), nullable=False, server_default=""))
    at: int = Field(sa_column=_big(nullable=False))
    details: str = Field(default="{}", sa_column=Column(Text, nullable=False, server_default="{}"))


class ModelRow(Row, table=True):
    """A model that a run logged: a folder of artifacts below ``path``, all of which stand. ``digest`` is that of their list."""

    __tablename__ = "models"
    __table_args__ = (Index("ix_models_run", "run_id"), Index("ix_models_name", "name", "at"))
    id: str = Field(sa_column=Column(String(34), primary_key=True))
    run_id: str = Field(sa_column=Column(String(36), nullable=False))
    attempt: int = Field(sa_column=Column(Integer, nullable=False))
    task_run_id: str = Field(default="", sa_column=Column(String(36), nullable=False, server_default=""))
    name: str = Field(sa_column=Column(String(250), nullable=False))
    path: str = Field(sa_column=Column(String(1024), nullable=False))
    digest: str = Field(sa_column=Column(String(64), nullable=False))
    flavor: str = Field(sa_column=Column(String(64), nullable=False))
    size: int = Field(sa_column=_big(nullable=False))
    at: int = Field(sa_column=_big(nullable=False))
    details: str = Field(default="{}", sa_column=Column(Text, nullable=False, server_default="{}"))


class DatasetRow(Row, table=True):
    __tablename__ = "datasets"
    name: str = Field(sa_column=Column(String(500), primary_key=True))
    digest: str = Field(sa_column=Column(String(64), primary_key=True))
    source: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    rows: int | None = Field(default=None, sa_column=Column("row_count", BigInteger))
    fields: str = Field(default="{}", sa_column=Column("schema_json", Text, nullable=False, server_default="{}"))


class DatasetUseRow(Row, table=True):
    __tablename__ = "dataset_uses"
    __table_args__ = (Index("ix_dataset_uses_dataset", "name", "digest"),)
    run_id: str = Field(sa_column=_run_key())
    name: str = Field(sa_column=Column(String(500), primary_key=True))
    digest: str = Field(sa_column=Column(String(64), primary_key=True))
    context: str = Field(sa_column=Column(String(250), primary_key=True))
    attempt: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    at: int = Field(sa_column=_big(nullable=False))


class UsageRow(Row, table=True):
    """What one process used for a task run (``''``: for the run outside of tasks) in one attempt, in µs."""

    __tablename__ = "usage"
    run_id: str = Field(sa_column=_run_key())
    task_run_id: str = Field(sa_column=Column(String(36), primary_key=True))
    attempt: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    journal: str = Field(sa_column=Column(String(36), primary_key=True))
    waited: int = Field(sa_column=_big(nullable=False))
    ran: int = Field(sa_column=_big(nullable=False))
    retried: int = Field(sa_column=_big(nullable=False))
    cpu: int = Field(sa_column=_big(nullable=False))
    gpu: int = Field(sa_column=_big(nullable=False))


class AlertRow(Row, table=True):
    """What the run's code wanted somebody to know; the id is a digest of all of it. ``due`` (NULL: at an end) is when it is told next."""

    __tablename__ = "alerts"
    __table_args__ = (Index("ix_alerts_run", "run_id", "at"), Index("ix_alerts_due", "due"))
    id: str = Field(sa_column=Column(String(32), primary_key=True))
    run_id: str = Field(sa_column=Column(String(36), nullable=False))
    at: int = Field(sa_column=_big(nullable=False))
    attempt: int = Field(sa_column=Column(Integer, nullable=False))
    task_run_id: str = Field(default="", sa_column=Column(String(36), nullable=False, server_default=""))
    level: str = Field(sa_column=Column(String(16), nullable=False))
    title: str = Field(sa_column=Column(Text, nullable=False))
    text: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    due: int | None = Field(default=None, sa_column=_big())
    tries: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    told: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))  # the ways it was told, with commas
    answer: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))


class NoteRow(Row, table=True):
    """What a person should know about a run, such as a value that two processes disagreed on."""

    __tablename__ = "notes"
    __table_args__ = (Index("ix_notes_run", "run_id", "id"),)
    id: int | None = Field(default=None, sa_column=Column(_IDENTITY, primary_key=True, autoincrement=True))
    run_id: str = Field(sa_column=Column(String(36), nullable=False))
    at: int = Field(sa_column=_big(nullable=False))
    text: str = Field(sa_column=Column(Text, nullable=False))


class JournalRow(Row, table=True):
    """How far a journal is in the store. Rows stay: a journal folder restored from a backup must find itself drained."""

    __tablename__ = "journals"
    id: str = Field(sa_column=Column(String(36), primary_key=True))
    segment: int = Field(sa_column=_big(nullable=False))
    slot: int = Field(sa_column=_big(nullable=False))
    done: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))


class RegisteredModelRow(Row, table=True):
    """A name in the registry, whose versions are numbered from 1; ``latest`` is the greatest number that was ever given."""

    __tablename__ = "registered_models"
    id: int | None = Field(default=None, sa_column=Column(_IDENTITY, primary_key=True, autoincrement=True))
    name: str = Field(sa_column=Column(String(250), nullable=False, unique=True))
    description: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    latest: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    created: int = Field(sa_column=_big(nullable=False))
    updated: int = Field(sa_column=_big(nullable=False))
    deleted: int | None = Field(default=None, sa_column=_big())


def _model_key() -> Any:
    return Column(BigInteger, primary_key=True, autoincrement=False)


def _version_key() -> Any:
    return Column(Integer, primary_key=True, autoincrement=False)


class ModelVersionRow(Row, table=True):
    """One version: which logged model it is (its files and their digest never change), and where it stands."""

    __tablename__ = "model_versions"
    __table_args__ = (
        Index("ix_model_versions_stage", "model_id", "stage", "version"),
        Index("ix_model_versions_logged", "logged_id"),
    )
    model_id: int = Field(sa_column=_model_key())
    version: int = Field(sa_column=_version_key())
    logged_id: str = Field(sa_column=Column(String(34), nullable=False))
    run_id: str = Field(sa_column=Column(String(36), nullable=False))
    digest: str = Field(sa_column=Column(String(64), nullable=False))
    stage: str = Field(default="none", sa_column=Column(String(16), nullable=False, server_default="none"))
    description: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    author: str = Field(sa_column=Column(String(250), nullable=False))
    strength: str = Field(sa_column=Column(String(16), nullable=False))
    created: int = Field(sa_column=_big(nullable=False))
    updated: int = Field(sa_column=_big(nullable=False))
    deleted: int | None = Field(default=None, sa_column=_big())


class AliasRow(Row, table=True):
    __tablename__ = "model_aliases"
    model_id: int = Field(sa_column=_model_key())
    alias: str = Field(sa_column=Column(String(250), primary_key=True))
    version: int = Field(sa_column=Column(Integer, nullable=False))
    at: int = Field(sa_column=_big(nullable=False))


class ModelTagRow(Row, table=True):
    """A tag of a version; of the model as a whole where ``version`` is 0."""

    __tablename__ = "model_tags"
    model_id: int = Field(sa_column=_model_key())
    version: int = Field(sa_column=_version_key())
    key: str = Field(sa_column=Column(String(250), primary_key=True))
    value: str = Field(sa_column=Column(Text, nullable=False))


class ModelNoteRow(Row, table=True):
    """What somebody wrote about a version: an annotation, or a review with its verdict."""

    __tablename__ = "model_notes"
    __table_args__ = (Index("ix_model_notes_version", "model_id", "version", "id"),)
    id: int | None = Field(default=None, sa_column=Column(_IDENTITY, primary_key=True, autoincrement=True))
    model_id: int = Field(sa_column=_big(nullable=False))
    version: int = Field(sa_column=Column(Integer, nullable=False))
    at: int = Field(sa_column=_big(nullable=False))
    author: str = Field(sa_column=Column(String(250), nullable=False))
    strength: str = Field(sa_column=Column(String(16), nullable=False))
    verdict: str = Field(default="", sa_column=Column(String(16), nullable=False, server_default=""))
    text: str = Field(sa_column=Column(Text, nullable=False))


class WishRow(Row, table=True):
    """A logged model that is to be registered: said by whoever logged it, done by whoever may write the registry."""

    __tablename__ = "registrations"
    __table_args__ = (Index("ix_registrations_open", "version", "at"),)
    logged_id: str = Field(sa_column=Column(String(34), primary_key=True))
    name: str = Field(sa_column=Column(String(250), nullable=False))
    at: int = Field(sa_column=_big(nullable=False))
    version: int | None = Field(default=None, sa_column=Column(Integer))  # what it became; 0: refused
    reason: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))


class PolicyRow(Row, table=True):
    __tablename__ = "policies"
    version: int = Field(sa_column=_version_key())
    digest: str = Field(sa_column=Column(String(64), nullable=False))
    content: str = Field(sa_column=Column(Text, nullable=False))
    at: int = Field(sa_column=_big(nullable=False))
    author: str = Field(sa_column=Column(String(250), nullable=False))


class EvidenceRow(Row, table=True):
    """On what a request was judged: its JSON, by digest; its arrays stand in the artifact store under their own."""

    __tablename__ = "evidences"
    digest: str = Field(sa_column=Column(String(64), primary_key=True))
    content: str = Field(sa_column=Column(Text, nullable=False))
    arrays: str = Field(default="", sa_column=Column(String(64), nullable=False, server_default=""))
    uri: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))


class RequestRow(Row, table=True):
    """Somebody asks that a version go to a stage."""

    __tablename__ = "transition_requests"
    __table_args__ = (
        Index("ix_transition_requests_model", "model_id", "version", "id"),
        Index("ix_transition_requests_state", "state", "id"),
    )
    id: int | None = Field(default=None, sa_column=Column(_IDENTITY, primary_key=True, autoincrement=True))
    model_id: int = Field(sa_column=_big(nullable=False))
    version: int = Field(sa_column=Column(Integer, nullable=False))
    stage: str = Field(sa_column=Column(String(16), nullable=False))
    champion: int | None = Field(default=None, sa_column=Column(Integer))
    state: str = Field(default="open", sa_column=Column(String(16), nullable=False, server_default="open"))
    reason: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    requester: str = Field(sa_column=Column(String(250), nullable=False))
    strength: str = Field(sa_column=Column(String(16), nullable=False))
    why: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    evidence: str = Field(sa_column=Column(String(64), nullable=False))
    standing: str = Field(sa_column=Column(Text, nullable=False))  # what the ledger said of both sides, by name of the fact
    report: str = Field(sa_column=Column(Text, nullable=False))
    passed: int = Field(sa_column=Column(Integer, nullable=False))
    policy: int = Field(sa_column=Column(Integer, nullable=False))
    rule: str = Field(sa_column=Column(Text, nullable=False))
    opened: int = Field(sa_column=_big(nullable=False))
    expires: int = Field(sa_column=_big(nullable=False))
    closed: int | None = Field(default=None, sa_column=_big())


class VoteRow(Row, table=True):
    __tablename__ = "request_votes"
    request_id: int = Field(sa_column=_model_key())
    number: int = Field(sa_column=_version_key())
    voter: str = Field(sa_column=Column(String(250), nullable=False))
    strength: str = Field(sa_column=Column(String(16), nullable=False))
    how: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    approve: int = Field(sa_column=Column(Integer, nullable=False))
    comment: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    evidence: str = Field(sa_column=Column(String(64), nullable=False))
    at: int = Field(sa_column=_big(nullable=False))


class AuditRow(Row, table=True):
    """One change of the registry. ``hash`` covers the previous row's and ``content``, which says all; the columns are to find it by."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_model", "model_id", "version", "seq"),)
    seq: int = Field(sa_column=_model_key())
    at: int = Field(sa_column=_big(nullable=False))
    action: str = Field(sa_column=Column(String(32), nullable=False))
    model_id: int | None = Field(default=None, sa_column=_big())
    version: int | None = Field(default=None, sa_column=Column(Integer))
    actor: str = Field(sa_column=Column(String(250), nullable=False))
    strength: str = Field(sa_column=Column(String(16), nullable=False))
    evidence: str = Field(default="", sa_column=Column(String(64), nullable=False, server_default=""))
    content: str = Field(sa_column=Column(Text, nullable=False))
    hash: str = Field(sa_column=Column(String(64), nullable=False))


class AuditHeadRow(Row, table=True):
    """The end of the chain: one row, which everyone who changes the registry holds while doing so."""

    __tablename__ = "audit_head"
    id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    seq: int = Field(sa_column=_big(nullable=False))
    hash: str = Field(sa_column=Column(String(64), nullable=False))


class OutboxRow(Row, table=True):
    """An event that is to be sent about a change: written with it, sent after it, at least once."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_sent", "sent", "seq"),)
    seq: int = Field(sa_column=_model_key())
    name: str = Field(sa_column=Column(String(64), nullable=False))
    payload: str = Field(sa_column=Column(Text, nullable=False))
    at: int = Field(sa_column=_big(nullable=False))
    sent: int | None = Field(default=None, sa_column=_big())


class WebhookRow(Row, table=True):
    """Where events are posted. ``secret`` names the key of the signatures, ``planned`` is the last event that deliveries were made of."""

    __tablename__ = "webhooks"
    id: int | None = Field(default=None, sa_column=Column(_IDENTITY, primary_key=True, autoincrement=True))
    url: str = Field(sa_column=Column(Text, nullable=False))
    secret: str = Field(sa_column=Column(String(250), nullable=False))
    events: str = Field(sa_column=Column(Text, nullable=False))
    model: str = Field(default="*", sa_column=Column(String(250), nullable=False, server_default="*"))
    allow_private: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    author: str = Field(sa_column=Column(String(250), nullable=False))
    created: int = Field(sa_column=_big(nullable=False))
    planned: int = Field(sa_column=_big(nullable=False))
    removed: int | None = Field(default=None, sa_column=_big())


class DeliveryRow(Row, table=True):
    """An event for a webhook: ``waiting`` until ``due``, which who tries it moves on first; then ``done``, ``dead`` or ``dropped``."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_due", "webhook_id", "state", "due"),)
    webhook_id: int = Field(sa_column=_model_key())
    seq: int = Field(sa_column=_model_key())
    state: str = Field(default="waiting", sa_column=Column(String(16), nullable=False, server_default="waiting"))
    tries: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    due: int = Field(sa_column=_big(nullable=False))
    status: int | None = Field(default=None, sa_column=Column(Integer))
    answer: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    ended: int | None = Field(default=None, sa_column=_big())


class SavedViewRow(Row, table=True):
    """What somebody wants to see again on a page of the dashboard: the query of its address, by a name."""

    __tablename__ = "saved_views"
    page: str = Field(sa_column=Column(String(32), primary_key=True))
    name: str = Field(sa_column=Column(String(500), primary_key=True))
    query: str = Field(sa_column=Column(Text, nullable=False))
    author: str = Field(sa_column=Column(String(250), nullable=False))
    at: int = Field(sa_column=_big(nullable=False))
