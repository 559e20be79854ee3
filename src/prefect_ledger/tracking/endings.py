"""Floor 5. What the end of a process says of what it could not bring into the store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prefect_ledger.journal_folders import spare_root

if TYPE_CHECKING:
    from prefect_ledger.recorder import Left
    from prefect_ledger.tracking.ledger import Ledger


def not_stored(ledger: Ledger, left: Left) -> Iterator[str]:
    """A sentence for what waits, and one for what is lost."""
    if left.waiting:
        yield (
            f"about {left.waiting:,} records are not in the store {ledger.settings.shown_store_url} yet; they wait in"
            f" {ledger.journal.folders}: prefect-ledger recover brings them in"
        )
    yield from lost(ledger, left)


def lost(ledger: Ledger, left: Left) -> Iterator[str]:
    """A sentence for what is lost; none where nothing is."""
    if left.lost:
        root = ledger.journal.root
        yield (
            f"{left.lost} values are lost: the store {ledger.settings.shown_store_url} did not take them, and no folder had room for"
            f" them, neither {root} nor {spare_root(root)}"
        )
