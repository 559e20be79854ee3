"""Floor 5, pure. What nobody is told of a webhook: its key, and what of its URL can be one. Receivers say again what they were sent."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from prefect_ledger.masking import MASK

_TELLING = 8  # characters from which on a part of a URL may be a secret


def without(text: str, url: str, secret: str) -> str:
    """``text`` with neither the ``secret`` nor path and query of ``url`` in it, whole or in their longer parts, as written or as meant.

    Example:
        >>> without("Cannot POST /T0/0123456789, no 0123456789 there", "https://hooks.example/T0/0123456789", "key")
        'Cannot POST ********, no ******** there'
    """
    for one in sorted({secret, *_hidden(url)} - {"", "/"}, key=len, reverse=True):
        text = text.replace(one, MASK)
    return text


def _hidden(url: str) -> set[str]:
    parts = urlsplit(url)
    pieces = [one for one in re.split(r"[/;&=]", f"{parts.path}&{parts.query}") if len(one) >= _TELLING]
    whole = [parts.path, parts.query, *pieces]
    return {*whole, *map(unquote, whole)}
