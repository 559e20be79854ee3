"""Floor 6. ``@tracked_task``: a Prefect task that is a step of its flow's run, with metrics and artifacts of its own.

As with flows, the function is wrapped after Prefect has read it: the task key, the cache's ``TASK_SOURCE`` and the description come from
what the user wrote.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, Unpack, overload

from prefect.tasks import Task, TaskOptions

from prefect_ledger.orchestration import task_runs
from prefect_ledger.orchestration.bodies import check_returns, user_function, wrap
from prefect_ledger.orchestration.guard import hush
from prefect_ledger.orchestration.options import Options, options_of

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")

hush()


class TrackedTask(Task[P, R]):
    """A Prefect task whose runs are recorded; made by :func:`tracked_task`. Everything a task can do, it can."""

    def __init__(
        self,
        fn: Callable[P, R],
        *,
        experiment: str | None = None,
        log_params: bool = True,
        log_returns: bool = True,
        capture: bool = True,
        **options: Unpack[TaskOptions],
    ) -> None:
        ours = Options(experiment, log_params, log_returns, capture)
        super().__init__(user_function(fn), **options)
        check_returns(self.fn)
        self.fn = wrap(self.fn, task_runs.begin, ours)
        self._add_hooks()

    @property
    def _options(self) -> Options:
        return options_of(self) or Options()

    if TYPE_CHECKING:  # how a method's first parameter goes, which Prefect's own type does not say

        @overload
        def __get__(self, instance: None, owner: Any) -> TrackedTask[P, R]: ...
        @overload
        def __get__(self: TrackedTask[Concatenate[Any, Q], R], instance: object, owner: Any) -> TrackedTask[Q, R]: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...

    def _add_hooks(self) -> None:
        for name, hook in task_runs.HOOKS.items():
            rest = [known for known in getattr(self, f"{name}_hooks") if known is not hook]
            setattr(self, f"{name}_hooks", [hook, *rest])

    def with_options(  # type: ignore[override]  # mypy does not compare an unpacked TypedDict with the keywords it stands for
        self,
        *,
        experiment: str | None = None,
        log_params: bool | None = None,
        log_returns: bool | None = None,
        capture: bool | None = None,
        **options: Unpack[TaskOptions],
    ) -> TrackedTask[P, R]:
        """A tracked task like this one, but for what is given; what is left out stays."""
        plain = copy(self)
        plain.fn = user_function(self.fn)
        known: Any = options
        changed = Task.with_options(plain, **known)
        new: TrackedTask[P, R] = TrackedTask.__new__(TrackedTask)
        vars(new).update({**vars(self), **vars(changed), "task_key": self.task_key, "source_code": self.source_code})
        ours = self._options.changed(experiment=experiment, log_params=log_params, log_returns=log_returns, capture=capture)
        new.fn = wrap(self.fn, task_runs.begin, ours)
        new._add_hooks()
        return new


@overload
def tracked_task(fn: Callable[P, R], /) -> TrackedTask[P, R]: ...
@overload
def tracked_task(
    fn: None = None,
    /,
    *,
    experiment: str | None = None,
    log_params: bool = True,
    log_returns: bool = True,
    capture: bool = True,
    **options: Unpack[TaskOptions],
) -> Callable[[Callable[P, R]], TrackedTask[P, R]]: ...
def tracked_task(fn: Callable[P, R] | None = None, /, **options: Any) -> Any:
    """Make a function a Prefect task that is recorded: its timing, tries, cache hits, exceptions, and what it logs and returns.

    Takes every option of Prefect's ``@task``, on any function it takes, and gives a real task back. In a tracked flow the task run is a
    step of the flow's run, whichever task runner it is submitted to. Inside ``with start_run():`` it is a step of that run. Elsewhere it
    is a run of its own, of kind "task": only then ``experiment`` (the task's name when left out), ``log_params`` and ``capture`` matter.

    Args:
        fn: The function; left out when there are options.
        experiment: The experiment of a run of its own.
        log_params: Record the arguments of a run of its own.
        log_returns: Record returned values by their annotation (``Metrics``, ``Artifact``, ``Model``, ``Dataset``).
        capture: Record git, Python, packages and command of a run of its own.

    Raises:
        InvalidName: ``experiment`` cannot name one. Prefect's own errors for its options.

    Example:
        >>> from prefect_ledger import log_metric, tracked_task
        >>> @tracked_task(retries=2)
        ... def train(depth: int) -> float:
        ...     log_metric("loss", 1 / depth)
        ...     return 1 / depth
    """
    options.setdefault("log_prints", None)  # as @task does: what the flow says
    if fn is not None:
        return TrackedTask(fn, **options)
    return lambda function: TrackedTask(function, **options)
