"""The steps of a run: when each ran, and what it took."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from prefect_ledger.entities import Run, TaskRun, to_micros
from prefect_ledger.formats import count, duration, moment

from ..charts import timeline
from . import facts, said

_CONFIG = {"displaylogo": False}


def show(run: Run) -> None:
    """Show them, of one attempt."""
    tasks = run.task_runs
    if not tasks:
        st.info("This run has no steps. Each call of a @tracked_task in its flow is one:", icon=":material/view_timeline:")
        st.code("from prefect_ledger import tracked_task\n\n@tracked_task\ndef load(path): ...", language="python")
        return
    attempts = sorted({one.attempt for one in tasks})
    chosen = attempts[-1]
    if len(attempts) > 1:
        chosen = st.segmented_control("Attempt", attempts, default=chosen, required=True, key="attempt", bind="query-params") or chosen
    here = [one for one in tasks if one.attempt == chosen]
    _drawn(run, here)
    _listed(run, here)


def _drawn(run: Run, tasks: Sequence[TaskRun]) -> None:
    used, now = run.usage.tasks, time.time_ns() // 1000
    steps = [
        timeline.Step(
            one.name,
            one.state or "unknown",
            (start := to_micros(one.started_at)),
            max(start, to_micros(one.ended_at) if one.ended_at else start if run.status.final else now),
            used[one.id].waited if one.id in used else 0.0,
            one.tries,
            one.cached,
            (one.source_run_id or "")[:8],
        )
        for one in tasks
        if one.started_at is not None
    ]
    if len(steps) > timeline.MOST:
        st.caption(f"The first {timeline.MOST:,} of {len(steps):,} steps are drawn; the table has all.")
    if steps:
        st.plotly_chart(timeline.figure(steps), key="timeline", config=_CONFIG)
    if waiting := len(tasks) - len(steps):
        st.caption(f"{count(waiting, 'step')} did not begin.")


def _listed(run: Run, tasks: Sequence[TaskRun]) -> None:
    used = run.usage.tasks
    heads = ("step", "state", "started", "took", "waited", "tries", "CPU", "from run", "id")
    rows = [
        (
            one.name,
            "cached" if one.cached else one.state.lower(),
            moment(one.started_at),
            duration(one.duration),
            duration(used[one.id].waited) if one.id in used else "",
            one.tries,
            duration(used[one.id].cpu) if one.id in used else "",
            (one.source_run_id or "")[:8],
            one.id,
        )
        for one in tasks
    ]
    facts.table(rows, heads, key="steps", most=20, numbers=["tries"])
    for one in tasks:
        if text := one.exception.get("message"):
            st.caption(f"{said.plain(one.name, 100)}: {said.plain(one.exception.get('type', 'error'), 100)}: {said.plain(text, 500)}")
