"""Floor 6. ``@tracked_flow``: a Prefect flow whose runs are runs of the ledger, wherever and however they are started.

The function itself is wrapped, not the call: deployments and workers call the function. It is wrapped after Prefect has read it, so that
version, entrypoint, parameter schema and description come from what the user wrote.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, Unpack, overload

from prefect.flows import Flow

from prefect_ledger.orchestration import flow_runs
from prefect_ledger.orchestration.bodies import check_returns, user_function, wrap
from prefect_ledger.orchestration.guard import hush
from prefect_ledger.orchestration.options import FlowOptions, Options, options_of

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")

hush()


class TrackedFlow(Flow[P, R]):
    """A Prefect flow whose runs are recorded; made by :func:`tracked_flow`. Everything a flow can do, it can."""

    def __init__(
        self,
        fn: Callable[P, R],
        *,
        experiment: str | None = None,
        log_params: bool = True,
        log_returns: bool = True,
        capture: bool = True,
        **options: Unpack[FlowOptions],
    ) -> None:
        ours = Options(experiment, log_params, log_returns, capture)
        known: Any = options
        super().__init__(user_function(fn), **known)
        check_returns(self.fn)
        self.fn = wrap(self.fn, flow_runs.begin, ours)
        self._add_hooks()

    @property
    def experiment(self) -> str | None:
        """The experiment that ``experiment=`` named; None when runs go to the flow's, or their parent's."""
        return self._options.experiment

    @property
    def _options(self) -> Options:
        return options_of(self) or Options()

    if TYPE_CHECKING:  # how a method's first parameter goes, which Prefect's own type does not say

        @overload
        def __get__(self, instance: None, owner: Any) -> TrackedFlow[P, R]: ...
        @overload
        def __get__(self: TrackedFlow[Concatenate[Any, Q], R], instance: object, owner: Any) -> TrackedFlow[Q, R]: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...

    def _add_hooks(self) -> None:
        """Ours first: a hook of the user's may take its time, or never come back."""
        for name, hook in flow_runs.HOOKS.items():
            rest = [known for known in getattr(self, f"{name}_hooks") if known is not hook]
            setattr(self, f"{name}_hooks", [hook, *rest])

    def with_options(  # type: ignore[override]  # mypy does not compare an unpacked TypedDict with the keywords it stands for
        self,
        *,
        experiment: str | None = None,
        log_params: bool | None = None,
        log_returns: bool | None = None,
        capture: bool | None = None,
        **options: Unpack[FlowOptions],
    ) -> TrackedFlow[P, R]:
        """A tracked flow like this one, but for what is given; what is left out stays."""
        plain = copy(self)
        plain.fn = user_function(self.fn)
        known: Any = options
        changed = Flow.with_options(plain, **known)
        new: TrackedFlow[P, R] = TrackedFlow.__new__(TrackedFlow)
        vars(new).update({**vars(self), **vars(changed)})  # Prefect's own forgets that the function is a class method
        ours = self._options.changed(experiment=experiment, log_params=log_params, log_returns=log_returns, capture=capture)
        new.fn = wrap(self.fn, flow_runs.begin, ours)
        new._add_hooks()
        return new


@overload
def tracked_flow(fn: Callable[P, R], /) -> TrackedFlow[P, R]: ...
@overload
def tracked_flow(
    fn: None = None,
    /,
    *,
    experiment: str | None = None,
    log_params: bool = True,
    log_returns: bool = True,
    capture: bool = True,
    **options: Unpack[FlowOptions],
) -> Callable[[Callable[P, R]], TrackedFlow[P, R]]: ...
def tracked_flow(fn: Callable[P, R] | None = None, /, **options: Any) -> Any:
    """Make a function a Prefect flow whose runs are recorded: parameters, tasks, exceptions, surroundings, returned values.

    Takes every option of Prefect's ``@flow``, on any function it takes, and gives a real flow back. A run's id is the flow run's; a
    retry is a further attempt of the same run; a flow called by a tracked flow is a child run.

    Args:
        fn: The function; left out when there are options.
        experiment: The experiment of its runs. Left out, it has the flow's name; a run started by another tracked flow in the same
            process then joins its parent's experiment, so that both stand side by side.
        log_params: Record the arguments, after validation and with defaults, flattened and with secrets masked.
        log_returns: Record returned values by their annotation (``Metrics``, ``Artifact``, ...), and a returned mapping of names to
            numbers as metrics.
        capture: Record git, Python, packages, command and deployment, in the background.

    Raises:
        InvalidName: ``experiment`` cannot name one. Prefect's own errors for its options.

    Example:
        >>> from prefect_ledger import log_metric, tracked_flow
        >>> @tracked_flow(experiment="docs", retries=1)
        ... def train(depth: int = 6) -> dict[str, float]:
        ...     log_metric("loss", 0.3)
        ...     return {"auc": 0.91}
    """
    if fn is not None:
        return TrackedFlow(fn, **options)
    return lambda function: TrackedFlow(function, **options)
