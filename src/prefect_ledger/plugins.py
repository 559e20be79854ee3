"""Floor 0. What other packages bring by entry points, made when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from prefect_ledger.errors import InvalidValue

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")


def points(group: str) -> dict[str, EntryPoint]:
    """The entry points of ``group``, by name."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=group)}


def made(point: EntryPoint, kind: type[T]) -> T:
    """What the class at ``point`` makes.

    Raises:
        InvalidValue: it cannot be loaded or made, or is none of ``kind``.
    """
    noun = f"the {kind.__name__.lower()} {point.name!r} ({point.value})"
    try:
        found = point.load()()
    except Exception as error:  # somebody else's code
        raise InvalidValue(f"{noun} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(found, kind):
        raise InvalidValue(f"{noun} is no {kind.__name__} but a {type(found).__module__}.{type(found).__qualname__}")
    return found
