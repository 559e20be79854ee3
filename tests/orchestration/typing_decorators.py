"""Read by mypy, not run: the decorators keep a function's parameters and what it returns."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import TYPE_CHECKING, Annotated, Any, assert_type

from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, PrefectFutureList

from prefect_ledger import Metrics, TrackedFlow, TrackedTask, tracked_flow, tracked_task

if TYPE_CHECKING:

    @tracked_flow
    def bare(depth: int, *, rate: float = 0.5) -> float:
        return depth * rate

    @tracked_flow(experiment="churn", retries=1, log_prints=True)
    def told(depth: int) -> Annotated[dict[str, float], Metrics]:
        return {"depth": depth}

    @tracked_flow
    async def waiting(depth: int) -> str:
        return str(depth)

    @tracked_flow
    def counting(limit: int) -> Generator[int, None, str]:
        yield limit
        return "done"

    @tracked_flow
    async def streaming(limit: int) -> AsyncGenerator[int, None]:
        yield limit

    @tracked_task
    def step(depth: int) -> float:
        return depth / 2

    @tracked_task(retries=2, tags=["slow"])
    async def slow_step(depth: int) -> float:
        return depth / 2

    class Trainer:
        """Holds a flow and a task as methods."""

        @tracked_flow
        def fit(self, depth: int) -> float:
            return depth / 2

        @tracked_task
        def score(self, depth: int) -> str:
            return str(depth)

    async def check() -> None:
        assert_type(bare(3), float)
        assert_type(bare(3, return_state=True), State[float])
        assert_type(told(3), dict[str, float])
        assert_type(await waiting(3), str)
        assert_type(counting(3), Generator[int, None, str])
        assert_type(streaming(3), AsyncGenerator[int, None])
        assert_type(bare.with_options(retries=2, experiment="other")(3), float)
        assert_type(step(3), float)
        assert_type(step.submit(3), PrefectFuture[float])
        assert_type(step.with_options(retries=2).submit(3).result(), float)
        assert_type(await slow_step(3), float)
        assert_type(step.map([1, 2]), PrefectFutureList[float])

        assert_type(Trainer().fit(3), float)
        assert_type(Trainer().score.submit(3), PrefectFuture[str])

        a_flow: TrackedFlow[[int], dict[str, float]] = told
        a_task: TrackedTask[..., Coroutine[Any, Any, float]] = slow_step
        print(a_flow, a_task)

        bare("3")  # type: ignore[call-overload]  # a wrong argument is found
        bare.with_options(retrys=2)  # type: ignore[call-arg]  # so is an option that Prefect does not have
        tracked_flow(retrys=2)  # type: ignore[call-overload]
        tracked_task(retries="2")  # type: ignore[call-overload]
