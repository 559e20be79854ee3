"""Markdown of strangers: its headings, lists, tables and emphasis, and nothing that loads, runs or pretends to be a part of the page."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import streamlit as st

from prefect_ledger.formats import paragraph

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_LONGEST = 30_000  # characters: what is made to be slow takes the square of them
_LEADS = frozenset({"http", "https", "mailto"})


def show(text: object) -> None:
    """Show it."""
    if html := rendered(str(text)[:_LONGEST]).strip():
        st.html(f'<div style="overflow-wrap:anywhere">{html}</div>')
    if len(str(text)) > _LONGEST:
        st.caption(f"The first {_LONGEST:,} characters are shown.")


def rendered(text: str) -> str:
    """``text`` as HTML of our own making: what was HTML in it stays text, a picture is its description, links lead to the web or nowhere.

    Example:
        >>> rendered("**a** <b>b</b> ![c](http://d.example/e.png) [f](javascript:alert(1))")
        '<p><strong>a</strong> &lt;b&gt;b&lt;/b&gt; c [f](javascript:alert(1))</p>\\n'
    """
    parser = _parser()
    tokens = parser.parse(paragraph(text))
    for one in tokens:
        if one.type in ("heading_open", "heading_close"):
            one.tag = f"h{min(6, int(one.tag[1]) + 2)}"  # below those of the page
    found: str = parser.renderer.render(tokens, parser.options, {})
    return found


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.validateLink = _leads  # type: ignore[method-assign]
    parser.add_render_rule("image", _described)
    parser.add_render_rule("link_open", _link)
    return parser


def _leads(url: str) -> bool:
    try:
        return urlsplit(url.strip()).scheme.lower() in _LEADS
    except ValueError:
        return False


def _described(_self: Any, tokens: Any, at: int, _options: Any, _env: Any) -> str:
    return escape(str(tokens[at].content))


def _link(_self: Any, tokens: Any, at: int, _options: Any, _env: Any) -> str:
    address = escape(str(tokens[at].attrGet("href") or ""))
    return f'<a href="{address}" target="_blank" rel="noopener noreferrer nofollow" style="color:inherit">'
