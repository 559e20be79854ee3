"""The script that Streamlit runs for everybody who looks, again at each change: so it holds one line, and imports by the installed name."""

from __future__ import annotations

from prefect_ledger.dashboard.main import show

show()
