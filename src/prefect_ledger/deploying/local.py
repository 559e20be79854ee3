"""Floor 5. The target "local": a server on this machine, a process of its own that outlives the command that started it.

An update starts the new server beside the old one, on the same port, and ends the old one when the new one answers.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from prefect_ledger.deploying import asking, processes
from prefect_ledger.deploying.kept import KeptTarget, Seen
from prefect_ledger.deploying.placing import Placed
from prefect_ledger.deploying.records import Record
from prefect_ledger.errors import DeploymentFailed, InvalidValue, MissingExtra
from prefect_ledger.masking import mask_value
from prefect_ledger.serving.pages import INSTANCE

_LOG = "server.log"
_TAIL = 4000  # bytes of the log that an error shows
_LAST = 15  # lines of it
_GRACE = 35.0  # seconds for requests that are worked on; the server itself gives them 30


class Local(KeptTarget):
    """Servers on this machine, reached at ``host`` (127.0.0.1 if not said) and ``port`` (a free one if 0).

    Options: ``workers`` and ``threads`` as of ``prefect-ledger serve``, ``timeout``: seconds until it has to answer, ``trust``: open a
    model that is not of the ledger although that runs its code.
    """

    name: ClassVar[str] = "local"
    extra: ClassVar[str] = "serve"
    options: ClassVar[Mapping[str, Any]] = {"host": "127.0.0.1", "port": 0, "workers": 1, "threads": 1, "timeout": 120.0, "trust": False}

    def check(self, config: Mapping[str, Any]) -> None:
        """The interface's: what no server could be started with is refused before anything is copied."""
        for module in ("uvicorn", "orjson", "prometheus_client"):
            if not _installed(module):
                raise MissingExtra(module, self.extra, need="a deployment on this machine")
        check_numbers(config, port=(0, 65535), workers=(1, 1024), threads=(1, 1024))
        try:
            ipaddress.IPv4Address(config["host"])
        except ValueError:
            raise InvalidValue(f"host is an address such as 127.0.0.1, or 0.0.0.0 for all, not {config['host']!r:.80}") from None

    def start(self, record: Record, placed: Placed, before: Record | None) -> Record:
        """The interface's: a process is started, and answers."""
        config, folder = record.config, self.records.folder(record.name)
        if before is not None and not processes.lives(before.details["pid"], INSTANCE, before.instance):
            self.stop(before, before.instance)  # workers that outlived it hold the port
            before = replace(before, details={**before.details, "gone": True})
        with _port(config, before) as port:
            command = [sys.executable, "-P", "-m", "prefect_ledger.cli", "serve", str(placed.folder), "--digest", placed.digest]
            command += ["--host", config["host"], "--port", str(port), "--share-port"]
            command += ["--workers", str(config["workers"]), "--threads", str(config["threads"])]
            log = folder / _LOG
            begun = log.stat().st_size if log.exists() else 0
            pid = processes.start(command, log=log, env=_environment(record.instance), folder=placed.folder.parent)
            made = replace(record, details={"pid": pid, "port": port})
            try:
                _until_it_answers(made, float(config["timeout"]))
            except DeploymentFailed as error:
                raise DeploymentFailed(f"{error}; the end of its log:\n{_tail(log, begun)}") from None
        return made

    def see(self, record: Record) -> Seen:
        """The interface's: asked of the process and of the server."""
        pid, log = record.details["pid"], str(self.records.folder(record.name) / _LOG)
        details = {"pid": pid, "log": log}
        if not processes.lives(pid, INSTANCE, record.instance):
            return Seen(
                "failed", "", {**details, "reason": f"its process is gone; `deploy update {self.name} {record.name}` starts it again"}
            )
        url = _url(record)
        if (said := asking.metadata(url)) is None:
            return Seen("failed", "", {**details, "reason": f"its process {pid} lives, but does not answer at {url}"})
        if said.get("instance") != record.instance:
            return Seen("failed", "", {**details, "reason": f"another server answers at {url}"})
        return Seen("serving", url, details)

    def stop(self, record: Record, instance: str) -> None:  # noqa: ARG002  # the word is enough
        """The interface's: asked to end, then made to."""
        processes.end(INSTANCE, instance, seconds=_GRACE)


def check_numbers(config: Mapping[str, Any], **limits: tuple[int, int]) -> None:
    """Refuse numbers out of their limits.

    Raises:
        InvalidValue: it names the option, the limits and what was given.
    """
    for name, (least, most) in limits.items():
        if not least <= config[name] <= most:
            raise InvalidValue(f"option {name!r} is a number from {least} to {most}, not {config[name]!r}")
    if not 0 < config["timeout"] < 86_400:
        raise InvalidValue(f"option 'timeout' is a number of seconds above 0, not {config['timeout']!r}")


@contextlib.contextmanager
def _port(config: Mapping[str, Any], before: Record | None) -> Iterator[int]:
    """The port to listen on, kept from others until the block ends; that of the server before where no other is wanted.

    Raises:
        InvalidValue: somebody else listens there.
    """
    wanted, host = config["port"], config["host"]
    old = before.details["port"] if before is not None else 0
    same = old and wanted in (0, old)
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            if before is None or not same or before.details.get("gone"):
                with socket.socket() as alone:  # would share the port with nobody, so that nobody can be there
                    alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    alone.bind((host, old if same else wanted))
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            kept.bind((host, old if same else wanted))
        except OSError as error:
            raise InvalidValue(
                f"port {old if same else wanted} of {host} cannot be used: {error.strerror}; give another one, or 0"
            ) from error
        yield kept.getsockname()[1]


def _environment(word: str) -> dict[str, str]:
    """This process's, without what says where the ledger and Prefect are: a server with a digest asks neither, and needs no keys."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "PROMETHEUS_"))}
    return {**kept, INSTANCE: word, "PYTHONUNBUFFERED": "1"}


def _until_it_answers(record: Record, seconds: float) -> None:
    url, until = _url(record), time.monotonic() + seconds
    while not (said := asking.metadata(url)) or said.get("instance") != record.instance:
        if not processes.lives(record.details["pid"], INSTANCE, record.instance):
            raise DeploymentFailed(f"the server of {record.name!r} ended before it answered")
        if time.monotonic() > until:
            raise DeploymentFailed(f"the server of {record.name!r} did not answer within {seconds:g} s (option 'timeout')")
        time.sleep(0.05)


def _url(record: Record) -> str:
    host = record.config["host"]
    return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{record.details['port']}"  # noqa: S104  # compared, not listened on


def _tail(log: Path, begun: int) -> str:
    """The last lines that this server wrote, masked."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(begun, size - _TAIL))
        lines = file.read().decode(errors="replace").splitlines()[-_LAST:]
    return "\n".join(str(mask_value("", line)) for line in lines) or "(nothing)"


def _installed(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None
