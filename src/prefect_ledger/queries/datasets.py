"""Floor 3. Datasets of all runs: by digest, with the copies that runs kept of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from prefect_ledger.database import rows
from prefect_ledger.entities import Dataset

if TYPE_CHECKING:
    import sqlalchemy as sa

_COPY = "a.run_id = u.run_id AND a.path = 'datasets/' || u.digest || '.json' AND a.kind = 'dataset'"
_LISTED = f"""SELECT d.name, d.digest, d.source, d.row_count, d.schema_json, COUNT(DISTINCT u.run_id), MAX(u.at), COUNT(a.run_id)
 FROM datasets d JOIN dataset_uses u ON u.name = d.name AND u.digest = d.digest
 JOIN runs r ON r.id = u.run_id AND r.lifecycle = 'active' LEFT JOIN artifacts a ON {_COPY}
 WHERE d.digest LIKE ? GROUP BY d.name, d.digest ORDER BY 7 DESC, 1, 2 LIMIT ?"""
_COPIES = f"""SELECT DISTINCT a.run_id, a.uri, a.sha256, a.at FROM datasets d
 JOIN dataset_uses u ON u.name = d.name AND u.digest = d.digest JOIN artifacts a ON {_COPY}
 JOIN runs r ON r.id = a.run_id AND r.lifecycle <> 'erasing' WHERE d.digest = ? ORDER BY a.at DESC, a.run_id"""


class Known(NamedTuple):
    """A dataset, how many runs name it, when it was last used (µs since 1970), and whether a run kept a copy."""

    dataset: Dataset
    runs: int
    used: int
    copied: bool


class Copy(NamedTuple):
    """The list of a copy's files: which run kept it, where it is, and the sha256 it must have."""

    run: str
    uri: str
    sha256: str


def known(tx: sa.Connection, beginning: str = "", limit: int = 1_000) -> list[Known]:
    """Datasets of active runs whose digest begins so (hexadecimal digits), those used last first."""
    found = rows(tx, _LISTED, [f"{beginning}%", limit])
    return [
        Known(Dataset(name, digest, "", source, count, json.loads(schema)), runs, used, bool(copies))
        for name, digest, source, count, schema, runs, used, copies in found
    ]


def copies(tx: sa.Connection, digest: str) -> list[Copy]:
    """The copies of this digest that runs kept, the latest first; those of deleted runs too, as long as they are there."""
    return [Copy(run, uri, sha256) for run, uri, sha256, _ in rows(tx, _COPIES, [digest])]
