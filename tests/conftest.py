"""What every test may ask for. The machinery is in ``tests/services_real``."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services_real import errands
from tests.services_real import postgres as postgres_module
from tests.services_real import prefect_server as prefect_module
from tests.services_real import s3 as s3_module
from tests.services_real.postgres import PostgresServer
from tests.services_real.s3 import S3Server

if TYPE_CHECKING:
    from prefect_ledger.tracking.ledger import Ledger

_SESSION_HOME = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Before anything imports Prefect: no settings, profiles or databases of the person at this machine."""
    home = config.stash[_SESSION_HOME] = tempfile.TemporaryDirectory(prefix="ledger-tests-", ignore_cleanup_errors=True)
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    os.environ |= {
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": f"{home.name}/prefect",
        "PREFECT_LEDGER_HOME": f"{home.name}/ledger",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    if home := config.stash.get(_SESSION_HOME, None):
        home.cleanup()


@pytest.fixture(autouse=True)
def unseeded() -> Iterator[None]:
    """A seed that a test sets is not recorded with the runs of the next, which draw what they would have drawn."""
    numbers = random.getstate()
    yield
    if (seeds := sys.modules.get("prefect_ledger.tracking.seeds")) is not None and seeds._said:
        seeds._said.clear()
        random.setstate(numbers)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A ledger's home of this test alone, in the environment too; returns the folder (not created yet)."""
    kept = {"PREFECT_API_URL"} if "prefect_server" in request.fixturenames else set()
    for name in [name for name in os.environ if name.startswith("PREFECT_") and name not in kept]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setenv("PREFECT_LEDGER_HOME", str(tmp_path / "ledger"))
    return tmp_path / "ledger"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL for the whole session. Tests that stop it start one of their own."""
    with postgres_module.postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """An empty PostgreSQL ledger: a schema of this test alone."""
    with postgres.schema() as name:
        yield postgres.url(name)
        errands.rest()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A real S3 server for the whole session; make buckets of your own on it."""
    with s3_module.s3_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store on each database in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def fresh_ledger(home: Path, request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """The process's ledger, new and empty and of this test alone, on SQLite or, beside ``store_url``, on that; closed at the end."""
    from prefect_ledger.settings import Settings
    from prefect_ledger.tracking import ledger as module

    store = {"store_url": request.getfixturevalue("store_url")} if "store_url" in request.fixturenames else {}
    before, module._ledger = module._ledger, module.Ledger(Settings.resolve(capture_git=False, capture_packages=False, **store))
    yield module._ledger
    errands.rest()  # they ask for the process's ledger: this one, as long as it is
    module._ledger.close()
    module._ledger = before


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """A real Prefect server; from here to the end of the session this process and its children use it. Returns the API URL."""
    with prefect_module.prefect_server() as url, prefect_module.pointed_at(url):
        yield url
