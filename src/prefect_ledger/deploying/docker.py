"""Floor 5. The target "docker": an image that serves the model, and a container of it where an engine answers.

Where none does, the folder to build from stands, and the deployment says the command to type.
"""

from __future__ import annotations

import json
import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from prefect_ledger.deploying import asking, context, tool
from prefect_ledger.deploying.kept import KeptTarget, Seen
from prefect_ledger.deploying.local import check_numbers
from prefect_ledger.deploying.placing import Placed
from prefect_ledger.deploying.records import Record
from prefect_ledger.errors import DeploymentFailed, InvalidValue

_HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")  # noqa: S108  # in the container


class Docker(KeptTarget):
    """Images and containers of a Docker engine, or of Podman (``engine``).

    Options: ``image`` is the name that the image gets, ``base`` the one it begins with, ``requirements`` what it needs instead of what the
    model says, ``package`` a wheel or version of prefect-ledger, ``pip_conf`` a file that says where pip finds packages (a secret of the
    build). ``build`` and ``run``: whether to do it; ``port`` of 127.0.0.1, ``workers``, ``timeout``, ``trust`` as of the target "local".
    """

    name: ClassVar[str] = "docker"
    options: ClassVar[Mapping[str, Any]] = {
        "engine": "docker",
        "image": None,
        "base": None,
        "requirements": [],
        "package": None,
        "pip_conf": None,
        "build": True,
        "run": True,
        "port": 0,
        "workers": 1,
        "timeout": 1800.0,
        "trust": False,
    }

    def check(self, config: Mapping[str, Any]) -> None:
        """The interface's: names and numbers are refused before anything is copied."""
        check_numbers(config, port=(0, 65535), workers=(1, 1024))
        if config["engine"] not in ("docker", "podman"):
            raise InvalidValue(f"option 'engine' is docker or podman, not {config['engine']!r:.80}")
        for option in ("image", "base"):
            if config[option]:
                context.check_image(config[option])
        if config["pip_conf"] and not Path(config["pip_conf"]).is_file():
            raise InvalidValue(f"option 'pip_conf' is a file, not {config['pip_conf']!r:.120}")

    def start(self, record: Record, placed: Placed, before: Record | None) -> Record:
        """The interface's: the context is written, and what the engine can do is done."""
        folder = context.write(placed.folder.parent, placed, record.config)
        image = record.config["image"] or f"prefect-ledger-{record.name}:{placed.digest[:12]}"
        commands = {"build": self._build(record, image, folder), "run": self._run(record, image)}
        details = {"context": str(folder), "image": image, "container": "", "port": 0, "commands": commands}
        record = replace(record, details=details)
        if not record.config["build"] or not self._engine(record):
            return record
        tool.ask(commands["build"], float(record.config["timeout"]))
        if not record.config["run"]:
            return record
        engine, port = record.config["engine"], record.config["port"]
        aside = before.details["container"] if before is not None and port and before.details["port"] == port else ""
        try:
            if aside:  # one port, one container
                tool.attempt([engine, "stop", aside], seconds=60)
            return self._running(record, commands["run"])
        except BaseException:
            self.stop(record, record.instance)
            if aside:
                tool.attempt([engine, "start", aside])
            raise

    def see(self, record: Record) -> Seen:
        """The interface's: asked of the engine and of the server."""
        known = {key: record.details[key] for key in ("context", "image", "container")}
        if not record.details["container"]:
            typed = [shlex.join(command) for command in record.details["commands"].values()]
            why = "" if self._engine(record) else f"no {record.config['engine']} engine answers here; "
            return Seen("written", "", {**known, "reason": f"{why}build and run it with: {' && '.join(typed)}", "commands": typed})
        done = tool.attempt([record.config["engine"], "inspect", "--format", "{{json .State}}", record.details["container"]])
        if done is None or done.returncode:
            return Seen("failed", "", {**known, "reason": f"the engine does not know its container: {tool.words(done)}"})
        state = json.loads(done.stdout)
        if not state.get("Running") or state.get("Restarting"):
            words = f"its container is {state.get('Status')} with {state.get('ExitCode')}"
            return Seen("stopped" if state.get("ExitCode") in (0, 143) else "failed", "", {**known, "reason": words})
        url = f"http://127.0.0.1:{record.details['port']}"
        if (said := asking.metadata(url)) is None or said.get("digest") != record.digest:
            return Seen("starting", "", {**known, "reason": f"it does not answer at {url} yet"})
        return Seen("serving", url, known)

    def stop(self, record: Record, instance: str) -> None:
        """The interface's: the container is removed; the image stays, for other machines may use it."""
        engine = record.config.get("engine", self.options["engine"])  # of one that was killed while it was made nothing is known
        if shutil.which(engine):
            tool.attempt([engine, "rm", "--force", _container(replace(record, instance=instance))], seconds=60)

    def _running(self, record: Record, command: Sequence[str]) -> Record:
        tool.ask(command, 120)
        record = replace(record, details={**record.details, "container": _container(record), "port": self._port(record)})
        self._until_it_answers(record)
        return record

    # --- the engine ---------------------------------------------------------------------------------------------------------

    def _build(self, record: Record, image: str, folder: Path) -> list[str]:
        secret = ["--secret", f"id=pip,src={Path(record.config['pip_conf']).absolute()}"] if record.config["pip_conf"] else []
        return [record.config["engine"], "build", "--tag", image, *secret, str(folder)]

    def _run(self, record: Record, image: str) -> list[str]:
        port = f"127.0.0.1:{record.config['port'] or ''}:{context.PORT}"
        labels = [
            "--label",
            f"prefect-ledger.deployment={record.name}",
            "--env",
            f"PREFECT_LEDGER_SERVE_WORKERS={record.config['workers']}",
        ]
        command = [record.config["engine"], "run", "--detach", "--name", _container(record), "--publish", port]
        return [*command, "--restart", "unless-stopped", *_HARDENED, *labels, image]

    def _engine(self, record: Record) -> bool:
        done = tool.attempt([record.config["engine"], "info"])
        return done is not None and done.returncode == 0

    def _port(self, record: Record) -> int:
        found = tool.ask([record.config["engine"], "port", _container(record), str(context.PORT)])
        return int(found.splitlines()[0].rpartition(":")[2])

    def _until_it_answers(self, record: Record) -> None:
        until = time.monotonic() + 120
        while (seen := self.see(record)).state != "serving":
            if seen.state != "starting" or time.monotonic() > until:
                done = tool.attempt([record.config["engine"], "logs", "--tail", "20", record.details["container"]])
                raise DeploymentFailed(
                    f"the container of {record.name!r} does not serve: {seen.details['reason']}; its log:\n{tool.words(done)}"
                )
            time.sleep(0.2)


def _container(record: Record) -> str:
    return f"prefect-ledger-{record.name}-{record.instance[:12]}"
