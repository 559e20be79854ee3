"""Floor 0. Headers of requests, as ASGI hands them over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def header(scope: Mapping[str, Any], name: bytes) -> str:
    """A header of a request, "" where it has none of that name.

    Example:
        >>> header({"headers": [(b"host", b"127.0.0.1:80")]}, b"host")
        '127.0.0.1:80'
    """
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
