"""Floor 4. Frames of any library as pandas', which models are asked with; no library is imported that the data did not bring."""

from __future__ import annotations

import sys
from typing import Any

from prefect_ledger.errors import MissingExtra


def pandas(need: str) -> Any:
    """The module pandas.

    Raises:
        MissingExtra: it is not installed; ``need`` says what for.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtra("pandas", "data", need=need) from error
    return pd


def as_pandas(data: Any) -> Any:
    """A frame (or named column) of pandas, polars or arrow as a pandas frame; None when ``data`` is none."""
    module = type(data).__module__.partition(".")[0]
    if module == "pandas" and "pandas" in sys.modules:
        pd = sys.modules["pandas"]
        return data if isinstance(data, pd.DataFrame) else data.to_frame() if isinstance(data, pd.Series) else None
    if module in ("polars", "pyarrow") and hasattr(data, "to_pandas"):
        if type(data).__name__ == "LazyFrame":
            data = data.collect()
        found = data.to_pandas()
        return found if found.ndim == 2 else found.to_frame()
    return None
