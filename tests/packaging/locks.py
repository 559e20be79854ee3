"""What a lock may say: names, versions, markers and hashes. Never a host, a path or where to look.

``python -m tests.packaging.locks`` checks every lock of the repository and ends with 1 if one says more.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PEERS = ("mlflow", "trackio", "wandb", "tensorboard")  # whom the benchmarks measure beside us
APART = {  # groups that have an environment, and so a lock, of their own
    "mlflow": ROOT / "requirements-mlflow.lock",
    "docs": ROOT / "requirements-docs.lock",
    **{f"peer-{name}": ROOT / "benchmarks" / "contenders" / f"{name}.lock" for name in PEERS},
}
_NAMES = ("*.lock", "*requirements*.txt", "*constraints*.txt", "pylock*.toml")
_SKIPPED = {".git", ".venv", ".venv-mlflow", ".venv-torch", ".venv-peers", ".venv-docs", "build", "dist", "node_modules"}
_TELLS = re.compile(r"[a-z][a-z0-9+.]*://|\bfile:|^\s*-(?!-hash=)|\s--(?!hash=)|@\s*[./]|(?:^|[\s'\"=])(?:~|\.{0,2})/\w", re.IGNORECASE)
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)\s*(?:;\s*(?P<marker>[^\\]+?))?\s*\\?$")


def locks(root: Path = ROOT) -> list[Path]:
    """Every file of the repository that pins packages."""
    found = []
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if name not in _SKIPPED]
        found += [Path(folder, name) for name in names if any(fnmatch(name, pattern) for pattern in _NAMES)]
    return sorted(found)


def telling_lines(text: str) -> list[tuple[int, str]]:
    """The lines (counted from 1) that name a host, a path or an index option."""
    return [(number, line) for number, line in enumerate(text.splitlines(), 1) if _TELLS.search(_without_comment(line))]


def unhashed(text: str) -> list[str]:
    """The pinned packages that have no hash, and the lines that pin nothing."""
    entries: list[tuple[str, bool]] = []
    for line in filter(None, map(_without_comment, text.splitlines())):
        if line.lstrip().startswith("--hash="):
            entries[-1] = (entries[-1][0], True)
        else:
            entries.append((line, False))
    return [line for line, hashed in entries if not hashed or not _PIN.match(line)]


def pins(text: str) -> Iterator[tuple[str, Version]]:
    """Normalised name and version of every pin; a name comes twice where Pythons differ."""
    for line in text.splitlines():
        if found := _PIN.match(line):
            yield canonicalize_name(found["name"]), Version(found["version"])


def asked_for(lock: Path = ROOT / "requirements.lock") -> list[Requirement]:
    """Every requirement of pyproject.toml that this lock has to answer: those of the base, of the extras and for development, or of one
    group that has a lock of its own."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [lines for name, lines in table["dependency-groups"].items() if APART.get(name, ROOT / "requirements.lock") == lock]
    if lock not in APART.values():
        groups += [table["project"]["dependencies"], *table["project"]["optional-dependencies"].values()]
    stated = [Requirement(text) for group in groups for text in group]
    return [one for one in stated if one.name != table["project"]["name"]]


def _without_comment(line: str) -> str:
    """The line less a comment made of words; one that gives a place away is kept, to be found."""
    code, mark, comment = line.partition("#")
    return line.rstrip() if mark and re.search(r"://|file:|--\w", comment) else code.rstrip()


def main() -> int:
    """Print what is wrong, one line each."""
    wrong = [f"{path.relative_to(ROOT)}:{number}: {line.strip()}" for path in locks() for number, line in telling_lines(path.read_text())]
    print("\n".join(wrong) or f"{len(locks())} locks, no host in them")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
