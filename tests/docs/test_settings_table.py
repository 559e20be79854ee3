"""The table of settings in the docs, beside the settings that there are."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from prefect_ledger.settings import _NOT_SET, PREFIX, Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_table_has_every_setting() -> None:
    """Each setting has a row with the environment variable that says it, and no row is of one that is no more."""
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    names = [one.name for one in fields(Settings) if one.name not in _NOT_SET]
    assert sorted(rows) == sorted((name, PREFIX + name.upper()) for name in names)
