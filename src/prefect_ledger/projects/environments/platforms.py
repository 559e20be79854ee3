"""Floor 5. Packages that exist for other platforms only, known from what their installer said, so that an error can name them. Pure.

Installers change their words: where they are not understood nothing is said here, and theirs stand alone.
"""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import platform_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from prefect_ledger.formats import listed

_UV = re.compile(
    r"`(?P<name>[\w.-]+)`(?: \(v?(?P<version>[^)]+)\))?,? (?:only has wheels for|on) the following platforms?:"
    r" (?P<tags>`[^`]+`(?:, `[^`]+`)*)"
)
_NO_SUCH = re.compile(r"No matching distribution found for (.+?)(?: \(from .*\))?$")
_SKIPPED = re.compile(r"Skipping link: none of the wheel's tags .*?: (?P<wheel>\S+\.whl)")
_PATH = re.compile(
    r"\(?(?P<wheel>[^\s(]+\.whl)\)? (?:dependency is incompatible with|is not a supported wheel on) (?:the current|this) platform"
)
_SHOWN = 3  # platforms of a package


def made_for_others(said: Iterable[str]) -> str:
    """What uv, or pip in its log, could not install because it was made for other platforms, as a sentence; "" where nothing tells that.

    Example:
        >>> said = "hint: Wheels are available for `pywin` (v1.0) on the following platform: `win_amd64`"
        >>> made_for_others([said]).rpartition(": ")[2]
        'pywin 1.0 (win_amd64)'
    """
    lines = list(said)
    text = " ".join(" ".join(lines).split())  # uv breaks its lines
    found = dict.fromkeys([*_of_uv(text), *_of_paths(text), *_of_pip(lines)])
    return f"made for another platform than this one, {sysconfig.get_platform()}: {listed(list(found))}" if found else ""


def _of_uv(text: str) -> Iterator[str]:
    for hint in _UV.finditer(text):
        yield _shown(hint["name"], hint["version"] or "", re.findall(r"`([^`]+)`", hint["tags"]))


def _of_paths(text: str) -> Iterator[str]:
    """Wheels that were named by their file."""
    for path in _PATH.finditer(text):
        if (wheel := _wheel(path["wheel"])) and not _fits(wheel[2]):
            yield _shown(wheel[0], str(wheel[1]), wheel[2])


def _of_pip(lines: list[str]) -> Iterator[str]:
    """Of what pip found no version, those whose wheels of the versions asked for are all of other platforms."""
    skipped = [wheel for line in lines if (one := _SKIPPED.search(line)) and (wheel := _wheel(one["wheel"]))]
    for line in lines:
        if (lacking := _NO_SUCH.search(line)) is None:
            continue
        try:
            wanted = Requirement(lacking[1])
        except InvalidRequirement:
            continue
        name = canonicalize_name(wanted.name)
        fitting = [one for one in skipped if one[0] == name and wanted.specifier.contains(one[1], prereleases=True)]
        if fitting and not any(_fits(platforms) for _, _, platforms in fitting):
            newest = max(version for _, version, _ in fitting)
            tags = {tag for _, version, platforms in fitting if version == newest for tag in platforms}
            yield _shown(name, str(newest), tags)


def _wheel(place: str) -> tuple[str, Version, frozenset[str]] | None:
    """Name, version and platforms of a wheel, by its path or URL."""
    try:
        name, version, _, tags = parse_wheel_filename(unquote(place.rpartition("/")[2]))
    except InvalidWheelFilename:
        return None
    return name, version, frozenset(tag.platform for tag in tags)


def _fits(platforms: frozenset[str]) -> bool:
    """Whether it was made for this platform, or any: it does not fit for another reason then."""
    return not platforms.isdisjoint({"any", *platform_tags()})


def _shown(name: str, version: str, tags: Iterable[str]) -> str:
    return " ".join(part for part in (name, version, f"({listed(sorted(tags), _SHOWN)})") if part)
