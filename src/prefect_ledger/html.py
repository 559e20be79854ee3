"""Floor 0. Small pieces of HTML for notebooks. Every text is a stranger's: escaped, isolated in its writing direction, and never a link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from prefect_ledger.formats import clean, short

_COLORS = {
    "COMPLETED": "#2e7d32",
    "FAILED": "#c62828",
    "CRASHED": "#c62828",
    "CANCELLED": "#8d6e00",
    "PAUSED": "#8d6e00",
    "RUNNING": "#1565c0",
    "SCHEDULED": "#1565c0",
}
_CELL = "text-align:left;vertical-align:top;padding:2px 10px 2px 0"
_LONGEST = 200  # characters of a text in a table


def text(value: object, *, longest: int = _LONGEST) -> str:
    """``value`` as text that stays text.

    Example:
        >>> text("<b>x</b>")
        '<bdi>&lt;b&gt;x&lt;/b&gt;</bdi>'
    """
    return f"<bdi>{escape(short(value, longest))}</bdi>"


def whole(value: object) -> str:
    """The same of a long text, with its line breaks."""
    lines = str(value).splitlines()
    return f'<div style="white-space:pre-wrap;max-width:60em">{"<br>".join(f"<bdi>{escape(clean(line))}</bdi>" for line in lines)}</div>'


def status(value: str) -> str:
    """A status in its colour."""
    return f'<b style="color:{_COLORS.get(value, "inherit")}">{escape(value)}</b>'


def title(name: object, beside: str = "") -> str:
    """A heading; ``beside`` is HTML."""
    return f'<div style="margin:4px 0"><b>{text(name)}</b> {beside}</div>'


def pairs(values: Mapping[str, str], *, most: int, head: str = "") -> str:
    """Names and their values (HTML) in two columns, no more than ``most`` of them; nothing where there are none."""
    if not values:
        return ""
    shown = list(values.items())[:most]
    lines = "".join(f'<tr><td style="{_CELL};opacity:.7">{text(key)}</td><td style="{_CELL}">{value}</td></tr>' for key, value in shown)
    more = f'<tr><td style="{_CELL};opacity:.7" colspan="2">and {len(values) - most:,} more</td></tr>' if len(values) > most else ""
    top = f'<tr><th style="{_CELL}" colspan="2">{escape(head)}</th></tr>' if head else ""
    return f'<table style="display:inline-table;margin:0 24px 8px 0;vertical-align:top">{top}{lines}{more}</table>'


def rows(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table; cells are HTML."""
    top = "".join(f'<th style="{_CELL}">{text(head)}</th>' for head in heads)
    body = "".join(f"<tr>{''.join(map(_cell, line))}</tr>" for line in lines)
    return f"<table><tr>{top}</tr>{body}</table>"


def _cell(inside: str) -> str:
    return f'<td style="{_CELL}">{inside}</td>'


def curve(points: Sequence[tuple[float, float, float]], *, width: int = 480, height: int = 120) -> str:
    """A line through what lies between lowest and highest value at each place, as a picture without scripts: (place, low, high), finite."""
    if not points:
        return ""
    left, right = points[0][0], points[-1][0]
    bottom, top = min(low for _, low, _ in points), max(high for _, _, high in points)

    def at(place: float, value: float) -> str:
        x = width * ((place / 2 - left / 2) / (right / 2 - left / 2 or 1.0))  # halves: the greatest numbers have no difference
        y = height * (1 - ((value / 2 - bottom / 2) / (top / 2 - bottom / 2 or 1.0)))
        return f"{x:.1f},{y:.1f}"

    line = " ".join([*(at(place, high) for place, _, high in points), *(at(place, low) for place, low, _ in reversed(points))])
    return (
        f'<svg width="{width}" height="{height}" viewBox="-4 -4 {width + 8} {height + 8}" role="img">'
        f'<polygon points="{line}" fill="currentColor" fill-opacity=".25" stroke="currentColor" stroke-linejoin="round"/></svg>'
    )
