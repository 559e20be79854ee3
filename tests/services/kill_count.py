"""Counts in a fresh process what the store has of killed runs; prints JSON. ``python kill_count.py STORE_URL RUN_ID …``"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from prefect_ledger.database import Database, rows
from prefect_ledger.series_store import live_series, read_points


def count(database: Database, run: str) -> dict[str, Any]:
    """Of each kind of value: how many there are, and whether each is there once with the value it was logged with."""
    with database.read() as tx:
        keys = [r[0] for r in rows(tx, "SELECT key FROM metrics WHERE run_id = ? AND substr(key, 1, 7) <> 'system.' ORDER BY key", [run])]
        points = {key: read_points(tx, run, live_series(tx, run, key)) for key in keys}
        sums = dict(rows(tx, "SELECT key, n FROM metrics WHERE run_id = ? AND substr(key, 1, 7) <> 'system.'", [run]))
        params = dict(rows(tx, "SELECT key, value FROM params WHERE run_id = ?", [run]))
        status = rows(tx, "SELECT status FROM runs WHERE id = ?", [run])
        notes = rows(tx, "SELECT text FROM notes WHERE run_id = ?", [run])
    scalars = [points[key] for key in keys if key[0] == "k"]
    steps = np.sort(np.concatenate([p.steps for p in scalars])) if scalars else np.empty(0, np.int64)
    values = np.sort(np.concatenate([p.values for p in scalars])) if scalars else np.empty(0)
    array = points.get("arr")
    return {
        "scalars": len(steps),
        "scalars_once": bool((steps == np.arange(len(steps))).all() and (values == steps).all()),
        "dicts": [len(points[key].steps) if key in points else 0 for key in ("d0", "d1", "d2")],
        "dicts_once": all((points[k].steps == np.arange(len(points[k].steps))).all() for k in ("d0", "d1", "d2") if k in points),
        "arrays": 0 if array is None else len(array.steps),
        "arrays_once": array is None or bool((array.steps == np.arange(len(array.steps))).all() and (array.values == array.steps).all()),
        "params": len(params),
        "params_once": params == {f"p{i}": str(i) for i in range(len(params))},
        "summaries_agree": all(sums[key] == len(points[key].steps) for key in keys),
        "status": status[0][0] if status else None,
        "notes": len(notes),
    }


if __name__ == "__main__":
    store = Database(sys.argv[1])
    print(json.dumps({run: count(store, run) for run in sys.argv[2:]}))
