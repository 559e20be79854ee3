"""``prefect-ledger project deploy``: what is typed, what is said, and with which code it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.cli.conftest import Cli, command, document
from tests.projects.conftest import Write

POOL = "projects-cli"
CHURN = """
    [tool.prefect-ledger.project]
    name = "churn"
    [tool.prefect-ledger.project.entry-points.main]
    command = "python train.py --depth {depth} {data}"
    parameters.depth = { type = "int", default = 6 }
    parameters.data = "path"
"""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command on an empty ledger of this test."""
    return lambda *args, **more: command("project", "deploy", *args, home=tmp_path / "ledger", **more)


@pytest.fixture
def churn(project: Write) -> str:
    """A project with an entry point that needs a path."""
    return str(project(pyproject_toml=CHURN, train_py=""))


@pytest.fixture
def pool(prefect_server: str) -> Iterator[str]:
    """A work pool of processes, gone afterwards with its deployments."""
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        yield POOL
        for one in client.read_deployments():
            client.delete_deployment(one.id)
        client.delete_work_pool(POOL)


def test_deployed_updated_and_told(cli: Cli, churn: str, pool: str) -> None:
    """A dry run makes nothing; then created, as it was, updated with what changed; what to know goes to stderr, and what to do next."""
    done = cli(churn, "--pool", pool, "--dry-run")
    assert (done.returncode, done.stdout) == (0, "would create prefect-ledger-project/churn-main\n")
    assert "a worker on another machine" in done.stderr
    assert document(cli(churn, "--pool", pool, "--dry-run", "--json"))["deployments"][0]["id"] == ""
    first = document(cli(churn, "--pool", pool, "--json"))
    assert [(one["did"], one["lacking"]) for one in first["deployments"]] == [("created", ["data"])]
    same = cli(churn, "--pool", pool)
    assert same.stdout == "as it was: prefect-ledger-project/churn-main\n"
    assert "prefect deployment run 'prefect-ledger-project/churn-main' -p parameters='{\"data\": …}'" in same.stderr
    words = ["-P", "data=d.csv", "--schedule", "0 3 * * *", "-t", "risk", "--concurrency-limit", "1", "-j", 'env={"A": "b"}']
    changed = cli(churn, "--pool", pool, *words)
    assert changed.stdout.startswith("updated prefect-ledger-project/churn-main\n")
    for part in ("tags: nothing → ", "concurrency limit: nothing → 1", "job variable env", "schedule: none → 0 3 * * *", "form's data"):
        assert part in changed.stdout


def test_written_for_prefect(cli: Cli, churn: str, tmp_path: Path) -> None:
    """A prefect.yaml, without an API; one that is there is replaced only when that is said, and ``-`` is stdout."""
    file = tmp_path / "prefect.yaml"
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        done = cli(churn, "--pool", "any", "--write", str(file))
        assert (done.returncode, done.stdout) == (0, f"1 deployment in {file}\n")
        assert "prefect --no-prompt deploy" in done.stderr
        before = file.read_text()
        assert "--overwrite" in cli(churn, "--pool", "other", "--write", str(file)).stderr
        assert file.read_text() == before
        assert document(cli(churn, "--pool", "any", "--write", str(file), "--overwrite", "--json"))["written"] == str(file)
        shown = cli(churn, "--pool", "any", "--write", "-")
        assert shown.stdout == before
        assert yaml.safe_load(shown.stdout)["deployments"][0]["name"] == "churn-main"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--pool", "nobody"], "no work pool 'nobody'"),
        (["--pool", POOL, "-e", "mian"], "did you mean 'main'"),
        (["--pool", POOL, "-P", "depth=deep"], "is a whole number"),
        (["--pool", POOL, "--schedule", "often"], "write cron"),
        (["--pool", POOL, "--schedule", "1d"], "needs data"),
        (["--pool", POOL, "-j", "a"], "write key=value"),
        (["--pool", POOL, "-j", "env=1", "-j", "env=2"], "given twice"),
        (["--pool", POOL, "--concurrency-limit", "0"], "from 1"),
        (["--pool", POOL, "--overwrite"], "--write"),
        (["--pool", POOL, "--write", "-", "--dry-run"], "--write - shows it"),
        (["--pool", POOL, "--write", "-", "--json"], "both have stdout"),
        (["--pool", POOL, "--write", "--overwrite"], "takes a file"),
        (["--pool", POOL, "--write", "/nowhere/prefect.yaml"], "/nowhere"),
    ],
)
def test_mistakes_are_said_in_a_sentence(words: list[str], sentence: str, cli: Cli, churn: str, pool: str) -> None:
    """With the next step, and nothing is deployed."""
    done = cli(churn, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    with get_client(sync_client=True) as client:
        assert client.read_deployments() == []


def test_without_an_api(cli: Cli, churn: str) -> None:
    """No server is begun for it: what to set is said. A pool has to be named."""
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        done = cli(churn, "--pool", POOL)
        assert done.returncode == 1
        assert "PREFECT_API_URL" in done.stderr
    assert cli(churn).returncode == 2
