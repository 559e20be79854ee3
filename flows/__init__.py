"""Ready-made flows over the public API, installed as ``prefect_ledger.flows``.

Thin wiring only: whatever decides anything lives below, in ``prefect_ledger``. Modules of this folder import one another
relatively, because they lie at the top of the repository and inside the package once installed.
"""

from __future__ import annotations
