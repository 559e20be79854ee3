"""Floor 4. The environment variables that results hang on: those of a list, and none else."""

from __future__ import annotations

import os
from collections.abc import Collection

from prefect_ledger.masking import mask_value

# How texts hash, how many threads add up in which order, what is deterministic, and how dates and numbers are written.
REPEATED = (
    "PYTHONHASHSEED",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "CUBLAS_WORKSPACE_CONFIG",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TZ",
    "LANG",
    "LC_ALL",
)
_OF_THE_MACHINE = ("CUDA_VISIBLE_DEVICES",)
_LONGEST = 1_000  # characters of a value


def variables(more: Collection[str] = ()) -> dict[str, str]:
    """Those of the list, and of ``more``, that are set in this process; masked where a name or a value is a secret's."""
    found = {}
    for name in sorted({*REPEATED, *_OF_THE_MACHINE, *more}):
        if (value := os.environ.get(name)) is not None:
            found[name] = str(mask_value(name, value))[:_LONGEST]
    return found
