"""Floor 6. What a tracked flow or task was told to record. Travels with its function, into other processes too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from prefect.flows import FlowStateHook
from prefect.futures import PrefectFuture
from prefect.results import ResultSerializer, ResultStorage
from prefect.task_runners import TaskRunner

from prefect_ledger.names import check_name

ATTRIBUTE = "__prefect_ledger__"


@dataclass(frozen=True, slots=True)
class Options:
    """The off switches of one decorator, and the experiment it names."""

    experiment: str | None = None
    log_params: bool = True
    log_returns: bool = True
    capture: bool = True

    def __post_init__(self) -> None:
        if self.experiment is not None:
            check_name(self.experiment)

    def changed(self, **given: Any) -> Options:
        """A copy with what was given; None means as it is."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})


def options_of(decorated: Any) -> Options | None:
    """The options of a tracked flow or task; None when it is not tracked.

    They are kept on the function: Prefect makes plain copies of flows in places, and the function is what it hands on.
    """
    return getattr(getattr(decorated, "fn", None), ATTRIBUTE, None)


class FlowOptions(TypedDict, total=False):
    """Every option of Prefect's ``@flow``, for type checkers: a test compares it with the Prefect that is installed."""

    name: str | None
    version: str | None
    flow_run_name: Callable[[], str] | str | None
    retries: int | None
    retry_delay_seconds: int | float | None
    task_runner: type[TaskRunner[PrefectFuture[Any]]] | TaskRunner[PrefectFuture[Any]] | None
    description: str | None
    timeout_seconds: int | float | None
    validate_parameters: bool
    persist_result: bool | None
    result_storage: ResultStorage | str | None
    result_serializer: ResultSerializer | None
    cache_result_in_memory: bool
    log_prints: bool | None
    on_completion: list[FlowStateHook[..., Any]] | None
    on_failure: list[FlowStateHook[..., Any]] | None
    on_cancellation: list[FlowStateHook[..., Any]] | None
    on_crashed: list[FlowStateHook[..., Any]] | None
    on_running: list[FlowStateHook[..., Any]] | None
