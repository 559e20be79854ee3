"""Foreign pages inside ours: in a frame within a frame, of which the inner one has no origin, no network and no way out.

Streamlit's own frame shares the origin of the page, so the foreign page stands in one inside it. That one takes its bytes from ``raw``,
whose answers say the same once more: a page opened by its address alone is as shut in as in the frame.
"""

from __future__ import annotations

from html import escape

import streamlit as st

from prefect_ledger.formats import short

HEIGHT = 600  # pixels
_OUTER = """<!doctype html><html><head><meta charset="utf-8">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'">
<style>html,body{margin:0;height:100%;background:#fff}iframe{border:0;width:100%;height:100%;display:block}</style></head>
<body>{}</body></html>"""
_INNER = '<iframe sandbox="allow-scripts" referrerpolicy="no-referrer" title="{}" src="{}"></iframe>'


def show(address: str, *, name: str) -> None:
    """Show the page at an address of ``raw``."""
    inner = _INNER.format(escape(short(name, 200)), escape(address))
    st.iframe(_OUTER.replace("{}", inner), height=HEIGHT, alt=short(name, 200))


def save(label: str, address: str) -> None:
    """A link to save what an address of ``raw`` brings."""
    st.html(f'<a href="{escape(address)}" download style="color:inherit">{escape(label)}</a>')
