"""What log_dict writes: JSON that every reader takes, or YAML."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_ledger.tracking.documents import document

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _refuse(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is not JSON")


def _spelled(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    return [_spelled(item) for item in value] if isinstance(value, list) else value


@given(values)
def test_json_is_json(data: Any) -> None:
    """Strict readers take it, and find what was written, with the numbers that JSON lacks as words."""
    assert json.loads(document(data, "a.json"), parse_constant=_refuse) == _spelled(data)


def test_what_no_format_can_say_is_refused() -> None:
    """An object of the user's, or a list that contains itself, is an error and not half a document."""
    loop: list[Any] = [float("nan")]
    loop.append(loop)
    for path in ("a.json", "a.yaml"):
        with pytest.raises((TypeError, ValueError)):
            document({"a": object()}, path)
    with pytest.raises(ValueError, match="Circular"):
        document(loop, "a.json")
