"""Floor 4. What an exception says, masked and cut."""

from __future__ import annotations

from prefect_ledger.masking import mask_text

TRACEBACK_LIMIT, MESSAGE_LIMIT = 16_000, 2_000  # characters
_LOOKED_AT = 4_000_000  # characters that are masked; what an exception says beyond them is left out


def exception(error: BaseException) -> dict[str, str]:
    """``type``, ``message`` and ``traceback`` of an exception with those that led to it, masked; never raises.

    The traceback has at most 16,000 characters: of a longer one the beginning and, more of it, the end.

    Example:
        >>> exception(ValueError("bad token=abc"))["message"]
        'bad token=********'
    """
    import traceback

    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        message = str(error)
    except Exception:  # noqa: BLE001  # the user's __str__ may raise anything, and the run must still end
        message = "<its text cannot be made>"
    try:
        trace = "".join(traceback.format_exception(error))
    except Exception as failed:  # noqa: BLE001  # same for any exception on the chain
        trace = f"{name}: {message}\n<its traceback cannot be made: {type(failed).__name__}>\n"
    return {"type": name, "message": _masked(message, MESSAGE_LIMIT), "traceback": _masked(trace, TRACEBACK_LIMIT)}


def _masked(text: str, limit: int) -> str:
    """Masked whole and cut afterwards, since a secret that is cut in two is not known any more."""
    if len(text) <= _LOOKED_AT:
        return middle_out(mask_text(text), limit)
    return middle_out(mask_text(text[:_LOOKED_AT])[:-256] + "…", limit)


def middle_out(text: str, limit: int) -> str:
    """``text`` of at most ``limit`` characters: of a longer one the beginning and, more of it, the end."""
    if len(text) <= limit:
        return text
    mark = f"\n… ({len(text) - limit:,} characters left out) …\n"
    head = limit // 3
    return f"{text[:head]}{mark}{text[len(text) - (limit - head - len(mark)) :]}"
