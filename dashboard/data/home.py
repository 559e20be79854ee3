"""What the first page shows: small answers, kept for seconds, so that it is there at once however large the ledger is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import streamlit as st

from prefect_ledger import search_alerts
from prefect_ledger.comparison import direction
from prefect_ledger.entities import Alert
from prefect_ledger.queries.overview import Room, Trend
from prefect_ledger.tracking import overview
from prefect_ledger.tracking.overview import Work

SHOWN = 8
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


@st.cache_data(ttl=3, max_entries=2, show_spinner=False)
def work() -> Work:
    """What runs, and what failed in the last day."""
    return overview.work(datetime.now(UTC) - _DAY, limit=SHOWN)


@st.cache_data(ttl=5, max_entries=2, show_spinner=False)
def alerts() -> list[Alert]:
    """Warnings and errors that runs told in the last week, the latest first."""
    since = datetime.now(UTC) - _WEEK
    return [one for one in search_alerts(level="warning", limit=SHOWN) if one.logged_at and one.logged_at >= since]


@st.cache_data(ttl=15, max_entries=32, show_spinner=False)
def trends(key: str | None, runs: int) -> list[Trend]:
    """A metric in the latest runs of the experiments that were at work last."""
    return overview.trends(key, runs=runs, experiments=20)


@st.cache_data(ttl=60, max_entries=2, show_spinner=False)
def keys() -> list[str]:
    """The metrics that are offered."""
    return overview.metric_keys()[:2_000]


@st.cache_data(ttl=300, max_entries=2, show_spinner=False)
def room() -> Room:
    """How much is there."""
    return overview.room()


def best(key: str, values: Sequence[float]) -> float | None:
    """The best of these, as the metric's name lets guess; None where there is none."""
    real = [value for value in values if value == value]
    return None if not real else min(real) if is_lower(key) else max(real)


def is_lower(key: str) -> bool:
    """Whether less is better, as the name lets guess; where it does not, more is."""
    return direction(key) == "lower"
