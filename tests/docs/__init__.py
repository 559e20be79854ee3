"""What the guides say, run."""
