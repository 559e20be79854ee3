"""Projects as people write them, and the processes that run them."""

from __future__ import annotations

import subprocess
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[..., Path]

TRAIN = """
import json, sys
print("training with", json.dumps(sys.argv[1:]))
"""


def write(folder: Path, **files: str) -> Path:
    """Files of a project by their names: ``MLproject``, ``train_py`` for train.py, ``data__rows_csv`` for data/rows.csv."""
    for name, text in files.items():
        stem, dot, suffix = name.replace("__", "/").rpartition("_")
        path = folder / (f"{stem}.{suffix}" if dot else suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return folder


def wheel(index: Path, name: str, version: str, tag: str, *needs: str) -> Path:
    """A wheel without any code, for what ``tag`` says (``py3-none-win_amd64``), in a folder that installers take for an index."""
    index.mkdir(exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    path = index / f"{stem}-{tag}.whl"
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(f"Requires-Dist: {one}\n" for one in needs)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{stem}.dist-info/METADATA", about)
        file.writestr(f"{stem}.dist-info/WHEEL", f"Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: false\nTag: {tag}\n")
        file.writestr(f"{stem}.dist-info/RECORD", "")
    return path


def git(folder: Path, *words: str) -> str:
    """Git in ``folder``, as somebody who has no settings."""
    env = {"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always")
    done = subprocess.run(["git", *who, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def repository(folder: Path) -> Path:
    """``folder`` as a repository with one commit of all that is in it."""
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Write:
    """Makes a project in a folder of this test: ``project(MLproject=…, train_py=…)``."""

    def make(name: str = "project", **files: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return write(folder, **files)

    return make
