"""A PostgreSQL that goes away, hangs, changes its password or only reads, while programs log: nothing is lost, nobody waits, one word.

What is in the store is counted by this process, which logged nothing. That no call waits is shown by what the program goes on to say while
the server is away.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from prefect_ledger import lines
from prefect_ledger import recorder as recorder_module
from prefect_ledger.database import Database, execute, rows
from prefect_ledger.errors import StoreUnavailable
from prefect_ledger.settings import Settings
from prefect_ledger.tracking.ledger import Ledger
from tests.services.scripts import ROOT, Place
from tests.services.test_trouble import told
from tests.services_real.postgres import PostgresServer, postgres
from tests.services_real.proxy import Fault, proxy

PASSWORD = "first-S3cret"
SHOWN = "postgresql+psycopg://app:********@127.0.0.1"

LOGS = """
    import json, sys, threading, time
    from prefect_ledger import lines, recorder, start_run

    lines.SILENCE, recorder._PATIENCE, recorder._AWAY_SERVER = 2.0, 0.5, 2.0  # seconds: all of it a little faster
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
    clock, logged, slowest = time.perf_counter, 0, 0.0
    with start_run(experiment="outage") as run:
        run.log_param("depth", 6)
        said = 0.0
        while not stop.is_set():
            for _ in range(100):
                before = clock()
                run.log_metric("loss", float(logged), step=logged)
                slowest = max(slowest, clock() - before)
                logged += 1
            run.log_series("many", [0.5] * 50)
            time.sleep(0.01)
            if clock() - said > 0.1:
                said = clock()
                run.set_tag("logged", logged)
                print(logged, flush=True)
    print(json.dumps({"logged": logged, "slowest": slowest}), flush=True)
"""


@dataclass
class Child:
    """A program that logs until it is told to end; what it says is heard as it is said."""

    process: subprocess.Popen[str]
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    _ears: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        for stream, heard in ((self.process.stdout, self.out), (self.process.stderr, self.err)):
            assert stream is not None
            ear = threading.Thread(target=heard.extend, args=(stream,), daemon=True)
            ear.start()
            self._ears.append(ear)

    def until(self, what: Callable[[], object], seconds: float = 60) -> None:
        """Return when ``what`` is so."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, (self.out[-3:], self.err)
            assert self.process.poll() is None, (self.out[-3:], self.err)
            time.sleep(0.02)

    def goes_on(self, steps: int = 5) -> None:
        """See that it says further that it logged more."""
        heard = len(self.out)
        self.until(lambda: len(self.out) >= heard + steps)

    @property
    def words(self) -> list[str]:
        """The warnings."""
        return [line for line in self.err if "LedgerWarning" in line]

    def deaf(self) -> None:
        """Hear no more."""
        for ear in self._ears:
            ear.join(10)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def end(self) -> dict[str, Any]:
        """Have it end; what it logged, and the slowest call in seconds."""
        assert self.process.stdin is not None
        self.process.stdin.write("end\n")
        self.process.stdin.flush()
        assert self.process.wait(120) == 0, self.err
        for ear in self._ears:
            ear.join(10)
        found: dict[str, Any] = json.loads(self.out[-1])
        return found


@contextlib.contextmanager
def logging(place: Place) -> Iterator[Child]:
    """The program above, which has begun to log."""
    command, pipe = [sys.executable, "-c", textwrap.dedent(LOGS)], subprocess.PIPE
    place.home.mkdir(exist_ok=True)
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=place.environment, cwd=ROOT)
    child = Child(process)
    try:
        child.until(lambda: len(child.out) > 2)
        yield child
    finally:
        process.kill()
        process.wait()
        child.deaf()


@contextlib.contextmanager
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL of this test alone that keeps its word, with a role ``app`` that needs a password."""
    with postgres(durable=True) as one:
        rules = one.root / "data" / "pg_hba.conf"
        rules.write_text(f"host all app 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        asked(one, f"create role app login password '{PASSWORD}'", "grant all on schema public to app", "select pg_reload_conf()")
        yield one


def asked(one: PostgresServer, *statements: str) -> None:
    with psycopg.connect(one.dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def url(one: PostgresServer, port: int = 0) -> str:
    return f"postgresql://app:{PASSWORD}@127.0.0.1:{port or one.port}/postgres?connect_timeout=2"


DROP = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'"


@contextlib.contextmanager
def stopped(one: PostgresServer) -> Iterator[None]:
    """In good order, and started again."""
    one.stop()
    yield
    one.start()


@contextlib.contextmanager
def pulled(one: PostgresServer) -> Iterator[None]:
    """Without a word, as by a power cut."""
    one.stop(signal.SIGQUIT)
    yield
    one.start()


@contextlib.contextmanager
def wrong_password(one: PostgresServer) -> Iterator[None]:
    """The password is changed and everybody thrown out; then it is what it was."""
    asked(one, "alter role app password 'other'", DROP)
    yield
    asked(one, f"alter role app password '{PASSWORD}'")


@contextlib.contextmanager
def reading_only(one: PostgresServer) -> Iterator[None]:
    """Everybody lands on a server that only reads, and stays connected to it when there is one again that writes."""
    asked(one, "alter role app set default_transaction_read_only = on", DROP)
    yield
    asked(one, "alter role app reset default_transaction_read_only")


@contextlib.contextmanager
def full_house(one: PostgresServer) -> Iterator[None]:
    """No more connections are taken."""
    asked(one, "alter role app connection limit 0", DROP)
    yield
    asked(one, "alter role app connection limit -1")


@contextlib.contextmanager
def frozen(one: PostgresServer) -> Iterator[None]:
    """Every process of the server hangs: connections stand, new ones are taken, and nothing is answered."""
    processes = [psutil.Process(one.pid), *psutil.Process(one.pid).children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


def arrives(place: Place) -> None:
    """See that values come into the store."""
    before = points(place)
    end = time.monotonic() + 60
    while points(place) <= before:
        assert time.monotonic() < end
        time.sleep(0.05)


def points(place: Place) -> int:
    """How many values of the metric are in the store."""
    return sum(int(run.summaries["loss"].count) for run in place.runs() if "loss" in run.summaries)


OUTAGES = [stopped, pulled, wrong_password, reading_only, full_house, frozen]
LONG = [pulled, full_house, frozen]
EACH = [pytest.param(one, id=one.__name__, marks=[pytest.mark.soak] * (one in LONG)) for one in OUTAGES]


def holds(place: Place, logged: int) -> None:
    """See that the one run is whole: every value once."""
    (run,) = place.runs()
    assert (run.status, run.params) == ("COMPLETED", {"depth": "6"})
    assert place.steps(run.id, "loss") == list(range(logged))
    with place.reader() as reader:
        series = reader.metric(run.id, "loss", None, None)
        assert series.values.tolist() == [float(n) for n in range(logged)]
        assert len(reader.metric(run.id, "many", None, None).values) == logged // 2
        assert reader.run(run.id).summaries["loss"].count == logged
    assert place.waiting() == []


@pytest.mark.parametrize("outage", EACH)
@pytest.mark.long
def test_an_outage_in_the_middle_of_a_run(tmp_path: Path, outage: Callable[[PostgresServer], Any]) -> None:
    """The program goes on logging while the store is away, says so once, with its name and without its password, and says what becomes of
    the values; when the store is back, all of them are there, once, and the end has nothing to say."""
    with server() as one:
        place = Place(tmp_path / "ledger", url(one))
        with logging(place) as child:
            arrives(place)
            with outage(one):
                child.until(lambda: child.words)
                child.goes_on(10)
            arrives(place)
            found = child.end()
        (word,) = child.words
        assert word.count(SHOWN) == 1
        assert "cannot be used now" in word
        assert f"what is logged waits in {place.settings.journal_folder}" in word
        assert "goes in by itself when the store is back" in word
        assert PASSWORD not in "".join(child.err + child.out)
        assert "records are not in the store" not in "".join(child.err)
        holds(place, found["logged"])


@pytest.mark.long
def test_a_line_that_dies_is_nothing_to_speak_of(tmp_path: Path) -> None:
    """Connections are cut again and again, also in the midst of a transaction: each time the next one does, and nothing is said or lost."""
    with server() as one:
        place = Place(tmp_path / "ledger", url(one))
        with logging(place) as child:
            arrives(place)
            for _ in range(4):
                asked(one, DROP)
                arrives(place)
                time.sleep(1.5)  # connections that die twice in a moment are an outage, and worth a word
            found = child.end()
        assert child.words == []
        holds(place, found["logged"])


@pytest.mark.long
def test_a_transaction_that_is_cut_off_is_done_again(tmp_path: Path) -> None:
    """The connection is cut while a transaction of the recorder waits for a lock: nothing of it stays, and all of it comes."""
    with server() as one:
        place = Place(tmp_path / "ledger", url(one))
        with logging(place) as child:
            arrives(place)
            with psycopg.connect(one.dsn) as holder:
                holder.execute("lock table chunks in access exclusive mode")
                waits = "select 1 from pg_stat_activity where usename = 'app' and wait_event_type = 'Lock'"
                with psycopg.connect(one.dsn, autocommit=True) as watcher:
                    child.until(lambda: watcher.execute(waits).fetchone())
                    watcher.execute(DROP.encode())
                holder.rollback()
            child.goes_on(10)
            found = child.end()
        assert child.words == []
        holds(place, found["logged"])


@pytest.mark.long
def test_a_server_that_comes_only_later(tmp_path: Path) -> None:
    """There is no server when the run begins, and there is one before it ends: one word, and everything is in the store."""
    with server() as one:
        one.stop()
        place = Place(tmp_path / "ledger", url(one))
        with logging(place) as child:
            child.until(lambda: child.words)
            child.goes_on()
            one.start()
            child.goes_on()
            found = child.end()
        assert len(child.words) == 1
        holds(place, found["logged"])


@pytest.mark.soak
def test_a_server_that_never_comes_and_sync_afterwards(tmp_path: Path) -> None:
    """The server is away for the whole run: the program ends well and says where the values wait; sync brings them in, once."""
    with server() as one:
        one.stop()
        place = Place(tmp_path / "ledger", url(one))
        with logging(place) as child:
            child.until(lambda: child.words)
            found = child.end()
        end = "".join(child.err)
        assert [end.count(words) for words in ("what is logged waits in", "records are not in the store")] == [1, 1]
        assert PASSWORD not in end
        one.start()
        for _ in range(2):
            assert place.run("import sys; from prefect_ledger.cli import main; sys.exit(main(['sync']))").code == 0
        holds(place, found["logged"])


@pytest.mark.long
def test_who_is_in_a_hurry_gives_a_silent_server_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that hangs in the midst of a transaction is given up by who tries again, in words; when it goes on, so does the same
    object, and a question that takes its time is waited for as ever."""
    monkeypatch.setattr(lines, "SILENCE", 0.3)
    with server() as one:
        database = Database(url(one).replace("postgresql:", "postgresql+psycopg:"))
        with database.write() as tx:
            execute(tx, "create table seen (n int)")
        said = "the server has not answered for"
        with pytest.raises(StoreUnavailable, match=said), database.write(hurried=True) as tx, frozen(one):
            execute(tx, "insert into seen values (1)")
        with database.write() as tx:
            rows(tx, "select n from seen")
        with frozen(one), pytest.raises(StoreUnavailable, match="timeout expired"), database.read() as tx:
            rows(tx, "select 1")  # an idle line is looked at before it is lent, and then another one is sought
        with database.write(hurried=True) as tx:
            execute(tx, "insert into seen values (2)")
        with database.read() as tx:
            assert rows(tx, "select n, pg_sleep(0.6)::text from seen") == [(2, "")]
        database.close()


@pytest.mark.soak
def test_a_line_that_swallows_everything_is_given_up(tmp_path: Path) -> None:
    """Between program and server something takes what is sent and hands nothing on, also when all else works again: the line is given up,
    said once, and another one is used."""
    with server() as one, proxy(f"tcp://127.0.0.1:{one.port}") as between:
        place = Place(tmp_path / "ledger", url(one, int(between.url.rpartition(":")[2])))
        with logging(place) as child:
            arrives(place)
            between.fault = Fault("stall", "up", 0)
            child.until(lambda: child.words)
            between.fault = None
            child.goes_on(10)
            found = child.end()
        assert len(child.words) == 1
        assert "timeout expired" in child.words[0] or "has not answered for 2 s" in child.words[0]
        holds(place, found["logged"])


def test_each_outage_has_its_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second outage is said as well, and that it is the second; one that follows within a minute is not."""
    monkeypatch.setattr(recorder_module, "_QUIET", 0.0)
    with server() as one, told() as said:
        settings = Settings.resolve(home=str(tmp_path), store_url=url(one), environ={}, folder="/", capture_git=False, watch=False)
        ledger = Ledger(settings)
        run = ledger.start(experiment="outages")
        for turn in range(3):
            run.log_metric("loss", 0.5, step=turn)
            assert ledger.flush() == 0
            if turn == 2:
                monkeypatch.setattr(recorder_module, "_QUIET", 60.0)
            with stopped(one):
                run.log_metric("other", 0.5, step=turn)
                with pytest.raises(Exception, match="cannot be used now"):
                    ledger.flush()
        assert ledger.flush() == 0
        run.finish()
        ledger.close()
    assert len(said) == 2
    assert "(outage 2 of this process)" in said[1]


@pytest.mark.soak
@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.__name__)
def test_twenty_seconds_in_the_middle_of_a_run(tmp_path: Path, outage: Callable[[PostgresServer], Any]) -> None:
    """The same for twenty seconds, twice."""
    with server() as one:
        place = Place(tmp_path / "ledger", url(one))
        with logging(place) as child:
            for _ in range(2):
                arrives(place)
                with outage(one):
                    child.goes_on(150)  # it says something ten times a second
            child.goes_on()
            found = child.end()
        assert len(child.words) == 1
        holds(place, found["logged"])
        sys.stderr.write(f"{outage.__name__}: {found['logged']} values, the slowest call {found['slowest'] * 1e3:.2f} ms\n")
