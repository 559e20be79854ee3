"""Floor 4. The packages that are installed."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

from prefect_ledger.masking import mask_text


def packages() -> dict[str, str]:
    """Installed distributions, name to version, in the order of their names; asked once a process.

    Names are written as indexes compare them: lower case, with single dashes. Of two versions, the one found first on ``sys.path``.
    """
    return dict(_packages())


@functools.lru_cache(maxsize=1)
def _packages() -> dict[str, str]:
    import re
    from importlib import metadata

    # The two headers are read from the text: parsing whole descriptions takes ten times as long, most of it under the GIL.
    header = re.compile(r"^(Name|Version):[ \t]*(\S+)", re.MULTILINE)
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        try:
            text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
        except (OSError, UnicodeDecodeError):
            continue  # half removed, or not readable by us
        fields = dict(header.findall(text.replace("\r\n", "\n").partition("\n\n")[0]))
        if len(fields) == 2:
            found.setdefault(re.sub(r"[-_.]+", "-", fields["Name"]).lower(), fields["Version"])
        time.sleep(0)  # the main thread trains meanwhile: let it have its turn after each file
    return dict(sorted(found.items()))


def origins() -> dict[str, str]:
    """Where those distributions came from that no index has: a requirement such as ``git+https://…@commit``, or ``-e`` and a folder.

    As installers say it (PEP 610); credentials are masked. Asked once a process.
    """
    return dict(_origins())


@functools.lru_cache(maxsize=1)
def _origins() -> dict[str, str]:
    import re
    from importlib import metadata

    found = {}
    for distribution in metadata.distributions():
        try:
            said = json.loads(distribution.read_text("direct_url.json") or "{}")
        except (OSError, ValueError):
            continue
        if isinstance(said, dict) and (where := _origin(said)):
            name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"] or "").lower()
            found[name] = mask_text(where)
    return dict(sorted(found.items()))


def _origin(said: Mapping[str, Any]) -> str:
    url, vcs, folder, archive = (said.get(name) for name in ("url", "vcs_info", "dir_info", "archive_info"))
    if not isinstance(url, str):
        return ""
    if isinstance(vcs, dict) and vcs.get("commit_id"):
        return f"{vcs.get('vcs', 'git')}+{url}@{vcs['commit_id']}"
    if isinstance(folder, dict):
        return f"-e {url}" if folder.get("editable") else url
    hashes = archive.get("hashes") if isinstance(archive, dict) else None
    return f"{url}#sha256={hashes['sha256']}" if isinstance(hashes, dict) and "sha256" in hashes else url


def packages_digest(installed: Mapping[str, str] | None = None) -> str:
    """The sha256 under which the store keeps such a list; of this process's packages when none is given.

    Example:
        >>> packages_digest({"a": "1", "b": "2"}) == packages_digest({"b": "2", "a": "1"})
        True
    """
    content = json.dumps(dict(packages() if installed is None else installed), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
