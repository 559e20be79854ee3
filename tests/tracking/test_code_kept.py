"""What a run keeps of its code: the commit, what the commit has not, and what was started."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger.settings import Settings
from prefect_ledger.tracking.surroundings import keeps_changes
from tests.services.test_changes import made, run_git
from tests.services_real.processes import clean_environment

SCRIPT = """
import json, sys, threading
from prefect_ledger import start_run, get_run
from prefect_ledger.capture import changes, repository
sys.modules["prefect_ledger.capture.changes"].SECONDS = repository.GIT_SECONDS = 60.0  # a busy machine
with start_run(experiment="code") as run:
    run.log_metric("x", 1.0)
for thread in threading.enumerate():
    if thread.name == "prefect-ledger-capture":
        thread.join()
found = get_run(run.id)
patch = next((one for one in found.artifacts if one.path == "code/changes.patch"), None)
text = found.reader.read_artifact(patch).decode() if patch else ""
print(json.dumps({"facts": dict(found.facts), "patch": text, "kind": patch.kind if patch else ""}))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with a committed script."""
    folder = made(tmp_path / "tree")
    (folder / "script.py").write_text(SCRIPT)
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "script")
    return folder


def run(tree: Path, *words: str, **more: str) -> Any:
    """What the script says of its run."""
    env = clean_environment(PREFECT_LEDGER_HOME=f"{tree.parent}/ledger", PREFECT_HOME=f"{tree.parent}/prefect", **more)
    done = subprocess.run([sys.executable, *words], cwd=tree, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_run_of_a_ledger_on_this_machine_keeps_what_its_commit_has_not(tree: Path) -> None:
    """The patch is an artifact of the run; the facts say which files are in it, and which are left out and why."""
    (tree / "train.py").write_text("a = 1\nb = 3\n")
    (tree / ".env").write_text("A=1\n")
    found = run(tree, "script.py", "--depth", "3", "--password", "hunter2hunter2")
    assert "+b = 3" in found["patch"]
    assert found["kind"] == "code"
    changes = found["facts"]["git"]["changes"]
    assert (changes["files"], changes["artifact"]) == (["train.py"], "code/changes.patch")
    assert changes["left_out"] == [[".env", "its name says that it holds secrets"]]
    entry = found["facts"]["entry"]
    assert (entry["kind"], entry["file"]) == ("script", str(tree / "script.py"))
    assert entry["arguments"][:2] == ["--depth", "3"]
    assert "hunter2" not in json.dumps(found)


def test_a_module_says_that_it_is_one(tree: Path) -> None:
    """``python -m`` is told from a script."""
    entry = run(tree, "-m", "script")["facts"]["entry"]
    assert (entry["kind"], entry["module"], entry["arguments"]) == ("script", "script", [])


@pytest.mark.parametrize("said", [{"PREFECT_LEDGER_CAPTURE_CHANGES": "off"}, {"PREFECT_LEDGER_CAPTURE_GIT": "false"}])
def test_it_can_be_switched_off(tree: Path, said: dict[str, str]) -> None:
    """Then nothing of the changes is kept."""
    (tree / "train.py").write_text("a = 1\nb = 3\n")
    found = run(tree, "script.py", **said)
    assert found["patch"] == ""
    assert "changes" not in found["facts"].get("git", {})


def test_a_shared_ledger_keeps_changes_only_where_it_is_asked_to(tmp_path: Path) -> None:
    """Others could read them: a store or a root elsewhere keeps nothing by itself."""

    def kept(**given: str) -> bool:
        return keeps_changes(Settings.resolve(environ={}, folder="/", home=str(tmp_path), **given))

    shared = "postgresql+psycopg://u@127.0.0.1/ledger"
    assert kept()
    assert not kept(store_url=shared)
    assert not kept(artifact_root="s3://bucket/artifacts")
    assert kept(store_url=shared, capture_changes="on")
    assert not kept(capture_changes="off")
