"""Where Prefect's own UI shows a run. Prefect is not loaded for it: its environment and its profiles say the address."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

from prefect_ledger.entities import Run

_CLOUD = ("https://api.prefect.cloud/api", "https://app.prefect.cloud")
_PLACES = {"flow": "runs/flow-run", "task": "runs/task-run"}  # kinds of runs that are Prefect's too, and have its ids


def address(run: Run) -> str:
    """The page of the run; "" where the run is none of Prefect's, or no UI is known."""
    ui = place()
    return f"{ui}/{_PLACES[run.kind]}/{run.id}" if ui and run.kind in _PLACES else ""


def place() -> str:
    """The address of the UI, without a slash at its end; "" where none is named, or what is named is no address of the web."""
    said = _profile() | {key: value for key, value in os.environ.items() if value}
    named = (said.get("PREFECT_UI_URL") or of_api(said.get("PREFECT_API_URL", ""))).rstrip("/")
    try:
        parts = urlsplit(named)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return ""
    return named if plain else ""


def of_api(url: str) -> str:
    """The UI that belongs to an API.

    Example:
        >>> of_api("http://127.0.0.1:4200/api"), of_api("https://api.prefect.cloud/api/accounts/a/workspaces/w")
        ('http://127.0.0.1:4200', 'https://app.prefect.cloud/account/a/workspace/w')
    """
    ui = url.rstrip("/").replace(*_CLOUD, 1).removesuffix("/api").replace("/api/", "/")
    return ui.replace("/accounts/", "/account/").replace("/workspaces/", "/workspace/")


def _profile() -> dict[str, str]:
    """The settings of Prefect's active profile."""
    home = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    try:
        found = tomllib.loads((home / "profiles.toml").read_text())
        chosen = found["profiles"][os.environ.get("PREFECT_PROFILE") or found["active"]]
        return {str(key): value for key, value in chosen.items() if isinstance(value, str)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        return {}  # none that can be read
