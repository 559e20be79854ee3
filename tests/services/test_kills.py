"""P1: what was logged is kept when the process is killed, and is there once however often and by whomever it is recovered."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from prefect_ledger.database import Database
from tests.services.kills import Toll, counted, kill_one, recover_all, recovering, settings, tally


def _kill(home: Path, store_url: str, times: int, seed: int) -> dict[str, tuple[int, ...]]:
    database = Database(store_url)
    database.prepare()
    database.close()
    rnd = random.Random(seed)
    return dict(kill_one(home, store_url, rnd) for _ in range(times))


def _check(toll: Toll) -> None:
    print(f"{toll.kills} kills, {toll.points} points, {toll.in_flight} stored whose call had not returned")
    assert toll.lost == []
    assert toll.doubled == []
    assert toll.not_crashed == []


@pytest.mark.long
def test_five_kills_lose_nothing(tmp_path: Path, store_url: str) -> None:
    """Every value whose call had returned is there after recovery, none twice, and the dead run is CRASHED."""
    truth = _kill(tmp_path / "home", store_url, 5, seed=11)
    first = recover_all(tmp_path / "home", store_url)
    found = counted(store_url, list(truth))
    _check(tally(truth, found))
    # the last one is adopted by this recovery; those before it by the next logger's own recorder, or here
    assert first.journals >= 1
    assert first.broken == []

    again = recover_all(tmp_path / "home", store_url)
    assert (again.journals, again.points, again.crashed) == (0, 0, [])
    assert counted(store_url, list(truth)) == found


@pytest.mark.long
def test_two_recoveries_at_once_change_nothing(tmp_path: Path, store_url: str) -> None:
    """Two processes that recover the same journals at once bring each value in once."""
    truth = _kill(tmp_path / "home", store_url, 2, seed=12)
    both = [recovering(tmp_path / "home", store_url) for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    _check(tally(truth, counted(store_url, list(truth))))


@pytest.mark.long
def test_a_killed_recovery_is_done_again(tmp_path: Path, store_url: str) -> None:
    """A recovery killed in the middle leaves a journal that the next one brings in, once."""
    truth = _kill(tmp_path / "home", store_url, 2, seed=13)
    for wait in (0.5, 0.7, 0.9):
        process = recovering(tmp_path / "home", store_url)
        time.sleep(wait)
        process.kill()
        process.wait(30)
    recover_all(tmp_path / "home", store_url)
    _check(tally(truth, counted(store_url, list(truth))))
    assert not any(settings(tmp_path / "home", store_url).journal_folder.glob("[!.]*"))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_kills_lose_nothing(tmp_path: Path, store_url: str, seed: int) -> None:
    """Ten times ten kills: as above, with recoveries killed in between."""
    home, rnd, truth = tmp_path / "home", random.Random(seed), {}
    database = Database(store_url)
    database.prepare()
    database.close()
    for _ in range(10):
        run, returned = kill_one(home, store_url, rnd)
        truth[run] = returned
        process = recovering(home, store_url)
        time.sleep(rnd.uniform(0.2, 0.9))
        process.kill()
        process.wait(30)
    recover_all(home, store_url)
    _check(tally(truth, counted(store_url, list(truth))))
