"""``python -m prefect_ledger.dashboard``: the server, as ``prefect-ledger dashboard`` starts it."""

from __future__ import annotations

from .server import main

main()
