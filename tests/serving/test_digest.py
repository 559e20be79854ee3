"""A model that is served with a proof: the one whose files have the digest, and no other."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from prefect_ledger import start_run
from prefect_ledger.errors import ArtifactCorrupt, InvalidValue
from prefect_ledger.models.manifest import folder_digest
from prefect_ledger.serving.following import Followed
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.models import copy_to
from tests.services_real.processes import clean_environment
from tests.serving.running import server


@pytest.fixture
def folder(array_model: Path, tmp_path: Path) -> Path:
    """A model whose opening runs code."""
    return Path(shutil.copytree(array_model, tmp_path / "model"))


def test_the_model_with_the_digest_may_run_its_code(folder: Path) -> None:
    """Nobody says trust: the digest is the word of whoever deployed it; and opening it leaves the files as they are."""
    digest = folder_digest(folder)
    followed = Followed(str(folder), digest=digest.upper())
    assert followed.current.predict([[1.0, 2.0]]).tolist() == [[2.0, 4.0]]
    assert followed.current.about["digest"] == digest == folder_digest(folder)


@pytest.mark.parametrize("how", ["changed", "added", "removed", "linked", "linked folder"])
def test_another_list_of_files_is_refused(folder: Path, tmp_path: Path, how: str) -> None:
    """A byte, a file more or less, a link: none of it is opened."""
    digest = folder_digest(folder)
    one = next(path for path in folder.iterdir() if path.suffix == ".pkl")
    if how == "changed":
        one.write_bytes(one.read_bytes()[:-1] + b"!")
    elif how == "added":
        (folder / "more").mkdir()
        (folder / "more" / "more.py").write_text("raise SystemExit")
    elif how == "removed":
        (folder / "requirements.txt").unlink()
    elif how == "linked":
        shutil.move(one, tmp_path / "elsewhere")
        one.symlink_to(tmp_path / "elsewhere")
    else:
        (tmp_path / "aside").mkdir()
        (folder / "more").symlink_to(tmp_path / "aside")
    with pytest.raises((ArtifactCorrupt, InvalidValue), match=r"digest|link"):
        Followed(str(folder), digest=digest)


@pytest.mark.parametrize("digest", ["abc", "z" * 64, "0" * 63 + "\n"])
def test_what_is_no_digest_is_refused(folder: Path, digest: str) -> None:
    """A typo is told, and never read as "no digest"."""
    with pytest.raises(InvalidValue, match="sha256"):
        Followed(str(folder), digest=digest)


def test_a_logged_model_is_known_by_its_digest(fresh_ledger: Ledger, tmp_path: Path) -> None:
    """The digest that was logged is that of the folder it is copied to, and a reference that means another model is refused."""
    with start_run(experiment="serving") as run:
        logged = run.log_model(_twice(), "m", requirements=[])
    copy_to(logged.uri, tmp_path / "copy")
    assert folder_digest(tmp_path / "copy") == logged.digest
    assert Followed(logged.uri, digest=logged.digest).current.about["model_id"] == logged.id
    with pytest.raises(ArtifactCorrupt, match="not the model"):
        Followed(logged.uri, digest="0" * 64)


def _twice() -> Callable[[list[float]], list[float]]:
    return lambda data: [2 * x for x in data]


def test_a_server_tells_which_model_it_is(tmp_path: Path, fresh_ledger: Ledger) -> None:
    """``/metadata`` and each answer say what the MLmodel file says, since the digest is of that too."""
    with start_run(experiment="serving") as run:
        logged = run.log_model(_twice(), "m", requirements=[])
    copy_to(logged.uri, tmp_path / "copy")
    with server(str(tmp_path / "copy"), tmp_path, "--digest", logged.digest, "--share-port") as one:
        status, found, headers = one.ask({"inputs": [4.0]})
        assert (status, found, headers["x-model-id"]) == (200, {"predictions": [8.0]}, logged.id)
        said = one.ask(None, "/metadata")[1]
    wanted = {"model_id": logged.id, "run_id": run.id, "name": "m", "digest": logged.digest}
    assert {key: said[key] for key in wanted} == wanted


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"PREFECT_LEDGER_MODEL_DIGEST": "0" * 64}, "is not the model that was to be served"),
        ({}, "is not opened"),
    ],
)
@pytest.mark.long
def test_a_server_of_several_workers_that_cannot_open_its_model_ends(folder: Path, more: dict[str, str], words: str) -> None:
    """With one sentence, and not with workers that are started again and again; nor does it say that it serves."""
    env = clean_environment(PREFECT_LEDGER_MODEL=str(folder), **more)
    command = [sys.executable, "-m", "prefect_ledger.cli", "serve", "--port", "0", "--workers", "2"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
