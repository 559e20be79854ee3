"""Texts of strangers on figures: plotly reads some HTML in every name and title."""

from __future__ import annotations

from html import escape

from prefect_ledger.formats import short


def shown(text: object, longest: int = 60) -> str:
    """``text`` as letters, of at most so many characters.

    Example:
        >>> shown('<a href="javascript:alert(1)">x</a>')
        '&lt;a href="javascript:alert(1)"&gt;x&lt;/a&gt;'
    """
    return escape(short(text, longest), quote=False)  # plotly knows no &quot;
