"""The dashboard, installed as ``prefect_ledger.dashboard``.

It shows what the queries find and changes nothing by itself. Modules of this folder import one another relatively, because
they lie at the top of the repository and inside the package once installed.
"""

from __future__ import annotations
