"""Floor 6. Wraps the function of a flow or task, whatever kind it is, so that it runs with its run entered.

The wrapper is pickled by value when a task goes to another process, so what it holds can be imported there: no context variable, no lock,
nothing of a process. It looks up no global name, because its globals are the user's.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import warnings
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Any, Protocol

from prefect_ledger.events import Noted
from prefect_ledger.orchestration.options import ATTRIBUTE, Options
from prefect_ledger.tracking.context import using
from prefect_ledger.tracking.measured import metered
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

    def instead(self, error: BaseException) -> Any:
        """What Prefect is given as returned instead of ``error``; None where it is given the error."""


Begin = Callable[[Function], Visit | None]
Inside = Callable[[Visit], contextlib.AbstractContextManager[None]]
Walked = Callable[[Visit | None, Any], Any]


def wrap(fn: Function, begin: Begin, options: Options) -> Function:
    """``fn`` (or the function a wrapper of ours holds) as a body that is recorded; ``begin(fn)`` says at each call whether it is.

    The wrapper is of the same kind as ``fn`` (plain, coroutine, generator, async generator), shows its source and signature, and has its
    globals, where Prefect and pydantic look for the names in annotations.
    """
    attributes = {name: value for name, value in vars(fn).items() if name != "__wrapped__"} if hasattr(fn, "__dict__") else {}
    fn = user_function(fn)
    kind = inspect.isasyncgenfunction(fn), inspect.iscoroutinefunction(fn), inspect.isgeneratorfunction(fn)
    make, helper = _KINDS[kind]
    here: Any = make(fn, begin, helper)
    body = FunctionType(here.__code__, getattr(fn, "__globals__", globals()), closure=here.__closure__)
    functools.update_wrapper(body, fn)
    vars(body).update(attributes)
    setattr(body, ATTRIBUTE, options)
    return body


def check_returns(fn: Function) -> None:
    """Refuse a misused return annotation where the function is decorated, as far as its names are known by then.

    Raises:
        InvalidValue, InvalidName: it says what cannot be logged.
    """
    from prefect_ledger.tracking.returns import parse_returns

    parse_returns(fn)


def log_returned(run: ActiveRun, fn: Function, value: Any, *, is_flow: bool) -> None:
    """Log what the return annotation asks for. A value that does not fit it is noted on the run: hours of work are not lost for it."""
    from prefect_ledger.errors import LedgerError
    from prefect_ledger.masking import mask_text
    from prefect_ledger.tracking import returns
    from prefect_ledger.tracking.ledger import LedgerWarning

    try:
        returns.log_returned(run, _spec(fn), value, is_flow=is_flow)
        if is_flow and (said := returns.not_quite_metrics(_spec(fn), value)):
            run.say(Noted(run.id, now(), said))
    except LedgerError as error:
        said = mask_text(f"a returned value was not logged: {error}")
        run.say(Noted(run.id, now(), said))
        warnings.warn(said, LedgerWarning, stacklevel=2)


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
    with metered(visit.run), using(visit.run):
        try:
            yield
        except BaseException as error:
            visit.raised(error)
            raise


def _plain(fn: Function, begin: Begin, inside: Inside) -> Function:
    def body(*args: Any, **kwargs: Any) -> Any:
        visit = begin(fn)
        if visit is None:
            return fn(*args, **kwargs)
        try:
            with inside(visit):
                result = fn(*args, **kwargs)
                visit.returned(result)
        except BaseException as error:
            result = visit.instead(error)
            if result is None:
                raise
        return result

    return body


def _coroutine(fn: Function, begin: Begin, inside: Inside) -> Function:
    async def body(*args: Any, **kwargs: Any) -> Any:
        visit = begin(fn)
        if visit is None:
            return await fn(*args, **kwargs)
        try:
            with inside(visit):
                result = await fn(*args, **kwargs)
                visit.returned(result)
        except BaseException as error:
            result = visit.instead(error)
            if result is None:
                raise
        return result

    return body


def _generator(fn: Function, begin: Begin, walked: Walked) -> Function:
    def body(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        return (yield from walked(begin(fn), fn(*args, **kwargs)))

    return body


def _async_generator(fn: Function, begin: Begin, walked: Walked) -> Function:
    async def body(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        async with walked(begin(fn), fn(*args, **kwargs)) as items:
            async for item in items:
                yield item

    return body


def walk(visit: Visit | None, steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """The generator ``steps``; its run is entered while it works and left while it waits, for its caller shares the context."""
    if visit is None:
        return (yield from steps)
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


def awalk(visit: Visit | None, steps: AsyncGenerator[Any, Any]) -> contextlib.aclosing[AsyncGenerator[Any, Any]]:
    """The same for an async generator, which has to be closed by hand."""
    return contextlib.aclosing(steps if visit is None else _awalk(visit, steps))


async def _awalk(visit: Visit, steps: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, Any]:
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


_KINDS: dict[tuple[bool, bool, bool], tuple[Callable[[Function, Begin, Any], Function], Callable[..., Any]]] = {
    (False, False, False): (_plain, entered),
    (False, True, False): (_coroutine, entered),
    (False, False, True): (_generator, walk),
    (True, False, False): (_async_generator, awalk),
}
