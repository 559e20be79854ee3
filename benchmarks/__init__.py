"""What the performance table is made with: ``python -m benchmarks``.

Each benchmark runs in a process of its own, ours beside raw SQLite or PostgreSQL in turns, with every check of ours on. Limits are those
the project has set itself; a row that misses its limit says so.
"""
