"""MLflow in its own environment, as a program that tests start: silent, alone in its folder, and with nobody to talk to."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.packaging.locks import ROOT
from tests.services_real.processes import clean_environment, dies_with_us

PYTHON = ROOT / ".venv-mlflow" / "bin" / "python"


def environment(**more: str) -> dict[str, str]:
    """What MLflow's processes see: no telemetry, no settings of this machine's user, and a dead proxy for whoever would call outside."""
    kept = {name: value for name, value in clean_environment().items() if not name.startswith(("MLFLOW_", "DATABRICKS_", "PYTHON"))}
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "NO_PROXY": "127.0.0.1,localhost", "PYTHONWARNINGS": "ignore"}
    path = f"{PYTHON.parent}:{kept.get('PATH', '')}"
    return {**kept, **nowhere, **quiet, "PATH": path, **more}


def ask(python: Path, folder: Path, code: str, *words: str) -> Any:
    """Run ``code`` under MLflow's Python, in ``folder``; what it assigned to ``answer``, as JSON can say it. ``words`` are its arguments.

    Raises:
        AssertionError: it failed; the message ends with what it printed.
    """
    told = folder / "answer.json"
    told.unlink(missing_ok=True)
    whole = f"{code}\nimport json\nwith open({str(told)!r}, 'w') as file: json.dump(answer, file)\n"
    command = [*dies_with_us(), str(python), "-c", whole, *words]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(told.read_text(encoding="utf-8"))
