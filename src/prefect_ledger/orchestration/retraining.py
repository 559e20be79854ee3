"""Floor 6. Training anew within a flow: a deployment or an entrypoint is run, and the model that it logged is put into staging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import Flow
from prefect.deployments import run_deployment
from prefect.flows import load_flow_from_entrypoint

from prefect_ledger import registry
from prefect_ledger.errors import LedgerError, ModelNotFound, RunNotFound
from prefect_ledger.orchestration.promotions import remember, tags
from prefect_ledger.tracking.ledger import ledger
from prefect_ledger.tracking.reading import get_run
from prefect_ledger.tracking.verbs import current_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prefect_ledger.entities import Run
    from prefect_ledger.registered import ModelVersion

RUN = "retrain.run"


class TrainingFailed(LedgerError):
    """The flow that trains did not complete."""


def trained(flow: str, parameters: Mapping[str, Any], *, seconds: float) -> str:
    """Run the flow that trains, once for this run however often that is begun anew; returns the id of its run.

    Raises:
        TrainingFailed: it did not complete, or not in time.
    """
    if (found := tags().get(RUN)) is not None:
        return found
    state, run = _run_here(flow, parameters) if ":" in flow else _run_there(flow, parameters, seconds)
    if not state.is_completed():
        raise TrainingFailed(f"{flow} ended as {state.name}: {state.message or 'it says no reason'} (run {run})")
    remember({RUN: run})
    return run


def _run_here(entrypoint: str, parameters: Mapping[str, Any]) -> tuple[Any, str]:
    flow: Flow[..., Any] = load_flow_from_entrypoint(entrypoint)
    state: Any = flow(**parameters, return_state=True)
    return state, str(state.state_details.flow_run_id)


def _run_there(name: str, parameters: Mapping[str, Any], seconds: float) -> tuple[Any, str]:
    key = f"retrain-{current_run().id}"  # whoever is begun anew meanwhile waits for the run that there is
    run: Any = run_deployment(name, parameters=dict(parameters), timeout=seconds, poll_interval=1, idempotency_key=key)
    return run.state, str(run.id)


def staged(name: str, run_id: str, model: str, *, why: str = "") -> ModelVersion:
    """Register the model that a run, or a run below it, logged under this name, and put it into staging; a second time does nothing.

    Raises:
        ModelNotFound: none of them logged one; RunNotFound: the flow is not tracked. TransitionRefused: the policy wants more for staging.
        RegistryConflict. StoreUnavailable.
    """
    ledger().flush()
    try:
        runs = list(_family(get_run(run_id)))
    except RunNotFound as error:
        raise RunNotFound(
            f"run {run_id} is not in the ledger: the flow that trains has to be a tracked_flow, or to log something"
        ) from error
    found = [one for run in runs for one in run.models if one.name == model]
    if not found:
        there = sorted({one.name for run in runs for one in run.models})
        raise ModelNotFound(f"run {run_id} logged no model {model!r}; it has: {', '.join(map(repr, there)) or 'none'}")
    version = registry.register_model(name, found[-1].uri, description=why)
    if version.stage == "none":
        version = registry.transition(name, version.version, "staging", why=why)
    return version


def _family(run: Run) -> Iterator[Run]:
    for child in run.children:
        yield from _family(child)
    yield run  # last, as what the flow itself logs is what it stands for
