"""Floor 6. ``prefect-ledger demo``: models are trained by flows, and the best of them comes into production by the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def run_demo(*, ephemeral: bool = False, verbose: bool = False, console: Console | None = None) -> str:
    """Train, show the leaderboard, promote the best, and say what to type next; returns the id of the flow's run.

    Raises:
        MissingExtra: scikit-learn or matplotlib is not installed. DemoFailed: the flow did not complete.
    """
    import time

    from rich.console import Console

    from prefect_ledger.demo import promoting, training

    console, begun = console or Console(highlight=False, markup=False), time.monotonic()
    run_id, runs = training.train(console, ephemeral=ephemeral, verbose=verbose)
    promoted = promoting.show_promotion(runs, console)
    console.print(f"\ndone in {time.monotonic() - begun:.0f} s\n", style="dim")
    training.show_next(console, run_id, runs)
    if promoted:
        promoting.show_next(console)
    return run_id
