"""Who agreed to a request, what it lacks, and the buttons of those who may say something to it.

A vote is for the evidence that was shown. The buttons are a courtesy: the registry refuses whoever may not vote, also the author whose
button is there, and says why.
"""

from __future__ import annotations

import shlex

import streamlit as st

from prefect_ledger.entities import to_datetime
from prefect_ledger.formats import clean, moment
from prefect_ledger.identities import Identity
from prefect_ledger.promotion.promoter import lacking
from prefect_ledger.registered import TransitionRequest

from .. import people
from ..data import promotions
from . import acting, persons, said


def show(one: TransitionRequest, person: people.Person) -> None:
    """Show them, and take what the person says."""
    with st.container(border=True):
        st.markdown(f"**Approvals: {promotions.agreed(one)} of {promotions.wanted(one.rule)}**")
        st.caption(_by_whom(one))
        _votes(one)
        if promotions.state_now(one) == "open":
            _next(one)
            _say(one, person)


def _by_whom(one: TransitionRequest) -> str:
    if not promotions.wanted(one.rule):
        return "The policy asks for none."
    named = ", ".join(one.rule.get("approvers", ()))
    anybody = "anybody but the author and the requester" if one.rule.get("exclude_author") else "anybody"
    return f"By {said.plain(named) or anybody}, known by {said.plain(one.rule.get('identity') or 'a typed name')} or stronger."


def _votes(one: TransitionRequest) -> None:
    for vote in one.votes:
        word = ":green[approves]" if vote["approve"] else ":red[rejects]"
        comment = f": {said.lines(vote['comment'])}" if vote["comment"] else ""
        who = persons.marked(Identity(vote["voter"], vote["strength"]))
        st.markdown(f"{who} {word}{comment}")
        st.caption(moment(to_datetime(vote["at"])))


def _next(one: TransitionRequest) -> None:
    """What is to be done next: approvals carry nothing out by themselves."""
    if lacks := lacking(one):
        st.markdown(said.plain(f"{lacks[:1].upper()}{lacks[1:]}."))
        return
    st.markdown("Nothing is missing. This carries it out, deploys and verifies it (a deployment `promote-approved` does so by itself):")
    st.code(f"prefect-ledger promote {clean(shlex.quote(one.name))} {one.version} --to {one.stage}", language="shell", wrap_lines=True)


def _say(one: TransitionRequest, person: people.Person) -> None:
    if person.may(people.Role.APPROVER):
        with st.form(f"vote-{one.id}", border=False, enter_to_submit=False):
            st.text_area("Comment", key=f"comment-{one.id}", height=80, placeholder="Everybody will read it; a rejection needs one.")
            left, right = st.columns(2)
            with left:
                st.form_submit_button(
                    "Approve", type="primary", icon=":material/check:", on_click=_vote, args=(one.id, True, one.evidence), width="stretch"
                )
            with right:
                st.form_submit_button(
                    "Reject", icon=":material/close:", on_click=_vote, args=(one.id, False, one.evidence), width="stretch"
                )
    else:
        st.caption(f"To approve or reject needs the role approver: {said.plain(person.why)}.")
    own = person.identity is not None and person.identity.person == one.requester.person
    if own and person.may(people.Role.CONTRIBUTOR):
        with st.popover("Withdraw", icon=":material/undo:"):
            st.text_input("Why", key=f"withdraw-{one.id}")
            st.button("Withdraw my request", key=f"withdrawn-{one.id}", on_click=_withdraw, args=(one.id,))


def _vote(request: int, approve: bool, evidence: str) -> None:
    comment = str(st.session_state.get(f"comment-{request}") or "")
    verb = promotions.approve if approve else promotions.reject
    if acting.act(lambda: verb(request, comment, evidence, people.here().acts(people.Role.APPROVER))):
        st.session_state[f"comment-{request}"] = ""


def _withdraw(request: int) -> None:
    why = str(st.session_state.get(f"withdraw-{request}") or "")
    acting.act(lambda: promotions.withdraw(request, why, people.here().acts(people.Role.CONTRIBUTOR)))
