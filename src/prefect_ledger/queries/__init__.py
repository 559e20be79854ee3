"""Floor 3. Everything that reads the store: runs by id, by filter and in order, as values or tables, and what belongs to a run."""

from __future__ import annotations

from prefect_ledger.queries.page import Page
from prefect_ledger.queries.reader import Reader

__all__ = ["Page", "Reader"]
