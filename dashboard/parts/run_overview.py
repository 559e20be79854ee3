"""What a run was given and what came out of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from prefect_ledger.entities import Run, Summary
from prefect_ledger.formats import duration, moment, number, size

from ..data import run as data
from . import facts, links, prose, run_edit, said, states

_CHILDREN = 50  # that are listed here; the page Runs has them all


def show(run: Run) -> None:
    """Show it."""
    _error(run)
    if run.description:
        prose.show(run.description)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _metrics(run)
        _models(run)
        _datasets(run)
        _children(run)
    with right:
        if run.params:
            st.subheader("Parameters", anchor=False)
            facts.pairs(sorted(run.params.items()), ("parameter", "value"))
        if run.tags:
            st.subheader("Tags", anchor=False)
            facts.pairs(sorted(run.tags.items()), ("tag", "value"))
        _alerts(run)
        _attempts(run)
        run_edit.show(run)
        _python(run)


def _metrics(run: Run) -> None:
    summaries = run.summaries
    if not summaries:
        st.info('No metrics yet: log_metric("loss", 0.25) in the run\'s code adds one.')
        return
    st.subheader("Metrics", anchor=False)
    heads = ("metric", "last", "min", "at step", "max", "at step ", "mean", "points", "NaN", "from")
    rows = [_summary(one) for _, one in sorted(summaries.items())]
    numbers = [name for name in heads if name not in ("metric", "from")]
    if any(one.last != one.last for one in summaries.values()):  # a column of numbers would say that NaN is nothing
        rows = [(key, number(last), *rest) for key, last, *rest in rows]
        numbers.remove("last")
    keep = [at for at, name in enumerate(heads) if name not in ("NaN", "from") or any(row[at] for row in rows)]
    shown = [heads[at] for at in keep]
    facts.table([[row[at] for at in keep] for row in rows], shown, numbers=[name for name in shown if name in numbers])


def _summary(one: Summary) -> tuple[Any, ...]:
    came = ", ".join(run[:8] for run in one.sources)
    return one.key, one.last, one.min, one.min_step, one.max, one.max_step, one.mean, one.count, one.nan, came


def _models(run: Run) -> None:
    models = run.models
    if not models:
        return
    st.subheader("Models", anchor=False)
    registered = data.versions(models)
    facts.table(
        [(one.name, one.flavor, size(one.size), moment(one.logged_at), one.uri) for one in models],
        ("model", "flavor", "size", "logged", "reference"),
    )
    for versions in registered.values():
        with st.container(horizontal=True, gap="medium"):
            for one in versions:
                label = f"{one.name} {one.version} ({', '.join((one.stage, *(f'@{alias}' for alias in one.aliases)))})"
                links.link(label, "models", icon=":material/deployed_code:", model=one.name, version=one.version)


def _datasets(run: Run) -> None:
    datasets = run.datasets
    if datasets:
        st.subheader("Data", anchor=False)
        rows = [(one.name, one.context, one.rows, one.digest[:12], one.source) for one in datasets]
        facts.table(rows, ("dataset", "for", "rows", "digest", "source"), numbers=["rows"])


def _children(run: Run) -> None:
    children = run.children
    if not children:
        return
    st.subheader(f"{len(children):,} child runs" if len(children) > 1 else "1 child run", anchor=False)
    for one in children[:_CHILDREN]:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            links.within(one.name or one.id[:8], "run", key=f"child_{one.id}", run=one.id)
            states.badge(one.status)
            st.caption(said.plain(duration(one.duration)), width="content")
    if len(children) > _CHILDREN:
        st.caption(f"and {len(children) - _CHILDREN:,} more")


def _alerts(run: Run) -> None:
    shows = {"error": st.error, "warning": st.warning}
    for one in run.alerts:
        text = f"**{said.plain(one.title, 250)}**  \n{said.plain(moment(one.logged_at))}"
        shows.get(one.level, st.info)(f"{text}  \n{said.lines(one.text)}" if one.text else text, icon=":material/notifications:")
    for note in run.notes:
        st.caption(f"Note: {said.plain(note)}")


def _attempts(run: Run) -> None:
    attempts = run.attempts
    if len(attempts) < 2:
        return
    st.subheader("Attempts", anchor=False)
    rows = [(one.number, str(one.status), moment(one.started_at), _sentence(one.exception)) for one in attempts]
    facts.table(rows, ("attempt", "state", "started", "error"))


def _error(run: Run) -> None:
    attempts = run.attempts
    exception = attempts[-1].exception if attempts else {}
    if not exception:
        return
    st.error(said.plain(_sentence(exception)), icon=":material/error:")
    if trace := exception.get("traceback"):
        with st.expander("Traceback", expanded=False):
            st.code(said.text(trace), language=None)


def _sentence(exception: Mapping[str, str]) -> str:
    return f"{exception.get('type', 'error')}: {exception.get('message', '')}" if exception else ""


def _python(run: Run) -> None:
    st.subheader("From Python", anchor=False)
    st.code(f'from prefect_ledger import get_run\n\nrun = get_run("{run.id}")', language="python")
    st.subheader("Run it again", anchor=False)
    st.code(f"prefect-ledger rerun {run.id[:8]}", language="bash")
    if started := data.started_by(run.facts):
        st.caption("It was started by")
        st.code(said.text(started), language=None)
