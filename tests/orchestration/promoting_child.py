"""Runs one flow run of a promotion or a rollback in a process of its own, which kills itself right before or after one of its steps."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from typing import Any

from prefect_ledger import registry
from prefect_ledger.promotion import checking, promoter

checking.FOLLOWS = 0.3


def _killing(function: Any, moment: str) -> Any:
    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        function(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    return wrapped


def main() -> None:
    """``flow run-id parameters [step moment]``."""
    name, run_id, parameters = sys.argv[1:4]
    if len(sys.argv) > 4:
        step, moment = sys.argv[4:6]
        place: Any = registry if hasattr(registry, step) else promoter.Promoter
        setattr(place, step, _killing(getattr(place, step), moment))
    import importlib

    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow

    flow = getattr(importlib.import_module(f"prefect_ledger.flows.{name}"), name)
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(run_id)  # type: ignore[arg-type]  # it takes texts too
    state: Any = run_flow(flow, flow_run=flow_run, parameters=json.loads(parameters), return_type="state")
    sys.stdout.write(f"{state.name}\n")


if __name__ == "__main__":
    main()
