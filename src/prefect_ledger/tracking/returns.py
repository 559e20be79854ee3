"""Floor 5. Returned values that log themselves: what the annotation of a flow or task says is read once, and done at each return.

Everything that a returned value needs is checked and made before the first thing is logged.
"""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Real
from typing import Annotated, Any, ForwardRef, Literal, Union

from prefect_ledger.errors import InvalidName, InvalidValue
from prefect_ledger.names import check_key
from prefect_ledger.tracking.hints import Names, Unknown, function_name, plain_function
from prefect_ledger.tracking.marks import MARKS, Artifact, Dataset, Mark, Metrics, Model, shown
from prefect_ledger.tracking.params import key_part
from prefect_ledger.tracking.products import Target, Write, prepare

__all__ = ["Artifact", "Dataset", "Metrics", "Model", "Part", "ReturnSpec", "log_returned", "parse_returns"]

UNANNOTATED = 1_000  # numbers in a mapping that is taken for metrics; a larger one is a table
_EXAMPLES = {"Artifact": 'Artifact("roc.html")', "Model": 'Model("churn")', "Dataset": 'Dataset("train")'}
_GENERATORS = (collections.abc.Generator, collections.abc.Coroutine)


@dataclass(frozen=True, slots=True)
class Part:
    """What is said of one value: its annotations, whether it may be None, and the parts of a tuple."""

    marks: tuple[Mark, ...] = ()
    optional: bool = False
    items: tuple[Part, ...] = ()

    @property
    def annotated(self) -> bool:
        """Whether anything is to be logged of it."""
        return bool(self.marks) or any(item.annotated for item in self.items)


@dataclass(frozen=True, slots=True)
class ReturnSpec:
    """What ``function`` says of the value it returns."""

    function: str
    whole: Part = Part()

    @property
    def annotated(self) -> bool:
        """Whether anything is to be logged of it."""
        return self.whole.annotated


# --- reading the annotation ----------------------------------------------------------------------------------------------


def parse_returns(fn: Callable[..., Any], *, local: Mapping[str, Any] | None = None) -> ReturnSpec:
    """What the return annotation of ``fn`` says: of the value, of its parts when it is a tuple, of what a coroutine or generator returns.

    Names that cannot be resolved here are passed over. ``local`` are the names of the place where ``fn`` is defined, which annotations
    that are kept as text may use.

    Raises:
        InvalidValue, InvalidName: an annotation that is misused: without its arguments, or where nothing is logged, as in ``list[...]``.

    Example:
        >>> def train() -> tuple[Annotated[dict[str, float], Metrics], str]:
        ...     return {"auc": 0.9}, "done"
        >>> parse_returns(train).whole.items[0].marks
        (Metrics(prefix=''),)
    """
    inner = plain_function(fn)
    name = function_name(inner)
    try:
        said = getattr(inner, "__annotations__", {}).get("return", Unknown())
        return ReturnSpec(name, _Reader(Names(inner, local)).part(said, frozenset()))
    except (InvalidName, InvalidValue) as error:
        raise type(error)(f"{name}(): {error}") from error
    except Exception:  # noqa: BLE001  # what others put into annotations is theirs; only our own words must be right
        return ReturnSpec(name)


class _Reader:
    """Turns types into parts."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def part(self, said: Any, seen: frozenset[Any]) -> Part:
        """What ``said`` says; ``seen`` are the aliases and texts it stands in, for types that hold themselves."""
        if isinstance(said, ForwardRef):
            said = said.__forward_arg__
        if isinstance(said, str) or type(said).__name__ == "TypeAliasType":
            key = said if isinstance(said, str) else id(said)
            if key in seen:
                return Part()
            return self.part(self._names.evaluate(said) if isinstance(said, str) else said.__value__, seen | {key})
        origin, args = typing.get_origin(said), typing.get_args(said)
        if type(origin).__name__ == "TypeAliasType":
            return self.part(origin, seen)
        if origin is Annotated:
            inner = self.part(args[0], seen)
            return replace(inner, marks=tuple(m for m in map(_mark, args[1:]) if m is not None) + inner.marks)
        if origin is Union or origin is types.UnionType:
            return self._union(args, seen)
        if origin is tuple and Ellipsis not in args:
            items = tuple(self.part(arg, seen) for arg in args)
            return Part(items=items if any(item.annotated for item in items) else ())
        if origin is collections.abc.Awaitable or (origin in _GENERATORS and len(args) == 3):
            self._refuse(args[:-1], seen, origin)
            return self.part(args[-1], seen)
        if origin is not None and origin is not Literal:
            self._refuse(args, seen, origin)
        return Part(optional=any(said is kind for kind in (None, type(None), Any, object)) or isinstance(said, Unknown))

    def _union(self, args: tuple[Any, ...], seen: frozenset[Any]) -> Part:
        parts = [self.part(arg, seen) for arg in args if arg is not type(None)]
        optional = len(parts) < len(args)
        if not any(part.annotated for part in parts):
            return Part(optional=optional or any(part.optional for part in parts))
        if len(parts) > 1:
            raise InvalidValue("in a union with other types than None it is not known which value is meant; annotate the whole union")
        return replace(parts[0], optional=optional or parts[0].optional)

    def _refuse(self, args: tuple[Any, ...], seen: frozenset[Any], origin: Any) -> None:
        for arg in args:
            for one in arg if isinstance(arg, list) else [arg]:
                if self.part(one, seen).annotated:
                    where = getattr(origin, "__name__", str(origin))
                    raise InvalidValue(
                        f"annotations inside {where}[...] are not logged: they stand at the returned value or at the parts of a tuple"
                        " of known length"
                    )


def _mark(word: Any) -> Mark | None:
    """The annotation ``word`` is, given as an object or as its class; None for other people's."""
    if isinstance(word, MARKS):
        return word
    if not isinstance(word, type) or word not in MARKS:
        return None
    if word is Metrics:
        return Metrics()
    raise InvalidValue(f"{word.__name__} needs to know more: write {_EXAMPLES[word.__name__]}")


# --- logging the value -----------------------------------------------------------------------------------------------------


def log_returned(run: Target, spec: ReturnSpec, value: Any, *, is_flow: bool) -> None:
    """Log ``value`` into ``run`` as ``spec`` says. All is checked and made before the first thing is logged.

    None is passed over where it is allowed. Without any annotation, a flow's non-empty mapping of at most 1,000 valid names to real
    numbers is logged as metrics; other values, and a task's, are not.

    Raises:
        InvalidValue: a value that its annotation does not fit, with the names of both.
        MissingExtra: a package for the asked format is not installed.
    """
    if not spec.annotated:
        if is_flow and (metrics := plain_metrics(value)):
            run.log_metrics(metrics)
        return
    for mark, write in list(_writes(spec.function, spec.whole, value)):
        with _named(spec.function, mark):
            write(run)


def plain_metrics(value: Any) -> dict[str, float]:
    """``value`` as metrics when it is nothing but names and real numbers; else empty, silently."""
    try:
        if not issubclass(type(value), Mapping) or not 0 < len(value) <= UNANNOTATED:
            return {}
        if any(isinstance(item, bool) or not isinstance(item, Real) for item in value.values()):
            return {}
        return {check_key(key): float(item) for key, item in value.items()}
    except Exception:  # noqa: BLE001  # nobody asked for these metrics, so nothing about them may end the flow
        return {}


def not_quite_metrics(spec: ReturnSpec, value: Any) -> str:
    """Why a flow's mapping that has numbers was not taken for metrics; "" where it was, or where nobody could expect it."""
    try:
        if spec.annotated or not issubclass(type(value), Mapping) or not 0 < len(value) <= UNANNOTATED or plain_metrics(value):
            return ""
        numbers = [key for key, item in value.items() if not isinstance(item, bool) and isinstance(item, Real)]
        others = [(key, type(item).__name__) for key, item in value.items() if key not in numbers]
        if not numbers:
            return ""
        what = f"{key_part(others[0][0], 'metric')!r} is of type {others[0][1]}" if others else "a name in it cannot be a metric's"
    except Exception:  # noqa: BLE001  # as above
        return ""
    return f"the returned mapping was not logged as metrics: {what}. Return numbers alone, or log_metrics those that are"


def _writes(function: str, part: Part, value: Any) -> Iterator[tuple[Mark, Write]]:
    if not part.annotated:
        return
    if value is None:
        if not part.optional:
            which = shown(part.marks[0]) if part.marks else "a tuple"
            raise InvalidValue(f"{function}() returned None, annotated as {which}: add `| None` when it may return nothing")
        return
    for mark in part.marks:
        with _named(function, mark):
            write = prepare(mark, value)
        yield mark, write
    if part.items:
        if not isinstance(value, tuple | list) or len(value) != len(part.items):
            got = f"{len(value)} values" if isinstance(value, tuple | list) else f"a {type(value).__name__}"
            raise InvalidValue(f"{function}() returned {got}, annotated as a tuple of {len(part.items)}")
        for item, inner in zip(part.items, value, strict=True):
            yield from _writes(function, item, inner)


@contextmanager
def _named(function: str, mark: Mark) -> Iterator[None]:
    try:
        yield
    except (InvalidName, InvalidValue) as error:
        raise InvalidValue(f"{function}() returns {shown(mark)}: {error}") from error
