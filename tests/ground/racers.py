"""Child processes of the tests of the database: ``python racers.py count|create STORE_URL …``, each begins when it is told to."""

from __future__ import annotations

import sys

from prefect_ledger.database import Database, rows


def count(url: str, times: int) -> None:
    """Read a counter and write one more, each time in one transaction."""
    database = Database(url)
    _begin()
    for _ in range(times):
        with database.write() as tx:
            (value,) = rows(tx, "SELECT status_at FROM runs WHERE id = 'counter'")[0]
            tx.exec_driver_sql(f"UPDATE runs SET status_at = {int(value) + 1} WHERE id = 'counter'")


def create(url: str) -> None:
    """Make the store, and say what it is afterwards."""
    database = Database(url)
    _begin()
    database.prepare()
    with database.read() as tx:
        print(database.version(), len(rows(tx, "SELECT id FROM experiments")), flush=True)


def _begin() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    if sys.argv[1] == "count":
        count(sys.argv[2], int(sys.argv[3]))
    else:
        create(sys.argv[2])
