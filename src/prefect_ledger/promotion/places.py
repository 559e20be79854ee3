"""Floor 5. Where a version is served: targets and addresses that can be none are refused before anything moves."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from prefect_ledger.errors import InvalidValue
from prefect_ledger.promotion.promoter import check_words


def check_targets(names: Sequence[str] | None) -> tuple[str, ...] | None:
    """``names`` of targets whose deployments follow; None: of all.

    Raises:
        InvalidValue: there is no such target.
    """
    from prefect_ledger.deploying import target_names

    if names is None:
        return None
    given, there = check_words(names, "targets"), target_names()
    for name in given:
        if name not in there:
            raise InvalidValue(f"no target {name!r:.80}; there are: {', '.join(there)}")
    return given


def check_endpoints(urls: Sequence[str]) -> tuple[str, ...]:
    """Addresses of servers.

    Raises:
        InvalidValue: one is none, such as http://127.0.0.1:8000.

    Example:
        >>> check_endpoints(["http://127.0.0.1:8000"])
        ('http://127.0.0.1:8000',)
    """
    given = check_words(urls, "endpoints")
    for url in given:
        try:
            parts = urlsplit(url)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good:
            raise InvalidValue(f"an endpoint is the address of a server, such as http://127.0.0.1:8000, not {url!r:.80}")
    return given
