"""Floor 6. The report of a flow: artifacts of its run in the ledger, and one in Prefect."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from prefect.artifacts import create_markdown_artifact

from prefect_ledger.tracking.verbs import current_run

_KEY = re.compile(r"[^a-z0-9]+")


def show(kind: str, text: str, data: dict[str, Any], description: str, *, name: str = "") -> None:
    """Keep ``text`` as ``<kind>.md`` and ``data`` as ``<kind>.json``, and show the text in Prefect, its key made of kind and name."""
    run = current_run()
    run.log_text(text, f"{kind}.md")
    run.log_dict(data, f"{kind}.json")
    create_markdown_artifact(text, key=key_of(kind, name), description=description)


def key_of(kind: str, name: str = "") -> str:
    """What Prefect keeps the reports of this kind about this model under: its name, and more of it where the letters of a key lose some.

    Example:
        >>> key_of("promotion", "churn"), key_of("promotion", "模型")
        ('promotion-churn', 'promotion-c98e118e')
    """
    key = _KEY.sub("-", f"{kind}-{name}".lower()).strip("-")
    lost = name and key != f"{kind}-{name}"
    return f"{key}-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}" if lost else key
