"""Stages and aliases as badges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from . import said

_COLOURS = {"production": "green", "staging": "blue", "archived": "gray", "none": "gray"}


def stage(name: str) -> str:
    """A stage, for a place that reads Markdown."""
    return f":{_COLOURS.get(name, 'gray')}-badge[{said.plain(name)}]"


def aliases(names: Iterable[str]) -> str:
    """Aliases."""
    return " ".join(f":violet-badge[{said.plain('@' + name)}]" for name in names)


def meaning(stages: Mapping[str, int], named: Mapping[str, int]) -> str:
    """Which versions stages and aliases mean."""
    of_stages = [f":{_COLOURS.get(name, 'gray')}-badge[{said.plain(name)}: {number}]" for name, number in stages.items()]
    return " ".join([*of_stages, *(f":violet-badge[{said.plain('@' + name)}: {number}]" for name, number in named.items())])


def tags(found: Mapping[str, str]) -> str:
    """Tags."""
    return " ".join(f":gray-badge[{said.plain(f'{key}={value}', 80)}]" for key, value in sorted(found.items()))
