"""The journal: what is put in comes out again, whatever happens between."""

from __future__ import annotations

import gc
import json
import os
import resource
import shutil
import signal
import stat
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger.channel import Channel
from prefect_ledger.errors import InvalidName, InvalidValue, RunFinished
from prefect_ledger.events import Noted, ParamsLogged
from prefect_ledger.journal import Journal
from prefect_ledger.journal_reader import JournalReader
from prefect_ledger.segments import HEADER_BYTES, SLOT

RUN = "00000000-0000-0000-0000-000000000001"


def read_all(journal: Journal, *, live: bool = False) -> tuple[dict[str, list[tuple[int, float]]], list[Any]]:
    """All points by key, and all events, as another process (or the recorder) reads them."""
    reader = JournalReader(journal.folder, live=journal if live else None)
    points: dict[str, list[tuple[int, float]]] = {}
    events: list[Any] = []
    while (batch := reader.read()) is not None:
        events += batch.events
        for series, steps, values in zip(batch.series, batch.steps, batch.values, strict=True):
            for number, step, value in zip(series.tolist(), steps.tolist(), values.tolist(), strict=True):
                points.setdefault(batch.names[number][1], []).append((step, value))
        reader.position = batch.new
    reader.close()
    return points, events


def journal_in(folder: Path, **options: Any) -> tuple[Journal, Channel, list[str]]:
    told: list[str] = []
    journal = Journal(folder, on_trouble=told.append, **options)
    return journal, Channel(journal, RUN), told


def test_what_was_logged_is_read_back(tmp_path: Path) -> None:
    """Scalars, dicts, arrays and events come out in order, from the live journal and from its files alike."""
    journal, channel, _ = journal_in(tmp_path / "j")
    channel.log_metric("loss", 0.5, step=3)
    channel.log_metrics({"a": 1, "b": np.float32(0.25)}, step=7)
    channel.log_series("curve", [1.0, 2.0], steps=[10, 20])
    channel.say(Noted(run=RUN, at=1, text="hé\0"))
    expected = {"loss": [(3, 0.5)], "a": [(7, 1.0)], "b": [(7, 0.25)], "curve": [(10, 1.0), (20, 2.0)]}
    for live in (False, True):
        points, events = read_all(journal, live=live)
        assert points == expected
        assert events == [Noted(run=RUN, at=1, text="hé�")]


def test_steps_left_out_count_up_per_key(tmp_path: Path) -> None:
    """Steps that are left out count from 0 for each key, arrays included."""
    journal, channel, _ = journal_in(tmp_path / "j")
    channel.log_metric("a", 0.0)
    channel.log_metric("b", 0.0)
    channel.log_series("a", [0.0, 0.0])
    channel.log_metrics({"a": 0.0, "b": 0.0})
    points, _ = read_all(journal)
    assert [step for step, _ in points["a"]] == [0, 1, 2, 3]
    assert [step for step, _ in points["b"]] == [0, 1]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("point"), st.sampled_from("abc"), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False)),
            st.tuples(st.just("array"), st.sampled_from("abc"), st.integers(0, 3000), st.floats(allow_nan=False)),
            st.tuples(st.just("event"), st.text(max_size=300), st.just(0), st.just(0.0)),
        ),
        max_size=60,
    )
)
def test_any_mixture_comes_back_in_order(tmp_path_factory: pytest.TempPathFactory, said: list[tuple[str, str, int, float]]) -> None:
    """Whatever is said in whatever order, over many small segments, is read back whole and in order."""
    journal, channel, _ = journal_in(tmp_path_factory.mktemp("j"), segment_bytes=4096, first_bytes=2048)
    expected: dict[str, list[tuple[int, float]]] = {}
    texts = 0
    for what, key, number, value in said:
        if what == "point":
            channel.log_metric(key, value, step=number)
            expected.setdefault(key, []).append((number, value))
        elif what == "array":
            channel.log_series(key, np.full(number, value), steps=np.arange(number))
            expected.setdefault(key, []).extend((i, value) for i in range(number))
        else:
            channel.say(Noted(run=RUN, at=0, text=key))
            texts += 1
    if said:
        points, events = read_all(journal)
        assert points == {key: values for key, values in expected.items() if values}
        assert len(events) == texts
        journal.close(reached=journal.position())


@pytest.mark.parametrize(
    ("key", "value", "step", "error"),
    [
        (1, 0.5, 0, InvalidName),
        ([], 0.5, None, InvalidName),
        ("a//b", 0.5, 0, InvalidName),
        ("../x", 0.5, 0, InvalidName),
        ("x" * 251, 0.5, 0, InvalidName),
        ("a'; drop table runs; --", 0.5, 0, InvalidName),
        ("a", "0.5", 0, InvalidValue),
        ("a", True, 0, InvalidValue),
        ("a", np.bool_(True), 0, InvalidValue),
        ("a", None, 0, InvalidValue),
        ("a", np.ones(3), 0, InvalidValue),
        ("a", 1 << 5000, 0, InvalidValue),
        ("a", 0.5, 1.0, InvalidValue),
        ("a", 0.5, "1", InvalidValue),
        ("a", 0.5, 2**63, InvalidValue),
    ],
)
def test_bad_input_is_refused_and_leaves_no_trace(tmp_path: Path, key: Any, value: Any, step: Any, error: type[Exception]) -> None:
    """A bad key, value or step raises at the call, alone and in a dict, and nothing of that call is kept."""
    journal, channel, _ = journal_in(tmp_path / "j")
    channel.log_metric("good", 1.0)
    with pytest.raises(error):
        channel.log_metric(key, value, step)
    if not isinstance(key, list):
        with pytest.raises(error):
            channel.log_metrics({"fine": 1.0, key: value}, step)
    channel.log_metric("good", 2.0)
    assert read_all(journal)[0] == {"good": [(0, 1.0), (1, 2.0)]}


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (["a", "b"], {}),
        ([[1.0]], {}),
        (1.0, {}),
        ([1.0, 2.0], {"steps": [1]}),
        ([1.0], {"steps": [0.5]}),
        ([1.0], {"timestamps": ["now"]}),
        ([1j], {}),
    ],
)
def test_bad_arrays_are_refused(tmp_path: Path, values: Any, options: dict[str, Any]) -> None:
    """Arrays of other shapes, lengths or types raise, and nothing of them is kept."""
    journal, channel, _ = journal_in(tmp_path / "j")
    channel.log_metric("good", 1.0)
    with pytest.raises(InvalidValue):
        channel.log_series("curve", values, **options)
    assert set(read_all(journal)[0]) == {"good"}


def test_a_closed_channel_refuses(tmp_path: Path) -> None:
    """Once closed, a handle refuses every kind of value."""
    _, channel, _ = journal_in(tmp_path / "j")
    channel.log_metric("a", 1.0)
    channel.close()
    with pytest.raises(RunFinished):
        channel.log_metric("a", 1.0)
    with pytest.raises(RunFinished):
        channel.log_metrics({"a": 1.0})
    with pytest.raises(RunFinished):
        channel.log_series("a", [1.0])


def test_threads_lose_nothing(tmp_path: Path) -> None:
    """Four threads on one handle, over many segments: every value is there once."""
    journal, channel, _ = journal_in(tmp_path / "j", segment_bytes=1 << 16, first_bytes=1 << 16)

    def log(name: str) -> None:
        for i in range(20_000):
            channel.log_metric(f"{name}/{i % 10}", float(i), step=i)

    threads = [threading.Thread(target=log, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    points, _ = read_all(journal)
    for n in range(4):
        assert sorted(step for i in range(10) for step, _ in points[f"t{n}/{i}"]) == list(range(20_000))


def test_a_signal_handler_that_logs_loses_nothing(tmp_path: Path) -> None:
    """A handler that logs in the middle of log_metric, also while a segment changes, loses neither its own values nor the outer ones."""
    journal, channel, _ = journal_in(tmp_path / "j", segment_bytes=1 << 14, first_bytes=1 << 14)
    counts, depth = {"outer": 0, "inner": 0}, 0

    def handler(_signal: int, _frame: Any) -> None:
        nonlocal depth
        if depth:  # slower than the timer: one level of nesting is what is tested
            return
        depth += 1
        channel.log_metric("inner", float(counts["inner"]), step=counts["inner"])
        counts["inner"] += 1
        depth -= 1

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    try:
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            channel.log_metric("outer", float(counts["outer"]), step=counts["outer"])
            counts["outer"] += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    points, _ = read_all(journal)
    assert counts["inner"] > 100
    for key, count in counts.items():
        assert [step for step, _ in points[key]] == list(range(count))


def test_signals_that_come_while_a_segment_changes_are_let_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that logs more often than a segment can be made does not stop its thread from going on to the next one: what comes
    meanwhile has room, under names that are told with it, and nothing is lost."""
    journal, channel, told = journal_in(tmp_path / "j", segment_bytes=1 << 16, first_bytes=1 << 16)
    counts = {"outer": 0, "inner": 0}
    allocate, within = journal._allocate, 0

    def interrupted(*arguments: Any) -> Any:
        nonlocal within
        within += 1
        for _ in range(5):  # signals that come in the time that a segment takes: if these made segments too, there would be no end
            log("inner")
        return allocate(*arguments)

    def log(key: str) -> None:
        channel.log_metric(key, float(counts[key]), step=counts[key])
        counts[key] += 1

    log("outer")
    monkeypatch.setattr(journal, "_allocate", interrupted)
    for _ in range(50_000):
        log("outer")
    channel.say(Noted(run=RUN, at=1, text="end"))
    points, events = read_all(journal)
    assert {key: [step for step, _ in values] for key, values in points.items()} == {k: list(range(n)) for k, n in counts.items()}
    assert within > 20
    assert counts["inner"] == 5 * within
    assert (len(events), journal.dropped, told) == (1, 0, [])


def test_a_signal_handler_that_raises_leaves_the_journal_whole(tmp_path: Path) -> None:
    """Exceptions thrown into log_metric at random moments lose no value whose call had returned, leave no files that nobody uses, and
    logging goes on."""
    journal, channel, _ = journal_in(tmp_path / "j", segment_bytes=1 << 14, first_bytes=1 << 14)
    channel.log_metric("first", 1.0)  # what is imported for it is not interrupted
    returned, armed = 0, False

    class Interrupt(BaseException):
        pass

    def handler(_signal: int, _frame: Any) -> None:
        nonlocal armed
        if armed:
            armed = False
            raise Interrupt

    before = signal.signal(signal.SIGALRM, handler)
    gc.disable()  # an exception raised inside a collector's callback would be swallowed there
    signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
    raised = 0
    try:
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            try:
                armed = True
                for _ in range(200):
                    channel.log_metric("a", 1.0, step=returned)
                    returned += 1
                armed = False
            except Interrupt:
                raised += 1
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    points, _ = read_all(journal)
    assert raised > 50
    assert {step for step, _ in points["a"]} >= set(range(returned))
    assert journal._lock.acquire(blocking=False)
    used = {segment.path for segment in journal.segments.values()}
    unused = [path for path in journal.folder.iterdir() if path.suffix in {".seg", ".new"} and path not in used]
    assert len(unused) <= 2  # an exception may hit the very line that tidies up


def test_a_forked_child_writes_a_journal_of_its_own(tmp_path: Path) -> None:
    """A child forked in the middle of logging, with a handle taken before, loses and doubles nothing, and leaves the parent's lock."""
    _, channel, _ = journal_in(tmp_path / "j")
    stop = threading.Event()
    logged = 0

    def busy() -> None:
        nonlocal logged
        while not stop.is_set():
            channel.log_metric("parent", float(logged), step=logged)
            logged += 1

    thread = threading.Thread(target=busy)
    thread.start()
    children = []
    for n in range(8):
        pid = os.fork()
        if pid == 0:
            for i in range(500):
                channel.log_metric(f"child{n}", float(i), step=i)
            os._exit(0)
        children.append(pid)
    codes = [os.waitpid(pid, 0)[1] for pid in children]
    stop.set()
    thread.join()
    assert codes == [0] * 8
    folders = [path for path in (tmp_path / "j").iterdir() if not path.name.startswith(".")]
    assert len(folders) == 9
    seen: dict[str, list[int]] = {}
    for folder in folders:
        reader = JournalReader(folder)
        while (batch := reader.read()) is not None:
            for series, steps in zip(batch.series, batch.steps, strict=True):
                for number, step in zip(series.tolist(), steps.tolist(), strict=True):
                    seen.setdefault(batch.names[number][1], []).append(step)
            reader.position = batch.new
        reader.close()
    assert seen.pop("parent") == list(range(logged))
    assert seen == {f"child{n}": list(range(500)) for n in range(8)}


@pytest.mark.long
def test_a_full_disk_does_not_end_the_run(tmp_path: Path) -> None:
    """When the file system takes nothing more, values are held in memory, later dropped, each told once, and no call raises."""
    journal, channel, told = journal_in(tmp_path / "j", segment_bytes=1 << 16, first_bytes=1 << 16)
    channel.log_metric("a", 0.0)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 10, limits[1]))  # every allocation of a segment fails as on a full disk
    try:
        for i in range(3_000_000):
            channel.log_metric("a", float(i))
        assert [sentence.split(":")[-1].strip() for sentence in told] == [
            "values are held in memory until the store has them",
            "values are being dropped until the store takes some",
        ]
        held = sum(segment.size for segment in journal.segments.values() if segment.path is None)
        assert held <= 64 << 20
        assert journal.dropped > 0
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    points = read_all(journal, live=True)[0]["a"]
    assert len(points) + journal.dropped == 3_000_001
    for number in list(journal.segments)[:-1]:
        journal.release(number)
    time.sleep(1.1)
    channel.log_metric("later", 1.0)
    assert "later" in read_all(journal, live=True)[0] if 1 in journal.segments else journal.segments[max(journal.segments)].path is not None


def test_a_full_folder_is_left_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the journal's folder takes no more segments, another folder has the next ones, on disk, said once; closed in order with all in
    the store, neither is left."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    journal, channel, told = journal_in(tmp_path / "j", segment_bytes=1 << 16, first_bytes=1 << 16)
    channel.log_metric("a", 0.0, step=0)
    shutil.rmtree(journal.folder)  # a folder that takes nothing
    for i in range(1, 10_000):
        channel.log_metric("a", float(i), step=i)
    assert [step for step, _ in read_all(journal, live=True)[0]["a"]] == list(range(10_000))
    assert all(
        segment.path is not None and segment.path.is_relative_to(tmp_path / "tmp") for segment in list(journal.segments.values())[1:]
    )
    assert len(told) == 1
    assert "is used beside it" in told[0]
    assert journal.close(reached=journal.position()) == 0
    assert [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_written_is_replaced(tmp_path: Path) -> None:
    """A journal folder that is a file, or a link to somewhere, is not used: a private folder is, and it is said."""
    (tmp_path / "file").write_text("")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("file", "link"):
        journal, channel, told = journal_in(tmp_path / name)
        channel.log_metric("a", 1.0)
        assert read_all(journal)[0] == {"a": [(0, 1.0)]}
        assert not journal.folder.is_relative_to(tmp_path)
        assert len(told) == 1
        journal.close(reached=journal.position())
        journal.folder.parent.rmdir()


def test_folders_and_files_are_private(tmp_path: Path) -> None:
    """Nobody else can read what is logged: folders 0700, files 0600, also when the folder was open before."""
    (tmp_path / "j").mkdir(mode=0o755)
    journal, channel, _ = journal_in(tmp_path / "j")
    channel.log_metric("a", 1.0)
    assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o700
    assert stat.S_IMODE(journal.folder.stat().st_mode) == 0o700
    segments = list(journal.folder.glob("*.seg"))
    assert segments
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in segments)
    owner = json.loads((journal.folder / "owner.json").read_text())
    assert owner["pid"] == os.getpid()


def test_a_damaged_record_is_passed_over(tmp_path: Path) -> None:
    """A record whose bytes changed on the disk is counted and skipped; what follows is read."""
    journal, channel, _ = journal_in(tmp_path / "j")
    channel.say(ParamsLogged(run=RUN, at=1, attempt=1, values={"a": "1"}))
    channel.log_metric("after", 1.0)
    path = journal.folder / "00000001.seg"
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES + SLOT + 5] ^= 0xFF
    path.write_bytes(data)
    reader = JournalReader(journal.folder)
    batch = reader.read()
    assert batch is not None
    assert batch.damaged == 1
    assert batch.points == 1
    reader.close()


def test_closing_drained_leaves_nothing(tmp_path: Path) -> None:
    """A journal that the store has whole leaves no folder, and the next value starts a new one."""
    journal, channel, _ = journal_in(tmp_path / "j")
    channel.log_metric("a", 1.0)
    first = journal.folder
    journal.close(reached=journal.position())
    assert not first.exists()
    channel.log_metric("a", 2.0)
    assert journal.folder != first
    assert read_all(journal)[0] == {"a": [(1, 2.0)]}


def _damaged(folder: Path, change: Any) -> tuple[int, int, bool]:
    """Points read, slots given up, and whether the segment is kept, of a journal whose first segment was changed on the disk."""
    journal, channel, _ = journal_in(folder)
    for i in range(1000):
        channel.log_metric("a", float(i), step=i)
    path = journal.folder / "00000001.seg"
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    reader = JournalReader(journal.folder)
    points = damaged = 0
    while (batch := reader.read()) is not None:
        points, damaged = points + batch.points, damaged + batch.damaged
        reader.advance(batch)
    reader.close()
    return points, damaged, reader.damaged


def _offset(slot: int) -> int:
    return HEADER_BYTES + slot * SLOT


def test_a_lost_mark_costs_one_point(tmp_path: Path) -> None:
    """One flipped bit of one point's mark loses that point alone, and is counted."""

    def change(data: bytearray) -> None:
        data[_offset(100) + SLOT - 2] ^= 0x40

    assert _damaged(tmp_path / "j", change) == (999, 1, True)


def test_a_series_that_was_never_announced_is_damage(tmp_path: Path) -> None:
    """A point with a series number nobody announced is left out and counted, however great the number is."""

    def change(data: bytearray) -> None:
        data[_offset(100) + SLOT - 5] ^= 0x80

    assert _damaged(tmp_path / "j", change) == (999, 1, True)


def test_a_region_of_noise_costs_what_stood_there(tmp_path: Path) -> None:
    """Random bytes over fifty slots lose fifty points; what follows is read."""

    def change(data: bytearray) -> None:
        data[_offset(200) : _offset(250)] = np.random.default_rng(5).bytes(50 * SLOT)

    points, damaged, kept = _damaged(tmp_path / "j", change)
    assert (points, kept) == (950, True)
    assert damaged == 50


def test_a_truncated_segment_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """A segment cut off in the middle gives what stands in it, and is kept."""

    def change(data: bytearray) -> None:
        del data[_offset(143) :]

    assert _damaged(tmp_path / "j", change) == (140, 0, True)


def test_a_folder_that_is_removed_does_not_end_the_run(tmp_path: Path) -> None:
    """When somebody removes the journal's folder, logging goes on in memory, and it is said."""
    journal, channel, told = journal_in(tmp_path / "j", segment_bytes=1 << 16, first_bytes=1 << 16)
    channel.log_metric("a", 0.0)
    journal.prepare()
    shutil.rmtree(journal.folder)
    for i in range(10_000):
        channel.log_metric("a", float(i))
    assert len(read_all(journal, live=True)[0]["a"]) == 10_001
    assert told
    journal.close(reached=journal.position())


def test_names_of_runs_that_are_over_are_forgotten(tmp_path: Path) -> None:
    """A process that logs for one run after another remembers no more series than stand in the segment that is being read."""
    journal = Journal(tmp_path / "j", segment_bytes=1 << 16, first_bytes=1 << 16)
    reader, seen = JournalReader(journal.folder, live=journal), 0
    for number in range(30):
        channel = Channel(journal, f"{number:08d}{RUN[8:]}")
        for i in range(500):
            channel.log_metric(f"key{i}", 0.5, step=i)
        channel.close()
        while (batch := reader.read()) is not None:
            assert {batch.names[n][0] for n in np.concatenate(batch.series).tolist()} == {channel.run_id}
            seen += batch.points
            reader.advance(batch)
    assert seen == 30 * 500
    assert len(reader.names) < 3 * 500
