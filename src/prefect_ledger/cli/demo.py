"""Floor 6. ``prefect-ledger demo``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter


def demo(
    *,
    ephemeral: Annotated[bool, Parameter(negative="", help="Leave a configured Prefect API alone and start a small server.")] = False,
    verbose: Annotated[bool, Parameter(negative="", help="Show Prefect's own log too.")] = False,
) -> None:
    """Train a few models under Prefect, tracked, and compare them.

    The data are scikit-learn's digits. Takes about half a minute and no
    network. What it logs goes where your runs go, into the experiment
    "digits"; run it as often as you like.

    For example:

        prefect-ledger demo
    """
    from prefect_ledger.demo import run_demo

    run_demo(ephemeral=ephemeral, verbose=verbose)
