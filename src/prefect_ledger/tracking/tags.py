"""Floor 5. Tags of a run as they are kept: checked names, masked text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.masking import MASK, is_secret_name, mask_text
from prefect_ledger.names import TAG_VALUE_LIMIT, check_key
from prefect_ledger.tracking.interruptions import interrupted


def tag_texts(tags: Mapping[str, Any]) -> dict[str, str | None]:
    """Tags as they are kept: checked, masked, as text; None removes one.

    Raises:
        InvalidName, InvalidValue.
    """
    if not isinstance(tags, Mapping):
        raise InvalidValue(f"tags are a mapping of names to values, not {type(tags).__name__}")
    return {check_key(key, "tag"): _tag_text(key, value) for key, value in tags.items()}


def _tag_text(key: str, value: Any) -> str | None:
    if value is None:
        return None
    text = MASK if is_secret_name(key) else mask_text(own_text(key, value))
    if len(text) > TAG_VALUE_LIMIT:
        raise InvalidValue(f"tag {key!r} has {len(text)} characters, at most {TAG_VALUE_LIMIT}: log_text keeps long texts")
    return text


def own_text(key: str, value: Any) -> str:
    """The text of a tag's value, not masked yet.

    Raises:
        InvalidValue: it has none that can be read.
    """
    try:
        return str(value)
    except Exception as error:  # whatever a stranger's __str__ raises, callers need to know one class only
        if interrupted(error):
            raise
        kind = type(value)
        raise InvalidValue(f"tag {key!r}: a {kind.__module__}.{kind.__qualname__} that cannot be read: {type(error).__name__}") from error
