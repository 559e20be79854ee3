"""Ways into production that look like the proper one."""

from __future__ import annotations

import pytest

from prefect_ledger import registry
from prefect_ledger.errors import TransitionRefused
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.helpers import BOB, CAROL, version

pytestmark = pytest.mark.usefixtures("store_url")

DAVE = Identity("dave", Strength.OS, "user dave")


def approved(number: int) -> int:
    """A request for a version, with its approval."""
    one = registry.request_transition("churn", number, "production", by=BOB)
    registry.approve(one.id, by=CAROL)
    return one.id


def test_an_approval_does_not_come_back_with_the_champion_that_it_was_given_beside(fresh_ledger: Ledger) -> None:
    """Whatever was approved beside a champion is void once another one stands there, also when the first returns."""
    registry.set_policy(Policy((Rule("churn", "production", approvals=1),)), by=DAVE)
    for _ in range(3):
        version()
    approved(1)
    registry.transition("churn", 1, "production", by=DAVE)
    old = approved(3)
    for number in (2, 1):
        approved(number)
        registry.transition("churn", number, "production", by=DAVE)
    with pytest.raises(TransitionRefused, match=r"is void: .*the champion is version 2 now, and was version 1"):
        registry.transition("churn", 3, "production", by=DAVE)
    assert registry.get_request(old).state == "void"
    assert registry.verify_audit().whole
