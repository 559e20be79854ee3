"""Floor 6. Wraps the function of a flow or task, whatever kind it is, so that it runs with its run entered.

The wrapper is pickled by value when a task goes to another process, so it holds only functions that can be imported there: no context
variable, no lock, nothing of a process.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import warnings
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from prefect_ledger.events import Noted
from prefect_ledger.orchestration.options import ATTRIBUTE, Options
from prefect_ledger.tracking.context import using
from prefect_ledger.tracking.runs import ActiveRun, now

if TYPE_CHECKING:
    from prefect_ledger.tracking.returns import ReturnSpec

Function = Callable[..., Any]


class Visit(Protocol):
    """One call of a tracked body."""

    @property
    def run(self) -> ActiveRun: ...

    def returned(self, value: Any) -> None:
        """The body gave ``value`` back."""

    def raised(self, error: BaseException) -> None:
        """The body ended with ``error``, which goes on to Prefect."""


Begin = Callable[[Function], Visit | None]


def wrap(fn: Function, begin: Begin, options: Options) -> Function:
    """``fn`` (or the function a wrapper of ours holds) as a body that is recorded; ``begin`` says at each call whether it is.

    The wrapper is of the same kind as ``fn`` (plain, coroutine, generator, async generator) and shows its source and signature.
    """
    attributes = dict(vars(fn))
    if ATTRIBUTE in attributes:
        fn = attributes["__wrapped__"]
    body = _KINDS[inspect.isasyncgenfunction(fn), inspect.iscoroutinefunction(fn), inspect.isgeneratorfunction(fn)](fn, begin)
    vars(body).update({name: value for name, value in attributes.items() if name != "__wrapped__"})
    setattr(body, ATTRIBUTE, options)
    return body


def check_returns(fn: Function) -> None:
    """Refuse a misused return annotation where the function is decorated, as far as its names are known by then.

    Raises:
        InvalidValue, InvalidName: it says what cannot be logged.
    """
    from prefect_ledger.tracking.returns import parse_returns

    parse_returns(fn)


def log_returned(run: ActiveRun, body: Function, value: Any, *, is_flow: bool) -> None:
    """Log what the return annotation asks for. A value that does not fit it is noted on the run: hours of work are not lost for it."""
    from prefect_ledger.errors import LedgerError
    from prefect_ledger.tracking import returns
    from prefect_ledger.tracking.ledger import LedgerWarning

    try:
        returns.log_returned(run, _spec(user_function(body)), value, is_flow=is_flow)
    except LedgerError as error:
        run.say(Noted(run.id, now(), f"a returned value was not logged: {error}"))
        warnings.warn(f"a returned value was not logged: {error}", LedgerWarning, stacklevel=2)


@functools.lru_cache(maxsize=1024)
def _spec(fn: Function) -> ReturnSpec:
    from prefect_ledger.tracking.returns import parse_returns

    return parse_returns(fn)


def user_function(body: Function) -> Function:
    """What the user wrote."""
    return body.__wrapped__ if hasattr(body, ATTRIBUTE) else body  # type: ignore[attr-defined]  # functools.wraps sets it


@contextlib.contextmanager
def entered(visit: Visit) -> Iterator[None]:
    """The visit's run is the current one while the user's code runs; what that raises is told to the visit."""
    with using(visit.run):
        try:
            yield
        except BaseException as error:
            visit.raised(error)
            raise


def _plain(fn: Function, begin: Begin) -> Function:
    @functools.wraps(fn)
    def body(*args: Any, **kwargs: Any) -> Any:
        visit = begin(body)
        if visit is None:
            return fn(*args, **kwargs)
        with entered(visit):
            result = fn(*args, **kwargs)
            visit.returned(result)
        return result

    return body


def _coroutine(fn: Function, begin: Begin) -> Function:
    @functools.wraps(fn)
    async def body(*args: Any, **kwargs: Any) -> Any:
        visit = begin(body)
        if visit is None:
            return await fn(*args, **kwargs)
        with entered(visit):
            result = await fn(*args, **kwargs)
            visit.returned(result)
        return result

    return body


def _generator(fn: Function, begin: Begin) -> Function:
    @functools.wraps(fn)
    def body(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        visit = begin(body)
        steps = fn(*args, **kwargs)
        return (yield from (steps if visit is None else walk(visit, steps)))

    return body


def _async_generator(fn: Function, begin: Begin) -> Function:
    @functools.wraps(fn)
    async def body(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        visit = begin(body)
        steps = fn(*args, **kwargs)
        async with contextlib.aclosing(steps if visit is None else awalk(visit, steps)) as items:
            async for item in items:
                yield item

    return body


def walk(visit: Visit, steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """The generator ``steps``; its run is entered while it works and left while it waits, for its caller shares the context."""
    go: Callable[[Any], Any] = steps.send
    given: Any = None
    while True:
        with entered(visit):
            try:
                item = go(given)
            except StopIteration as end:
                visit.returned(end.value)
                return end.value
        try:
            given, go = (yield item), steps.send
        except BaseException as error:  # noqa: BLE001  # what the caller throws in belongs to the user's code
            given, go = error, steps.throw


async def awalk(visit: Visit, steps: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, Any]:
    """The same for an async generator."""
    go: Callable[[Any], Any] = steps.asend
    given: Any = None
    while True:
        with entered(visit):
            try:
                item = await go(given)
            except StopAsyncIteration:
                visit.returned(None)
                return
        try:
            given, go = (yield item), steps.asend
        except BaseException as error:  # noqa: BLE001  # as above
            given, go = error, steps.athrow


_KINDS: dict[tuple[bool, bool, bool], Callable[[Function, Begin], Function]] = {
    (False, False, False): _plain,
    (False, True, False): _coroutine,
    (False, False, True): _generator,
    (True, False, False): _async_generator,
}
