"""What the wheel puts into somebody's environment."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

from tests.packaging.locks import ROOT
from tests.services_real.processes import clean_environment


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the source in which the links below ``src`` are missing, as on a system without links."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("src", "flows", "dashboard"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for link in ("flows", "dashboard"):
        (source / "src/prefect_ledger" / link).unlink()
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(build, capture_output=True, text=True, env=clean_environment(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def files(wheel: Path) -> set[str]:
    """The names of the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """The wheel's METADATA."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_string(archive.read(name).decode())


def test_the_only_top_level_package_is_ours(files: set[str]) -> None:
    """Nobody's own ``flows`` or ``dashboard`` folder is shadowed by an installed one."""
    assert {name.partition("/")[0] for name in files if ".dist-info/" not in name} == {"prefect_ledger"}


def test_every_module_of_the_repository_is_in_the_wheel(files: set[str]) -> None:
    """A new package cannot be forgotten: each Python file of src, flows and dashboard is installed."""
    homes = {"src": "", "flows": "prefect_ledger/flows/", "dashboard": "prefect_ledger/dashboard/"}
    expected = {f"{to}{path.relative_to(ROOT / top).as_posix()}" for top, to in homes.items() for path in (ROOT / top).rglob("*.py")}
    assert {"prefect_ledger/flows/__init__.py", "prefect_ledger/dashboard/__init__.py"} <= expected
    assert expected - files == set()


def test_types_and_licence_travel_along(files: set[str]) -> None:
    """Type checkers use our annotations, and the licence is where it must be."""
    assert "prefect_ledger/py.typed" in files
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in files)


def test_fastapi_is_held_where_prefect_still_starts(metadata: Message) -> None:
    """A plain installation gets a FastAPI with which Prefect's server runs."""
    assert "fastapi<0.149,>=0.139" in (metadata.get_all("Requires-Dist") or [])


def test_the_extras_are_those_that_the_errors_name(metadata: Message) -> None:
    """``pip install 'prefect-ledger[x]'`` works for every x that a message may offer."""
    data = ["data", "media", "s3", "postgres", "dashboard"]
    models = ["sklearn", "xgboost", "lightgbm", "onnx", "statsmodels", "catboost", "models"]
    assert metadata.get_all("Provides-Extra") == [*data, *models, "serve", "sagemaker", "gpu", "projects", "demo", "all"]


def test_the_command_is_installed(wheel: Path) -> None:
    """``prefect-ledger`` is a command after installation."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        points = configparser.ConfigParser()
        points.read_string(archive.read(name).decode())
    assert points["console_scripts"]["prefect-ledger"] == "prefect_ledger.cli:main"


def test_flows_and_dashboard_are_found_in_the_editable_installation() -> None:
    """In a developer's environment too they are ours, and the folders at the top are not importable from elsewhere."""
    ask = (
        "import prefect_ledger.flows, prefect_ledger.dashboard, importlib.util as u; print(u.find_spec('flows'), u.find_spec('dashboard'))"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, cwd="/", env=clean_environment(), check=False)
    assert (done.stdout.split(), done.stderr) == (["None", "None"], "")
