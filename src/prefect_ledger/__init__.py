"""Floor 7. The front door of prefect-ledger."""

from __future__ import annotations
