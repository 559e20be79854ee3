"""A ledger's home that several machines share: whose journal is taken for a dead process's, where locks tell only of one machine."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from prefect_ledger.database import Database, execute
from tests.services.scripts import Place

PROGRAM = """
import os
from prefect_ledger import start_run
run = start_run(experiment="e")
for step in range(1_000):
    run.log_metric("loss", 0.5, step=step)
run._ledger.flush()
run.log_metric("loss", 0.5, step=1_000)
os._exit(5)
"""


def belongs_to(journal: Path, **other: str) -> None:
    """Have the journal say that it is another machine's: its lock is free here, as it would be there."""
    owner = journal / "owner.json"
    owner.write_text(json.dumps(json.loads(owner.read_text()) | other))


def aged(journal: Path, seconds: float) -> None:
    """As if nothing had been written for so long."""
    for path in journal.iterdir():
        os.utime(path, (time.time() - seconds,) * 2)


def test_a_journal_of_another_machine_is_left_alone_while_it_is_heard_of(tmp_path: Path) -> None:
    """Neither a young file nor a run that was heard of is touched, whatever the lock says; after five minutes of silence it is adopted."""
    place = Place(tmp_path)
    place.run(PROGRAM)
    (journal,) = place.waiting()
    belongs_to(journal, host="another", boot="another")
    found = place.recover()
    assert (found.journals, found.alive) == (0, 1)
    aged(journal, 600)
    found = place.recover()
    assert (found.journals, found.alive) == (0, 1)
    assert [run.status for run in place.runs()] == ["RUNNING"]
    database = Database(place.settings.store_url)
    with database.write() as tx:
        execute(tx, "UPDATE runs SET seen = seen - ?", [600_000_000])
    database.close()
    assert place.recover().journals == 1
    (run,) = place.runs()
    assert run.status == "CRASHED"
    assert place.steps(run.id, "loss") == list(range(1_001))


@pytest.mark.parametrize("other", [{"host": "another"}, {"boot": "another"}, {"host": "", "boot": ""}, {"host": "another", "boot": ""}])
def test_a_journal_of_this_machine_is_adopted_at_once(tmp_path: Path, other: dict[str, str]) -> None:
    """Another container of this machine, this machine before a restart, and who does not say: the lock is believed."""
    place = Place(tmp_path)
    place.run(PROGRAM)
    (journal,) = place.waiting()
    belongs_to(journal, **other)
    assert place.recover().journals == 1
    assert [run.status for run in place.runs()] == ["CRASHED"]
