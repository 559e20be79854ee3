"""What this process does behind the back of a test: it is waited for before the test's store goes."""

from __future__ import annotations

import sys


def rest(seconds: float = 30.0) -> None:
    """Wait until every errand that was asked for is done, webhooks, alerts, events and artifacts that are sent."""
    sending = sys.modules.get("prefect_ledger.tracking.sending")
    if sending is not None:
        for sender in list(sending._LIVE):
            assert sender.flush(seconds), f"{sender._name} is not done after {seconds} seconds"
