"""What docs/teams.md tells an administrator to type is true: its roles, its files and its commands inside containers."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from prefect_ledger import collect_garbage, delete_experiment, registry, search_runs, start_run
from prefect_ledger.database import Database
from prefect_ledger.roles import grant
from prefect_ledger.settings import Settings
from prefect_ledger.tracking import ledger as module
from tests.docs.test_examples import ROOT, blocks
from tests.services_real import compose
from tests.services_real.postgres import binaries, postgres

PAGE = ROOT / "docs" / "teams.md"


@contextlib.contextmanager
def ledger_of(role: str, url: str, folder: Path) -> Iterator[None]:
    """This process logs and asks as a role."""
    settings = Settings.resolve(
        home=folder / role, store_url=url, artifact_root=folder / "artifacts", capture_git=False, capture_packages=False, watch=False
    )
    with pytest.MonkeyPatch.context() as patch, contextlib.closing(module.Ledger(settings)) as ledger:
        patch.setattr(module, "_ledger", ledger)
        yield


def test_the_roles_can_do_what_they_are_for(tmp_path: Path) -> None:
    """With the page's SQL the owner makes the tables, a writer logs and clears away but cannot change a table or the registry, which a
    registrar can, and a reader searches and cannot write."""
    [sql] = [block for _, block in blocks(PAGE, "sql")]
    with postgres() as server:
        command = [str(binaries() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", server.dsn]
        subprocess.run(command, input=sql, text=True, check=True, capture_output=True, env={"PATH": "/usr/bin:/bin"})

        def url(role: str) -> str:
            return f"postgresql://{role}@127.0.0.1:{server.port}/ledger"

        with contextlib.closing(Database(url("ledger").replace("://", "+psycopg://"))) as database:
            assert database.upgrade()[0] is None
            with database.write() as tx:
                assert grant(tx, "ledger_writer", "ledger_registrar") == "public"
        with ledger_of("ledger_writer", url("ledger_writer"), tmp_path):
            with start_run(experiment="roles") as run:
                run.log_series("curve", range(20_000))
                run.log_text("hello", "notes.txt")
            with start_run(experiment="over") as gone:
                gone.log_metric("loss", 0.5)
            delete_experiment("over")
            assert [one.id for one in collect_garbage(dry_run=False, retention_days=0, grace_days=0).runs] == [gone.id]
        with ledger_of("ledger_reader", url("ledger_reader"), tmp_path):
            [found] = search_runs("roles", "metrics.curve = 19999")
            assert (found.id, found.status, found.read_artifact("notes.txt")) == (run.id, "COMPLETED", b"hello")
        with ledger_of("ledger_registrar", url("ledger_registrar"), tmp_path):
            assert registry.create_model("churn").latest == 0
        for role, refused in (
            ("ledger_writer", "drop table runs"),
            ("ledger_writer", "create table mine (id int)"),
            ("ledger_writer", "update registered_models set name = 'mine'"),
            ("ledger_registrar", "delete from audit"),
            ("ledger_reader", "delete from runs"),
            ("ledger_reader", "create temporary table mine (id int)"),
        ):
            with psycopg.connect(url(role)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(refused)


def test_the_files_it_shows_parse() -> None:
    """YAML and JSON on the page can be copied as they are, and name the pool and the folder that there are."""
    pages = [yaml.safe_load(block) for _, block in blocks(PAGE, "yaml")]
    assert {one["work_pool"]["name"] for page in pages for one in page["deployments"]} == {"ledger"}
    assert pages[0]["pull"] == [{"prefect.deployments.steps.set_working_directory": {"directory": "/pipelines"}}]
    assert all(json.loads(block)["Statement"] for _, block in blocks(PAGE, "json"))


def test_its_commands_inside_containers_are_understood() -> None:
    """Every ``docker compose`` line names services of the file, and every prefect-ledger command in them exists."""
    from prefect_ledger.cli import app

    services = set(compose.raw()["services"])
    lines = [line[2:] for _, block in blocks(PAGE, "console") for line in block.splitlines() if line.startswith("$ docker compose ")]
    lines += re.findall(r"`(docker compose exec [^`]*)`", PAGE.read_text(encoding="utf-8"))
    assert len(lines) > 8
    for line in lines:
        verb, *words = shlex.split(line)[2:]
        named = next((word for word in words if not word.startswith("-")), None)
        assert verb in ("up", "ps") or named in services, line
        if "prefect-ledger" in words:
            app.parse_args(words[words.index("prefect-ledger") + 1 :], exit_on_error=False, print_error=False)
