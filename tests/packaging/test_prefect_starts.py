"""The FastAPI bound in pyproject.toml does what it is there for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.services_real.processes import clean_environment

_SCRIPT = """
from prefect import flow, task
from prefect.client.orchestration import get_client

@task
def double(x: int) -> int:
    return 2 * x

@flow
def answer() -> int:
    return double(21)

if __name__ == "__main__":
    result = answer()
    with get_client(sync_client=True) as client:
        states = [run.state_name for run in client.read_flow_runs()]
    print(result, states)
"""


@pytest.mark.long
def test_a_flow_runs_on_a_server_that_prefect_starts_for_itself(tmp_path: Path) -> None:
    """With no API URL and an empty home, Prefect's own server comes up, takes a flow's states and answers without a limit given."""
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    env = clean_environment(
        PREFECT_HOME=str(tmp_path / "home"),
        PREFECT_SERVER_ALLOW_EPHEMERAL_MODE="true",
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="120",
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        PREFECT_LOGGING_LEVEL="WARNING",
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=env, cwd=tmp_path, check=False, timeout=300)
    assert (done.returncode, done.stdout.strip()) == (0, "42 ['Completed']"), done.stderr
