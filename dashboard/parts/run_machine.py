"""What the machine did while the run ran, and what the run used of it."""

from __future__ import annotations

import streamlit as st

from prefect_ledger.entities import Run
from prefect_ledger.formats import duration, number
from prefect_ledger.usage import added

from . import facts, run_curves


def show(run: Run) -> None:
    """Show it."""
    _usage(run)
    watched = run.watched
    if not watched:
        st.info("Nothing was seen of the machine: the run was too short, or the setting watch is off.", icon=":material/memory:")
        return
    st.subheader("Machine", anchor=False)
    rows = [(key.removeprefix("system."), one.last, one.mean, one.max, one.count) for key, one in sorted(watched.items())]
    facts.table(rows, ("what", "last", "mean", "max", "points"), numbers=["last", "mean", "max", "points"])
    curved = sorted(key for key, one in watched.items() if one.count > 1)
    run_curves.panels(run, curved[: run_curves.MOST], x="relative")


def _usage(run: Run) -> None:
    usage = run.usage
    parts = [
        ("outside of steps", usage.own),
        ("steps", added(usage.tasks.values())),
        ("child runs", usage.children),
        ("total", usage.total),
    ]
    if not any(used.ran for _, used in parts):
        return
    st.subheader("Used", anchor=False)
    gpu, cost = bool(usage.total.gpu), usage.cost is not None
    heads = ["", "worked", "in vain", "CPU", *(["GPU"] if gpu else []), *(["cost"] if cost else [])]
    rows = []
    for name, used in parts:
        seconds = [used.ran, used.retried, used.cpu, *([used.gpu] if gpu else [])]
        rows.append((name, *(duration(one) for one in seconds), *([number(usage.prices.of(used))] if cost else [])))
    facts.table(rows, heads)
    if not cost:
        st.caption("With cpu_hour_price and gpu_hour_price among the settings, this has a cost.")
