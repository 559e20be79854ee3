"""Asks a model about every row of a file, a folder or a query, in parts that are mapped, as a flow to be scheduled."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

from prefect import get_run_logger, unmapped
from prefect.futures import as_completed
from prefect.task_runners import ThreadPoolTaskRunner

from prefect_ledger import LedgerError, current_run, tracked_flow, tracked_task
from prefect_ledger.scoring.job import EXPERIMENT, Job
from prefect_ledger.scoring.mapped import PART, Mapped, Piece, score_mapped
from prefect_ledger.scoring.sources import Part

# Parts at once: each holds a few chunks in memory. Prefect's own number has no end.
_RUNNER: Any = ThreadPoolTaskRunner(max_workers=max(1, min(4, os.cpu_count() or 1)))


def _may_help(_task: Any, _run: Any, state: Any) -> bool:
    """Whether trying again can help: not where the model or the data is wrong."""
    return not isinstance(state.result(raise_on_failure=False), LedgerError)


@tracked_task(name="score-part", task_run_name="part-{part.number}", retries=2, retry_delay_seconds=5, retry_condition_fn=_may_help)
def score_part(part: Part, mapped: Mapped) -> Piece:
    """Score one part into its file."""
    return mapped.score(part)


@tracked_flow(name="prefect-ledger-score", experiment=EXPERIMENT, task_runner=_RUNNER)
def score_batch(
    model: str,
    source: str,
    output: str,
    query: str | None = None,
    keep: list[str] | None = None,
    columns: list[str] | None = None,
    params: dict[str, Any] | None = None,
    prediction: str = "prediction",
    part_rows: int = PART,
    chunk_rows: int | None = None,
    overwrite: bool = False,
    trust: bool = False,
) -> dict[str, float]:
    """As ``prefect_ledger.score``, but ``output`` is a folder with a file for each part; gives back rows and seconds.

    A Parquet source is cut where its row groups end, into parts of about ``part_rows`` rows; a folder of CSV files has a part for each
    file; a single CSV file and a query are one part.
    """
    start, run, log = time.monotonic(), current_run(), get_run_logger()
    assert run is not None

    def over(mapped: Mapped, parts: list[Part]) -> Iterator[Piece]:
        done, rows = 0, 0
        futures = score_part.map(parts, mapped=unmapped(mapped))
        for future in as_completed(futures):
            piece = future.result()
            done, rows = done + 1, rows + piece.rows
            log.info("part %s: %s rows; %s of %s parts, %s rows", piece.number, piece.rows, done, len(parts), rows)
            yield piece

    job = Job(model, source, output, query, keep, columns, params, prediction, chunk_rows, overwrite, trust)
    rows = score_mapped(job, run, over, part_rows=part_rows)
    return {"rows": rows, "seconds": time.monotonic() - start}
