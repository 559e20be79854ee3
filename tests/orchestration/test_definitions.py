"""The decorated object: a Prefect flow or task in every way that Prefect, pickle and people look at it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pytest
from prefect import Flow, Task, flow, task
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments.runner import RunnerDeployment
from prefect.flows import load_flow_from_entrypoint
from pydantic import BaseModel

from prefect_ledger import TrackedFlow, TrackedTask, log_metric, tracked_flow, tracked_task
from prefect_ledger.orchestration.options import FlowOptions
from prefect_ledger.tracking.ledger import Ledger
from tests.orchestration.helpers import the_run

FILE = Path(__file__).parent / "deployed.py"


class Shape(BaseModel):
    """A parameter whose name only this module knows."""

    depth: int = 6


def fit(shape: Shape, rate: float = 0.5) -> float:
    """Fits.

    At length.
    """
    return shape.depth * rate


def test_it_reads_as_the_users_function() -> None:
    """Name, version, description, schema and source are what plain Prefect makes of the user's function."""
    ours, theirs = tracked_flow(fit), flow(fit)
    for name in ("name", "version", "description", "parameters", "isasync", "isgenerator", "_entrypoint", "__doc__", "__name__"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert isinstance(ours, Flow)
    assert inspect.getsource(ours.fn) == inspect.getsource(fit)
    assert ours.validate_parameters({"shape": {"depth": "3"}}) == {"shape": Shape(depth=3), "rate": 0.5}
    assert ours.fn(Shape(depth=2)) == 1.0


def test_every_option_of_flow_is_known() -> None:
    """Type checkers know the options that the installed Prefect takes."""
    taken = set(inspect.signature(Flow.__init__).parameters) - {"self", "fn"}
    assert set(FlowOptions.__annotations__) == taken
    assert set(inspect.signature(Flow.with_options).parameters) - {"self"} == taken


@pytest.mark.parametrize("decorator", [tracked_flow, tracked_task])
def test_bare_and_with_arguments(decorator: object) -> None:
    """Both spellings give the tracked kind, with the options they were given."""
    bare = decorator(fit)  # type: ignore[operator]
    told = decorator(name="other", retries=3)(fit)  # type: ignore[operator]
    assert isinstance(bare, TrackedFlow | TrackedTask)
    assert type(told) is type(bare)
    assert (told.name, told.retries) == ("other", 3)
    assert bare.fn is not fit


def test_with_options_keeps_everything() -> None:
    """Another option is another option: kind, experiment, version, entrypoint, storage and our hooks stay; the user's hooks are replaced
    as Prefect does it, and the flow it was made from does not change."""

    def first(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None: ...
    def second(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None: ...

    original = tracked_flow(experiment="churn", on_failure=[first], version="7")(fit)
    changed = original.with_options(retries=2, on_failure=[second])
    assert type(changed) is TrackedFlow
    assert (changed.retries, changed.experiment, changed.version, changed._entrypoint) == (2, "churn", "7", original._entrypoint)
    assert [hook.__name__ for hook in changed.on_failure_hooks] == ["ledger_on_failure", "second"]
    assert [hook.__name__ for hook in original.on_failure_hooks] == ["ledger_on_failure", "first"]
    assert [hook.__name__ for hook in changed.with_options(name="x").on_failure_hooks] == ["ledger_on_failure", "second"]
    assert (original.retries, original.with_options(experiment="other").experiment, original.experiment) == (0, "other", "churn")
    assert changed.fn(Shape()) == 3.0


def test_a_decorated_function_can_be_decorated_again() -> None:
    """The body of one tracked flow as the function of another is wrapped once."""
    again = tracked_flow(name="again", experiment="two")(tracked_flow(experiment="one")(fit).fn)
    assert (again.experiment, again.fn.__wrapped__) == ("two", fit)  # type: ignore[attr-defined]


def test_pickled_and_back(ledger: Ledger) -> None:
    """A flow and a task that went through cloudpickle, as on their way to other machines, are tracked as before."""

    @tracked_task
    def step(number: int) -> int:
        log_metric("number", number)
        return number

    @tracked_flow(experiment="pickled")
    def travelling(number: int) -> int:
        return step(number)

    moved = cloudpickle.loads(cloudpickle.dumps(travelling))
    assert type(moved) is TrackedFlow
    assert (moved.experiment, moved.isasync) == ("pickled", False)
    assert moved(3) == 3
    run = the_run("pickled")
    assert (run.status, run.metrics, len(run.task_runs)) == ("COMPLETED", {"number": 3}, 1)


def test_loaded_from_its_file() -> None:
    """A deployment's entrypoint loads as a tracked flow, also where the file's other imports are missing."""
    loaded: Flow[..., Any] = load_flow_from_entrypoint(f"{FILE}:deployed")
    assert isinstance(loaded, TrackedFlow)
    assert loaded.experiment == "deployed"


def test_a_file_whose_imports_are_missing(tmp_path: Path) -> None:
    """Where a flow is deployed from, its libraries need not be installed."""
    (tmp_path / "far.py").write_text(
        "import no_such_library\nfrom prefect_ledger import tracked_flow\n\n"
        "@tracked_flow(name='far-away', retries=3)\ndef far(depth: int = 6) -> int:\n    return depth\n"
    )
    loaded: Flow[..., Any] = load_flow_from_entrypoint(f"{tmp_path}/far.py:far")
    assert isinstance(loaded, TrackedFlow)
    assert (loaded.name, loaded.retries, set(loaded.parameters.properties)) == ("far-away", 3, {"depth"})


def test_to_deployment() -> None:
    """Deployments are made from it as from any flow."""
    loaded: Flow[..., Any] = load_flow_from_entrypoint(f"{FILE}:deployed")
    deployment = loaded.to_deployment("nightly", parameters={"limit": 3})
    assert isinstance(deployment, RunnerDeployment)
    assert deployment.flow_name == "deployed"
    assert deployment.entrypoint is not None
    assert deployment.entrypoint.endswith("deployed.py:deployed")


def test_a_task_is_a_task() -> None:
    """Tasks too are Prefect's own kind."""
    assert isinstance(tracked_task(fit), Task)
    assert tracked_task(fit).log_prints == task(fit).log_prints
