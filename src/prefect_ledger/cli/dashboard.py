"""Floor 6. ``prefect-ledger dashboard``: starts it, says where it answers, and opens a browser where a person sits."""

from __future__ import annotations

import importlib
import os
import sys
import webbrowser

from prefect_ledger.cli.render import dim, say


def serve_dashboard(*, host: str, port: int, public: bool, browser: bool) -> int:
    """Serve until told to stop; returns 0."""
    server = importlib.import_module("prefect_ledger.dashboard.server")  # by name: it stands above everything else in the house

    def ready(url: str) -> None:
        say(url)
        if "token=" in url:
            dim("the address lets in one browser, once: with it you may change and approve, without it look. Stops at Ctrl-C.")
        sys.stdout.flush()
        if browser and _somebody_looks():
            webbrowser.open(url)

    server.serve(host=host, port=port, public=public, ready=ready)
    return 0


def _somebody_looks() -> bool:
    """Whether there is a terminal that a person watches, and a screen to open a browser on."""
    if not sys.stdout.isatty() or "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
