"""Floor 4. The categories that a model of XGBoost was fitted to, in its file since 3.1: columns get them by value, or are refused.

A file or a request cannot say that a column has categories, and plain numbers in one a booster takes for their codes. XGBoost itself looks
values up too, but takes one that it does not know for the next one that it does, in the order of the alphabet.
"""

from __future__ import annotations

import functools
from typing import Any

from prefect_ledger.errors import MissingExtra, SignatureMismatch
from prefect_ledger.models.frames import as_pandas, pandas


class Categories:
    """Those of ``booster``; false where it knows none by value, as one that was fitted by an older XGBoost, or to codes."""

    def __init__(self, booster: Any) -> None:
        self._booster = booster
        kinds = booster.feature_types or ()
        known = "c" in kinds and hasattr(booster, "get_categories") and not booster.get_categories().empty()
        self._names = frozenset(name for name, kind in zip(booster.feature_names, kinds, strict=True) if kind == "c") if known else ()

    def __bool__(self) -> bool:
        return bool(self._names)

    def of_training(self, data: Any) -> Any:
        """A frame with these categories in its columns; all else as it is, arrays too, which have codes.

        Raises:
            SignatureMismatch: a value is none of them.
        """
        if not self._names or (frame := as_pandas(data)) is None:
            return data
        return frame.assign(**{name: self._column(frame[name], name) for name in frame.columns if name in self._names})

    def _column(self, values: Any, name: str) -> Any:
        kind = self._types[name]
        unknown = values[values.notna() & ~values.isin(kind.categories)]
        if len(unknown):
            found = repr(unknown.iloc[0])[:80]
            raise SignatureMismatch(
                f"column {name!r} has {found}, which is none of the {len(kind.categories)} categories that the model was fitted to",
                field=name,
                found=found,
                wanted="a category of training",
            )
        return values.astype(kind)

    @functools.cached_property
    def _types(self) -> dict[str, Any]:
        make = pandas("categories").CategoricalDtype
        try:
            told = self._booster.get_categories(export_to_arrow=True).to_arrow()
        except ImportError as error:
            raise MissingExtra("pyarrow", "data", need="asking a model with categories") from error
        return {name: make(found.to_pandas()) for name, found in told if found is not None}
