"""``prefect-ledger deploy``: what it makes outlives it, and what it says is for people or for scripts."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prefect_ledger import start_run
from prefect_ledger.cli import main
from prefect_ledger.deploying import get_target, target_names
from prefect_ledger.deploying.local import Local
from prefect_ledger.errors import InvalidValue
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.models import find_model
from tests.deploying.conftest import times
from tests.services_real.processes import clean_environment

Run = Callable[..., Any]


@pytest.fixture
def run(fresh_ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a command in this process; returns its answer, of ``--json`` as values. Deployments go at the end."""

    def one(*words: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert main(["deploy", *words]) == code
        out, err = capsys.readouterr()
        return json.loads(out) if "--json" in words or (words[0] == "predict" and not code) else out + err

    yield one
    for found in Local().list():
        Local().delete(found.name)


@pytest.mark.long
def test_a_logged_model_from_its_creation_to_its_end(
    run: Run, fresh_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Created by a command that ends; asked, listed and deleted by others. A model of the ledger needs nobody's word."""
    with start_run(experiment="deploying") as one:
        logged = one.log_model(times(2.0), "churn", requirements=[], input_example=(np.array([[1.0, 2.0]]), {"times": 2.0}))
    assert find_model(f"runs:/{one.id}/churn").id == logged.id
    env = clean_environment(PREFECT_LEDGER_HOME=str(fresh_ledger.settings.home), PREFECT_HOME=str(tmp_path / "prefect"))
    command = [sys.executable, "-m", "prefect_ledger.cli", "deploy", "create", "local", "churn", f"runs:/{one.id}/churn", "-C", "threads=2"]
    done = subprocess.run([*command, "--json"], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["state"], made["model_id"], made["digest"]) == ("serving", logged.id, logged.digest)
    assert [found["name"] for found in run("list", "--json")["deployments"]] == ["churn"]
    assert run("get", "local", "churn", "--json") == made
    (tmp_path / "rows.json").write_text('{"inputs": [[1, 2]], "params": {"times": 5}}')
    assert run("predict", "local", "churn", "--data", str(tmp_path / "rows.json")) == {"predictions": [[5.0, 10.0]]}
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n3,4\n")
    assert run("predict", "local", "churn", "--data", str(tmp_path / "rows.csv")) == {"predictions": [[2.0, 4.0], [6.0, 8.0]]}
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"[[1, 1]]")))
    assert run("predict", "local", "churn", "--data", "-", "--param", "times=0.5") == {"predictions": [[0.5, 0.5]]}
    words = run("list", "local")
    assert all(word in words for word in ("churn", "serving", made["url"]))
    assert "deleted churn of local" in run("delete", "local", "churn")
    assert "no deployments" in run("list", "local")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("get", "local", "none"), "no deployment 'none'"),
        (("get", "moon", "none"), "no target 'moon'; there are: docker, kubernetes, local, sagemaker"),
        (("create", "local", "a", "models:/m-1", "-C", "port"), "write key=value"),
        (("create", "local", "a", "models:/m-1", "-C", "port=1", "-C", "port=2"), "each key once"),
        (("create", "local", "a", "models:/m-1", "-C", "colour=red"), "no option 'colour'"),
        (("create", "local", "../a", "models:/m-1"), "small letters"),
        (("create", "kubernetes", "a", "models:/m-1"), "'image' is missing"),
        (("predict", "local", "a", "--data", "/nowhere.json"), "cannot be read"),
    ],
)
def test_what_cannot_be_is_one_sentence(run: Run, words: tuple[str, ...], said: str) -> None:
    """Exit code 1, what is wrong and what is wanted, and no traceback."""
    out = run(*words, code=1)
    assert said in out
    assert "Traceback" not in out


def test_targets_are_listed_with_their_options(run: Run) -> None:
    """For people, and for scripts with the defaults as JSON has them."""
    assert run("targets", "--json")["targets"]["local"]["workers"] == 1
    assert "max_replicas" in run("targets")


def test_a_package_brings_a_target(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is really installed is found by its entry point; one that is no target, or does not load, is told by name."""
    (tmp_path / "moonshot.py").write_text(
        "from prefect_ledger.deploying import Deployment, Target\n"
        "class Moon(Target):\n"
        "    name = 'moon'\n"
        "    options = {'phase': 'full'}\n"
        "    def create(self, name, model, config=None): return Deployment(name, 'moon', 'serving', model)\n"
        "    def update(self, name, model=None, config=None): return self.get(name)\n"
        "    def delete(self, name): pass\n"
        "    def list(self): return [self.get('base')]\n"
        "    def get(self, name): return Deployment(name, 'moon', 'serving', 'm')\n"
        "    def predict(self, name, data, params=None): return data\n"
    )
    info = tmp_path / "moonshot-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: moonshot\nVersion: 1.0\n")
    points = "[prefect_ledger.targets]\nmoon = moonshot:Moon\nnone = moonshot:Deployment\ngone = moonshot:Gone\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert {"moon", "local"} <= set(target_names())
    assert run("create", "moon", "base", "m", "-C", "phase=new", "--json")["state"] == "serving"
    assert [one["name"] for one in run("list", "moon", "--json")["deployments"]] == ["base"]
    assert run("predict", "moon", "base", "--data", str(_file(tmp_path, "[1]"))) == {"predictions": [1]}
    for name, words in (("none", "cannot be loaded"), ("gone", "cannot be loaded")):
        with pytest.raises(InvalidValue, match=words):
            get_target(name)
    listed = run("list", "--json")
    assert {"none", "gone"} <= set(listed["not_asked"])
    assert [one["target"] for one in listed["deployments"]] == ["moon"]


def _file(folder: Path, text: str) -> Path:
    path = folder / "data.json"
    path.write_text(text)
    return path
