"""Floor 5. A model over a file, a folder or a query, chunk by chunk, into Parquet that stands whole or not at all."""
