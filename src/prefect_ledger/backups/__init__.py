"""Floor 5. Backups of SQLite ledgers, made while they are in use, and put back."""
