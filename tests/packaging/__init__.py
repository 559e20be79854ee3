"""What is installed is what was meant: the lock, the wheel, and a Prefect that starts."""
