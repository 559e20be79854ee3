"""Floor 6. ``prefect-ledger serve``: what is served is said when it can be asked."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from prefect_ledger.cli.render import say
from prefect_ledger.errors import InvalidValue

if TYPE_CHECKING:
    from prefect_ledger.serving.beside import Beside


def serve_model(
    reference: str | None, *, host: str, port: int, workers: int, limits: dict[str, Any], trial: dict[str, Any], **how: Any
) -> int:
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
    how["beside"] = _beside(reference, trial, how["digest"])
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")

    def ready(url: str) -> None:
        also = f" beside {trial['beside']}" if trial["beside"] else ""
        say(f"serving {reference}{also} at {url}: POST /invocations, GET {'/comparison' if also else '/docs'}")
        sys.stdout.flush()

    serve(reference, host=host, port=port, workers=workers, limits=limits, ready=ready, **how)
    return 0


def _beside(reference: str, trial: dict[str, Any], digest: str) -> Beside | None:
    """What is served beside the model, by the options of the command.

    Raises:
        InvalidValue: they do not go together.
    """
    from prefect_ledger.serving.beside import Beside

    other, share, shadow, tolerance = (trial[key] for key in ("beside", "share", "shadow", "tolerance"))
    if not other:
        told = {"--share": share, "--shadow": shadow or None, "--tolerance": tolerance}
        if given := [name for name, value in told.items() if value is not None]:
            raise InvalidValue(f"{given[0]} is about two models: say with --beside which one is served beside {reference}")
        return None
    if digest:
        raise InvalidValue("--beside and --digest do not go together: with a digest one model alone is opened")
    if other == reference:
        raise InvalidValue(f"--beside {other} is the model that is served: name another one to compare it with")
    if shadow == (share is not None):
        raise InvalidValue("--beside: say either with --share which part of the requests it answers, or with --shadow that it answers none")
    if not shadow and tolerance is not None:
        raise InvalidValue("--tolerance is about answers to the same request: those are compared with --shadow alone")
    return Beside(other, share, *(() if tolerance is None else (tolerance,)))
