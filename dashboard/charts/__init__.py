"""Figures out of rows: pure functions, which know neither Streamlit nor the ledger."""

from __future__ import annotations
