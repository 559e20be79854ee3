"""Ours beside other trackers, each in a process of its own, in turns: what a call costs, what is kept, what comes back and how fast.

A peer that is not installed or fails is absent; one that has no such thing says so in the row's note. ``beside.py`` makes the table of it.
"""

from __future__ import annotations

import functools
import operator
import random
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import stores
from benchmarks.contenders.asking import OURS, Asked, NotSo, Peer, environment, started
from benchmarks.contenders.scripts import IMPORTS, SCRIPTS
from benchmarks.contenders.turns import Found, asking, in_turns, opened, place_of, rows, there, warm
from benchmarks.measure import Absent, Row, Work, timed

MIB = 1 << 20
MANY_FILES, FILE = 5_000, 10_000  # files of so many bytes
MODELS = ("MLflow", "Trackio", "W&B offline")
_FILED = "to a folder on the same disk; ours and Trackio take a sha256, W&B an md5, MLflow none"
_MODELLED = "MLflow's and ours in the MLmodel format, without a pickle; Trackio's and W&B's are a pickle that their user writes"
_QUEUED = 300  # calls at most of MLflow's queue, which takes seconds to write them

# --- logging --------------------------------------------------------------------------------------------------------------------


def logging(work: Work) -> Iterator[Row | Absent]:
    """One call by itself, and calls from four threads."""
    peers, absent = there(work)
    yield from absent
    most, seconds, times = work.size(100_000, 20_000), 0.5 if work.quick else 1.5, work.times(3, 2)
    with stores.folder() as folder, opened(folder, peers) as all_asked:
        calls = in_turns(times, all_asked, lambda asked: asked.ask("calls", seconds=seconds, most=_most(asked, most)))
        threads = in_turns(times, all_asked, lambda asked: asked.ask("threads", seconds=seconds, most=_most(asked, most)))
    fewest = min((int(one["calls"]) for found in calls.values() if isinstance(found, list) for one in found), default=0)
    yield from rows("one call that logs a point: median", "µs", calls, lambda told: float(told["median"]))
    note = f"of {fewest:,} calls and more" + ("" if fewest > 1_000 else ", so of some it is the slowest")
    yield from rows("one call that logs a point: p99.9", "µs", calls, lambda told: float(told["tail"]), note=note)
    yield from rows("one call from 4 threads, 50 keys", "µs", threads, note="wall time by calls")


def _most(asked: Asked, most: int, way: str = "single") -> int:
    return min(most, _QUEUED * {"single": 1, "many": 10}[way]) if asked.peer.words and way != "quick" else most


def storing(work: Work) -> Iterator[Row | Absent]:
    """Points a second until they are in the store and can be read, by each way of logging them."""
    peers, absent = there(work)
    yield from absent
    most, seconds, times = work.size(1_000_000, 100_000), 0.5 if work.quick else 1.5, work.times(3, 2)
    ways = {"single": "one point a call", "many": "ten metrics a call", "quick": "arrays or batches"}
    with stores.folder() as folder, opened(folder, peers) as all_asked:
        for way, told in ways.items():
            found = in_turns(times, all_asked, functools.partial(_store, way, seconds, most))
            yield from rows(
                f"points/s until in the store, {told}", "points/s", found, lambda one: float(one["rate"]), more=True, note=_unread(found)
            )


def _store(way: str, seconds: float, most: int, asked: Asked) -> Any:
    return asked.ask("store", way=way, seconds=seconds, most=_most(asked, most, way))


def _unread(found: Found) -> str:
    """Who cannot give back what was logged though the run has ended."""
    missing = {
        name: sum(one["points"] - one["readable"] for one in answers)
        for name, answers in found.items()
        if isinstance(answers, list) and any(one["points"] != one["readable"] for one in answers)
    }
    return "; ".join(f"{name}: {amount:,} points could not be read" for name, amount in missing.items())


def size(work: Work) -> Iterator[Row | Absent]:
    """Bytes a point in the store's files, noisy float64 in ten series, each logged in its quickest way."""
    peers, absent = there(work, "MLflow", "Trackio", "W&B offline", "TensorBoard")
    yield from absent
    points = work.size(100_000, 20_000)
    with stores.folder() as folder, opened(folder, peers) as all_asked:
        found = in_turns(1, all_asked, asking("size", points=points, patience=120))
    yield from rows("bytes a point on disk", "B", found, note=f"10 series of {points // 10:,}; TensorBoard keeps float32")


# --- reading --------------------------------------------------------------------------------------------------------------------


def reading(work: Work) -> Iterator[Row | Absent]:
    """A series of 200,000 points, the first thing that a new process reads."""
    peers, absent = there(work, "MLflow", "Trackio", "W&B offline", "TensorBoard")
    yield from absent
    count = work.size(200_000, 50_000)
    with stores.folder() as folder:
        with opened(folder, peers) as all_asked:
            made = in_turns(1, all_asked, asking("make_series", count=count, patience=120))

        def read(asked: Asked) -> Any:
            answer = made[asked.peer.name]
            if isinstance(answer, NotSo):
                raise answer
            with started(asked.peer, asked.folder) as fresh:
                return fresh.ask("read", folder=str(asked.folder), where=answer[0], count=count)

        found = in_turns(work.times(3, 2), all_asked, read)
    yield from rows(f"read a series of {count:,} points", "ms", found, note="in a new process, after the imports")


def searching(work: Work) -> Iterator[Row | Absent]:
    """The first hundred of ten thousand runs, and a thousand as a DataFrame."""
    peers, absent = there(work, "MLflow", "Trackio", "W&B offline", "TensorBoard")
    yield from absent
    count, times = work.size(10_000, 2_000), work.times(7, 3)
    questions = {"one metric": ("metrics.auc > 0.9", "metrics.auc desc")}
    questions["a metric and a param, by another metric"] = ("metrics.auc > 0.5 and params.model = 'xgb'", "metrics.m7 desc")
    with stores.folder() as folder, opened(folder, peers) as all_asked:
        made = in_turns(1, all_asked, asking("make_runs", count=count))
        able = [asked for asked in all_asked if isinstance(made[asked.peer.name], list)]
        unable: Found = {name: why for name, why in made.items() if isinstance(why, NotSo)}
        for name, (condition, order) in questions.items():
            question = warm(able, asking("search", condition=condition, order=order))
            found = in_turns(times, able, question) | unable
            yield from rows(f"filter and order, top 100 of {count:,} runs: {name}", "ms", found, lambda told: float(told["ms"]))
        found = in_turns(times, able, warm(able, asking("frame"))) | unable
        yield from rows("1,000 runs to a DataFrame", "ms", found, lambda told: float(told["ms"]))


# --- what is kept -----------------------------------------------------------------------------------------------------------------


def killing(work: Work) -> Iterator[Row | Absent]:
    """Points whose call had returned when the process was killed, and that can be read afterwards."""
    peers, absent = there(work)
    yield from absent
    for helpers, told in ((False, "the process alone"), (True, "its helpers too, as a container dies")):
        chosen = [peer for peer in peers if not helpers or peer is OURS or peer.name == "W&B offline"]
        found: Found = {peer.name: [] for peer in chosen}
        rnd = random.Random(3)
        with stores.folder() as folder:
            for _ in range(work.times(2, 1)):
                for peer in chosen:
                    answers = found[peer.name]
                    if isinstance(answers, list):
                        try:
                            answers.append(_killed(peer, place_of(folder, peer), rnd.uniform(1.5, 2.5), helpers=helpers))
                        except NotSo as why:
                            found[peer.name] = why
        logged = {name: sum(one[0] for one in answers) for name, answers in found.items() if isinstance(answers, list)}
        note = "killed two seconds after the first; logged by then: " + ", ".join(f"{name} {amount:,}" for name, amount in logged.items())
        what = f"points kept after SIGKILL at full speed: {told}"
        if len(chosen) > 1 or not helpers:
            yield from rows(what, "%", found, lambda one: 100 * min(one) / one[0], more=True, limit=100.0, note=note)


def _killed(peer: Peer, folder: Path, seconds: float, *, helpers: bool) -> tuple[int, int]:
    """Points that were logged, and kept, by a process that is killed so many seconds after its first point."""
    counter = folder / "counter"
    counter.write_bytes(bytes(8))
    with started(peer, folder) as asked:
        asked.ask("open", folder=str(folder))
        asked.tell("flood", folder=str(folder), counter=str(counter))
        until = time.monotonic() + 30
        while not any(counter.read_bytes()) and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(seconds)
        asked.kill(helpers=helpers)
        (logged,) = struct.unpack("<q", counter.read_bytes())
        if not logged:
            raise NotSo("flood: nothing was logged", failed=True)
        with started(peer, folder) as fresh:  # helpers of the killed one may still be writing, and are let
            return logged, int(fresh.ask("kept", folder=str(folder)))


# --- models and files ---------------------------------------------------------------------------------------------------------------


def models(work: Work) -> Iterator[Row | Absent]:
    """``log_model`` of a scikit-learn model, whole; the first call of a process, which imports, is not counted."""
    peers, absent = there(work, *MODELS, "TensorBoard")
    yield from absent
    with stores.folder() as folder, opened(folder, peers) as all_asked:
        for quick, told in ((False, ""), (True, ", its requirements given")):
            able = [asked for asked in all_asked if not quick or asked.peer.name in (OURS.name, "MLflow")]
            question = warm(able, functools.partial(_log_model, quick))
            found = in_turns(work.times(3, 1), able, question)
            note = "" if quick else _MODELLED
            yield from rows(f"log_model of a scikit-learn model{told}", "s", found, note=note)


def _log_model(quick: bool, asked: Asked) -> Any:
    return asked.ask("log_model", folder=str(asked.folder), quick=quick)


def files(work: Work) -> Iterator[Row | Absent]:
    """Artifacts to a local folder: many small files, and one large; beside the bare copying and hashing they are in ``artifacts.local``."""
    peers, absent = there(work, *MODELS, "TensorBoard")
    yield from absent
    count, large, times = work.size(MANY_FILES, 1_000), work.size(256, 64), work.times(3, 2)
    with stores.folder() as folder, opened(folder, peers) as all_asked:
        for what, amounts, unit, amount in (
            (f"a folder of {count:,} files of {FILE // 1000} kB as artifacts", [FILE] * count, "files/s", count),
            (f"a file of {large} MiB as an artifact", [large * MIB], "MiB/s", large),
        ):
            # New bytes at each turn, since some keep the same bytes once. Nothing is removed in between: ext4 is slow to give out what was
            # freed a moment ago, to whoever asks first.
            paths = [_filled(folder / f"f{turn}-{len(amounts)}", amounts, turn) for turn in range(times)]
            left = {asked.peer.name: iter(paths) for asked in all_asked}
            found = in_turns(times, all_asked, functools.partial(_log_files, left))
            yield from rows(what, unit, found, functools.partial(operator.truediv, amount), more=True, note=_FILED)


def _log_files(left: dict[str, Iterator[Path]], asked: Asked) -> Any:
    return asked.ask("log_files", path=str(next(left[asked.peer.name])))


def _filled(folder: Path, amounts: list[int], seed: int) -> Path:
    """A folder of random files; the path of the file where it is one."""
    chance = random.Random(seed)
    for number, amount in enumerate(amounts):
        path = folder / str(number % 50) / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for left in range(amount, 0, -MIB):
                file.write(chance.randbytes(min(left, MIB)))
    return folder if len(amounts) > 1 else path


# --- the first things -----------------------------------------------------------------------------------------------------------------


def starting(work: Work) -> Iterator[Row | Absent]:
    """The import, and a whole script of two params and a hundred points in a folder where nothing is yet."""
    peers, absent = there(work, *SCRIPTS)
    yield from absent
    times = work.times(3, 2)
    with stores.folder() as folder:
        imports: Found = {peer.name: [] for peer in peers}
        scripts: Found = {peer.name: [] for peer in peers}
        for turn in range(times + 1):
            for peer in peers:
                place = place_of(folder, peer) / str(turn)
                (place / "home").mkdir(parents=True)
                importing = f"import time; start = time.perf_counter(); {IMPORTS[peer.name]}; print(time.perf_counter() - start)"
                counts = turn > 0  # before that the files may not be in the page cache
                _keep(imports, peer, functools.partial(_printed, peer, place, importing), counts=counts)
                _keep(scripts, peer, functools.partial(timed, functools.partial(_python, peer, place, SCRIPTS[peer.name])), counts=counts)
    yield from rows("import", "s", imports, note="ours without Prefect, which flows import anyway")
    yield from rows("first script on a machine, process start to end", "s", scripts, note="2 params, 100 points")


def _keep(found: Found, peer: Peer, seconds: Callable[[], float], *, counts: bool) -> None:
    answers = found[peer.name]
    if isinstance(answers, list):
        try:
            taken = seconds()
        except NotSo as why:
            found[peer.name] = why
            return
        if counts:
            answers.append(taken)


def _printed(peer: Peer, folder: Path, code: str) -> float:
    return float(_python(peer, folder, code))


def _python(peer: Peer, folder: Path, code: str) -> str:
    env = {name: value for name, value in environment(folder).items() if name != "PYTHONPATH"}
    env |= {"TRACKIO_DIR": str(folder / "trackio"), "PREFECT_LEDGER_HOME": str(folder / "ledger")}
    done = subprocess.run([str(peer.python), "-c", code], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise NotSo(f"ended with {done.returncode}: {done.stderr.strip()[-300:]}", failed=True)
    return done.stdout.strip().rpartition("\n")[2]


BENCHES = {
    "peers.logging": logging,
    "peers.storing": storing,
    "peers.size": size,
    "peers.reading": reading,
    "peers.searching": searching,
    "peers.killing": killing,
    "peers.models": models,
    "peers.files": files,
    "peers.starting": starting,
}
