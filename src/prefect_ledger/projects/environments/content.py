"""Floor 5. What decides an environment, as one digest: builder, Python, machine, every line, and every file that a line means."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prefect_ledger.projects.environment_files import named_file

_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s+|=)")
_PLACE = re.compile(r"(?:[\w.\-\[\],]+\s*@\s*)?(?:file:(?://)?)?(?P<path>[./~][^\s;#]*)")
_FILES = 20_000  # of a folder that is installed
_DEPTH = 10  # files that name files


def digest(manager: str, python: str, lines: Sequence[str], folder: Path, **more: Any) -> str:
    """The digest: 32 letters. Lines mean files below ``folder``; ``more`` is whatever else decides.

    Example:
        >>> one = digest("uv", "3.11", ["numpy"], Path())
        >>> one == digest("uv", "3.11", ["numpy"], Path()), one == digest("uv", "3.12", ["numpy"], Path())
        (True, False)
    """
    machine = [sys.platform, platform.machine(), platform.libc_ver()[0]]
    parts = [manager, python, machine, list(lines), dict(_named(lines, folder, _DEPTH)), more]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def installable(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """``lines`` as arguments of an installer, and what is to be said of that.

    A folder that is to be installed so that changes in it show is copied instead: the environment outlives the folder.

    Example:
        >>> installable(["numpy>=2; python_version > '3.9'", "-r requirements.txt", "# none", "-e ."])[0]
        ["numpy>=2; python_version > '3.9'", '-r', 'requirements.txt', '.']
    """
    import shlex

    words, said = list[str](), list[str]()
    for line in lines:
        text = re.sub(r"(^|\s)#.*$", "", line).strip()
        if found := _EDITABLE.match(text):
            text = text[found.end() :].strip()
            said.append(f"{text!r:.100} is installed as it is now, and not as editable")
        if text.startswith("-"):
            words += shlex.split(text)
        elif text:
            words.append(text)
    return words, said


def _named(lines: Sequence[str], folder: Path, depth: int) -> Iterator[tuple[str, str]]:
    """The digests of files and folders that lines mean, by what they are called there."""
    for line in lines:
        if depth and (name := named_file(line)) and "://" not in name:
            yield line, _digest_of(folder / name)
            try:
                inner = (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                continue  # the installer will say so
            for what, found in _named(inner, (folder / name).parent, depth - 1):
                yield f"{line} > {what}", found
        elif place := _PLACE.fullmatch(_EDITABLE.sub("", line.strip())):
            yield line, _digest_of(folder / Path(place["path"].partition("[")[0]).expanduser())


def _digest_of(path: Path) -> str:
    """Of a file its content; of a folder that of its files, hidden ones and what Python makes left out."""
    total = hashlib.sha256()
    files = [path] if path.is_file() else list(_walk(path))
    for file in files[:_FILES]:
        total.update(str(file.relative_to(path)).encode("utf-8", "surrogateescape") + b"\0")
        try:
            with file.open("rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
        except OSError:
            total.update(b"?")
    total.update(str(len(files)).encode())
    return total.hexdigest()


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or path.name in ("__pycache__", "build", "dist", "mlruns") or path.name.endswith(".egg-info"):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        elif path.is_file():
            yield path
