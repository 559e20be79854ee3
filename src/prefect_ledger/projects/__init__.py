"""Floor 5. Projects."""
