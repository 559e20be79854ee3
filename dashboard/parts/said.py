"""Texts of strangers, so that they stay texts: Streamlit reads its labels and messages as Markdown."""

from __future__ import annotations

import re

from prefect_ledger.formats import clean, paragraph, short

_MEANS = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$<>:&@/])")
# What becomes a link without any mark, escaped or not: Streamlit's Markdown looks for it in what is left of the text.
_LEADS = re.compile(r"https?:(?=//)|www(?=\.)|@", re.IGNORECASE)
_JOINER = "\u2060"  # of no width: nothing is seen of it


def plain(text: object, longest: int = 2_000) -> str:
    """``text`` for a place that reads Markdown: nothing in it is a link, a picture, a formula, an emoji or emphasis.

    Example:
        >>> plain("![x](y)"), len(plain("a@b"))
        ('\\\\!\\\\[x\\\\]\\\\(y\\\\)', 5)
    """
    return _escaped(short(text, longest))


def lines(text: object) -> str:
    """The same of a long text, with its line breaks."""
    return "  \n".join(_escaped(line) for line in paragraph(text).split("\n"))


def _escaped(line: str) -> str:
    return _MEANS.sub(r"\\\1", _LEADS.sub(rf"\g<0>{_JOINER}", line))


def code(text: object) -> str:
    """``text`` between backticks, whatever it holds.

    Example:
        >>> code("a`b")
        "`a'b`"
    """
    return f"`{clean(text).replace('`', chr(39)) or ' '}`"


def text(value: object, longest: int = 200_000) -> str:
    """``value`` for a place that shows texts as they are, such as ``st.code``: with its line breaks, and nothing invisible in it.

    Example:
        >>> text("a\\x1b[31m\\nb")
        'a\\\\x1b[31m\\nb'
    """
    return paragraph(str(value)[:longest])
