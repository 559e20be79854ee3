"""Floor 6. The report of a flow: artifacts of its run in the ledger, and one in Prefect."""

from __future__ import annotations

import re
from typing import Any

from prefect.artifacts import create_markdown_artifact

from prefect_ledger.tracking.verbs import current_run

_KEY = re.compile(r"[^a-z0-9]+")


def show(kind: str, text: str, data: dict[str, Any], description: str, *, name: str = "") -> None:
    """Keep ``text`` as ``<kind>.md`` and ``data`` as ``<kind>.json``, and show the text in Prefect, its key made of kind and name."""
    run = current_run()
    run.log_text(text, f"{kind}.md")
    run.log_dict(data, f"{kind}.json")
    key = _KEY.sub("-", f"{kind}-{name}".lower()).strip("-")
    create_markdown_artifact(text, key=key, description=description)
