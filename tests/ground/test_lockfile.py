"""The lock that tells whether a journal's owner lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from prefect_ledger import lockfile

HOLDER = """
import sys, time
from pathlib import Path
from prefect_ledger import lockfile
lock = lockfile.acquire(Path(sys.argv[1]))
print("held" if lock else "refused", flush=True)
time.sleep(60)
"""


def holder(path: Path) -> subprocess.Popen[str]:
    """A process that holds the lock."""
    child = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_one_holds_it_at_a_time(tmp_path: Path) -> None:
    """A second one is refused, in this process too, until the first lets go."""
    path = tmp_path / "lock"
    assert not lockfile.is_held(path)
    first = lockfile.acquire(path)
    assert first is not None
    assert lockfile.acquire(path) is None
    assert lockfile.is_held(path)
    first.release()
    first.release()
    assert not lockfile.is_held(path)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_it_is_free_when_its_holder_dies(tmp_path: Path, signum: signal.Signals) -> None:
    """The lock of a process that was killed can be taken at once."""
    child = holder(tmp_path / "lock")
    assert lockfile.is_held(tmp_path / "lock")
    child.send_signal(signum)
    child.wait(30)
    again = lockfile.acquire(tmp_path / "lock")
    assert again is not None
    again.release()
    assert child.stdout is not None
    child.stdout.close()


def test_a_forked_child_lets_go_without_unlocking(tmp_path: Path) -> None:
    """A child that forgets the inherited lock leaves it to the parent; and when the parent lets go, the child does not hold it."""
    lock = lockfile.acquire(tmp_path / "lock")
    assert lock is not None
    read, write = os.pipe()
    said, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write)
        lock.forget()
        os.write(say, b"x")
        os.read(read, 1)  # until the parent closes its end
        os._exit(0)
    os.close(read)
    os.read(said, 1)
    assert lockfile.is_held(tmp_path / "lock")
    lock.release()
    assert not lockfile.is_held(tmp_path / "lock")
    for end in (write, said, say):
        os.close(end)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_program_started_by_the_holder_does_not_keep_it(tmp_path: Path) -> None:
    """The descriptor is not inherited by programs that are started."""
    lock = lockfile.acquire(tmp_path / "lock")
    assert lock is not None
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        lock.release()
        assert not lockfile.is_held(tmp_path / "lock")
        child.kill()


def test_a_lock_made_anew_is_another_one(tmp_path: Path) -> None:
    """Who waits at a file that was removed and made anew does not hold the new one's lock."""
    path = tmp_path / "lock"
    lock = lockfile.acquire(path)
    assert lock is not None
    path.unlink()
    other = lockfile.acquire(path)
    assert other is not None
    lock.release()
    assert lockfile.is_held(path)
    other.release()


def test_a_folder_that_is_gone_is_an_error_of_the_system(tmp_path: Path) -> None:
    """Where no file can be made, acquiring says so, and nothing is held."""
    with pytest.raises(FileNotFoundError):
        lockfile.acquire(tmp_path / "gone" / "lock")
    assert not lockfile.is_held(tmp_path / "gone" / "lock")


def test_who_holds_it_is_told_by_host_boot_and_process() -> None:
    """What is written beside the lock names this machine since its last start, and this process."""
    found = lockfile.identity()
    assert found["pid"] == os.getpid()
    assert found["host"]
    assert found["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
