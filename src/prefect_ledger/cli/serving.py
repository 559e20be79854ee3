"""Floor 6. ``prefect-ledger serve``: what is served is said when it can be asked."""

from __future__ import annotations

import logging
import sys
from typing import Any

from prefect_ledger.cli.render import say
from prefect_ledger.errors import InvalidValue


def serve_model(reference: str | None, *, host: str, port: int, workers: int, limits: dict[str, Any], **how: Any) -> int:
    """Serve until told to stop; returns 0."""
    from prefect_ledger.serving.server import serve

    if not reference:
        raise InvalidValue("no model: say which one to serve, as in models:/m-... or a folder, or set PREFECT_LEDGER_MODEL")
    if not 0 <= port < 1 << 16:
        raise InvalidValue(f"--port {port}: a port is a number from 0 to 65535")
    low = {
        "--workers": workers,
        "--queue": limits["waiting"],
        "--batch-rows": limits["rows"],
        "--threads": limits["threads"],
        "--max-body": limits["body"],
    }
    for name, value in low.items():
        if value is not None and value < 1:
            raise InvalidValue(f"{name} {value}: give 1 or more")
    if not 0 < limits["seconds"] < 1e9:
        raise InvalidValue(f"--timeout {limits['seconds']:g}: give a number of seconds above 0")
    if not 0 <= how["follow"] < 1e9:
        raise InvalidValue(f"--follow {how['follow']:g}: give a number of seconds, or 0 for never")
    if limits["bodies"] and limits["bodies"] < limits["body"]:
        raise InvalidValue(f"--max-bodies {limits['bodies']}: give --max-body ({limits['body']}) or more, or 0 for eight times that")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")

    def ready(url: str) -> None:
        say(f"serving {reference} at {url}: POST /invocations, GET /docs")
        sys.stdout.flush()

    serve(reference, host=host, port=port, workers=workers, limits=limits, ready=ready, **how)
    return 0
