"""Which runs are selected: the address has their ids, so that a link shows them to others too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import streamlit as st

SELECTED = "sel"  # of the address
MOST = 200  # what an address has room for
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def ids() -> list[str]:
    """The ids of the runs that are selected, in the order they were."""
    found = dict.fromkeys(st.query_params.get(SELECTED, "").split(","))
    return [one for one in found if _ID.fullmatch(one)][:MOST]


def pick(chosen: Iterable[str]) -> None:
    """Have these selected, and no others."""
    if wanted := list(dict.fromkeys(chosen))[:MOST]:
        st.query_params[SELECTED] = ",".join(wanted)
    else:
        st.query_params.pop(SELECTED, None)


def among(shown: Sequence[str], chosen: Iterable[str]) -> None:
    """Of the runs that are shown these are selected; what is selected on other pages stays so."""
    elsewhere = set(shown)
    pick([*(one for one in ids() if one not in elsewhere), *chosen])
