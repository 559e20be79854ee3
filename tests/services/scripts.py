"""Programs of users, run as processes of their own, and what the store has of them afterwards."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prefect_ledger.database import Database
from prefect_ledger.entities import Run
from prefect_ledger.queries import Reader
from prefect_ledger.recovery import Recovered, recover
from prefect_ledger.settings import Settings
from tests.services_real.processes import clean_environment

ROOT = Path(__file__).parents[2]


@dataclass
class Place:
    """Where programs of one test log to, and the settings they see."""

    home: Path
    store_url: str = ""
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The settings that a program here resolves."""
        return Settings.resolve(environ=self.environment, folder="/")

    @property
    def environment(self) -> dict[str, str]:
        """The environment that a program here has."""
        own = {"PREFECT_HOME": str(self.home / "prefect"), "PREFECT_LEDGER_HOME": str(self.home)}
        own |= {f"PREFECT_LEDGER_{name}": "no" for name in ("CAPTURE_GIT", "CAPTURE_PACKAGES", "WATCH")}  # what is logged is counted
        if self.store_url:
            own["PREFECT_LEDGER_STORE_URL"] = self.store_url
        return clean_environment(**own, **self.more) | {"PYTHONPATH": str(ROOT)}

    def start(self, code: str, *arguments: str, options: tuple[str, ...] = (), before: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start a program, with Python's ``options`` and the words ``before`` its command; its output is kept apart."""
        return self._start([*before, sys.executable, *options, "-c", textwrap.dedent(code), *arguments])

    def _start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=self.environment, cwd=ROOT)

    def run(self, code: str, *arguments: str, options: tuple[str, ...] = ()) -> Ended:
        """Run a program to its end."""
        return ended(self.start(code, *arguments, options=options))

    def script(self, file: Path, code: str) -> Ended:
        """Run a program that lies in a file, to its end."""
        file.write_text(textwrap.dedent(code), encoding="utf-8")
        return ended(self._start([sys.executable, str(file)]))

    def recover(self) -> Recovered:
        """What ``prefect-ledger recover`` does here."""
        database = Database(self.settings.store_url)
        try:
            return recover(self.settings.journal_folder, database)
        finally:
            database.close()

    def waiting(self) -> list[Path]:
        """Journals that are not in the store."""
        folder = self.settings.journal_folder
        return sorted(folder.iterdir()) if folder.is_dir() else []

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Reading access to the store here."""
        database = Database(self.settings.store_url)
        try:
            yield Reader(database)
        finally:
            database.close()

    def runs(self) -> list[Run]:
        """The runs in the store, the oldest first. Their details cannot be asked for any more; see :meth:`reader`."""
        with self.reader() as reader:
            return list(reversed(list(reader.search_runs())))

    def steps(self, run: str, key: str) -> list[int]:
        """The steps of a metric."""
        with self.reader() as reader:
            return [int(step) for step in reader.metric(run, key).steps]


@dataclass(frozen=True)
class Ended:
    """How a program ended and what it said."""

    code: int
    out: str
    err: str


def ended(child: subprocess.Popen[str], seconds: float = 120) -> Ended:
    """Wait for the end of a program; one that hangs is killed, and then the test fails."""
    try:
        out, err = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        raise AssertionError(f"the program hangs; it said {out!r} and {err[-3000:]!r}") from None
    return Ended(child.returncode, out, err)
