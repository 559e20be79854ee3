"""The target "docker": a context that builds what it says. No engine is needed; what the image would run is run by this Python instead."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger.deploying import asking, wheels
from prefect_ledger.deploying.base import Deployment
from prefect_ledger.deploying.docker import Docker
from prefect_ledger.errors import ArtifactCorrupt, DeploymentFailed, InvalidValue
from prefect_ledger.serving.following import Followed
from tests.packaging.locks import ROOT
from tests.services_real.processes import clean_environment, dies_with_us, free_port, start, stop, wait_until

WRITTEN = {"trust": True, "build": False}


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Docker:
    return Docker(tmp_path_factory.mktemp("docker") / "ledger")


@pytest.fixture(scope="module")
def made(docker: Docker, doubling: Path) -> Deployment:
    return docker.create("churn", str(doubling), {**WRITTEN, "image": "registry.example/churn:7"})


@pytest.fixture(scope="module")
def folder(made: Deployment) -> Path:
    """The context."""
    return Path(made.details["context"])


def instructions(folder: Path) -> list[tuple[str, str]]:
    """What the Dockerfile says, line by line, as a builder joins them."""
    text = re.sub(r"^\s*#.*\n", "", (folder / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line.strip())]


def environment(folder: Path) -> dict[str, str]:
    """What ENV sets."""
    return dict(pair.split("=", 1) for word, rest in instructions(folder) if word == "ENV" for pair in rest.split())


def test_the_context_holds_what_the_image_needs_and_no_more(made: Deployment, folder: Path) -> None:
    """The model, pinned requirements, this package, and what to do with them; others may read it in the image, and nobody write it."""
    names = sorted(path.name for path in folder.iterdir())
    assert [name for name in names if not name.endswith(".whl")] == [".dockerignore", "Dockerfile", "model", "requirements.txt"]
    *lines, last = (folder / "requirements.txt").read_text().splitlines()
    assert all("==" in line for line in lines)
    assert re.fullmatch(r"\./prefect_ledger-[0-9.]+-py3-none-any\.whl\[serve\]|prefect-ledger\[serve\]==[0-9.]+", last)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder / "model").rglob("*")} <= {0o755, 0o644}
    assert made.state == "written"
    assert made.details["commands"][0] == f"docker build --tag registry.example/churn:7 {folder}"
    assert {"--read-only", "--cap-drop"} <= set(made.details["commands"][1].split())


def test_the_image_runs_without_rights_and_says_when_it_is_well(folder: Path, made: Deployment) -> None:
    """A user that is not root before anything runs, a slim Python of the model's version, a health check on /ping."""
    found = dict(instructions(folder))
    assert re.fullmatch(rf"python:3\.{sys.version_info.minor}-slim", found["FROM"])
    assert found["USER"] == "10001:10001"
    words = [word for word, _ in instructions(folder)]
    assert words.index("USER") < words.index("HEALTHCHECK") < words.index("ENTRYPOINT")
    assert "ADD" not in words
    assert (json.loads(found["ENTRYPOINT"]), json.loads(found["CMD"]), found["EXPOSE"]) == (["prefect-ledger"], ["serve"], "8080")
    assert environment(folder)["PREFECT_LEDGER_MODEL_DIGEST"] == made.digest


def test_what_the_image_runs_answers(folder: Path, made: Deployment, tmp_path: Path) -> None:
    """Entry point, command and environment of the Dockerfile, the model at another place: /ping, /invocations and the health check, as
    SageMaker and Docker ask; another model at that place does not start."""
    found, port = dict(instructions(folder)), free_port()
    command = json.loads(found["ENTRYPOINT"]) + json.loads(found["CMD"])
    command[0] = str(Path(sys.executable).with_name(command[0]))
    env = clean_environment(**environment(folder))
    env |= {
        "PREFECT_LEDGER_MODEL": str(folder / "model"),
        "PREFECT_LEDGER_SERVE_PORT": str(port),
        "PREFECT_LEDGER_HOME": str(tmp_path / "l"),
    }
    env["PREFECT_LEDGER_SERVE_HOST"] = "127.0.0.1"
    log, url = tmp_path / "log", f"http://127.0.0.1:{port}"
    child = start([*dies_with_us(), *command], log, env=env, cwd=tmp_path)
    try:
        wait_until(lambda: asking.metadata(url) is not None, child, log, seconds=60)
        assert asking.request(url, "/ping", seconds=10)[0] == 200
        assert asking.ask(url, [[1.0, 2.0]]) == [[2.0, 4.0]]
        assert (asking.metadata(url) or {})["digest"] == made.digest
        check = json.loads(found["HEALTHCHECK"].partition("CMD ")[2])
        for asked, code in ((port, 0), (free_port(), 1)):
            code_of = [sys.executable, check[1], check[2].replace("8080", str(asked))]
            assert subprocess.run(code_of, capture_output=True, check=False, timeout=30).returncode == code
    finally:
        stop(child, signal.SIGTERM)
    assert child.returncode == 0
    with pytest.raises(ArtifactCorrupt):
        Followed(str(folder / "model"), digest="0" * 64)


@pytest.mark.long
def test_the_wheel_in_the_context_is_this_package(tmp_path: Path) -> None:
    """pip takes it; it has every module of the repository, the same bytes each time, and runs from where pip puts it."""
    wheel = wheels.build(tmp_path)
    again = wheels.build(Path(shutil.copytree(tmp_path, tmp_path / "again")))
    assert wheel.read_bytes() == again.read_bytes()
    target = tmp_path / "installed"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-compile",
        "--target",
        str(target),
        str(wheel),
    ]
    done = subprocess.run(pip, capture_output=True, text=True, check=False, timeout=120, env=clean_environment())
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    homes = {"src": "", "flows": "prefect_ledger/flows/", "dashboard": "prefect_ledger/dashboard/"}
    modules = {f"{to}{path.relative_to(ROOT / top).as_posix()}" for top, to in homes.items() for path in (ROOT / top).rglob("*.py")}
    assert modules <= names
    code = "import prefect_ledger, prefect_ledger.cli, prefect_ledger.flows as f; print(prefect_ledger.__file__, f.__file__)"
    env = {**clean_environment(), "PYTHONPATH": str(target)}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env=env).stdout
    assert told.count(str(target)) == 2


ENGINE = '''#!{python}
"""Stands in for an engine: an image is a context, a container is its entry point as a process of this machine."""
import json, os, pathlib, re, signal, subprocess, sys
state = pathlib.Path({state!r})
words = sys.argv[1:]
with (state / "asked").open("a") as file:
    file.write(json.dumps(words) + "\\n")
def value(option):
    return words[words.index(option) + 1]
def launch(name, env):
    child = subprocess.Popen([{command!r}, "serve", "--share-port"], env=os.environ | env, start_new_session=True,
                             stdout=subprocess.DEVNULL, stderr=(state / "log").open("w"))
    (state / name).write_text(str(child.pid))
if words[0] == "build":
    (state / "image").write_text(words[-1])
elif words[0] == "run":
    context = pathlib.Path((state / "image").read_text())
    text = (context / "Dockerfile").read_text()
    env = dict(re.findall(r"(PREFECT_LEDGER_\\w+)=(\\S+)", text)) | dict([value("--env").split("=", 1)])
    env |= dict(PREFECT_LEDGER_MODEL=str(context / "model"), PREFECT_LEDGER_SERVE_PORT={port!r}, PREFECT_LEDGER_SERVE_HOST="127.0.0.1")
    (state / ("env-" + value("--name"))).write_text(json.dumps(env))
    launch(value("--name"), env)
elif words[0] == "start":
    launch(words[1], json.loads((state / ("env-" + words[1])).read_text()))
elif words[0] == "stop":
    os.kill(int((state / words[1]).read_text()), signal.SIGKILL)
elif words[0] == "port":
    print("127.0.0.1:" + {port!r})
elif words[0] in ("inspect", "rm"):
    place = state / words[-1]
    if not place.exists():
        sys.exit("no such container")
    pid = int(place.read_text())
    if words[0] == "rm":
        place.unlink()
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        sys.exit(0)
    try:
        lives = "Z" not in pathlib.Path(f"/proc/{{pid}}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        lives = False
    print(json.dumps(dict(Running=lives, Status="running" if lives else "exited", ExitCode=0 if lives else 3)))
elif words[0] == "logs":
    print((state / "log").read_text())
'''


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What a Docker engine is asked, answered by processes; returns the folder that says what was asked."""
    state, script = tmp_path / "engine", tmp_path / "bin" / "docker"
    state.mkdir()
    script.parent.mkdir()
    values: dict[str, Any] = {"python": sys.executable, "state": str(state), "port": str(free_port())}
    script.write_text(ENGINE.format(**values, command=str(Path(sys.executable).with_name("prefect-ledger"))))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    yield state
    for place in state.glob("prefect-ledger-*"):
        os.kill(int(place.read_text()), signal.SIGKILL)


@pytest.mark.long
def test_where_an_engine_answers_it_builds_and_runs(engine: Path, doubling: Path, tripling: Path, tmp_path: Path) -> None:
    """Built, run, asked, told when its container has ended, and removed; a model that does not start leaves no container, and what it was
    to take the place of is started again."""
    docker = Docker(tmp_path / "ledger")
    made = docker.create("churn", str(doubling), {"trust": True, "workers": 1})
    assert made.state == "serving"
    assert docker.predict("churn", [[1.0, 2.0]]) == [[2.0, 4.0]]
    broken = Path(shutil.copytree(tripling, tmp_path / "broken"))
    next(broken.glob("*.pkl")).write_bytes(b"cut")
    fixed = docker.update("churn", config={"trust": True, "port": int(made.url.rpartition(":")[2])})
    assert (fixed.state, fixed.url) == ("serving", made.url)
    with pytest.raises(DeploymentFailed, match="does not serve"):
        docker.update("churn", str(broken), {"trust": True})
    (container,) = engine.glob("prefect-ledger-churn-*")
    os.kill(int(container.read_text()), signal.SIGKILL)
    wait = subprocess.run(["tail", "--pid", container.read_text(), "-f", "/dev/null"], timeout=30, check=False)
    assert wait.returncode == 0
    assert (docker.get("churn").state, docker.get("churn").details["reason"]) == ("failed", "its container is exited with 3")
    docker.delete("churn")
    with pytest.raises(DeploymentFailed, match=r"(?s)does not serve: its container is exited.*not what was saved"):
        docker.create("churn", str(broken), {"trust": True})
    assert list(engine.glob("prefect-ledger-*")) == []
    assert docker.list() == []


@pytest.mark.parametrize(
    "lines",
    [
        "--index-url http://elsewhere.example",
        "-r /etc/passwd",
        "-e .",
        "evil @ https://elsewhere.example/evil.whl",
        "a; rm -rf /",
        "../x",
        "a\\\nb",
    ],
)
def test_requirements_that_are_more_than_names_are_refused(docker: Docker, doubling: Path, tmp_path: Path, lines: str) -> None:
    """Options, addresses, paths and shell in a model's requirements never reach pip; what to do instead is said."""
    model = Path(shutil.copytree(doubling, tmp_path / "model"))
    (model / "requirements.txt").write_text(lines + "\n")
    edited = re.sub(r"(?m)^sha256:\n(?: .*\n)*", "", (model / "MLmodel").read_text())
    (model / "MLmodel").write_text(edited)
    with pytest.raises(InvalidValue, match="no requirement by name and version"):
        docker.create("hostile", str(model), WRITTEN)
    assert not docker.records.folder("hostile").exists()


@pytest.mark.parametrize("python", ["3.9.1", "3.11.7\\nUSER root", "latest", "4.0", "3.11-slim AS x"])
def test_a_model_s_python_is_a_version_or_refused(docker: Docker, doubling: Path, tmp_path: Path, python: str) -> None:
    """It is the one text of the MLmodel file that comes near the Dockerfile."""
    model = Path(shutil.copytree(doubling, tmp_path / "model"))
    text = (model / "MLmodel").read_text()
    (model / "MLmodel").write_text(re.sub(r"python_version: .*", f'python_version: "{python}"', text))
    with pytest.raises(InvalidValue, match="was made with Python"):
        docker.create("hostile", str(model), WRITTEN)


@pytest.mark.parametrize(
    "config",
    [
        {"base": "python:3.11\nRUN id"},
        {"base": "python 3"},
        {"image": "--privileged"},
        {"image": "a b"},
        {"engine": "/bin/sh"},
        {"engine": "rm"},
        {"pip_conf": "/nowhere"},
        {"package": "evil==1"},
        {"package": "prefect-ledger @ http://elsewhere.example/x.whl"},
        {"package": "/nowhere/prefect_ledger-1-py3-none-any.whl"},
        {"workers": 0},
        {"requirements": ["-r x"]},
    ],
)
def test_options_that_would_be_more_than_names_are_refused(docker: Docker, doubling: Path, config: dict[str, Any]) -> None:
    """No text of the user's becomes an instruction, an option or a command."""
    with pytest.raises(InvalidValue):
        docker.create("hostile", str(doubling), {**WRITTEN, **config})
    assert not docker.records.folder("hostile").exists()
