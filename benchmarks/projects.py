"""Projects: how long after the command an entry point begins, once its environment stands, and how long an environment takes to build."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import Absent, Row, Sample, Work, in_turns, timed

START_LIMIT, BUILD_LIMIT = 1.0, 10.0  # s
PACKAGES = ("numpy", "pandas", "scikit-learn")
_MLFLOW = Path(__file__).parents[1] / ".venv-mlflow"
# Says when its first line was reached.
_SCRIPT = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(time.time()))\n"
_PROJECT = """
name: quick
python_env: python_env.yaml
entry_points:
  main:
    parameters: {place: string}
    command: "python main.py {place}"
"""


def start(work: Work) -> Iterator[Row | Absent]:
    """From the command to the entry point's first line, the second time; beside the script itself, and MLflow without an environment."""
    with tempfile.TemporaryDirectory() as top:
        project, place = Path(top) / "project", Path(top) / "reached"
        _laid(project)
        command = [sys.executable, "-m", "prefect_ledger.cli", "project", "run", str(project), "-P", f"place={place}"]
        _reached(command, place, project)  # which builds the environment

        def ours() -> float:
            return _reached(command, place, project)

        def bare() -> float:
            return _reached([sys.executable, "main.py", str(place)], place, project)

        mine, alone = in_turns(work.times(7, 3), ours, bare)
        later = Sample.of([a - b for a, b in zip(mine.values, alone.values, strict=True)])
        note = f"the command's {mine.median:.2f} s, the script's own {alone.median:.2f} s"
        yield Row("second run of a project: its first line later than the script's own", later, "s", limit=START_LIMIT, note=note)
        if not (_MLFLOW / ".ok").exists():
            yield Absent("beside mlflow run", "its environment is not there: make .venv-mlflow/.ok")
            return
        theirs = [str(_MLFLOW / "bin" / "python"), "-m", "mlflow", "run", str(project), "-P", f"place={place}", "--env-manager", "local"]

        def mlflow() -> float:
            return _reached(theirs, place, Path(top), MLFLOW_TRACKING_URI=str(Path(top) / "mlruns"), MLFLOW_ALLOW_FILE_STORE="true")

        mlflow()
        mine, other = in_turns(work.times(5, 2), ours, mlflow)
        yield Row("project run, command to first line", mine, "s", other, "mlflow run, env-manager local")


def environment(work: Work) -> Iterator[Row | Absent]:
    """numpy, pandas and scikit-learn, all downloaded before, beside uv itself."""
    from prefect_ledger.errors import LedgerError
    from prefect_ledger.projects import environments
    from prefect_ledger.projects.environments import Asked
    from prefect_ledger.projects.environments.pythons import find_uv
    from prefect_ledger.projects.spec import EnvironmentSpec

    lines = tuple(f"{name}=={version(name)}" for name in PACKAGES)
    with tempfile.TemporaryDirectory() as top:
        spec = EnvironmentSpec("python", folder=Path(top), requirements=lines)

        def ours() -> float:
            return timed(lambda: environments.prepare(spec, "uv", Asked(Path(top) / "home", rebuild=True)))

        def bare() -> float:
            folder = Path(top) / f"bare-{time.monotonic_ns()}"
            begun = time.perf_counter()
            for words in (["venv", "-q", str(folder)], ["pip", "install", "-q", "--python", str(folder / "bin" / "python"), *lines]):
                subprocess.run([find_uv(), *words], check=True)
            return time.perf_counter() - begun

        try:
            ours()
        except LedgerError as error:
            yield Absent("environment of numpy, pandas and scikit-learn", str(error)[:200])
            return
        mine, theirs = in_turns(work.times(5, 2), ours, bare)
        yield Row("environment of numpy, pandas and scikit-learn, warm cache", mine, "s", theirs, "uv venv, uv pip install", BUILD_LIMIT)


def _laid(project: Path) -> None:
    project.mkdir()
    (project / "main.py").write_text(_SCRIPT, encoding="utf-8")
    (project / "MLproject").write_text(_PROJECT, encoding="utf-8")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    (project / "python_env.yaml").write_text(f"python: '{python}'\ndependencies: []\n", encoding="utf-8")


def _reached(command: list[str], place: Path, folder: Path, **env: str) -> float:
    """Seconds from the command's start to the script's first line."""
    begun = time.time()
    done = subprocess.run(command, cwd=folder, env=os.environ | env, capture_output=True, text=True, timeout=200, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[3:6]} ended with {done.returncode}\n{done.stderr[-4000:]}")
    return float(place.read_text(encoding="utf-8")) - begun


BENCHES = {"projects.start": start, "projects.environment": environment}
