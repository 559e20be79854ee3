"""Floor 5. Tags as they are kept, of runs, experiments and what is registered: checked names, masked text that every database takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from prefect_ledger.errors import InvalidValue
from prefect_ledger.events import clean
from prefect_ledger.masking import MASK, is_secret_name, mask_text
from prefect_ledger.names import TAG_VALUE_LIMIT, check_key
from prefect_ledger.tracking.interruptions import interrupted

Tagged: TypeAlias = Literal["run", "experiment", "registered"]
_LIMITS: dict[Tagged, tuple[int, str]] = {  # and what is said of a longer text
    "run": (TAG_VALUE_LIMIT, "tag {key!r} has {found} characters, at most {limit}: log_text keeps long texts"),
    "experiment": (20_000, "tag {key!r} of an experiment has {found:,} characters, at most {limit:,}"),
    "registered": (8_000, "tag {key!r} has {found:,} characters, at most {limit:,}"),
}


def tag_texts(tags: Mapping[str, Any], of: Tagged = "run") -> dict[str, str | None]:
    """Tags as they are kept: checked, masked, as text; None removes one.

    Raises:
        InvalidName, InvalidValue.
    """
    if not isinstance(tags, Mapping):
        raise InvalidValue(f"tags are a mapping of names to values, not {type(tags).__name__}")
    return {check_key(key, "tag"): _tag_text(key, value, of) for key, value in tags.items()}


def _tag_text(key: str, value: Any, of: Tagged) -> str | None:
    if value is None:
        return None
    text = MASK if is_secret_name(key) else clean(mask_text(own_text(key, value)))
    limit, too_long = _LIMITS[of]
    if len(text) > limit:
        raise InvalidValue(too_long.format(key=key, found=len(text), limit=limit))
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
