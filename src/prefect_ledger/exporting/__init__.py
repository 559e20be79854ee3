"""Floor 5. Runs and their points as files that other programs read: Parquet, CSV and JSON."""
