"""The block LedgerStore on a real server: kept with its secrets, found by settings, survived where it cannot be had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.serializers import PickleSerializer
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite

from prefect_ledger import LedgerStore, configure, search_runs, tracked_flow, tracked_task
from prefect_ledger.cli.checks import Check, _settings
from prefect_ledger.errors import BlockNotLoaded, InvalidSettings
from prefect_ledger.orchestration import context, surroundings
from prefect_ledger.settings import Settings
from prefect_ledger.tracking import ledger as module
from prefect_ledger.tracking.ledger import LedgerWarning

SECRET = "hunter2secret"


class TestStandard(BlockStandardTestSuite):
    """What Prefect asks of every block."""

    @pytest.fixture
    def block(self) -> type[Block]:
        return LedgerStore

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """It names no image: that would be a page of somebody else's that every server's UI would ask for."""
        assert block._logo_url is None


@pytest.fixture
def name() -> str:
    """A block's name that no other test has."""
    return f"team-{uuid4().hex[:8]}"


@pytest.fixture
def store(tmp_path: Path) -> LedgerStore:
    """A block whose every secret can be found again."""
    return LedgerStore(
        store_url=f"sqlite:///{tmp_path}/{SECRET}/team.db",  # type: ignore[arg-type]  # pydantic makes a secret of it
        artifact_root=str(tmp_path / "artifacts"),
        folder="staging",
        storage_options={"key": SECRET},  # type: ignore[arg-type]
    )


@pytest.fixture
def own_ledger(prefect_server: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process's ledger is made anew when it is first asked for, and closed at the end."""
    monkeypatch.setattr(module, "_ledger", None)
    yield
    surroundings.finish()
    if module._ledger is not None:
        module._ledger.close()


def save(store: LedgerStore, name: str) -> None:
    """Keep ``store`` on the server."""
    store.save(name, overwrite=True)


# --- kept in Prefect --------------------------------------------------------------------------------------------------------


def test_a_block_comes_back_as_it_was_saved(prefect_server: str, name: str, store: LedgerStore) -> None:
    """What was saved is loaded, secrets and all, and the settings it stands for put the folder below the root."""
    save(store, name)
    loaded = LedgerStore.load(name)
    assert isinstance(loaded, LedgerStore)
    assert loaded.settings() == store.settings()
    assert loaded.settings()["artifact_root"].endswith("/artifacts/staging")
    assert loaded.settings()["storage_options"] == {"key": SECRET}


def test_the_api_shows_stars(prefect_server: str, name: str, store: LedgerStore) -> None:
    """Who asks Prefect's API without asking for secrets gets neither the database's URL nor a storage option."""
    save(store, name)
    with get_client(sync_client=True) as client:
        document = client.read_block_document_by_name(name, "ledger-store", include_secrets=False)
    assert set(str(document.data["store_url"])) == {"*"}
    assert SECRET not in json.dumps(document.data, default=str)
    assert SECRET not in repr(store)


def test_prefect_finds_it_by_its_entry_point() -> None:
    """Prefect's server and commands, which import collections when they start, know the block by that alone."""
    (found,) = entry_points(group="prefect.collections", name="prefect_ledger")
    assert found.load().LedgerStore is LedgerStore


@pytest.mark.soak
def test_prefect_registers_it(prefect_server: str) -> None:
    """``prefect block register -m prefect_ledger`` makes the block type known to a server."""
    env = {**os.environ, "PREFECT_API_URL": prefect_server}
    command = [sys.executable, "-m", "prefect", "block", "register", "-m", "prefect_ledger"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with urllib.request.urlopen(f"{prefect_server}/block_types/slug/ledger-store", timeout=10) as answer:
        assert json.load(answer)["name"] == "Ledger Store"


@pytest.mark.parametrize(
    "given",
    [
        {"store_url": f"mysql://u:{SECRET}@h/d", "artifact_root": "/a"},
        {"store_url": "sqlite:////a/b.db", "artifact_root": f"s3://key:{SECRET}@bucket/x"},
        {"store_url": "sqlite:////a/b.db", "artifact_root": " "},
    ],
)
def test_a_block_refuses_what_could_not_be_used(given: dict[str, Any]) -> None:
    """A URL that is no store's, and keys where everybody reads them, are refused when the block is made, and not quoted."""
    with pytest.raises(ValueError, match=r"store_url|artifact_root") as caught:
        LedgerStore(**given)
    assert SECRET not in str(caught.value)


# --- named by settings ----------------------------------------------------------------------------------------------------


def test_a_block_stands_between_the_files_and_the_default(
    prefect_server: str, home: Path, name: str, store: LedgerStore, tmp_path: Path
) -> None:
    """What a block says holds where no argument, variable or file says otherwise; the origin says that it won."""
    save(store, name)
    (tmp_path / "prefect.toml").write_text(f'[integrations.ledger]\nblock = "{name}"\n', encoding="utf-8")
    found = Settings.resolve(folder=tmp_path)
    assert found.store_url == store.settings()["store_url"]
    assert found.storage_options == {"key": SECRET}
    assert (found.origin["store_url"], found.origin["artifact_root"]) == (f"block {name}", f"block {name}")
    assert found.origin["block"].startswith("prefect.toml")
    assert (found.origin["home"], found.home) == ("environment PREFECT_LEDGER_HOME", home)
    for source, given in [("argument", {"store_url": "sqlite:////a/b.db"}), ("environment PREFECT_LEDGER_STORE_URL", {})]:
        environ = {**os.environ, "PREFECT_LEDGER_STORE_URL": "sqlite:////c/d.db"}
        other = Settings.resolve(folder=tmp_path, environ=environ, **given)
        assert other.origin["store_url"] == source
        assert other.origin["artifact_root"] == f"block {name}"


def test_doctor_shows_the_winner_and_no_secret(prefect_server: str, home: Path, name: str, store: LedgerStore) -> None:
    """``doctor`` says which block won, and that storage options are set, without what they are."""
    save(store, name)
    found: list[Check] = list(_settings(Settings.resolve(block=name)))
    said = {check.name: check.found for check in found}
    assert said["artifact_root"].endswith(f"(block {name})")
    assert said["storage_options"].startswith("key=********")
    (missing,) = [c for c in _settings(Settings.resolve(block=f"{name}-not", patient=True)) if c.verdict == "wrong"]
    assert f"{name}-not" in missing.found


def test_nobody_is_asked_where_no_block_is_named_or_needed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings without a block, or with everything that a block could say, ask nobody."""
    from prefect_ledger import sources

    asked: list[str] = []

    def ask(name: str) -> dict[str, Any]:
        asked.append(name)
        raise BlockNotLoaded(name)

    monkeypatch.setattr(sources, "shelf", sources.Shelf(ask, lambda name: name))
    Settings.resolve()
    Settings.resolve(block="x", store_url="sqlite:////a/b.db", artifact_root="/a")
    assert asked == []
    with pytest.raises(BlockNotLoaded):
        Settings.resolve(block="x", store_url="sqlite:////a/b.db")
    assert asked == ["x"]


def test_a_flow_logs_where_its_block_says(own_ledger: None, name: str, store: LedgerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing but a block's name in the environment, a flow's values are in the block's database."""
    save(store, name)
    monkeypatch.setenv("PREFECT_LEDGER_BLOCK", name)

    @tracked_flow(name=name, capture=False)
    def noted() -> dict[str, float]:
        return {"auc": 0.5}

    noted()
    (run,) = search_runs(name)
    assert run.metrics == {"auc": 0.5}
    assert run.artifact_uri is not None
    assert "/artifacts/staging/" in run.artifact_uri
    assert module.ledger().settings.origin["store_url"] == f"block {name}"


def test_a_pickled_flow_carries_the_name_and_no_secret(
    own_ledger: None, name: str, store: LedgerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To processes of tasks goes the block's name; they ask for its values themselves."""
    save(store, name)
    monkeypatch.setenv("PREFECT_LEDGER_BLOCK", name)
    pickled: list[bytes] = []

    @tracked_task
    def work() -> None:
        """Nothing."""

    @tracked_flow(name=name, capture=False)
    def carried() -> None:
        work()
        pickled.append(PickleSerializer().dumps(carried))

    carried()
    (data,) = pickled
    assert SECRET.encode() not in data
    flow = PickleSerializer().loads(data)
    assert vars(flow)[context._LUGGAGE].settings == {"block": name}


def test_neither_journal_nor_store_holds_a_secret(
    own_ledger: None, home: Path, name: str, store: LedgerStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a block keeps secret is in no file of the ledger: journals say of the store no more than may be shown."""
    store = store.model_copy(update={"store_url": type(store.store_url)(f"sqlite:///{tmp_path}/plain/team.db")})
    save(store, name)
    monkeypatch.setenv("PREFECT_LEDGER_BLOCK", name)

    @tracked_flow(name=name)
    def quiet() -> dict[str, float]:
        return {"auc": 0.5}

    quiet()
    surroundings.finish()
    module.ledger().flush()
    files = [path for folder in (home, tmp_path / "plain") for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "team.db" for path in files)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


# --- where it cannot be had -----------------------------------------------------------------------------------------------


def test_configure_says_which_block_is_missing_and_what_to_do(own_ledger: None, name: str) -> None:
    """Who asks for a block that is not there is told so at once, by its name."""
    with pytest.raises(BlockNotLoaded, match=f"(?s){name}.*make it"):
        configure(block=name)


def test_a_block_that_holds_nonsense_is_named_with_its_field(own_ledger: None, name: str, store: LedgerStore) -> None:
    """A block that was changed in the UI to what cannot be used is refused without a word of what it holds."""
    save(store, name)
    with get_client(sync_client=True) as client:
        document = client.read_block_document_by_name(name, "ledger-store", include_secrets=True)
        body = {"data": {**document.data, "store_url": f"oracle://{SECRET}"}, "merge_existing_data": False}
        client.request("PATCH", "/block_documents/{id}", path_params={"id": document.id}, json=body)
    with pytest.raises(BlockNotLoaded, match="store_url") as caught:
        Settings.resolve(block=name)
    assert SECRET not in str(caught.value)


def test_a_run_outlives_a_missing_block_and_its_values_arrive(
    own_ledger: None, name: str, store: LedgerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose block cannot be loaded goes on; it is said once of values, once of bytes; both wait here, and arrive when it is there."""
    monkeypatch.setenv("PREFECT_LEDGER_BLOCK", name)
    monkeypatch.setattr("prefect_ledger.recorder._PATIENCE", 0.2)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", LedgerWarning)
        run = module.start_run(experiment=name)
        run.log_metric("auc", 0.5)
        run.log_param("depth", 3)
        with pytest.raises(BlockNotLoaded):
            module.ledger().flush(20)
        run.log_text("held", "x.txt")  # on this machine, until there is a root
        with pytest.raises(BlockNotLoaded):
            module.ledger().flush(20)
    assert len({str(one.message) for one in said}) == len([one for one in said if name in str(one.message)]) == 2  # values, and bytes
    save(store, name)
    run.log_text("hello", "x.txt")
    run.finish()
    assert _flushed() == 0
    (found,) = search_runs(name)
    assert (found.metrics, found.params, str(found.status)) == ({"auc": 0.5}, {"depth": "3"}, "COMPLETED")
    assert found.artifact_uri == run.artifact_uri
    assert found.read_artifact("x.txt") == b"hello"


def _flushed() -> int:
    """What is still held; the recorder may be at the end of a try that began before the block was there."""
    for _ in range(50):
        try:
            return module.ledger().flush(30)
        except BlockNotLoaded:
            continue
    raise AssertionError("the block was saved, and the recorder does not see it")


@pytest.mark.soak
def test_values_of_a_process_that_ended_without_its_block_are_recovered(
    own_ledger: None, home: Path, name: str, store: LedgerStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What waits in the journal of a dead process comes into the store once ``recover`` can load the block."""
    env = {**os.environ, "PREFECT_LEDGER_BLOCK": name}
    script = f"from prefect_ledger import start_run\nwith start_run(experiment={name!r}) as run:\n    run.log_metric('auc', 0.5)\n"
    done = subprocess.run([sys.executable, "-c", script], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert f"block '{name}'" in done.stderr
    save(store, name)
    command = [sys.executable, "-m", "prefect_ledger.cli", "recover"]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("PREFECT_LEDGER_BLOCK", name)
    (run,) = search_runs(name)
    assert run.metrics == {"auc": 0.5}


def test_an_argument_of_the_wrong_kind_is_refused() -> None:
    """Options that are no mapping, numbers out of range and flags that are neither are refused by name, and options are not quoted."""
    bad: list[dict[str, Any]] = [
        {"storage_options": f"{SECRET}"},
        {"watch_seconds": 0},
        {"cpu_hour_price": "-1"},
        {"cpu_hour_price": True},
        {"watch": "perhaps"},
    ]
    for given in bad:
        with pytest.raises(InvalidSettings, match=next(iter(given))) as caught:
            Settings.resolve(environ={"PREFECT_HOME": "/p"}, folder="/", **given)
        assert SECRET not in str(caught.value)
