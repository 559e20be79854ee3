"""The first schema."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "artifacts",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("path", sa.String(length=1024), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("task_run_id", sa.String(length=36), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("run_id", "path", "attempt", name=op.f("pk_artifacts")),
    )
    op.create_table(
        "attempts",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(length=16), server_default="RUNNING", nullable=False),
        sa.Column("status_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.Column("exception", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("run_id", "attempt", name=op.f("pk_attempts")),
    )
    op.create_table(
        "cache_hits",
        sa.Column("task_run_id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("storage_key", sa.String(length=500), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("source_run_id", sa.String(length=36), server_default="", nullable=False),
        sa.Column("source_task_run_id", sa.String(length=36), server_default="", nullable=False),
        sa.Column("source_attempt", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("task_run_id", name=op.f("pk_cache_hits")),
    )
    op.create_index("ix_cache_hits_key", "cache_hits", ["storage_key"], unique=False)
    op.create_index("ix_cache_hits_run", "cache_hits", ["run_id"], unique=False)
    op.create_table(
        "cache_links",
        sa.Column("task_run_id", sa.String(length=36), nullable=False),
        sa.Column("source_run_id", sa.String(length=36), nullable=False),
        sa.Column("source_task", sa.String(length=36), nullable=False),
        sa.Column("source_attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("task_run_id", "source_run_id", "source_task", "source_attempt", name=op.f("pk_cache_links")),
    )
    op.create_index("ix_cache_links_run", "cache_links", ["run_id"], unique=False)
    op.create_index("ix_cache_links_source", "cache_links", ["source_run_id", "source_task"], unique=False)
    op.create_table(
        "chunks",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("series_id", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chunks")),
    )
    op.create_index("ix_chunks_mixed", "chunks", ["run_id", "id", "n"], unique=False)
    op.create_index("ix_chunks_series", "chunks", ["series_id", "id", "n"], unique=False)
    op.create_table(
        "dataset_uses",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("context", sa.String(length=250), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "name", "digest", "context", "attempt", name=op.f("pk_dataset_uses")),
    )
    op.create_index("ix_dataset_uses_dataset", "dataset_uses", ["name", "digest"], unique=False)
    op.create_table(
        "datasets",
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=True),
        sa.Column("schema_json", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("name", "digest", name=op.f("pk_datasets")),
    )
    op.create_table(
        "experiment_tags",
        sa.Column("experiment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", "key", name=op.f("pk_experiment_tags")),
    )
    op.create_table(
        "experiments",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("lifecycle", sa.String(length=16), server_default="active", nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiments")),
        sa.UniqueConstraint("name", name=op.f("uq_experiments_name")),
    )
    op.create_table(
        "journals",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("segment", sa.BigInteger(), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journals")),
    )
    op.create_table(
        "metrics",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("nan", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("finite", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("mean", sa.Double(), nullable=True),
        sa.Column("vmin", sa.Double(), nullable=True),
        sa.Column("smin", sa.BigInteger(), nullable=True),
        sa.Column("vmax", sa.Double(), nullable=True),
        sa.Column("smax", sa.BigInteger(), nullable=True),
        sa.Column("fs", sa.BigInteger(), nullable=True),
        sa.Column("ft", sa.BigInteger(), nullable=True),
        sa.Column("fv", sa.Double(), nullable=True),
        sa.Column("ls", sa.BigInteger(), nullable=True),
        sa.Column("lt", sa.BigInteger(), nullable=True),
        sa.Column("lv", sa.Double(), nullable=True),
        sa.Column("fnan", sa.Integer(), nullable=True),
        sa.Column("lnan", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "key", name=op.f("pk_metrics")),
        sqlite_with_rowid=False,
    )
    last = ["key", "lv", "run_id", "attempt", "fv", "vmin", "vmax", "mean", "n"]
    op.create_index("ix_metrics_key_last", "metrics", last, unique=False)
    op.create_table(
        "notes",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
    )
    op.create_index("ix_notes_run", "notes", ["run_id", "id"], unique=False)
    op.create_table(
        "packages",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_packages")),
    )
    op.create_table(
        "models",
        sa.Column("id", sa.String(length=34), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("task_run_id", sa.String(length=36), server_default="", nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("path", sa.String(length=1024), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("flavor", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
    )
    op.create_index("ix_models_name", "models", ["name", "at"], unique=False)
    op.create_index("ix_models_run", "models", ["run_id"], unique=False)
    op.create_table(
        "params",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("head", sa.Text(), sa.Computed("substr(value, 1, 64)", persisted=True), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "key", "attempt", name=op.f("pk_params")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_params_key_value", "params", ["key", "number", "head", "run_id"], unique=False)
    op.create_table(
        "results",
        sa.Column("storage_key", sa.String(length=500), nullable=False),
        sa.Column("task_run_id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("storage_key", "task_run_id", name=op.f("pk_results")),
    )
    op.create_table(
        "run_words",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_words")),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("experiment_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.String(length=16), server_default="RUNNING", nullable=False),
        sa.Column("status_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("provisional", sa.Integer(), server_default="0", nullable=False),
        sa.Column("status_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("kind", sa.String(length=32), server_default="", nullable=False),
        sa.Column("user_id", sa.String(length=250), server_default="", nullable=False),
        sa.Column("parent_id", sa.String(length=36), nullable=True),
        sa.Column("artifact_uri", sa.Text(), nullable=True),
        sa.Column("started", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.Column("seen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("owner", sa.String(length=36), server_default="", nullable=False),
        sa.Column("lifecycle", sa.String(length=16), server_default="active", nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=True),
        sa.Column("facts", sa.Text(), server_default="{}", nullable=False),
        sa.Column("packages", sa.String(length=64), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index("ix_runs_experiment", "runs", ["experiment_id", "started", "id"], unique=False)
    op.create_index("ix_runs_open", "runs", ["status", "seen"], unique=False)
    op.create_index("ix_runs_owner", "runs", ["owner"], unique=False)
    op.create_index("ix_runs_parent", "runs", ["parent_id"], unique=False)
    op.create_index("ix_runs_search", "runs", ["id", "attempt", "lifecycle", "experiment_id", "started"], unique=False)
    op.create_index("ix_runs_started", "runs", ["started", "id"], unique=False)
    op.create_table(
        "series",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("task_run_id", sa.String(length=36), nullable=False),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("nan", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("finite", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("mean", sa.Double(), nullable=True),
        sa.Column("vmin", sa.Double(), nullable=True),
        sa.Column("smin", sa.BigInteger(), nullable=True),
        sa.Column("vmax", sa.Double(), nullable=True),
        sa.Column("smax", sa.BigInteger(), nullable=True),
        sa.Column("fs", sa.BigInteger(), nullable=True),
        sa.Column("ft", sa.BigInteger(), nullable=True),
        sa.Column("fv", sa.Double(), nullable=True),
        sa.Column("ls", sa.BigInteger(), nullable=True),
        sa.Column("lt", sa.BigInteger(), nullable=True),
        sa.Column("lv", sa.Double(), nullable=True),
        sa.Column("fnan", sa.Integer(), nullable=True),
        sa.Column("lnan", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint("run_id", "key", "attempt", "task_run_id", "try_number", name="uq_series_identity"),
    )
    op.create_table(
        "tags",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "key", name=op.f("pk_tags")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tags_key", "tags", ["key", "run_id"], unique=False)
    op.create_table(
        "task_runs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("state_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("cached", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.Column("exception", sa.Text(), server_default="{}", nullable=False),
        sa.Column("parent_id", sa.String(length=36), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_runs")),
    )
    op.create_index("ix_task_runs_run", "task_runs", ["run_id", "started"], unique=False)
    op.create_table(
        "usage",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("task_run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("journal", sa.String(length=36), nullable=False),
        sa.Column("waited", sa.BigInteger(), nullable=False),
        sa.Column("ran", sa.BigInteger(), nullable=False),
        sa.Column("retried", sa.BigInteger(), nullable=False),
        sa.Column("cpu", sa.BigInteger(), nullable=False),
        sa.Column("gpu", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "task_run_id", "attempt", "journal", name=op.f("pk_usage")),
    )
    if op.get_bind().dialect.name == "postgresql":  # chunks are compressed already
        op.execute("alter table chunks alter column data set storage external")
    now = time.time_ns() // 1000
    experiments = sa.table("experiments", sa.column("id"), sa.column("name"), sa.column("created"), sa.column("updated"))
    op.bulk_insert(experiments, [{"id": 0, "name": "Default", "created": now, "updated": now}])
