"""The side that asks: a contender as a process in its own environment, alone in a folder and with nobody to talk to."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.packaging.locks import ROOT, pins
from tests.services_real.processes import clean_environment, dies_with_us

ENVIRONMENTS = ROOT / ".venv-peers"
SECONDS = 60.0  # for one answer
_PRIVATE = ("MLFLOW_", "WANDB_", "TRACKIO_", "HF_", "DATABRICKS_", "PYTHON")


@dataclass(frozen=True)
class Peer:
    """A contender: how it is called, its program, the words after it, and the package whose version counts ("" for ours)."""

    name: str
    program: str
    package: str = ""
    words: tuple[str, ...] = ()

    @property
    def python(self) -> Path:
        """Of its environment."""
        return ENVIRONMENTS / self.program / "bin" / "python" if self.package else Path(sys.executable)

    @property
    def version(self) -> str:
        """As its lock has it."""
        lock = Path(__file__).with_name(f"{self.program}.lock")
        return next(str(version) for name, version in pins(lock.read_text(encoding="utf-8")) if name == self.package)

    def missing(self) -> str:
        """Why it cannot be measured; "" when it can."""
        folder = ENVIRONMENTS / self.program
        if not self.package or (folder / ".ok").is_file():
            return ""
        told = (folder / "why").read_text(encoding="utf-8").strip() if (folder / "why").is_file() else ""
        return f"could not be installed: {told.splitlines()[-1]}" if told else f"not installed: make .venv-peers/{self.program}/.ok"


OURS = Peer("prefect-ledger", "ledger")
PEERS = (
    Peer("MLflow", "mlflow", "mlflow"),
    Peer("MLflow async", "mlflow", "mlflow", ("async",)),
    Peer("Trackio", "trackio", "trackio"),
    Peer("W&B offline", "wandb", "wandb"),
    Peer("TensorBoard", "tensorboard", "tensorboardx"),
)


class NotSo(Exception):
    """No answer: it said that it cannot, or it failed."""

    def __init__(self, why: str, *, failed: bool) -> None:
        super().__init__(why)
        self.failed = failed


def environment(folder: Path) -> dict[str, str]:
    """What a contender's process sees: its folder as home, no telemetry, and a dead proxy for whoever would call outside."""
    kept = {name: value for name, value in clean_environment().items() if not name.startswith(_PRIVATE)}
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    quiet = {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "HF_HUB_DISABLE_TELEMETRY": "1", "WANDB_ERROR_REPORTING": "false"}
    alone = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1,localhost"}
    places = {name: str(folder / "home") for name in ("HOME", "XDG_CACHE_HOME", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR")}
    return {**kept, **nowhere, **quiet, **alone, **places, "PYTHONPATH": str(ROOT), "PREFECT_HOME": str(folder / "prefect")}


class Asked:
    """A contender's process."""

    def __init__(self, peer: Peer, folder: Path, process: subprocess.Popen[str], log: Path) -> None:
        self.peer, self.folder, self._process, self._log = peer, folder, process, log

    @property
    def pid(self) -> int:
        """Of the process, which leads a session of its own."""
        return self._process.pid

    def tell(self, verb: str, **more: Any) -> None:
        """Ask, without waiting for an answer."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either
            self._process.stdin.write(json.dumps({"verb": verb, **more}) + "\n")
            self._process.stdin.flush()

    def ask(self, verb: str, *, patience: float = SECONDS, **more: Any) -> Any:
        """The answer.

        Raises:
            NotSo: there is none; the message says why.
        """
        assert self._process.stdout is not None
        self.tell(verb, **more)
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            ready = waiting.select(patience)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            why = "ended" if ready else f"no answer within {patience:.0f} s"
            self.kill()
            raise NotSo(f"{verb}: {why}; {self._printed()}", failed=True)
        told = json.loads(line)
        if "cannot" in told:
            raise NotSo(told["cannot"], failed=False)
        if "failed" in told:
            raise NotSo(f"{verb}: {told['failed'].strip().splitlines()[-1]}", failed=True)
        return told["answer"]

    def kill(self, *, helpers: bool = False) -> None:
        """SIGKILL, to the process alone or to those that it started too."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL) if helpers else self._process.kill()
        self._process.wait(30)

    def _printed(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return re.sub(r"\s+", " ", lines[-1])[-300:] if lines else "it printed nothing"


@contextlib.contextmanager
def started(peer: Peer, folder: Path) -> Iterator[Asked]:
    """The process, in ``folder``, for as long as the block lasts. Nothing is opened yet."""
    (folder / "home").mkdir(parents=True, exist_ok=True)
    log = folder / "printed.log"
    command = [*dies_with_us(), str(peer.python), "-m", f"benchmarks.contenders.{peer.program}", *peer.words]
    with (
        log.open("a", encoding="utf-8") as out,
        subprocess.Popen(
            command,
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=out,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        asked = Asked(peer, folder, process, log)
        try:
            yield asked
        finally:
            asked.kill(helpers=True)
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # what it was not alive to hear
                process.stdin.close()
