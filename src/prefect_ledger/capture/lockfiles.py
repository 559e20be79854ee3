"""Floor 4. The files beside the code that say which packages it was to have."""

from __future__ import annotations

import functools
import hashlib
import stat
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
    places = list(dict.fromkeys(folders))
    for folder in places:
        for path in sorted({path for name in _NAMES for path in folder.glob(name)}):
            try:
                about = path.stat()
                if len(found) < _MOST and stat.S_ISREG(about.st_mode) and about.st_size <= _LARGEST:
                    shown = path.relative_to(places[0]) if path.is_relative_to(places[0]) else path
                    found[shown.as_posix()] = _sha256(path, about.st_size, about.st_mtime_ns)
            except OSError:  # gone meanwhile, or not ours to read
                continue
    return found


@functools.lru_cache(maxsize=4 * _MOST)
def _sha256(path: Path, _size: int, _written: int) -> str:
    """Read once a process while size and time stay: a process may begin many runs."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
