"""What ours is held against: rows in SQLite and PostgreSQL through their drivers alone, as durable as our store and not more.

A point is a row (run, key, step, value, time) without any index, which is the fastest a row can be had.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

Point = tuple[int, str, int, float, int]
_TABLE = "CREATE TABLE points (run INTEGER NOT NULL, key TEXT NOT NULL, step BIGINT NOT NULL, value DOUBLE PRECISION, at BIGINT NOT NULL)"
_INSERT = "INSERT INTO points VALUES (?, ?, ?, ?, ?)"
_SELECT = "SELECT step, at, value FROM points WHERE run = ? AND key = ? ORDER BY step"


class RawSqlite:
    """One connection with the settings of our store: WAL, synchronous=normal."""

    def __init__(self, path: Path, *, new: bool = True) -> None:
        self.path = path
        self.connection = connect(path)
        if new:
            self.clear()

    def clear(self) -> None:
        """Begin with an empty table."""
        self.connection.execute("DROP TABLE IF EXISTS points")
        self.connection.execute(_TABLE)

    def insert_one(self, point: Point) -> None:
        """One row, committed."""
        self.connection.execute(_INSERT, point)

    def insert(self, points: Iterable[Point]) -> None:
        """Many rows in one transaction."""
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(_INSERT, points)
        self.connection.execute("COMMIT")

    def read(self, run: int, key: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """The points of one key, as arrays."""
        return _arrays(self.connection.execute(_SELECT, (run, key)).fetchall())

    def bytes(self) -> int:
        """Of the file, once everything is in it."""
        return settled_bytes(self.path)


class RawPostgres:
    """One connection to a table of its own."""

    def __init__(self, dsn: str, *, new: bool = True) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)
        if new:
            self.clear()

    def clear(self) -> None:
        """Begin with an empty table."""
        self.connection.execute("DROP TABLE IF EXISTS points")
        self.connection.execute(_TABLE.encode())

    def insert(self, points: Iterable[Point]) -> None:
        """Many rows in one transaction, by executemany."""
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.executemany(_INSERT.replace("?", "%s").encode(), points)

    def copy(self, points: Iterable[Point]) -> None:
        """Many rows in one transaction, by COPY."""
        with self.connection.transaction(), self.connection.cursor() as cursor, cursor.copy("COPY points FROM STDIN") as copy:
            for point in points:
                copy.write_row(point)

    def read(self, run: int, key: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """The points of one key, as arrays."""
        return _arrays(self.connection.execute(_SELECT.replace("?", "%s").encode(), (run, key)).fetchall())


def connect(path: Path) -> sqlite3.Connection:
    """A connection as durable as those of our store."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    for pragma in ("journal_mode=wal", "synchronous=normal", "cache_size=-32000", "temp_store=memory", "case_sensitive_like=on"):
        connection.execute(f"pragma {pragma}")
    return connection


def settled_bytes(path: Path) -> int:
    """The size of an SQLite file when its log was written back into it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    return path.stat().st_size


def points(count: int, keys: int, values: Iterable[float], *, run: int = 1, at: int = 1_700_000_000_000_000) -> Iterator[Point]:
    """Rows for ``count`` points, the keys in turns."""
    names = key_names(keys)
    return ((run, names[i % keys], i, value, at + i) for i, value in zip(range(count), values, strict=False))


def key_names(count: int) -> list[str]:
    """Names of metrics, as people give them."""
    return [f"loss{i}" for i in range(count)]


def _arrays(rows: list[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    steps, times, values = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(steps, np.int64), np.array(times, np.int64), np.array(values, np.float64)
