"""Floor 6. ``python -m prefect_ledger.cli``, for where the command is not on the path."""

from __future__ import annotations

import sys

from prefect_ledger.cli import main

sys.exit(main())
