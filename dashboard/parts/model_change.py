"""What contributors may do to a version: review it, name it, tag it, describe it, ask that it go to a stage."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import streamlit as st

from prefect_ledger.identities import Identity
from prefect_ledger.registered import ModelVersion, RegisteredModel

from .. import people
from ..data import models, promotions
from . import acting, links, said

_VERDICTS = {"": "a note", "comment": "a review: comment", "approve": "a review: approve", "reject": "a review: reject"}


def show(one: ModelVersion, model: RegisteredModel) -> None:
    """Show the buttons; each opens a form."""
    acting.tell()
    if (asked := st.session_state.pop("asked request", None)) is not None:
        links.link(f"Request {asked}", "promotions", icon=":material/how_to_vote:", request=asked)
    with st.container(horizontal=True):
        with st.popover("Review", icon=":material/rate_review:"):
            _review(one)
        with st.popover("Alias", icon=":material/sell:"):
            _alias(one, dict(model.aliases))
        with st.popover("Tag", icon=":material/label:"):
            _tag(one)
        with st.popover("Describe", icon=":material/edit:"):
            _describe(one)
        with st.popover("Ask for a stage", icon=":material/how_to_vote:"):
            _request(one)


def _review(one: ModelVersion) -> None:
    with st.form("review", border=False, clear_on_submit=False, enter_to_submit=False):
        st.text_area("What you want to say", key="review_text", help="Markdown")
        st.selectbox("As", list(_VERDICTS), format_func=_VERDICTS.__getitem__, key="review_verdict")
        st.form_submit_button("Write", type="primary", on_click=_do, args=(_annotated, one))


def _alias(one: ModelVersion, seen: dict[str, int]) -> None:
    with st.form("alias", border=False):
        st.text_input("Alias", key="alias_name", placeholder="challenger")
        st.text_input("Why", key="alias_why")
        st.form_submit_button("Let it mean this version", type="primary", on_click=_do, args=(_aliased, one, seen))
    for alias in one.aliases:
        st.button(f"Take {said.plain('@' + alias)} away", key=f"drop-{alias}", on_click=_do, args=(_dropped, one, alias))


def _tag(one: ModelVersion) -> None:
    with st.form("tag", border=False):
        st.text_input("Key", key="tag_key")
        st.text_input("Value", key="tag_value", placeholder="nothing takes the tag away")
        st.form_submit_button("Set", type="primary", on_click=_do, args=(_tagged, one))


def _describe(one: ModelVersion) -> None:
    # A widget that has the same key keeps what it had, and would bring back what others have changed since.
    key = f"description-{one.name}-{one.version}-{zlib.crc32(one.description.encode()):x}"
    with st.form("describe", border=False, enter_to_submit=False):
        st.text_area("Description", one.description, key=key, help="Markdown")
        st.form_submit_button("Save", type="primary", on_click=_do, args=(_described, one, key))


def _request(one: ModelVersion) -> None:
    with st.form("request", border=False):
        st.selectbox("Stage", [stage for stage in ("production", "staging") if stage != one.stage], key="request_stage")
        st.text_input("Why", key="request_why")
        st.form_submit_button("Ask", type="primary", on_click=_do, args=(_asked, one))
    st.caption("Its gates are judged now, on what is recorded. Gates on the rows of a holdout need the command, which measures first:")
    st.code(f"prefect-ledger promote {said.text(one.name)} {one.version} --holdout june.parquet --target churned", language="shell")


def _do(change: Callable[..., str], one: ModelVersion, *more: Any) -> None:
    acting.act(lambda: change(one, people.here().acts(people.Role.CONTRIBUTOR), *more))


def _annotated(one: ModelVersion, by: Identity) -> str:
    words = models.annotate(one, _text("review_text"), _text("review_verdict"), by)
    st.session_state["review_text"] = ""
    return words


def _aliased(one: ModelVersion, by: Identity, seen: dict[str, int]) -> str:
    return models.set_alias(one, _text("alias_name").strip(), seen, _text("alias_why"), by)


def _dropped(one: ModelVersion, by: Identity, alias: str) -> str:
    return models.drop_alias(one, alias, "", by)


def _tagged(one: ModelVersion, by: Identity) -> str:
    return models.tag(one, _text("tag_key").strip(), _text("tag_value"), by)


def _described(one: ModelVersion, by: Identity, key: str) -> str:
    return models.describe(one, _text(key), by)


def _asked(one: ModelVersion, by: Identity) -> str:
    words, number = models.request(one, _text("request_stage"), _text("request_why"), by)
    promotions.forget()
    st.session_state["asked request"] = number
    return words


def _text(key: str) -> str:
    return str(st.session_state.get(key) or "")
