"""Floor 5. YAML files of a project: of bounded size, read as plain values, and a table at the top."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models import strange_yaml
from prefect_ledger.projects.findings import Findings, type_word

LIMIT = 1 << 20  # bytes of a file that people write


def bounded(path: Path) -> bytes:
    """The bytes of a file that people write.

    Raises:
        InvalidValue: it cannot be read, or has more than a megabyte.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise InvalidValue(f"cannot be read: {error.strerror}") from None
    if len(data) > LIMIT:
        raise InvalidValue("has more than a megabyte, which nobody has written by hand")
    return data


def read(path: Path, findings: Findings) -> Mapping[Any, Any]:
    """The table in ``path``; an empty one where there is none, which is then said."""
    try:
        found = strange_yaml.load(bounded(path))
    except InvalidValue as error:
        findings.add(path.name, str(error))
        return {}
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        findings.add(path.name, f"has {type_word(found)} at its top; write keys, such as 'name: churn'")
        return {}
    return found
