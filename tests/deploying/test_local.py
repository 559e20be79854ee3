"""The target "local": servers that are really started, asked, exchanged, killed and ended."""

from __future__ import annotations

import http.client
import shutil
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from prefect_ledger.deploying.base import Deployment
from prefect_ledger.deploying.local import Local
from prefect_ledger.errors import DeploymentExists, DeploymentFailed, DeploymentNotFound, InvalidName, InvalidValue, UntrustedModel

TRUSTED = {"trust": True}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """The target, with a home of this module alone; whatever is deployed is deleted at the end."""
    target = Local(tmp_path_factory.mktemp("local") / "ledger")
    yield target
    for one in target.list():
        target.delete(one.name)


@pytest.fixture(scope="module")
def made(local: Local, doubling: Path) -> list[Deployment | Exception]:
    """What two that created "one" at once were told."""
    told: list[Deployment | Exception] = []

    def create() -> None:
        try:
            told.append(local.create("one", str(doubling), TRUSTED))
        except DeploymentExists as error:
            told.append(error)

    threads = [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def processes(local: Local, name: str) -> list[psutil.Process]:
    """Every process that runs from this deployment's folder."""
    folder = str(local.records.folder(name))
    return [one for one in psutil.process_iter(["cmdline"]) if any(folder in word for word in one.info["cmdline"] or ())]


def kill(one: Deployment) -> None:
    """End its process as the kernel does when memory runs out."""
    process = psutil.Process(one.details["pid"])
    process.kill()
    psutil.wait_procs([process], timeout=10)


def test_of_two_who_create_one_name_one_does(local: Local, made: list[Deployment | Exception]) -> None:
    """The other is told that it exists, and one server runs."""
    (one,) = (found for found in made if isinstance(found, Deployment))
    assert [type(found) for found in made if found is not one] == [DeploymentExists]
    assert (one.state, one.target, len(one.digest)) == ("serving", "local", 64)
    assert len(processes(local, "one")) == 1
    with pytest.raises(DeploymentExists, match="already"):
        local.create("one", "models:/m-" + "0" * 32)


def test_it_answers_to_whatever_holds_rows(local: Local, made: object) -> None:
    """Arrays, lists, frames and records, with parameters, as the model itself would; what it refuses is told in its words."""
    assert local.predict("one", np.array([[1.0, 2.0]])) == [[2.0, 4.0]]
    assert local.predict("one", [[1, 2], [3, 4]], {"times": 0.5}) == [[0.5, 1.0], [1.5, 2.0]]
    assert local.predict("one", pd.DataFrame({"a": [1.5], "b": [np.int64(2)]})) == [[3.0, 4.0]]
    with pytest.raises(DeploymentFailed, match="500: the model failed on this input"):
        local.predict("one", [[13.0, 1.0]])
    with pytest.raises(DeploymentFailed, match=r"400: .*times"):
        local.predict("one", [[1.0, 1.0]], {"times": "often"})
    with pytest.raises(InvalidValue, match="infinities"):
        local.predict("one", [[float("inf"), 1.0]])


def test_its_files_are_for_this_user_alone_and_its_process_has_no_keys(local: Local, made: object) -> None:
    """Folder, record and log are closed to others; nothing of where Prefect and the ledger are is in the server's environment."""
    folder = local.records.folder("one")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "server.log").stat().st_mode) == 0o600
    (process,) = processes(local, "one")
    assert [name for name in process.environ() if name.startswith("PREFECT_")] == ["PREFECT_LEDGER_SERVE_INSTANCE"]


def test_an_update_is_not_seen_as_a_failure_by_who_asks(local: Local, made: object, doubling: Path, tripling: Path) -> None:
    """Asked all the time, on new connections and on one that is kept: every request is answered, by one of the two; the port stays."""
    before = local.get("one")
    done, answers = threading.Event(), set[str]()
    failed: list[str] = []

    def ask(keep: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", int(before.url.rpartition(":")[2]), timeout=30)
        while not done.is_set():
            try:
                connection.request("POST", "/invocations", b'{"inputs": [[1.0, 2.0]]}', {"Content-Type": "application/json"})
                answers.add(connection.getresponse().read().decode())
            except (OSError, http.client.HTTPException) as error:
                failed.append(repr(error))
                connection.close()
            if not keep:
                connection.close()
        connection.close()

    threads = [threading.Thread(target=ask, args=(keep,), daemon=True) for keep in (True, False)]
    for thread in threads:
        thread.start()
    try:
        after = local.update("one", str(tripling), TRUSTED)
        assert local.predict("one", [[1.0, 2.0]]) == [[3.0, 6.0]]
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failed == []
    assert answers == {'{"predictions":[[2.0,4.0]]}', '{"predictions":[[3.0,6.0]]}'}
    assert (after.url, after.model, after.state) == (before.url, str(tripling), "serving")
    assert after.digest != before.digest
    assert len(processes(local, "one")) == 1


def test_what_cannot_be_brought_into_place_leaves_what_was_there(local: Local, made: object, tripling: Path, tmp_path: Path) -> None:
    """An update to a model that does not open says why, with the end of its log; the old one serves, and nothing else is left."""
    broken = Path(shutil.copytree(tripling, tmp_path / "broken"))
    next(broken.glob("*.pkl")).write_bytes(b"cut")
    with pytest.raises(DeploymentFailed, match=r"(?s)ended before it answered; the end of its log:\n.*not what was saved"):
        local.update("one", str(broken), TRUSTED)
    assert local.get("one").state == "serving"
    with pytest.raises(DeploymentFailed, match="not what was saved"):
        local.create("two", str(broken), TRUSTED)
    assert not local.records.folder("two").exists()
    assert len(local.records.instances("one")) == 1
    assert processes(local, "two") == []


def test_a_killed_server_is_told_and_started_again(local: Local, made: object) -> None:
    """After SIGKILL its state is failed, with what to do; an update brings it back, at its port."""
    before = local.get("one")
    kill(before)
    seen = local.get("one")
    assert (seen.state, seen.url) == ("failed", "")
    assert "process is gone" in seen.details["reason"]
    with pytest.raises(DeploymentFailed, match="process is gone"):
        local.predict("one", [[1.0]])
    after = local.update("one", config={"trust": True, "workers": 2})
    assert (after.state, after.url) == ("serving", before.url)


def test_the_supervisor_killed_leaves_no_worker_behind(local: Local, made: object) -> None:
    """Workers that outlive their supervisor are found by their word and ended when the deployment is deleted; nothing stays of it."""
    children = psutil.Process(local.get("one").details["pid"]).children(recursive=True)
    kill(local.get("one"))
    assert local.get("one").state == "failed"
    local.delete("one")
    _, alive = psutil.wait_procs([child for child in children if "resource_tracker" not in " ".join(_words(child))], timeout=10)
    assert alive == []
    assert not local.records.folder("one").exists()
    for ask in (local.get, local.delete, local.update):
        with pytest.raises(DeploymentNotFound, match="it has: none"):
            ask("one")


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def test_a_port_that_is_taken_is_told(local: Local, doubling: Path) -> None:
    """Also when whoever listens there would share it."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(InvalidValue, match=r"cannot be used: Address already in use"):
            local.create("taken", str(doubling), {**TRUSTED, "port": other.getsockname()[1]})
    assert not local.records.folder("taken").exists()


@pytest.mark.parametrize("name", ["", "../up", "a/b", "-a", "A", "a" * 64, "a\n", ".lock", None, "ä"])
def test_names_that_lead_elsewhere_are_refused(local: Local, doubling: Path, name: Any) -> None:
    """By every verb, before anything is touched."""
    for ask in (lambda: local.create(name, str(doubling)), lambda: local.get(name), lambda: local.delete(name), lambda: local.update(name)):
        with pytest.raises(InvalidName):
            ask()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"ports": 1}, "no option 'ports'"),
        ({"port": "80"}, "a whole number"),
        ({"port": 70_000}, "0 to 65535"),
        ({"port": True}, "a whole number"),
        ({"workers": 0}, "1 to 1024"),
        ({"timeout": float("nan")}, "seconds"),
        ({"host": "127.0.0.1 --trust"}, "an address"),
        ({"host": "localhost"}, "an address"),
    ],
)
def test_options_that_cannot_be_are_refused(local: Local, doubling: Path, config: Any, words: str) -> None:
    """By name, with what they may be, before anything is copied or started."""
    with pytest.raises(InvalidValue, match=words):
        local.create("never", str(doubling), config)
    assert not local.records.folder("never").exists()


def test_a_model_that_would_run_code_needs_a_word(local: Local, doubling: Path) -> None:
    """The digest proves that the files are the same, not whose they are: a folder from elsewhere is refused without trust."""
    with pytest.raises(UntrustedModel, match="trust=True"):
        local.create("never", str(doubling))
    assert not local.records.folder("never").exists()
