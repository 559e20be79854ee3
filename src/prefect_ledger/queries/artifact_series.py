"""Floor 3. Artifacts that are one of a series, such as the pictures of a key by step: which of them count, and their order."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_ledger.entities import Artifact


def key_of(one: Artifact) -> str | None:
    """The series it is in; None for what was logged under a path of its own."""
    key = one.metadata.get("key")
    return key if isinstance(key, str) else None


def step_of(one: Artifact) -> int | None:
    """The step it was logged at; None where it was at none."""
    step = one.metadata.get("step")
    return step if type(step) is int else None


def counted(found: Sequence[Artifact]) -> list[Artifact]:
    """Those that count: of each task run, its last try of a key. By key, step and time; those without a key first, by path."""
    last: dict[tuple[str | None, str, str], int] = {}
    for one in found:
        last[_place(one)] = max(last.get(_place(one), 1), _try(one))
    return sorted((one for one in found if _try(one) == last[_place(one)]), key=_order)


def _place(one: Artifact) -> tuple[str | None, str, str]:
    return key_of(one), one.run_id, one.task_run_id


def _try(one: Artifact) -> int:
    number = one.metadata.get("try")
    return number if key_of(one) is not None and type(number) is int else 1


def _order(one: Artifact) -> tuple[object, ...]:
    key, step = key_of(one), step_of(one)
    return key is not None, key or one.path, step is not None, step or 0, one.logged_at, one.path
