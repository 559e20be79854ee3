"""MLflow in its own environment, as a program that tests ask: silent, alone in its folder, and with nobody to talk to."""

from __future__ import annotations

import contextlib
import json
import selectors
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tests.packaging.locks import ROOT
from tests.services_real.processes import clean_environment, dies_with_us

PYTHON = ROOT / ".venv-mlflow" / "bin" / "python"
READY = ROOT / ".venv-mlflow" / ".ok"
_SECONDS = 300


def environment(**more: str) -> dict[str, str]:
    """What MLflow's processes see: no telemetry, no settings of this machine's user, and a dead proxy for whoever would call outside."""
    kept = {name: value for name, value in clean_environment().items() if not name.startswith(("MLFLOW_", "DATABRICKS_", "PYTHON"))}
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "NO_PROXY": "127.0.0.1,localhost", "PYTHONWARNINGS": "ignore"}
    path = f"{PYTHON.parent}:{kept.get('PATH', '')}"
    return {**kept, **nowhere, **quiet, "PATH": path, **more}


class MLflow:
    """A process that has MLflow, and runs code on request."""

    def __init__(self, process: subprocess.Popen[str], log: IO[str]) -> None:
        self._process, self._log = process, log

    def ask(self, folder: Path, code: str, *words: str) -> Any:
        """Run ``code`` in ``folder``; what it assigned to ``answer``, as JSON can say it. ``words`` are its ``sys.argv[1:]``.

        Raises:
            AssertionError: it failed; the message has its traceback and ends with what was printed.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"folder": str(folder), "code": code, "words": words}) + "\n")
        self._process.stdin.flush()
        with selectors.DefaultSelector() as waiting:  # select() takes no descriptor beyond 1,023
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            ready = waiting.select(_SECONDS)
        line = self._process.stdout.readline() if ready else ""
        told = json.loads(line) if line else {"failed": "MLflow's process said nothing"}
        assert "answer" in told, f"{told['failed']}\n{self._printed()}"
        return told["answer"]

    def _printed(self) -> str:
        self._log.seek(0)
        return self._log.read()[-3000:]


@contextlib.contextmanager
def started(python: Path, folder: Path) -> Iterator[MLflow]:
    """The process, for as long as the block lasts."""
    command = [*dies_with_us(), str(python), str(Path(__file__).with_name("mlflow_worker.py"))]
    with (
        (folder / "printed.log").open("w+", encoding="utf-8") as log,
        subprocess.Popen(
            command, cwd=folder, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            yield MLflow(process, log)
        finally:
            process.kill()
