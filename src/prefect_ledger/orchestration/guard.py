"""Floor 6. What keeps our work out of the user's way: a failure of ours is said and not raised, and our hooks run without announcement."""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Callable
from typing import ParamSpec

from prefect_ledger.orchestration.context import silent

P = ParamSpec("P")

_HOOK_LINES = ("Running hook", "Hook ")
_OURS = "'ledger_"


def quietly(work: Callable[P, None]) -> Callable[P, None]:
    """``work``, but what it raises becomes a warning: recording must not end the run that it records. Where the ledger is disabled,
    nothing is done."""

    @functools.wraps(work)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            if not silent():
                work(*args, **kwargs)
        except Exception as error:  # whatever goes wrong here, the user's flow has done nothing to deserve it
            from prefect_ledger.tracking.interruptions import interrupted
            from prefect_ledger.tracking.ledger import LedgerWarning

            if interrupted(error):
                raise
            warnings.warn(
                f"the ledger could not record this ({work.__name__}): {type(error).__name__}: {error}", LedgerWarning, stacklevel=2
            )

    return guarded


class _WithoutOurHooks(logging.Filter):
    """Drops Prefect's two lines for each hook that is ours: nobody asked for it, and formatting them costs more than the hook."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.msg
        return not (
            isinstance(text, str) and text.startswith(_HOOK_LINES) and record.levelno <= logging.INFO and _OURS in record.getMessage()
        )


def hush() -> None:
    """Have Prefect not announce our hooks. Again is the same as once."""
    for name in ("prefect.flow_runs", "prefect.task_runs", "prefect.engine", "prefect.task_engine"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, _WithoutOurHooks) for known in logger.filters):
            logger.addFilter(_WithoutOurHooks())
