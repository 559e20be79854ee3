"""Floor 6 against a real Prefect server."""
