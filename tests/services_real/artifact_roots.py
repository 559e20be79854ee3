"""Artifact roots for tests: a folder, or a bucket of the S3 server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services_real.s3 import S3Server


def an_artifact_root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty root, in the environment: of the kind that is asked for ("s3"), else S3 beside PostgreSQL and a folder beside SQLite."""
    store = request.getfixturevalue("store_url") if "store_url" in request.fixturenames else ""
    where = str(tmp_path / "root")
    if getattr(request, "param", "s3" if store.startswith("postgresql") else "folder") == "s3":
        server: S3Server = request.getfixturevalue("s3")
        where = f"s3://{server.bucket()}/root"
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("PREFECT_LEDGER_ARTIFACT_ROOT", where)
    return where
