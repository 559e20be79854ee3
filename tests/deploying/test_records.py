"""What targets remember on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from prefect_ledger.deploying.records import Record, Records
from prefect_ledger.errors import DeploymentExists, DeploymentFailed, DeploymentNotFound, InvalidValue
from tests.services_real.processes import clean_environment


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records("local", tmp_path)


def record(records: Records, name: str = "one") -> Record:
    folder = records.begin(name)
    return Record(name, "models:/m-1", "m-1", "0" * 64, "2026-01-01T00:00:00+00:00", folder.name, {"port": 1}, {"pid": 2})


def test_what_is_written_is_read(records: Records) -> None:
    """A record comes back as it was; of a folder without one nothing is known."""
    one = records.write(record(records))
    records.begin("two")
    assert (records.read("one"), records.names(), records.has("two")) == (one, ["one"], False)
    with pytest.raises(DeploymentNotFound, match="'two'; it has: one"):
        records.read("two")


@pytest.mark.parametrize("how", ["cut", "other keys", "another's", "types", "instance"])
def test_a_record_that_is_none_is_refused(records: Records, how: str) -> None:
    """Cut, of another version, of another deployment, or leading out of its folder."""
    one = record(records)
    records.write(one)
    path = records.folder("one") / "record.json"
    found = json.loads(path.read_text())
    changed: dict[str, dict[str, object]] = {
        "other keys": {"more": 1},
        "another's": {"name": "two"},
        "types": {"config": []},
        "instance": {"instance": "../../up"},
    }
    path.write_text(path.read_text()[:-5] if how == "cut" else json.dumps({**found, **changed[how]}))
    with pytest.raises(InvalidValue, match=r"record\.json"):
        records.read("one")


def test_one_process_at_a_time_changes_a_deployment(records: Records, tmp_path: Path) -> None:
    """Who comes second is told so; when the first is killed, the way is free."""
    code = (
        "import sys; from pathlib import Path; from prefect_ledger.deploying.records import Records\n"
        "with Records('local', Path(sys.argv[1])).held('one'): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_environment())
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(DeploymentFailed, match="at this moment"), records.held("one"):
            pass
        with pytest.raises(DeploymentExists), records.held("one", DeploymentExists):
            pass
        with records.held("two"):
            pass
        child.kill()
    with records.held("one"):
        pass
