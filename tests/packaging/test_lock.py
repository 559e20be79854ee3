"""The committed locks: hash-pinned, complete, and silent about where anything came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging.locks import APART, ROOT, asked_for, locks, pins, telling_lines, unhashed

LOCKS = [ROOT / "requirements.lock", *APART.values()]


def test_no_lock_names_a_host_a_path_or_an_index() -> None:
    """What is committed says nothing of the machine or registry it was resolved on."""
    assert sorted(LOCKS) == locks()
    assert [(path.name, telling_lines(path.read_text())) for path in locks() if telling_lines(path.read_text())] == []


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example/simple",
        "-i https://packages.example/simple",
        "--extra-index-url=http://10.0.0.1/",
        "-f /opt/wheels",
        "--find-links ./wheels",
        "--trusted-host packages.example",
        "-e .",
        "tool @ git+ssh://git@code.example/tool",
        "tool @ file:///srv/tool.whl",
        "tool @ ./tool.whl",
        "./tool.whl",
        "/srv/tool.whl",
        "tool==1.0 --index-url x",
        "tool==1.0  # from https://packages.example/simple",
    ],
)
def test_a_line_that_tells_is_found(line: str) -> None:
    """Each way of naming a host, a path or an index is caught, also in a comment."""
    assert telling_lines(f"ok==1.0 \\\n    --hash=sha256:00\n{line}\n") == [(3, line)]


def test_every_package_is_pinned_with_a_hash() -> None:
    """pip and uv accept only the files that were resolved."""
    assert [unhashed(lock.read_text()) for lock in LOCKS] == [[] for _ in LOCKS]
    assert unhashed("a==1 \\\n    --hash=sha256:00\nb==2\nc>=3 \\\n    --hash=sha256:00\n") == ["b==2", "c>=3 \\"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_answers_everything_that_pyproject_asks_of_it(lock: Path) -> None:
    """A dependency that was added or raised without ``make lock`` is noticed."""
    pinned = _pinned(lock)
    missing = [str(one) for one in asked_for(lock) if not any(one.specifier.contains(str(v)) for v in pinned.get(one.name, []))]
    assert missing == []


def test_mlflow_gets_the_frameworks_that_we_test_with() -> None:
    """A model that goes between the two environments meets the same version of its framework in both."""
    ours, theirs = _pinned(LOCKS[0]), _pinned(APART["mlflow"])
    shared = {
        "scikit-learn",
        "skops",
        "xgboost-cpu",
        "lightgbm",
        "statsmodels",
        "onnx",
        "onnxruntime",
        "numpy",
        "scipy",
        "pandas",
        "cloudpickle",
    }
    assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}


def _pinned(lock: Path) -> dict[str, list[object]]:
    """The versions of each package in ``lock``; a package has several where Pythons differ."""
    pinned: dict[str, list[object]] = {}
    for name, version in pins(lock.read_text()):
        pinned.setdefault(name, []).append(version)
    return pinned
