"""The artifact root is away: the run goes on, what was logged is held and sent later, and no key is written down anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import start_run
from prefect_ledger.errors import ArtifactsUnavailable
from prefect_ledger.held_artifacts import held, send
from prefect_ledger.integrity import check_artifacts
from prefect_ledger.tracking import keeping
from prefect_ledger.tracking.ledger import Ledger
from tests.services_real.proxy import Fault, Proxy, proxy
from tests.services_real.s3 import S3Server, keys
from tests.tracking.far import ledger_over

GONE = Fault("cut", "up", 0)
IMPATIENT: dict[str, Any] = {"read_timeout": 1, "retries": {"mode": "standard", "total_max_attempts": 1}}


@pytest.fixture
def between(s3: S3Server) -> Iterator[Proxy]:
    """A proxy before the S3 server: with a fault, the root is away."""
    with proxy(s3.url) as one:
        yield one


@pytest.fixture
def one(s3: S3Server, between: Proxy, home: Path) -> Iterator[Ledger]:
    """The ledger of this process, its artifacts in an empty bucket behind the proxy."""
    with ledger_over(between, s3, IMPATIENT) as made:
        yield made


def back(between: Proxy) -> None:
    """The root is there again, and that is known."""
    between.fault = None
    keeping._away.clear()


def texts(one: Ledger, run: str) -> dict[str, str]:
    return {artifact.path: one.reader.read_artifact(artifact).decode() for artifact in one.reader.artifacts(run)}


def test_the_run_goes_on_and_its_artifacts_follow(one: Ledger, between: Proxy, tmp_path: Path) -> None:
    """While the root is away files, folders and texts are logged as ever; when it is back they are sent, each as it was logged."""
    (tmp_path / "in" / "d").mkdir(parents=True)
    (tmp_path / "in" / "d" / "x").write_text("x")
    (tmp_path / "in" / "y").write_text("y")
    between.fault = GONE
    with start_run(experiment="e") as run:
        run.log_text("hello", "notes/hello.txt")
        run.log_artifact(tmp_path / "in" / "y")
        run.log_artifacts(tmp_path / "in", "all")
        run.log_metric("loss", 0.5)
    one.flush()
    assert one.reader.run(run.id).status == "COMPLETED"
    assert one.reader.artifacts(run.id) == []
    folder = keeping.folder_of(one.settings)
    with pytest.raises(ArtifactsUnavailable):
        send(folder, one.artifacts, one.database)
    (tmp_path / "in" / "y").write_text("changed since")
    back(between)
    done = send(folder, one.artifacts, one.database)
    assert (done.sent, done.older, done.waiting, done.trouble) == (4, 0, 0, [])
    assert texts(one, run.id) == {"notes/hello.txt": "hello", "y": "y", "all/d/x": "x", "all/y": "y"}
    assert check_artifacts(one.database, one.artifacts).problems == []
    assert not folder.exists()
    assert send(folder, one.artifacts, one.database).sent == 0


def test_the_last_word_on_a_path_stays(one: Ledger, between: Proxy) -> None:
    """A held artifact replaces what was logged before it, and never what was logged after it."""
    folder = keeping.folder_of(one.settings)
    with start_run(experiment="e") as run:
        run.log_text("first", "later held")
        between.fault = GONE
        run.log_text("second", "later held")
        run.log_text("first", "later logged")
        back(between)
        run.log_text("second", "later logged")
    one.flush()
    done = send(folder, one.artifacts, one.database)
    assert (done.sent, done.older) == (1, 1)
    assert texts(one, run.id) == {"later held": "second", "later logged": "second"}


def test_in_doubt_held_bytes_wait(one: Ledger, between: Proxy) -> None:
    """Something stands at the path that no row speaks of, perhaps newer: it is not overwritten; what stands and is the same is taken."""
    folder = keeping.folder_of(one.settings)
    between.fault = GONE
    with start_run(experiment="e") as run:
        run.log_text("mine", "a")
        run.log_text("same", "b")
    one.flush()
    back(between)
    one.artifacts.put_bytes(run.artifact_uri, "a", b"theirs")
    one.artifacts.put_bytes(run.artifact_uri, "b", b"same")
    done = send(folder, one.artifacts, one.database)
    assert (done.sent, done.waiting) == (1, 1)
    assert [event.path for _, events in held(folder) for event in events] == ["a"]
    assert texts(one, run.id) == {"b": "same"}


LOGS = """
from prefect_ledger import start_run
with start_run(experiment="e") as run:
    run.log_text("hello", "a.txt")
    run.log_param("depth", 6)
"""


def written(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


@pytest.mark.long
def test_keys_are_written_nowhere(s3: S3Server, home: Path) -> None:
    """With right keys and with a wrong one, from the environment and from settings, nothing on disk, in the store or said holds a key;
    with the wrong one the program ends well and says where the artifact waits, and recover sends it with the right one."""
    bucket, wrong = s3.bucket(), "wrongSecretKey0123456789abcdef"
    env = {**os.environ, **s3.environment(), "PREFECT_LEDGER_ARTIFACT_ROOT": f"s3://{bucket}/root", "AWS_MAX_ATTEMPTS": "1"}
    options = {"PREFECT_LEDGER_STORAGE_OPTIONS": json.dumps({**s3.options(), "secret": wrong})}
    said = ""
    for more in ({}, {"AWS_SECRET_ACCESS_KEY": wrong}, options):
        done = subprocess.run([sys.executable, "-c", LOGS], env={**env, **more}, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        said += done.stdout + done.stderr
    assert "does not let us in" in said
    assert len(keys(s3, bucket)) == 1
    recovered = subprocess.run(
        [sys.executable, "-m", "prefect_ledger.cli", "recover"], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert (recovered.returncode, "sent 2 held artifacts" in recovered.stdout) == (0, True), recovered.stdout + recovered.stderr
    assert len(keys(s3, bucket)) == 3
    everything = written(home) + said.encode() + recovered.stdout.encode() + recovered.stderr.encode()
    for secret in (s3.secret, s3.key, wrong):
        assert secret.encode() not in everything
