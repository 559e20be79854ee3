"""A version of a registered model: what it is, what people say of it, where it came from and where it went."""

from __future__ import annotations

import streamlit as st

from prefect_ledger.formats import moment, size

from .. import people
from ..data import models
from ..data.models import Whole
from . import facts, links, model_badges, model_change, model_differences, model_lineage, model_page, persons, prose, said

_PARTS = ("Signature", "Notes", "Differences", "Lineage", "History", "Load it")
_WORDS = {"approve": ":green[approves]", "reject": ":red[rejects]", "comment": "comments"}


def show(name: str, version: str, person: people.Person) -> None:
    """Show it."""
    found = models.whole(name, version)
    _head(found)
    if person.may(people.Role.CONTRIBUTOR) and found.one.deleted_at is None:
        model_change.show(found.one, models.get(found.one.name))
    opened = st.tabs(_PARTS, key="part", on_change="rerun", bind="query-params")
    for tab, body in zip(opened, (_signature, _notes, model_differences.show, model_lineage.show, _history, _load), strict=True):
        if tab.open:
            with tab:
                body(found)


def _head(found: Whole) -> None:
    one, logged = found.one, found.logged
    links.within(f"All versions of {one.name}", "models", key="all", icon=":material/arrow_back:", model=one.name)
    st.title(f"{said.plain(one.name)} {one.version}", anchor=False)
    badges = [model_badges.stage(one.stage), model_badges.aliases(one.aliases), model_badges.tags(one.tags)]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(" ".join(filter(None, badges)), width="content")
        run = "its run" if found.run is None else f"run {found.run.name or found.run.id[:8]}"
        links.link(run, "run", icon=":material/science:", run=one.run_id)
        links.link("requests", "promotions", icon=":material/how_to_vote:", model=one.name, state="all")
    st.caption(f"Registered {moment(one.created_at)} by {persons.marked(one.author)}")
    of_model = "its logged model is gone" if logged is None else f"{said.plain(logged.flavor)}, {size(logged.size)}"
    st.caption(f"{of_model}; logged model {said.code(one.logged_id)}; digest {said.code(one.digest)}")
    prose.show(one.description)


def _signature(found: Whole) -> None:
    signature = found.signature
    if signature is None:
        st.info("It was logged without a signature: what it takes and gives is not on record.", icon=":material/info:")
        st.caption("An input example, or `signature=` of log_model, puts it there.")
        return
    rows = [
        ("input" if schema is signature.inputs else "output", str(field.name or ""), str(field).partition(": ")[2] or str(field))
        for schema in (signature.inputs, signature.outputs)
        if schema is not None
        for field in schema.fields
    ]
    rows += [("parameter", one.name, str(one).partition(": ")[2]) for one in signature.params]
    facts.table(rows, ("", "name", "type"))


def _notes(found: Whole) -> None:
    there = models.notes(found.one)
    for note in reversed(there):
        with st.container(border=True):
            word = f" {_WORDS[note.verdict]}" if note.verdict in _WORDS else ""
            st.markdown(f"{persons.marked(note.author)}{word}")
            prose.show(note.text)
            st.caption(moment(note.at))
    if not there:
        st.info("Nobody has written about it yet.", icon=":material/inbox:")
        st.caption("A review informs people; what counts for a promotion are votes on requests.")


def _history(found: Whole) -> None:
    model_page.changes(found.one.name, found.one.version)


def _load(found: Whole) -> None:
    one = found.one
    st.caption("The native object, or what predicts with checked inputs; this version and no other, whatever is promoted later:")
    st.code(
        f"from prefect_ledger import load_model, load_predictor\n\nmodel = load_model({one.uri!r})\n"
        f"load_predictor({one.uri!r}).predict(data)",
        language="python",
    )
    for means in (*(f"@{alias}" for alias in one.aliases), *((one.stage,) if one.stage != "none" else ())):
        at = f"models:/{one.name}{means}" if means.startswith("@") else f"models:/{one.name}/{means}"
        st.caption(f"Whatever {said.plain(means)} means at that time:")
        st.code(f"load_predictor({at!r})", language="python")
    st.caption("As a server with MLflow's protocol:")
    st.code(f"prefect-ledger serve {one.uri}", language="shell")
