"""Floor 4. The files beside the code that say which packages it was to have."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

_NAMES: tuple[str, ...] = (
    "uv.lock",
    "pylock*.toml",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pixi.lock",
    "conda-lock.y*ml",
    "requirements*.txt",
)
_NAMES += ("requirements*.lock", "environment.y*ml", "conda.yaml", "python_env.yaml")
_LARGEST = 16 << 20  # bytes
_MOST = 50  # files


def lock_files(folders: Iterable[Path]) -> dict[str, str]:
    """Those in ``folders`` themselves, by their paths from the first, with their sha256; larger ones are left out."""
    found: dict[str, str] = {}
    places = [folder for folder in dict.fromkeys(folders) if str(folder)]
    for folder in places:
        for path in sorted({path for name in _NAMES for path in folder.glob(name)}):
            try:
                if len(found) < _MOST and path.is_file() and path.stat().st_size <= _LARGEST:
                    shown = path.relative_to(places[0]) if path.is_relative_to(places[0]) else path
                    found[shown.as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError:  # gone meanwhile, or not ours to read
                continue
    return found
