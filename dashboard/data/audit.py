"""The audit log of the registry: its latest rows, where it ends, and whether it is whole."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import streamlit as st

from prefect_ledger import registry
from prefect_ledger.audit_chain import Verified
from prefect_ledger.registered import Change
from prefect_ledger.registry.history import latest_changes

AT_ONCE = 20_000  # rows that are verified whenever somebody looks: about a third of a second


class Checked(NamedTuple):
    """What walking the whole log found, when, and how many seconds it took."""

    found: Verified
    at: datetime
    seconds: float


class Row(NamedTuple):
    """A row of the log, as tables show it."""

    seq: int
    at: datetime
    action: str
    name: str
    version: int | None
    by: str
    strength: str
    why: str
    before: str
    after: str
    evidence: str
    hash: str


def head() -> registry.AuditHead:
    """Where the log ends now."""
    return registry.audit_head()


@st.cache_data(ttl=60, max_entries=4, show_spinner="Walking the audit log…")
def verified(seq: int, digest: str) -> Checked:  # noqa: ARG001 - kept by the head: what is added since is looked at anew
    """Whether every row holds, and the tables say what the log says."""
    begun = time.perf_counter()
    found = registry.verify_audit()
    return Checked(found, datetime.now(UTC), time.perf_counter() - begun)


@st.cache_data(ttl=3, max_entries=32, show_spinner=False)
def latest(name: str | None, version: int | None, text: str, before: int | None, limit: int) -> list[Row]:
    """The latest rows; of one model, of one version, and with a text in them, where these are given."""
    return [_row(one) for one in latest_changes(name, version, text=text, before=before, limit=limit)]


def exported() -> Iterator[str]:
    """All rows as lines of JSON."""
    return (f"{line}\n" for line in registry.export_audit())


def _row(one: Change) -> Row:
    sides = (_text(one.before), _text(one.after))
    return Row(
        one.seq, one.at, one.action, one.name, one.version, one.by.name, str(one.by.strength), one.why, *sides, one.evidence, one.hash
    )


def _text(side: object) -> str:
    pairs = dict(side).items() if isinstance(side, dict) else ()
    return ", ".join(f"{key}: {'nothing' if value is None else value}" for key, value in pairs)[:500]
