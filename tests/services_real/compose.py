"""``deployments/compose.yaml`` without containers: its commands and environments as processes of this machine.

Hosts, ports and folders of the containers are mapped to this machine's; everything else is used as it is written.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.services_real import postgres, s3
from tests.services_real.processes import clean_environment, dies_with_us, free_port, start, stop, wait_until

FOLDER = Path(__file__).parents[2] / "deployments"
FILE = FOLDER / "compose.yaml"
VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<how>[-?])(?P<word>[^}]*))?\})")
_BIN = Path(sys.executable).parent


def raw() -> dict[str, Any]:
    """The file as it is written, anchors resolved."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found


def filled(value: Any, environ: Mapping[str, str]) -> Any:
    """``value`` with its variables, as Compose puts them in.

    Raises:
        LookupError: a variable that is required is missing or empty.
    """
    if isinstance(value, dict):
        return {key: filled(one, environ) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, environ) for one in value]
    return VARIABLE.sub(lambda found: _one(found, environ), value) if isinstance(value, str) else value


def _one(found: re.Match[str], environ: Mapping[str, str]) -> str:
    if found["name"] is None:
        return "$"
    value = environ.get(found["name"], "")
    if not value and found["how"] == "?":
        raise LookupError(f"{found['name']}: {found['word']}")
    return value or (found["word"] if found["how"] == "-" else "")


def dotenv(text: str) -> dict[str, str]:
    """Names and values of a ``.env`` file."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def image_environment() -> dict[str, str]:
    """What the Dockerfile sets for every process."""
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    words = [word for line in re.findall(r"^ENV (.*)$", text, re.MULTILINE) for word in shlex.split(line)]
    return {name: value for name, _, value in (word.partition("=") for word in words) if name != "PATH"}


@dataclass
class Team:
    """The services of the compose file. ``places`` says what a text of a container means here."""

    folder: Path
    environ: Mapping[str, str]
    places: dict[str, str] = field(default_factory=dict)

    def service(self, name: str) -> dict[str, Any]:
        """A service, its variables put in and mapped."""
        found: dict[str, Any] = self.mapped(filled(raw()["services"][name], self.environ))
        return found

    def mapped(self, value: Any) -> Any:
        """``value`` as it is said on this machine."""
        if isinstance(value, dict):
            return {key: self.mapped(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.mapped(one) for one in value]
        if not isinstance(value, str) or value in self.places:
            return self.places.get(value, value) if isinstance(value, str) else value
        told = "|".join(re.escape(there) for there in self.places if not there.isdigit())  # a password may hold digits
        return re.sub(told, lambda found: self.places[found[0]], value)

    def environment(self, name: str) -> dict[str, str]:
        """What a Python service's process sees."""
        ours = {**self.mapped(image_environment()), **self.service(name).get("environment", {})}
        port = self.places["127.0.0.1:8080"].rpartition(":")[2]
        return clean_environment(**ours, PATH=f"{_BIN}:{os.environ['PATH']}", PREFECT_WORKER_WEBSERVER_PORT=port)

    def run(self, name: str, command: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        """A service's command, or another in its place, to its end."""
        words = command or self.service(name)["command"]
        return subprocess.run(words, env=self.environment(name), cwd=self.folder, capture_output=True, text=True, timeout=300, check=False)

    def healthy(self, name: str) -> bool:
        """Whether a service's health check says so, asked at most twice a second."""
        _, *words = self.service(name)["healthcheck"]["test"]
        well = self.run(name, words).returncode == 0
        if not well:
            time.sleep(0.5)
        return well

    @contextlib.contextmanager
    def up(self, name: str, **more: str) -> Iterator[Path]:
        """A Python service, from when its health check is content; yields its log."""
        log = self.folder / f"{name}.log"
        command = [*dies_with_us(signal.SIGTERM), *self.service(name)["command"]]
        child = start(command, log, env={**self.environment(name), **more}, cwd=self.folder)
        try:
            wait_until(lambda: self.healthy(name), child, log, seconds=120)
            yield log
        finally:
            stop(child, signal.SIGTERM)


@contextlib.contextmanager
def ground(folder: Path, environ: Mapping[str, str]) -> Iterator[Team]:
    """The team's PostgreSQL and S3 server, running, with all that the compose file says of them; the Python services come with it."""
    prefect, health, dashboard = free_port(), free_port(), free_port()
    (folder / "home").mkdir()
    with postgres.postgres() as database, _s3(folder, environ) as url:
        team = Team(folder, environ)
        team.places = {
            "postgres:5432": f"127.0.0.1:{database.port}",
            "http://s3:8333": url,
            "http://prefect:4200": f"http://127.0.0.1:{prefect}",
            "127.0.0.1:4200": f"127.0.0.1:{prefect}",
            "127.0.0.1:8080": f"127.0.0.1:{health}",
            "127.0.0.1:8501": f"127.0.0.1:{dashboard}",
            "4200": str(prefect),
            "8501": str(dashboard),
            "0.0.0.0": "127.0.0.1",
            "/var/lib/ledger": str(folder / "home"),
            "/deployments/": f"{FOLDER}/",
            "/pipelines": str(folder / "pipelines"),
        }
        _make_databases(database, team.service("postgres")["environment"])
        yield team


def _make_databases(server: postgres.PostgresServer, environment: dict[str, str]) -> None:
    """As the image's first start does, and then passwords are asked for."""
    command = [str(postgres.binaries() / "psql"), "-X", "-q", "-d", server.dsn, "-f", str(FOLDER / "postgres" / "databases.sql")]
    subprocess.run(command, env={"PATH": "/usr/bin:/bin", **environment}, check=True, capture_output=True, text=True)
    hba = server.root / "data" / "pg_hba.conf"
    hba.write_text("host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n", encoding="utf-8")
    server.stop()
    server.start()


@contextlib.contextmanager
def _s3(folder: Path, environ: Mapping[str, str]) -> Iterator[str]:
    config = folder / "s3.json"
    config.write_text(filled(raw()["configs"]["s3"]["content"], environ), encoding="utf-8")
    json.loads(config.read_text(encoding="utf-8"))
    (folder / "s3").mkdir()
    ports = s3.free_ports()
    places = {"=/data": f"={folder / 's3'}", "=/etc/seaweedfs/s3.json": f"={config}", "=0.0.0.0": "=127.0.0.1"}
    words = [place(word, places) for word in raw()["services"]["s3"]["command"]]
    sockets = (f"-s3.localSocket={folder}/s3.sock", f"-filer.localSocket={folder}/f.sock")
    command = [str(_BIN / "weed"), f"-logdir={folder}", *words, *(f"-{name}={port}" for name, port in ports.items()), *sockets]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    child = start([*dies_with_us(signal.SIGKILL), *command], folder / "s3.log", env=environment, cwd=folder)
    url = f"http://127.0.0.1:{ports['s3.port']}"
    try:
        wait_until(lambda: s3.healthy(url), child, folder / "s3.log", seconds=60)
        yield url
    finally:
        stop(child, signal.SIGKILL)
        s3.sweep()


def place(word: str, places: Mapping[str, str]) -> str:
    """``word`` with its ending replaced, where it is one of ``places``."""
    for there, here in places.items():
        if word.endswith(there):
            return word.removesuffix(there) + here
    return word


def page(url: str) -> tuple[int, str]:
    """Status and text of what a browser without a password gets."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""
