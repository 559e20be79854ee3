"""A ledger of each test's own, beside one real Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prefect_ledger.orchestration import cards, surroundings
from prefect_ledger.tracking import ledger as module
from prefect_ledger.tracking.ledger import Ledger
from tests.services_real import errands


@pytest.fixture
def ledger(prefect_server: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """The ledger that flows of this test log into."""
    monkeypatch.setattr(module, "_ledger", None)
    mine = module.ledger()
    assert mine.settings.home == home
    yield mine
    surroundings.finish()
    cards.finish(20)
    errands.rest()
    mine.close()
