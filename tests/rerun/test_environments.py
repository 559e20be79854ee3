"""A run whose packages are not those here: an environment of exactly them is built."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from prefect_ledger import get_run, open_run, run_project, search_runs
from prefect_ledger.cli import main
from prefect_ledger.deploying import wheels
from prefect_ledger.errors import EnvironmentFailed
from prefect_ledger.projects.environments.pythons import find_uv
from prefect_ledger.rerun import planned, rerun
from prefect_ledger.rerun.plan import other_platform
from prefect_ledger.rerun.starting import different
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.verdict import Reproduced
from tests.projects.conftest import wheel
from tests.rerun.conftest import ran


@pytest.mark.soak
def test_uncommitted_changes_are_run_again_in_a_fresh_clone_and_a_fresh_environment(tree: Path, fresh_ledger: Ledger) -> None:
    """The run was made with other packages than ours; its repetition has exactly those, and the second one needs no building."""
    env = tree.parent / "env"
    wheel = wheels.build(tree.parent)
    subprocess.run([find_uv(), "venv", "-q", str(env)], check=True)
    subprocess.run([find_uv(), "pip", "install", "-q", "--python", str(env / "bin/python"), str(wheel)], check=True)
    (tree / "src" / "fit.py").write_text((tree / "src" / "fit.py").read_text().replace("/ (step + 1)", "/ (step + 2)"))
    subprocess.run([str(env / "bin/python"), "src/fit.py", "5"], cwd=tree, check=True, env=dict(os.environ))
    first = search_runs("again")[0]
    assert "streamlit" not in first.facts["packages"]
    assert "streamlit" not in different(planned(first.id))  # what came since does not count
    said: list[str] = []
    again = rerun(first.id, verify=True, env_manager="uv", say=said.append)
    assert again.verdict is not None
    assert (again.verdict.result, again.verdict.differences) == (Reproduced.IDENTICAL, ())
    assert again.run.facts["packages"] == first.facts["packages"]
    assert again.run.facts["environment"]["executable"] != first.facts["environment"]["executable"]
    said.clear()
    assert rerun(first.id, env_manager="uv", say=said.append).exit_code == 0
    assert not any("building" in sentence for sentence in said)


@pytest.mark.long
def test_a_version_that_is_gone_is_named(tree: Path, fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is run then, and nothing half built is left."""
    site = tree.parent / "site"
    info = site / "packaging-999.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: packaging\nVersion: 999.0\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    first = ran(fresh_ledger, tree, "src/fit.py")
    with pytest.raises(EnvironmentFailed, match=r"packaging==999"):
        rerun(first.id)
    assert len(search_runs("again")) == 1
    left = [path for path in (fresh_ledger.settings.home / "environments").rglob("*") if path.name == "python"]
    assert left == []


@pytest.mark.long
def test_the_environment_of_a_project_has_the_versions_that_it_had(tmp_path: Path, fresh_ledger: Ledger) -> None:
    """Though the project leaves them open and there are newer ones, and the environment of the run is gone; what stands is used again."""
    folder = tmp_path / "project"
    folder.mkdir()
    for version in ("1.0", "2.0"):
        wheel(folder / "index", "thing", version, "py3-none-any")
        (folder / "python_env.yaml").write_text(json.dumps({"dependencies": ["--no-index", "--find-links ./index", "thing"]}))
        (folder / "MLproject").write_text("name: p\npython_env: python_env.yaml\nentry_points:\n  main: {command: python main.py}\n")
        (folder / "main.py").write_text("from importlib.metadata import version\nprint(version('thing'))\n")
        if version == "1.0":
            first = run_project(folder, experiment="open", echo=False)
            shutil.rmtree(fresh_ledger.settings.home / "environments")
    said: list[str] = []
    for again in (rerun(first.id, say=said.append), rerun(first.id, say=said.append)):
        assert again.run.facts["packages"]["thing"] == "1.0"
        assert again.run.reader is not None
        [log] = [one for one in again.run.artifacts if one.path == "output.log"]
        assert again.run.reader.read_artifact(log) == b"1.0\n"
    assert sum("building" in sentence for sentence in said) == 2  # of the newest, to see, and of those of the run


def test_a_run_of_another_platform_is_told_before_anything_starts(
    tree: Path, fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the plan, and by what is said first; with the packages that are here it runs all the same, and the verdict names the platform."""
    first = _made_on(ran(fresh_ledger, tree, "src/fit.py").id, "Darwin-23.5.0-arm64")
    told = "another platform, Darwin-23.5.0-arm64, and this one is Linux-"
    assert told in planned(first).lacking[0]
    assert main(["rerun", first, "--dry-run"]) == 0
    assert "another platform, Darwin-23.5.0-arm64" in " ".join(capsys.readouterr().err.split())
    said: list[str] = []
    again = rerun(first, verify=True, env_manager="local", say=said.append)
    assert told in said[0]
    assert again.verdict is not None
    found = {one.name: (one.before, one.after) for one in again.verdict.differences if one.cause == "hardware"}
    assert found["platform"] == ("Darwin-23.5.0-arm64", again.run.facts["environment"]["platform"])
    assert again.verdict.result is Reproduced.IDENTICAL
    assert planned(again.run.id).lacking == ()  # and of a run of this platform nothing is told


@pytest.mark.long
def test_a_package_of_another_platform_is_named(tree: Path, fresh_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of Windows had a package that is only for Windows: the error names it and says so, nothing is run, and nothing is left."""
    first = _made_on(ran(fresh_ledger, tree, "src/fit.py").id, "Windows-10-AMD64", {"win-thing": "1.0"})
    wheel(tmp_path / "index", "win-thing", "1.0", "cp311-cp311-win_amd64")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "index"))
    with pytest.raises(EnvironmentFailed, match=r"made for another platform than this one, .*: win-thing 1\.0 \(win_amd64\)\n"):
        rerun(first)
    assert len(search_runs("again")) == 1
    assert [path for path in (fresh_ledger.settings.home / "environments").glob("*/*") if path.is_dir()] == []


@pytest.mark.parametrize(
    ("then", "here", "told"),
    [
        ("Linux-5.4.0-x86_64", "Linux-6.8.1-x86_64", False),
        ("", "Linux-6.8.1-x86_64", False),
        ("macOS-14 arm64", "Darwin-23.5.0-arm64", False),
        ("Linux-6.8.1-aarch64", "Linux-6.8.1-x86_64", True),
        ("Windows-10-AMD64", "Linux-6.8.1-x86_64", True),
    ],
)
def test_another_kernel_is_no_other_platform(then: str, here: str, *, told: bool) -> None:
    """System and processor make a platform, by whichever name they go."""
    assert bool(list(other_platform({"platform": then} if then else {}, here))) is told


def _made_on(run_id: str, platform: str, packages: Mapping[str, str] | None = None) -> str:
    """Have a run say that it was made on a platform."""
    facts = {"environment": {**get_run(run_id).facts["environment"], "platform": platform}}
    open_run(run_id).describe(facts, packages)
    assert get_run(run_id).facts["environment"]["platform"] == platform
    return run_id
