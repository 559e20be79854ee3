"""Floor 6. Which attempt of its run a flow's body is: one for each time that it is begun.

Prefect counts retries, its own and those that a person asks for, and leaves out that a suspended run begins its body anew when it is
resumed. To the ledger that is an attempt as well: the body logs again what it logged before.
"""

from __future__ import annotations

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State, StateType

from prefect_ledger.orchestration.context import resumptions


def attempt_begun(flow_run: FlowRun, *, known: bool) -> int:
    """The attempt whose body begins now; ``known``: an earlier one began in this process."""
    run_id, count = str(flow_run.id), max(1, flow_run.run_count)
    if not known and _may_have_been_resumed(flow_run):
        resumptions[run_id] = max(0, (attempts_seen(flow_run) or 0) - count)
    return count + resumptions.get(run_id, 0)


def attempts_seen(flow_run: FlowRun, until: State | None = None) -> int | None:
    """How often the body was begun so far, or before the run came into a state that Prefect has of it; None when it cannot be asked."""
    try:
        with get_client(sync_client=True) as client:
            states = client.read_flow_run_states(flow_run.id)
    except Exception:  # noqa: BLE001  # the API is away or says no: Prefect's own count must do
        return None
    then = next((one.timestamp for one in states if until is not None and one.id == until.id), None)
    return bodies_begun([one for one in states if then is None or one.timestamp <= then])


def bodies_begun(states: list[State]) -> int:
    """How often these states have the body begin: at each Running but those that end a pause, which the body waited through."""
    ordered = [state.type for state in sorted(states, key=lambda state: (state.timestamp is not None, state.timestamp))]
    before = [None, *ordered]
    return sum(now is StateType.RUNNING and last is not StateType.PAUSED for last, now in zip(before, ordered, strict=False))


def _may_have_been_resumed(flow_run: FlowRun) -> bool:
    """Only runs of deployments are suspended; a retry forgets that there were pauses."""
    policy = flow_run.empirical_policy
    return flow_run.deployment_id is not None and (flow_run.run_count > 1 or bool(policy.pause_keys) or bool(policy.resuming))
