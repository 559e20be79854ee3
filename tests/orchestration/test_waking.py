"""Tags of runs are written by anybody: what stands there for a request, a time or a version holds up nobody."""

from __future__ import annotations

import pytest

from prefect_ledger import registry, start_run
from prefect_ledger.orchestration import promotions
from prefect_ledger.orchestration.waking import TAG, UNTIL, waits_until, wake
from prefect_ledger.promotion import Promotion
from prefect_ledger.tracking.ledger import Ledger
from tests.promotion.helpers import BOB, GATED, trained

_HUGE = "9" * 30
_LONGEST = "9" * 5_000


@pytest.mark.usefixtures("store_url")
@pytest.mark.parametrize("said", [_HUGE, _LONGEST, "0", "seven", "٣"])
def test_a_tag_that_is_no_request_wakes_nobody_and_hinders_nobody(fresh_ledger: Ledger, said: str) -> None:
    """A number that no database holds, or no number at all, in a run's tag is passed over, and those beside it are looked at."""
    with start_run(experiment="promotions") as run:
        run.set_tags({TAG: said})
        assert wake(fresh_ledger.database) == []
    assert waits_until({UNTIL: _LONGEST}) is None
    assert waits_until({UNTIL: "1772368200"}) == 1_772_368_200


@pytest.mark.usefixtures("store_url", "fresh_ledger")
@pytest.mark.parametrize("said", ["seven", "", _LONGEST, "0"])
def test_a_version_that_a_tag_cannot_mean_is_found_anew(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """Who goes back, or promotes, in a flow trusts what its run said it means only where that can be a version."""
    registry.set_policy(GATED, by=BOB)
    trained(), trained()
    for number in (1, 2):
        registry.request_transition("churn", number, "production", by=BOB)
        registry.transition("churn", number, "production", by=BOB)
    gone: list[int] = []
    monkeypatch.setattr(promotions, "_rollback", lambda *_, to, **__: gone.append(to))
    with start_run(experiment="promotions") as run:
        monkeypatch.setattr(promotions, "current_run", lambda: run)
        run.set_tags({promotions.VERSION: said})
        promotions.rolled_back("churn", "wrong", None, "production", ("champion",))
        run.set_tags({promotions.VERSION: said})
        assert promotions.candidate("churn", "production") == 2
    assert gone == [1]


@pytest.mark.usefixtures("store_url", "fresh_ledger")
def test_a_move_that_never_was_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag that says a version was moved, which nobody ever moved, ends no promotion."""
    trained()
    promoter = promotions.PromoterInFlow("churn", 1, "production")
    with start_run(experiment="promotions") as run:
        monkeypatch.setattr(promotions, "current_run", lambda: run)
        run.set_tags({promotions.MOVED: "1"})
        assert promoter.over(Promotion("churn", 1, "production", "already", "it is there")) is None
