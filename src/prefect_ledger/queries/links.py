"""Floor 3. What a run has by link: of tasks that had computed the results which its tasks took from the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect_ledger.database import rows

if TYPE_CHECKING:
    import sqlalchemy as sa

_ARTIFACTS = """
SELECT a.run_id, a.path, a.uri, a.size, a.sha256, a.kind, a.attempt, a.task_run_id, a.at, a.details, a.attempt AS here, 1 AS own
 FROM artifacts a WHERE a.run_id = ?{which}
UNION ALL
SELECT a.run_id, a.path, a.uri, a.size, a.sha256, a.kind, a.attempt, a.task_run_id, a.at, a.details, l.attempt, 0
 FROM cache_links l JOIN artifacts a ON a.run_id = l.source_run_id AND a.task_run_id = l.source_task AND a.attempt = l.source_attempt
 WHERE l.run_id = ?{which}"""
_COUNTED = " ORDER BY 2, 11, 12, 9, 1"  # of each path the one that counts comes last
ARTIFACTS = _ARTIFACTS.format(which="") + _COUNTED
OF_PATH = _ARTIFACTS.format(which=" AND a.path = ?") + _COUNTED
OF_KIND = f"""SELECT * FROM ({_ARTIFACTS.format(which="")}) AS shown
 WHERE kind = ? AND here = (SELECT attempt FROM runs WHERE id = ?) ORDER BY at, path"""  # those of the last attempt
TASK_RUNS = """
SELECT t.id, t.run_id, t.name, t.state, t.attempt, t.tries, t.cached, t.started, t.ended, t.exception, h.source_run_id, h.source_task_run_id
 FROM task_runs t LEFT JOIN cache_hits h ON h.task_run_id = t.id WHERE t.run_id = ? ORDER BY t.started IS NULL, t.started, t.id"""
_SOURCES = """
SELECT DISTINCT s.key, s.run_id FROM runs r JOIN cache_links l ON l.run_id = r.id AND l.attempt = r.attempt
 JOIN series s ON s.run_id = l.source_run_id AND s.task_run_id = l.source_task AND s.attempt = l.source_attempt AND s.n > 0
 WHERE r.id = ? AND NOT (s.run_id = r.id AND s.attempt = r.attempt) ORDER BY 1, 2"""


def sources(tx: sa.Connection, run_id: str) -> dict[str, tuple[str, ...]]:
    """For each metric of the last attempt that came by link, the runs that logged it; the run itself where an earlier attempt did."""
    found: dict[str, tuple[str, ...]] = {}
    for key, run in rows(tx, _SOURCES, [run_id]):
        found[key] = (*found.get(key, ()), run)
    return found
