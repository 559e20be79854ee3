"""Floor 4. Which installed distributions modules come from, and the lines that make pip install the same ones again."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from pathlib import Path
from urllib.parse import urlsplit

_known: dict[frozenset[str], tuple[str, ...]] = {}
_known_of: list[tuple[str, int]] = []  # the folders that `_known` was read from, and when they changed last


def pinned(package: str) -> str:
    """A distribution at its installed version, without a local label such as "+cpu", which no index has; "" where it is not installed.

    Example:
        >>> pinned("cloudpickle").startswith("cloudpickle==")
        True
    """
    try:
        return f"{package}=={version(package).partition('+')[0]}"
    except PackageNotFoundError:
        return ""


def lines(packages: Mapping[str, set[str]]) -> dict[str, tuple[str, ...]]:
    """For each top-level package, whose modules that are meant stand beside it: what pip has to be told, sorted.

    Nothing is imported, and nothing is said of a package that is not there at all. One that is there, but that no index can have (a folder
    on the path, an editable install, a build from a local folder), has no lines.

    ``importlib.metadata.packages_distributions`` knows it of all modules, and takes half a second; the lists of files, searched for a few
    names, take a fiftieth of that.
    """
    stamp = _stamp()
    if stamp != _known_of:
        _known.clear()
        _known_of[:] = stamp
    keys = {top: frozenset(modules) for top, modules in packages.items()}
    if unknown := {top: modules for top, modules in keys.items() if modules not in _known}:
        owners = _owners(unknown)
        for top, modules in unknown.items():
            mine = _narrowed(modules, owners.get(top, []))
            _known[modules] = tuple(sorted({line for one, _ in mine if (line := _line(one))}))
    return {top: _known[modules] for top, modules in keys.items() if _known[modules] or _roots(top)}


def _stamp() -> list[tuple[str, int]]:
    """Changes when something is installed or taken away."""
    stamp = []
    for folder in sys.path:
        try:
            stamp.append((folder, Path(folder or ".").stat().st_mtime_ns))
        except OSError:
            continue
    return stamp


Owner = tuple[Distribution, str]  # with the list of its files, one a line


def _owners(tops: Mapping[str, frozenset[str]]) -> dict[str, list[Owner]]:
    """The distributions that have files of each top-level package, where it would be imported from."""
    marks = {top: (f"\n{top}/", f"\n{top}.") for top in tops}
    found: dict[str, list[Owner]] = {}
    for one in distributions():
        files = _files(one)
        for top, (folder, file) in marks.items():
            if folder in files or (file in files and re.search(rf"^{top}\.(py|(\S+\.)?(so|pyd)),", files, re.MULTILINE)):
                found.setdefault(top, []).append((one, files))
    for top, owners in found.items():
        roots = _roots(top)
        found[top] = [owner for owner in owners if not roots or Path(str(owner[0].locate_file(""))).resolve() in roots]
    return found


def _files(one: Distribution) -> str:
    if record := one.read_text("RECORD"):
        return f"\n{record}"
    tops = (one.read_text("top_level.txt") or "").split()  # a system's package, which has no list of files
    return "".join(f"\n{top}/,\n{top}.py," for top in tops)


def _narrowed(modules: frozenset[str], owners: list[Owner]) -> list[Owner]:
    """Of the distributions that share one top-level package, those that have these very modules."""
    if len(owners) < 2:
        return owners
    kept = []
    for module in modules:
        parts = module.split(".")
        for depth in range(len(parts), 0, -1):
            path = "/".join(parts[:depth])
            if mine := [owner for owner in owners if f"\n{path}/__init__.py," in owner[1] or f"\n{path}.py," in owner[1]]:
                kept += mine
                break
    return kept or owners


def _roots(top: str) -> set[Path]:
    """The folders that a top-level package would be imported from; none where it is not there, or says nothing of it."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return set()
    if spec is None:
        return set()
    if spec.submodule_search_locations is not None:
        return {Path(place).resolve().parent for place in spec.submodule_search_locations}
    return {Path(spec.origin).resolve().parent} if spec.origin and spec.has_location else set()


def _line(one: Distribution) -> str:
    """The line for pip; "" for what was built from a folder of this machine."""
    name = re.sub(r"[-_.]+", "-", one.name).lower()
    try:
        source = json.loads(one.read_text("direct_url.json") or "{}")
    except ValueError:
        source = {}
    if "dir_info" in source:
        return ""
    if vcs := source.get("vcs_info"):
        return f"{name} @ {vcs.get('vcs')}+{_without_secrets(str(source.get('url')))}@{vcs.get('commit_id')}"
    return f"{name}=={one.version.partition('+')[0]}"


def _without_secrets(url: str) -> str:
    """The address without a password or token."""
    parts = urlsplit(url)
    if "@" not in parts.netloc or parts.scheme == "ssh":
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
