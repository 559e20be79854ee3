"""What waits for an approval, marked where it may be the viewer's."""

from __future__ import annotations

import streamlit as st

from prefect_ledger.formats import moment

from .. import people
from ..data import promotions
from . import links, persons, said

_SHOWN = 5


def show(person: people.Person) -> None:
    """Show it; nothing where nothing waits."""
    found = [one for one in promotions.listed(None, "open") if promotions.state_now(one) == "open"]
    if not found:
        return
    st.subheader(f":material/how_to_vote: Waits for approval :gray[{len(found):,}]", anchor=False)
    for one in sorted(found, key=lambda one: not _theirs(one, person))[:_SHOWN]:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            links.link(f"{one.name} {one.version} to {one.stage}", "promotions", request=one.id)
            mark = ":blue-badge[you may approve]" if _theirs(one, person) else ""
            lacks = said.plain(one.lacks.removeprefix(f"request {one.id} ")) or "can be carried out"
            st.markdown(f"{mark} {persons.marked(one.requester)}, {moment(one.opened_at)}; {lacks}", width="content")
    if len(found) > _SHOWN:
        links.link(f"{len(found) - _SHOWN:,} more", "promotions", icon=":material/how_to_vote:")


def _theirs(one: promotions.Line, person: people.Person) -> bool:
    """Whether they may be the one: the registry decides when they vote."""
    if not person.may(people.Role.APPROVER) or person.identity is None or not one.lacks:
        return False
    return person.identity.person != one.requester.person
