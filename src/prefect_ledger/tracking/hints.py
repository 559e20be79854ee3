"""Floor 5. What a function says it returns, read from its annotation however much of it can be resolved.

Heavy packages are often imported for the type checker only, so ``Annotated[Booster, Model("churn")]`` must be understood where nobody
knows ``Booster``: an unknown name stands for itself, and the names of our own annotations and of ``typing`` are always known.
"""

from __future__ import annotations

import builtins
import collections.abc
import functools
import typing
from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any, Union

from prefect_ledger.errors import InvalidValue, LedgerError
from prefect_ledger.tracking.marks import MARKS

_ALWAYS: Mapping[str, Any] = {
    **{name: getattr(collections.abc, name) for name in collections.abc.__all__},
    **{name: getattr(typing, name) for name in typing.__all__},
    **{mark.__name__: mark for mark in MARKS},
}


class Unknown:
    """A name that nobody can resolve here, and whatever is done with it in an annotation."""

    def __getattr__(self, name: str) -> Unknown:
        if name.startswith("__"):
            raise AttributeError(name)
        return Unknown()

    def __call__(self, *_args: Any, **_named: Any) -> Unknown:
        return self

    def __getitem__(self, _key: Any) -> Unknown:
        return self

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007  # `|` is what is being defined

    def __ror__(self, other: Any) -> Any:
        return Union[other, self]  # noqa: UP007  # as above


class Names(dict[str, Any]):
    """The names an annotation of ``fn`` may use. ``ours`` tells whether one of our annotations was among those looked up."""

    def __init__(self, fn: Any, local: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.ours = False
        code, cells = getattr(fn, "__code__", None), getattr(fn, "__closure__", None) or ()
        enclosed = dict(zip(getattr(code, "co_freevars", ()), cells, strict=False))
        self._scopes = (local or {}, _Cells(enclosed), getattr(fn, "__globals__", {}), vars(builtins), _ALWAYS)

    def __missing__(self, name: str) -> Any:
        for scope in self._scopes:
            if name in scope:
                found = scope[name]
                self.ours = self.ours or any(found is mark for mark in MARKS)
                return found
        return Unknown()

    def evaluate(self, text: str) -> Any:
        """The value of the annotation ``text``; Unknown where it cannot be one.

        Raises:
            InvalidValue: it cannot be read, and speaks of one of our annotations.
        """
        self.ours = False
        try:
            return eval(text, {}, self)  # noqa: S307  # the author's own annotation, as typing.get_type_hints does
        except LedgerError:
            raise
        except Exception as error:  # an annotation is an expression like any other, and may raise what it likes
            if self.ours:
                raise InvalidValue(f"the annotation {text!r} cannot be read: {error}") from error
            return Unknown()


class _Cells(dict[str, Any]):
    """Names of the enclosing functions; one that is not set yet is not there."""

    def __init__(self, cells: Mapping[str, Any]) -> None:
        super().__init__()
        for name, cell in cells.items():
            try:
                self[name] = cell.cell_contents
            except ValueError:
                continue


def plain_function(fn: Callable[..., Any]) -> Any:
    """The function that was written, below partials, methods, wrappers and callable objects."""
    inner: Any = fn
    for _ in range(100):
        if isinstance(inner, functools.partial):
            inner = inner.func
        elif isinstance(inner, MethodType | staticmethod | classmethod):
            inner = inner.__func__
        elif (wrapped := getattr(inner, "__wrapped__", None)) is not None:
            inner = wrapped
        elif not hasattr(inner, "__code__") and not isinstance(inner, type) and hasattr(type(inner).__call__, "__code__"):
            inner = type(inner).__call__
        else:
            break
    return inner


def function_name(fn: Any) -> str:
    """The name by which its author knows ``fn``."""
    name = getattr(fn, "__qualname__", None)
    return name.rpartition("<locals>.")[2] if isinstance(name, str) else type(fn).__name__
