"""An example pipeline on real data: handwritten digits, three families of models, eight candidates, one winner.

Run it with ``prefect-ledger demo``, or as any flow: ``asyncio.run(digits())``, ``digits.serve()``, ``digits.deploy(...)``.
"""

from __future__ import annotations

from .pipeline import CANDIDATES, digits, train_candidate

__all__ = ["CANDIDATES", "digits", "train_candidate"]
