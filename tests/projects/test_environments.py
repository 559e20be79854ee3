"""Environments: built once for what decides them, whole or not at all, by real builders where this machine has them."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger.errors import EnvironmentFailed, InvalidValue
from prefect_ledger.projects import environments, reading
from prefect_ledger.projects.environments import Asked, Environment, content, shelf
from prefect_ledger.projects.environments.conda_names import converted
from prefect_ledger.projects.environments.platforms import made_for_others
from prefect_ledger.projects.spec import Conda, EnvironmentSpec
from prefect_ledger.projects.tools import silent
from tests.projects.conftest import Write, wheel

_BUILDER = """
import os, sys, time
from pathlib import Path
from prefect_ledger.projects.environments import shelf

home, log, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])

def build(folder):
    with log.open("a") as file:
        file.write(f"{folder}\\n")
    (folder / "half").touch()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.01)
    (folder / "python").symlink_to(sys.executable)
    return {"python": "python"}

print(shelf.have(home, "key", build, rebuild=False, say=lambda line: print(line, file=sys.stderr)).folder, flush=True)
"""


def _builder(home: Path, log: Path, seconds: float) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", _BUILDER, str(home), str(log), str(seconds)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _until(path: Path) -> None:
    while not path.exists() or not path.read_text():
        time.sleep(0.01)


def _build(folder: Path) -> Mapping[str, Any]:
    (folder / "python").symlink_to(sys.executable)
    return {"python": "python"}


def _have(home: Path, *, rebuild: bool = False) -> shelf.Built:
    return shelf.have(home, "key", _build, rebuild=rebuild, say=silent)


def test_two_processes_build_an_environment_once(tmp_path: Path) -> None:
    """The second waits for the first and takes what it built."""
    first = _builder(tmp_path, tmp_path / "log", 1.0)
    _until(tmp_path / "log")
    second = _builder(tmp_path, tmp_path / "log", 1.0)
    said, waited = first.communicate(timeout=60)[0], second.communicate(timeout=60)
    assert said == waited[0]
    assert "another process is building" in waited[1]
    assert (tmp_path / "log").read_text().splitlines() == [said.strip()]


def test_what_a_killed_process_left_is_never_used(tmp_path: Path) -> None:
    """Half an environment is not taken for one, nor waited for: the next process takes it away and builds."""
    killed = _builder(tmp_path, tmp_path / "log", 600)
    _until(tmp_path / "log")
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    half = Path((tmp_path / "log").read_text().strip())
    assert half.is_dir()
    assert shelf.find(tmp_path, "key") is None
    built = _have(tmp_path)
    assert built.folder != half
    assert not half.exists()


def test_a_build_that_fails_or_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    """Neither a folder nor a word that one stands."""
    for error in (EnvironmentFailed("no"), KeyboardInterrupt()):

        def build(folder: Path, error: BaseException = error) -> Mapping[str, Any]:
            (folder / "half").touch()
            raise error

        with pytest.raises(type(error)):
            shelf.have(tmp_path, "key", build, rebuild=False, say=silent)
        assert [path for path in (tmp_path / shelf.FOLDER / "key").iterdir() if path.is_dir()] == []
        assert shelf.find(tmp_path, "key") is None


def test_one_that_is_built_anew_leaves_the_one_before_to_the_runs_in_it(tmp_path: Path) -> None:
    """And takes away the one before that."""
    first = _have(tmp_path)
    assert _have(tmp_path).folder == first.folder
    second = _have(tmp_path, rebuild=True)
    assert second.new
    assert first.folder.is_dir()
    third = _have(tmp_path, rebuild=True)
    assert not first.folder.exists()
    assert second.folder.is_dir()
    found = shelf.find(tmp_path, "key")
    assert found is not None
    assert found.folder == third.folder


def test_an_environment_whose_python_is_gone_is_built_again(tmp_path: Path) -> None:
    """As after an update of the system."""
    first = _have(tmp_path)
    (first.folder / "python").unlink()
    assert _have(tmp_path).folder != first.folder


def test_whatever_decides_an_environment_is_in_its_key(tmp_path: Path) -> None:
    """Lines, files that lines mean, files that those mean, folders that are installed; and nothing else."""

    def key(*lines: str) -> str:
        return content.digest("uv", "3.11", lines, tmp_path)

    (tmp_path / "r.txt").write_text("-c c.txt\nnumpy\n")
    (tmp_path / "c.txt").write_text("numpy<3\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "x.py").write_text("1")
    before = {line: key(line) for line in ("-r r.txt", "-c c.txt", "-e ./package", "x @ file:./package", "numpy")}
    assert len(set(before.values())) == len(before)
    (tmp_path / "unrelated").write_text("x")
    assert {line: key(line) for line in before} == before
    (tmp_path / "c.txt").write_text("numpy<2\n")
    (tmp_path / "package" / "x.py").write_text("2")
    changed = {line for line in before if key(line) != before[line]}
    assert changed == {"-r r.txt", "-c c.txt", "-e ./package", "x @ file:./package"}


# --- real builders ------------------------------------------------------------------------------------------------------


def _prepared(folder: Path, manager: str, home: Path, said: list[str] | None = None, *, rebuild: bool = False) -> Environment:
    say = silent if said is None else said.append
    return environments.prepare(reading.load(folder).environment, manager, Asked(home, rebuild=rebuild, say=say))


def _run(environment: Environment, *words: str) -> str:
    done = subprocess.run(words, env=environment.seen({}), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_uv_builds_what_a_python_env_says_and_the_second_time_nothing(project: Write, tmp_path: Path) -> None:
    """``python`` of a process in it is the environment's, with the packages that were asked for and none of ours."""
    folder = project(
        main_py="", python_env_yaml="python: '3.11'\nbuild_dependencies: []\ndependencies: [-r more.txt]", more_txt="packaging>=24\n"
    )
    said: list[str] = []
    made = _prepared(folder, "uv", tmp_path / "home", said)
    assert set(made.packages) == {"packaging"}
    assert _run(made, "python", "-c", "import sys, packaging; print(sys.prefix)").startswith(str(tmp_path / "home"))
    assert said
    said.clear()
    again = _prepared(folder, "uv", tmp_path / "home", said)
    assert (again.executable, again.packages, said) == (made.executable, made.packages, [])
    assert _prepared(folder, "uv", tmp_path / "home", rebuild=True).executable != made.executable


@pytest.mark.soak  # Python brings its own pip into the environment, which takes many seconds
def test_pythons_own_tools_build_one_too(project: Write, tmp_path: Path) -> None:
    """Without uv, and kept apart from what uv builds."""
    folder = project(main_py="", python_env_yaml=f"python: '{sys.version_info.major}.{sys.version_info.minor}'")
    made = _prepared(folder, "virtualenv", tmp_path / "home")
    assert _run(made, "python", "-c", "import sys; print(sys.prefix != sys.base_prefix)") == "True"
    assert made.key != _prepared(folder, "uv", tmp_path / "home").key


def test_a_package_that_is_not_there_is_said_with_the_builders_words(project: Write, tmp_path: Path) -> None:
    """And nothing is left of the environment."""
    folder = project(main_py="", requirements_txt="packaging==0.0.0.1\n")
    with pytest.raises(EnvironmentFailed, match=r"packaging==0\.0\.0\.1"):
        _prepared(folder, "uv", tmp_path / "home")
    assert [path for path in (tmp_path / "home" / shelf.FOLDER).glob("*/*") if path.is_dir()] == []


@pytest.mark.parametrize("manager", ["uv", pytest.param("virtualenv", marks=pytest.mark.soak)])  # pip comes into each of them, slowly
@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (["win-thing==1.0"], r"win-thing 1\.0 \(win_amd64\)"),
        (["needs-it"], r"win-thing 1\.0 \(win_amd64\)"),
        (["old-thing", "mac-thing<2"], r"mac-thing 1\.0 \(macosx_11_0_arm64, manylinux_2_17_\w+\)"),
        (["./index/win_thing-1.0-cp311-cp311-win_amd64.whl"], r"win-thing 1\.0 \(win_amd64\)"),
    ],
)
def test_a_package_of_another_platform_is_named(project: Write, tmp_path: Path, manager: str, lines: list[str], named: str) -> None:
    """In the first line, which is the run's reason too, with what it was made for; nothing is left of the environment."""
    folder = _with_index(project, lines)
    with pytest.raises(
        EnvironmentFailed, match=rf"\Apackages of the environment: made for another platform than this one, [\w-]+: {named}\n"
    ):
        _prepared(folder, manager, tmp_path / "home")
    assert [path for path in (tmp_path / "home" / shelf.FOLDER).glob("*/*") if path.is_dir()] == []


@pytest.mark.parametrize("line", ["old-thing<1", "mac-thing==9", "py-thing"])
def test_no_other_platform_is_blamed_for_what_else_is_wrong(project: Write, tmp_path: Path, line: str) -> None:
    """A version that nobody made, or one for another Python, is said in the installer's words alone."""
    with pytest.raises(EnvironmentFailed, match=r"\Apackages of the environment: `") as caught:
        _prepared(_with_index(project, [line]), "uv", tmp_path / "home")
    assert "made for another platform" not in str(caught.value)


def test_what_a_marker_keeps_for_another_platform_is_left_out(project: Write, tmp_path: Path) -> None:
    """A lock that is for several platforms builds on each of them."""
    lines = [
        "win-thing==1.0; sys_platform == 'win32'",
        "mac-thing==1.0 ; platform_system == 'Darwin'",
        "old-thing==1.0; sys_platform != 'win32'",
    ]
    assert dict(_prepared(_with_index(project, lines), "uv", tmp_path / "home").packages) == {"old-thing": "1.0"}


def _with_index(project: Write, lines: list[str]) -> Path:
    """A project with these dependencies, and an index of packages of which some are for other platforms only."""
    other = "x86_64" if platform.machine() != "x86_64" else "aarch64"
    folder = project(main_py="", python_env_yaml=json.dumps({"dependencies": ["--no-index", "--find-links ./index", *lines]}))
    for name, version, tag, *needs in (
        ("win-thing", "1.0", "cp311-cp311-win_amd64"),
        ("mac-thing", "1.0", "py3-none-macosx_11_0_arm64"),
        ("mac-thing", "1.0", f"py3-none-manylinux_2_17_{other}"),
        ("mac-thing", "2.0", "py3-none-any"),
        ("old-thing", "1.0", "py3-none-any"),
        ("needs-it", "1.0", "py3-none-any", "win-thing"),
        ("py-thing", "1.0", f"cp27-cp27m-manylinux1_{platform.machine()}"),
        ("py-thing", "1.0", "cp27-cp27m-win_amd64"),
    ):
        wheel(folder / "index", name, version, tag, *needs)
    return folder


def test_pips_log_tells_what_was_made_for_other_platforms() -> None:
    """Of what it found no version for, by the wheels that it passed over; not where one of them was for this platform."""
    skipped = (
        "2026-01-01T00:00:00,000 Skipping link: none of the wheel's tags ({}) are compatible (run pip debug --verbose to show compatible"
    )
    skipped += " tags): file:///i/{}-{}.whl"
    win = skipped.format("cp311-cp311-win_amd64", "win_thing-1.0", "cp311-cp311-win_amd64")
    here = skipped.format("cp27-cp27m-linux_x86_64", "win_thing-1.0", f"cp27-cp27m-linux_{platform.machine()}")
    gone = "ERROR: No matching distribution found for win-thing>=1"
    assert made_for_others([win, gone]).endswith(": win-thing 1.0 (win_amd64)")
    assert made_for_others([win, gone.replace(">=1", ">=2")]) == made_for_others([win, here, gone]) == made_for_others([win]) == ""
    strange = skipped.format("x", "no", "wheel")
    assert (
        made_for_others([strange, "ERROR: No matching distribution found for ???", "x.whl is not a supported wheel on this platform."])
        == ""
    )


def test_a_patch_of_python_that_is_not_to_be_had_is_told(project: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The minor version is taken, and that is said, also of an environment that stood already."""
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = project(main_py="", python_env_yaml=f"python: {minor}.99")
    for _ in range(2):
        assert any(f"Python {minor}.99 is not to be had" in note for note in _prepared(folder, "uv", tmp_path / "home").notes)


def test_an_interrupted_build_ends_its_builder(project: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever breaks off the wait leaves no installer running, and no half environment."""
    tool = tmp_path / "bin" / "uv"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nsleep 600\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    folder = project(main_py="", requirements_txt="packaging\n")

    def interrupt() -> None:
        _until(tmp_path / "pid")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        _prepared(folder, "uv", tmp_path / "home")
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert [path for path in (tmp_path / "home" / shelf.FOLDER).glob("*/*") if path.is_dir()] == []


# --- conda --------------------------------------------------------------------------------------------------------------


def test_packages_of_conda_are_taken_from_pythons_index_and_each_is_said() -> None:
    """Known names are translated, versions written as pip writes them, and what is no Python package is named."""
    packages = ("pytorch=2.1.*", "py-xgboost", "conda-forge::scikit-learn>=1.5,<2", "cudatoolkit=11.8", "r-base=4.3", "nomkl", "librosa")
    found = converted(Conda(Path("conda.yaml"), "3.11", packages, ("prefect>=3",)))
    assert found.lines == ("torch==2.1.*", "xgboost", "scikit-learn>=1.5,<2", "librosa", "prefect>=3")
    assert found.lacking == ("cudatoolkit", "r-base")
    assert any("pytorch=2.1.* is taken from the index of Python packages, as torch==2.1.*" in line for line in found.said)
    assert any("nomkl is left out" in line for line in found.said)


def test_what_only_conda_can_give_is_named_before_anything_is_built(project: Write, tmp_path: Path) -> None:
    """With what can be done about it."""
    folder = project(main_py="", conda_yaml="dependencies: [python=3.11, cudatoolkit=11.8, r-base]")
    spec = reading.load(folder).environment
    (sentence,) = environments.check(spec, "uv")
    assert "only conda can give cudatoolkit, r-base" in sentence
    with pytest.raises(EnvironmentFailed, match="only conda can give"):
        environments.prepare(spec, "uv", Asked(tmp_path))


def test_uv_builds_a_conda_file_where_there_is_no_conda(project: Write, tmp_path: Path) -> None:
    """Python from its version, packages of both kinds from Python's index."""
    text = "dependencies: [python=3.11, 'packaging>=24', {pip: ['-r more.txt']}]"
    made = _prepared(project(main_py="", conda_yaml=text, more_txt="iniconfig\n"), "uv", tmp_path / "home")
    assert set(made.packages) == {"packaging", "iniconfig"}
    assert any("packaging>=24 is taken from the index" in note for note in made.notes)


_CONDA = """#!/bin/sh
echo "$0" "$@" >> {log}
while [ $# -gt 0 ]; do case "$1" in --prefix) shift; prefix="$1";; esac; shift; done
mkdir -p "$prefix/bin" "$prefix/conda-meta" "$prefix/etc/conda/activate.d"
ln -s {python} "$prefix/bin/python"
echo '{{"version": "3.11.9"}}' > "$prefix/conda-meta/python-3.11.9-x.json"
echo 'export FROM_ACTIVATION=yes' > "$prefix/etc/conda/activate.d/x.sh"
"""


@pytest.mark.parametrize(("name", "verb"), [("conda", "env create"), ("micromamba", "create --yes")])
def test_a_real_conda_is_used_where_it_is_there(
    name: str, verb: str, project: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shown with a stand-in that records what it is asked: the file goes to it as it is, once, and its packages' scripts are read."""
    tool = tmp_path / "bin" / name
    tool.parent.mkdir()
    tool.write_text(_CONDA.format(log=tmp_path / "log", python=sys.executable))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    folder = project(main_py="", conda_yaml="dependencies: [python=3.11, cudatoolkit]")
    assert environments.choose(reading.load(folder).environment, None) == "conda"
    made = [_prepared(folder, "conda", tmp_path / "home") for _ in range(2)][-1]
    (asked,) = (tmp_path / "log").read_text().splitlines()
    assert verb in asked
    assert asked.endswith(f"--file {folder}/conda.yaml")
    assert made.python == "3.11.9"
    assert _run(made, *made.words(["sh", "-c", "echo $FROM_ACTIVATION"], folder, "", {})) == "yes"


# --- docker -------------------------------------------------------------------------------------------------------------

_DOCKER = """#!{python}
import json, os, sys
with open({log!r}, "a") as file:
    file.write(json.dumps([sys.argv[1:], os.environ.get("SECRET_TOKEN", ""), os.environ.get("NEW", "")]) + "\\n")
if sys.argv[1:3] == ["image", "inspect"]:
    print("sha256:" + "ab" * 32)
if "build" in sys.argv:
    sys.stdin.read()
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for docker, which records what it is asked: no engine answers here. Returns the record."""
    tool = tmp_path / "bin" / "docker"
    tool.parent.mkdir()
    tool.write_text(_DOCKER.format(python=sys.executable, log=str(tmp_path / "log")))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    return tmp_path / "log"


_IMAGE = """
name: My Project
docker_env:
  image: python:3.11
  volumes: ["/data:/data", "./cache:/cache"]
  environment: [["NEW", "value"], "SECRET_TOKEN"]
entry_points:
  main: {command: "python main.py"}
"""


def test_docker_runs_the_command_in_the_folder_with_variables_by_name(
    docker: Path, project: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words of the command, as a stand-in got them: no value of a variable is among them."""
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    folder = project(MLproject=_IMAGE, main_py="")
    home = tmp_path / "home"
    home.mkdir()
    made = environments.prepare(reading.load(folder).environment, "docker", Asked(home))
    words = made.words(["bash", "-c", "python main.py"], folder, "r1", {"PREFECT_LEDGER_RUN_ID": "r1"}, ["/rows.csv"])
    subprocess.run(words, env=made.seen({"PREFECT_LEDGER_RUN_ID": "r1"}), check=True, timeout=60)
    asked, secret, new = json.loads(docker.read_text().splitlines()[-1])
    assert asked[:6] == ["run", "--rm", "--init", "--name", "prefect-ledger-r1", "--workdir"]
    volumes = [asked[at + 1] for at, word in enumerate(asked) if word == "--volume"]
    assert volumes == [f"{folder}:/mlflow/projects/code", f"{home}:{home}", "/rows.csv:/rows.csv", "/data:/data", f"{folder}/cache:/cache"]
    assert [asked[at + 1] for at, word in enumerate(asked) if word == "--env"] == ["NEW", "SECRET_TOKEN", "PREFECT_LEDGER_RUN_ID"]
    assert asked[-4:] == ["python:3.11", "bash", "-c", "python main.py"]
    assert (secret, new) == ("hunter2", "value")
    assert "hunter2" not in " ".join(asked)
    made.stop("r1")
    assert json.loads(docker.read_text().splitlines()[-1])[0] == ["rm", "--force", "prefect-ledger-r1"]


def test_docker_builds_an_image_with_the_project_when_asked(docker: Path, project: Write, tmp_path: Path) -> None:
    """Named after the project and what is in it."""
    folder = project(MLproject=_IMAGE, main_py="")
    made = environments.prepare(reading.load(folder).environment, "docker", Asked(tmp_path, "My Project", build_image=True))
    built = next(asked for asked, *_ in map(json.loads, docker.read_text().splitlines()) if asked[0] == "build")
    assert built[2].startswith("my-project:")
    assert built[2] in made.description
    assert f"{folder}:/mlflow/projects/code" not in made.words(["x"], folder, "r1", {})


@pytest.mark.parametrize(
    ("kind", "asked"), [("docker", "uv"), ("python", "docker"), ("python", "conda"), ("conda", "docker"), ("python", "poetry")]
)
def test_a_manager_that_cannot_make_it_is_refused(kind: Any, asked: str) -> None:
    """With those that can."""
    with pytest.raises(InvalidValue, match=r"take|there are"):
        environments.choose(EnvironmentSpec(kind), asked)
