"""Floor 3. Saved views of the dashboard. Functions take an open transaction and never commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prefect_ledger.database import execute, rows
from prefect_ledger.entities import SavedView, to_datetime

if TYPE_CHECKING:
    import sqlalchemy as sa

_VIEW = "SELECT page, name, query, author, at FROM saved_views"


def keep(tx: sa.Connection, page: str, name: str, query: str, author: str, at: int) -> None:
    """Keep a view, in the place of one of the same name."""
    text = """INSERT INTO saved_views (page, name, query, author, at) VALUES (?, ?, ?, ?, ?)
              ON CONFLICT (page, name) DO UPDATE SET query = excluded.query, author = excluded.author, at = excluded.at"""
    execute(tx, text, [page, name, query, author, at])


def remove(tx: sa.Connection, page: str, name: str) -> bool:
    """Forget a view; False where there was none."""
    return execute(tx, "DELETE FROM saved_views WHERE page = ? AND name = ?", [page, name]).rowcount == 1


def find(tx: sa.Connection, page: str, name: str) -> SavedView | None:
    """The view of this name."""
    found = rows(tx, f"{_VIEW} WHERE page = ? AND name = ?", [page, name])
    return _view(found[0]) if found else None


def of_page(tx: sa.Connection, page: str) -> list[SavedView]:
    """All views of a page, by name."""
    found = rows(tx, f"{_VIEW} WHERE page = ? ORDER BY name", [page])
    return sorted(map(_view, found), key=lambda one: one.name.casefold())


def _view(row: Sequence[Any]) -> SavedView:
    page, name, query, author, at = row
    return SavedView(page, name, query, author, to_datetime(at))
