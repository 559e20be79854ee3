"""Views for people with a client of SQL: ``runs_wide``, ``latest_metrics``, ``model_versions_now``, ``lineage`` (docs/sql.md)."""

from __future__ import annotations

from collections.abc import Callable
from string import Template

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# SQL has no name for what the two databases spell differently, so the text has names of its own: $at_x is the time in the column x.
_RUNS_WIDE = """
SELECT r.id AS run_id, NULLIF(r.name, '') AS name, r.experiment_id, e.name AS experiment, r.status,
 NULLIF(r.status_reason, '') AS status_reason, CASE WHEN r.attempt < 1 THEN 1 ELSE r.attempt END AS attempt, NULLIF(r.kind, '') AS kind,
 NULLIF(r.user_id, '') AS user_name, NULLIF(r.description, '') AS description, r.parent_id AS parent_run_id,
 $started AS started_at, $ended AS ended_at, CAST(r.ended - r.started AS DOUBLE PRECISION) / 1000000 AS seconds,
 r.started AS started_us, r.ended AS ended_us, r.artifact_uri, r.lifecycle <> 'active' AS deleted,
 CASE WHEN r.lifecycle <> 'active' THEN $deleted END AS deleted_at,
 (SELECT $object_value FROM params p WHERE p.run_id = r.id AND p.attempt = r.attempt) AS params,
 (SELECT $object_last FROM metrics m WHERE m.run_id = r.id AND m.attempt = r.attempt AND substr(m.key, 1, 7) <> 'system.') AS metrics,
 (SELECT $object_value FROM tags t WHERE t.run_id = r.id AND t.value IS NOT NULL) AS tags
FROM runs r LEFT JOIN experiments e ON e.id = r.experiment_id"""
_LATEST_METRICS = """
SELECT m.run_id, NULLIF(r.name, '') AS run_name, r.experiment_id, e.name AS experiment, m.key,
 CASE WHEN m.attempt < 1 THEN 1 ELSE m.attempt END AS attempt, m.lv AS last_value, m.lnan = 1 AS last_is_nan, m.ls AS last_step,
 $last AS last_at, m.vmin AS min_value, m.smin AS min_step, m.vmax AS max_value, m.smax AS max_step, m.mean AS mean_value,
 m.fv AS first_value, m.fnan = 1 AS first_is_nan, m.n AS points, m.nan AS nan_points, r.lifecycle <> 'active' AS deleted
FROM metrics m JOIN runs r ON r.id = m.run_id AND r.attempt = m.attempt LEFT JOIN experiments e ON e.id = r.experiment_id"""
_MODEL_VERSIONS_NOW = """
SELECT g.name AS model, v.version, v.stage,
 (SELECT $names FROM (SELECT alias FROM model_aliases a WHERE a.model_id = v.model_id AND a.version = v.version ORDER BY alias) x)
 AS aliases,
 v.digest, v.logged_id, v.run_id, 'runs:/' || v.run_id || '/' || l.path AS source, l.flavor, l.size AS bytes,
 NULLIF(v.description, '') AS description, v.author, v.strength AS author_strength, $created AS created_at, $updated AS updated_at,
 v.deleted IS NOT NULL OR g.deleted IS NOT NULL AS deleted
FROM model_versions v JOIN registered_models g ON g.id = v.model_id LEFT JOIN models l ON l.id = v.logged_id"""
_USED = """
SELECT 'dataset' AS source_kind, $text(u.name) AS source_name, $text(u.digest) AS source_id, 'used by' AS relation,
 $text(u.context) AS detail, 'run' AS target_kind, NULLIF(r.name, '') AS target_name, $text(u.run_id) AS target_id,
 $text(u.run_id) AS run_id, CASE WHEN u.attempt < 1 THEN 1 ELSE u.attempt END AS attempt, $at AS at
FROM dataset_uses u LEFT JOIN runs r ON r.id = u.run_id WHERE u.context <> 'predictions'"""
_WROTE = """
SELECT 'run', NULLIF(r.name, ''), $text(u.run_id), 'wrote', $text(u.context), 'dataset', $text(u.name), $text(u.digest),
 $text(u.run_id), CASE WHEN u.attempt < 1 THEN 1 ELSE u.attempt END, $at
FROM dataset_uses u LEFT JOIN runs r ON r.id = u.run_id WHERE u.context = 'predictions'"""
_LOGGED = """
SELECT 'run', NULLIF(r.name, ''), $text(l.run_id), 'logged', $text(l.path), 'model', $text(l.name), $text(l.id),
 $text(l.run_id), CASE WHEN l.attempt < 1 THEN 1 ELSE l.attempt END, $at_logged
FROM models l LEFT JOIN runs r ON r.id = l.run_id"""
_BECAME = """
SELECT 'model', $text(l.name), $text(v.logged_id), 'became', $text(v.stage), 'version', $text(g.name), CAST(v.version AS TEXT),
 $text(v.run_id), CASE WHEN l.attempt < 1 THEN 1 ELSE l.attempt END, $created
FROM model_versions v JOIN registered_models g ON g.id = v.model_id LEFT JOIN models l ON l.id = v.logged_id"""
_ASKED = """
SELECT 'model', $text(l.name), $text(t.value), 'asked by', NULL, 'run', NULLIF(r.name, ''), $text(t.run_id),
 $text(t.run_id), CASE WHEN r.attempt < 1 THEN 1 ELSE r.attempt END, $at_tag
FROM tags t JOIN runs r ON r.id = t.run_id JOIN models l ON l.id = t.value WHERE t.key = 'model_id'"""
_PARENT = """
SELECT 'run', NULLIF(p.name, ''), $text(r.parent_id), 'parent of', NULL, 'run', NULLIF(r.name, ''), $text(r.id),
 $text(r.id), CASE WHEN r.attempt < 1 THEN 1 ELSE r.attempt END, $started
FROM runs r LEFT JOIN runs p ON p.id = r.parent_id WHERE r.parent_id IS NOT NULL"""
_CACHE = """
SELECT 'run', NULLIF(s.name, ''), $text(c.source_run_id), 'computed for', $text(c.task_run_id), 'run', NULLIF(r.name, ''), $text(c.run_id),
 $text(c.run_id), CASE WHEN c.attempt < 1 THEN 1 ELSE c.attempt END, $at_hit
FROM cache_hits c LEFT JOIN runs s ON s.id = c.source_run_id LEFT JOIN runs r ON r.id = c.run_id WHERE c.source_run_id <> ''"""
_EDGES = (_USED, _WROTE, _LOGGED, _BECAME, _ASKED, _PARENT, _CACHE)
_VIEWS = {
    "runs_wide": _RUNS_WIDE,
    "latest_metrics": _LATEST_METRICS,
    "model_versions_now": _MODEL_VERSIONS_NOW,
    "lineage": "\nUNION ALL".join(_EDGES),
}
_TIMES = {
    "started": "r.started",
    "ended": "r.ended",
    "deleted": "r.deleted",
    "last": "m.lt",
    "created": "v.created",
    "updated": "v.updated",
    "at": "u.at",
    "at_logged": "l.at",
    "at_tag": "t.at",
    "at_hit": "c.at",
}
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999: what a point may say is more than a calendar has
_SPELLED = {
    "sqlite": {
        "object_value": "json_group_object(key, value)",
        # As a number's text: SQLite's JSON has only 15 digits of it.
        "object_last": "json_group_object(m.key, CASE WHEN m.lnan = 1 THEN 'NaN' WHEN m.lv = 9e999 THEN 'Infinity'"
        " WHEN m.lv = -9e999 THEN '-Infinity' ELSE json(printf('%!.17g', m.lv)) END)",
        "names": "json_group_array(x.alias)",
    },
    "postgresql": {
        "object_value": "COALESCE(jsonb_object_agg(key, value), '{}')",
        "object_last": "COALESCE(jsonb_object_agg(m.key, CASE WHEN m.lnan = 1 THEN to_jsonb('NaN'::text)"
        " WHEN abs(m.lv) = 'Infinity' THEN to_jsonb(m.lv::text) ELSE to_jsonb(m.lv) END), '{}')",
        "names": "COALESCE(jsonb_agg(x.alias), '[]')",
    },
}


def _sqlite_time(column: str) -> str:
    micros = f"(({column} % 1000000 + 1000000) % 1000000)"
    moment = f"strftime('%Y-%m-%dT%H:%M:%S', ({column} - {micros}) / 1000000, 'unixepoch') || printf('.%06dZ', {micros})"
    return f"CASE WHEN {column} BETWEEN {_FIRST} AND {_LAST} THEN {moment} END"


def _postgresql_time(column: str) -> str:
    # In two parts: an interval is multiplied as a float64, which has not as many digits as microseconds need.
    moment = f"timestamptz 'epoch' + {column} / 1000000 * interval '1 second' + {column} % 1000000 * interval '1 microsecond'"
    return f"CASE WHEN {column} BETWEEN {_FIRST} AND {_LAST} THEN {moment} END"


_TIME: dict[str, Callable[[str], str]] = {"sqlite": _sqlite_time, "postgresql": _postgresql_time}


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    words = _SPELLED[dialect] | {name: _TIME[dialect](column) for name, column in _TIMES.items()}
    # Its reader's rights count, not its owner's: a view shows nobody a table that he may not read.
    how = " WITH (security_invoker = true)" if dialect == "postgresql" else ""
    for name, text in _VIEWS.items():
        body = Template(text.replace("$text(", "${text}(")).substitute(words, text="" if dialect == "sqlite" else "text")
        op.get_bind().exec_driver_sql(f"CREATE VIEW {name}{how} AS{body}".replace("%", "%%" if dialect == "postgresql" else "%"))
