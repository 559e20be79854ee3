"""Which code a run ran, and under which circumstances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from prefect_ledger.comparison import flat
from prefect_ledger.entities import Run
from prefect_ledger.errors import LedgerError
from prefect_ledger.formats import count, listed, size

from ..data import artifacts
from ..data import run as data
from . import facts, said

_PATCH = "code/changes.patch"  # the artifact that has what the commit has not
_DIFF_ENDS = (".patch", ".diff")


def show(run: Run) -> None:
    """Show it."""
    found = run.facts
    left, right = st.columns(2, gap="medium")
    with left:
        _git(found)
        _patch(run)
    with right:
        _surroundings(found)
        _packages(data.part(found, "packages"))


def _git(found: Mapping[str, Any]) -> None:
    st.subheader("Code", anchor=False)
    git = data.part(found, "git")
    if not git:
        st.caption("No commit is known: the code lay in no git repository, or the setting capture_git is off.")
        return
    dirty = {True: "changed beside the commit", False: "as committed", None: "not known"}.get(git.get("dirty"), "not known")
    values = {"commit": git.get("commit"), "branch": git.get("branch"), "remote": git.get("remote"), "working tree": dirty}
    more = {key: value for key, value in git.items() if key not in ("commit", "branch", "remote", "dirty")}
    facts.pairs([(key, value) for key, value in {**values, **more}.items() if value not in (None, "", [], {})], ("git", ""))


def _patch(run: Run) -> None:
    """The changes as a diff, where an artifact has them."""
    there = [one for one in artifacts.of_run(run.id) if one.path == _PATCH or one.path.lower().endswith(_DIFF_ENDS)]
    for one in sorted(there, key=lambda each: each.path != _PATCH)[:3]:
        st.subheader(said.plain(one.path, 200), anchor=False)
        try:
            text = artifacts.text(one, one.sha256)
        except LedgerError as error:
            st.error(said.plain(error), icon=":material/error:")
            continue
        st.code(said.text(text.text), language="diff", height=420)
        if not text.whole:
            st.caption(f"The beginning of {size(one.size)}; the artifacts have all of it.")


def _surroundings(found: Mapping[str, Any]) -> None:
    rows = [(key, listed(value, 20) if isinstance(value, list) else value) for key, value in flat(_rest(found))]
    rows = [(key, value) for key, value in rows if value not in (None, "", [], {})]
    st.subheader("Surroundings", anchor=False)
    if not rows:
        st.caption("Nothing was recorded of them.")
        return
    facts.pairs(rows, ("what", "value"), key="surroundings", most=16)


def _rest(found: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in found.items() if key not in ("git", "packages")}
    environment = rest.pop("environment", {})
    memory = environment.get("memory") if isinstance(environment, Mapping) else None
    if isinstance(memory, int):
        environment = {**environment, "memory": size(memory)}
    return {**(environment if isinstance(environment, Mapping) else {"environment": environment}), **rest}


def _packages(packages: Mapping[str, Any]) -> None:
    if not packages:
        return
    st.subheader(count(len(packages), "package"), anchor=False)
    wanted = st.text_input("Packages", key="package", placeholder="a part of a name", label_visibility="collapsed", bind="query-params")
    shown = [(name, version) for name, version in sorted(packages.items()) if wanted.strip().lower() in name.lower()]
    if shown:
        facts.pairs(shown, ("package", "version"), key="packages")
    else:
        st.caption("None is called so.")
