"""Names and their values in a table: texts that stay texts, with a search where they are many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from prefect_ledger.formats import clean

_ROW, _HEAD = 31, 33  # pixels, at the size of letters that the server sets
_LONGEST = 2_000  # characters of a cell


def pairs(
    values: Iterable[tuple[str, object]], heads: tuple[str, str] = ("name", "value"), *, key: str | None = None, most: int = 14
) -> None:
    """Show names and values; nothing where there are none. ``most``: rows without scrolling."""
    table([(name, "" if value is None else str(value)) for name, value in values], heads, key=key, most=most)


def table(
    rows: Sequence[Sequence[Any]], heads: Sequence[str], *, key: str | None = None, most: int = 14, numbers: Sequence[str] = ()
) -> None:
    """Show rows; ``numbers`` are the columns that are aligned and sorted as such."""
    if not rows:
        return
    frame = pd.DataFrame([[_cell(value) for value in row] for row in rows], columns=pd.Index(list(heads), dtype=object))
    for name in numbers:
        frame[name] = pd.to_numeric(frame[name])
    formats: dict[str, Any] = {name: st.column_config.NumberColumn(format="%.6g") for name in numbers}
    st.dataframe(
        frame, hide_index=True, height="content" if len(rows) <= most else height(most), key=key, column_config=formats, placeholder=""
    )


def height(rows: int) -> int:
    """Pixels of a table with so many rows in sight."""
    return _HEAD + _ROW * rows


def _cell(value: Any) -> Any:
    return clean(value)[:_LONGEST] if isinstance(value, str) else value
