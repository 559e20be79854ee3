"""What the pages show, asked of the ledger by its public API and kept for a few seconds for all who look."""

from __future__ import annotations
