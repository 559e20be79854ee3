"""A run whose packages are not those here: an environment of exactly them is built."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from prefect_ledger import search_runs
from prefect_ledger.deploying import wheels
from prefect_ledger.errors import EnvironmentFailed
from prefect_ledger.projects.environments.pythons import find_uv
from prefect_ledger.rerun import planned, rerun
from prefect_ledger.rerun.starting import different
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.verdict import Reproduced
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
