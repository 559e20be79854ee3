"""Ours beside other trackers, each in a process of its own, in turns: what a call costs, what is kept, what comes back and how fast.

A peer that is not installed or fails is absent; one that has no such thing says so in the row's note. ``beside.py`` makes the table of it.
"""

from __future__ import annotations

import contextlib
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
from benchmarks.contenders.asking import OURS, PEERS, Asked, NotSo, Peer, environment, started
from benchmarks.measure import Absent, Row, Sample, Work, timed

MIB = 1 << 20
MANY_FILES, FILE = 5_000, 10_000  # files of so many bytes
MODELS = ("MLflow", "Trackio", "W&B offline")
_FILED = "to a folder on the same disk; ours and Trackio's are kept by their sha256, W&B's by their md5, MLflow's are copied"
_MODELLED = "MLflow's and ours in the MLmodel format, without a pickle; Trackio's and W&B's are a pickle that their user writes"
_QUEUED = 300  # calls at most of MLflow's queue, which takes seconds to write them

Found = dict[str, list[Any] | NotSo]
Question = Callable[[Asked], Any]


# --- asking all in turns -----------------------------------------------------------------------------------------------------


def _there(work: Work, *names: str) -> tuple[list[Peer], list[Absent]]:
    """Ours and the named peers, or all, and those that are not installed; ours alone where the benchmarks are tested."""
    wanted = [peer for peer in PEERS if not names or peer.name in names] if work.divisor == 1 else []
    return [OURS, *(peer for peer in wanted if not peer.missing())], [
        Absent(f"beside {peer.name}", peer.missing()) for peer in wanted if peer.missing()
    ]


@contextlib.contextmanager
def _open(folder: Path, peers: list[Peer]) -> Iterator[list[Asked]]:
    """Their processes, each with an open store."""
    with contextlib.ExitStack() as ends:
        all_asked = [ends.enter_context(started(peer, _place(folder, peer))) for peer in peers]
        for asked in all_asked:
            asked.ask("open", folder=str(asked.folder))
        yield all_asked


def _place(folder: Path, peer: Peer) -> Path:
    place = folder / "".join(filter(str.isalnum, peer.name))
    place.mkdir(exist_ok=True)
    return place


def _in_turns(times: int, all_asked: list[Asked], question: Question) -> Found:
    """The answers of each, A B C B C A; whoever has none is not asked again."""
    found: Found = {asked.peer.name: [] for asked in all_asked}
    for turn in range(times):
        first = turn % len(all_asked)
        for asked in all_asked[first:] + all_asked[:first]:
            answers = found[asked.peer.name]
            if isinstance(answers, list):
                try:
                    answers.append(question(asked))
                except NotSo as why:
                    found[asked.peer.name] = why
    return found


def _rows(
    what: str,
    unit: str,
    found: Found,
    pick: Callable[[Any], float] = float,
    *,
    more: bool = False,
    limit: float | None = None,
    note: str = "",
) -> Iterator[Row | Absent]:
    """A row for each peer, ours in all of them.

    Raises:
        NotSo: ours has no answer.
    """
    ours, others = found[OURS.name], {name: answers for name, answers in found.items() if name != OURS.name}
    if isinstance(ours, NotSo):
        raise ours
    mine = Sample.of([pick(answer) for answer in ours])
    if not others:
        yield Row(what, mine, unit, limit=limit, more=more, note=note)
    for name, answers in others.items():
        if not isinstance(answers, NotSo):
            yield Row(what, mine, unit, Sample.of([pick(answer) for answer in answers]), name, limit, more, note=note)
        elif answers.failed:
            yield Absent(f"{what}, beside {name}", str(answers))
        else:
            yield Row(what, mine, unit, None, name, limit, more, note=str(answers))


def _asking(verb: str, **more: Any) -> Question:
    """The question that is the same for all."""
    return lambda asked: asked.ask(verb, **more)


def _most(asked: Asked, most: int, way: str = "single") -> int:
    return min(most, _QUEUED * {"single": 1, "many": 10}[way]) if asked.peer.words and way != "quick" else most


# --- logging --------------------------------------------------------------------------------------------------------------------


def logging(work: Work) -> Iterator[Row | Absent]:
    """One call by itself, and calls from four threads."""
    peers, absent = _there(work)
    yield from absent
    most, seconds, times = work.size(100_000, 20_000), 0.5 if work.quick else 1.5, work.times(3, 2)
    with stores.folder() as folder, _open(folder, peers) as all_asked:
        calls = _in_turns(times, all_asked, lambda asked: asked.ask("calls", seconds=seconds, most=_most(asked, most)))
        threads = _in_turns(times, all_asked, lambda asked: asked.ask("threads", seconds=seconds, most=_most(asked, most)))
    fewest = min((int(one["calls"]) for found in calls.values() if isinstance(found, list) for one in found), default=0)
    yield from _rows("one call that logs a point: median", "µs", calls, lambda told: float(told["median"]))
    note = f"of {fewest:,} calls and more" + ("" if fewest > 1_000 else ", so of some it is the slowest")
    yield from _rows("one call that logs a point: p99.9", "µs", calls, lambda told: float(told["tail"]), note=note)
    yield from _rows("one call from 4 threads, 50 keys", "µs", threads, note="wall time by calls")


def storing(work: Work) -> Iterator[Row | Absent]:
    """Points a second until they are in the store and can be read, by each way of logging them."""
    peers, absent = _there(work)
    yield from absent
    most, seconds, times = work.size(1_000_000, 100_000), 0.5 if work.quick else 1.5, work.times(3, 2)
    ways = {"single": "one point a call", "many": "ten metrics a call", "quick": "arrays or batches"}
    with stores.folder() as folder, _open(folder, peers) as all_asked:
        for way, told in ways.items():
            found = _in_turns(times, all_asked, functools.partial(_store, way, seconds, most))
            yield from _rows(
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
    peers, absent = _there(work, "MLflow", "Trackio", "W&B offline", "TensorBoard")
    yield from absent
    points = work.size(100_000, 20_000)
    with stores.folder() as folder, _open(folder, peers) as all_asked:
        found = _in_turns(1, all_asked, _asking("size", points=points, patience=120))
    yield from _rows("bytes a point on disk", "B", found, note=f"10 series of {points // 10:,}; TensorBoard keeps float32")


# --- reading --------------------------------------------------------------------------------------------------------------------


def reading(work: Work) -> Iterator[Row | Absent]:
    """A series of 200,000 points, the first thing that a new process reads."""
    peers, absent = _there(work, "MLflow", "Trackio", "W&B offline", "TensorBoard")
    yield from absent
    count = work.size(200_000, 50_000)
    with stores.folder() as folder:
        with _open(folder, peers) as all_asked:
            made = _in_turns(1, all_asked, _asking("make_series", count=count, patience=120))

        def read(asked: Asked) -> Any:
            answer = made[asked.peer.name]
            if isinstance(answer, NotSo):
                raise answer
            with started(asked.peer, asked.folder) as fresh:
                return fresh.ask("read", folder=str(asked.folder), where=answer[0], count=count)

        found = _in_turns(work.times(3, 2), all_asked, read)
    yield from _rows(f"read a series of {count:,} points", "ms", found, note="in a new process, after the imports")


def searching(work: Work) -> Iterator[Row | Absent]:
    """The first hundred of ten thousand runs, and a thousand as a DataFrame."""
    peers, absent = _there(work, "MLflow", "Trackio", "W&B offline", "TensorBoard")
    yield from absent
    count, times = work.size(10_000, 2_000), work.times(7, 3)
    questions = {"one metric": ("metrics.auc > 0.9", "metrics.auc desc")}
    questions["a metric and a param, by another metric"] = ("metrics.auc > 0.5 and params.model = 'xgb'", "metrics.m7 desc")
    with stores.folder() as folder, _open(folder, peers) as all_asked:
        made = _in_turns(1, all_asked, _asking("make_runs", count=count))
        able = [asked for asked in all_asked if isinstance(made[asked.peer.name], list)]
        unable: Found = {name: why for name, why in made.items() if isinstance(why, NotSo)}
        for name, (condition, order) in questions.items():
            question = _warm(able, _asking("search", condition=condition, order=order))
            found = _in_turns(times, able, question) | unable
            yield from _rows(f"filter and order, top 100 of {count:,} runs: {name}", "ms", found, lambda told: float(told["ms"]))
        found = _in_turns(times, able, _warm(able, _asking("frame"))) | unable
        yield from _rows("1,000 runs to a DataFrame", "ms", found, lambda told: float(told["ms"]))


def _warm(all_asked: list[Asked], question: Question) -> Question:
    """The question, once asked: what is imported and cached at the first time is the same for all."""
    _in_turns(1, all_asked, question)
    return question


# --- what is kept -----------------------------------------------------------------------------------------------------------------


def killing(work: Work) -> Iterator[Row | Absent]:
    """Points whose call had returned when the process was killed, and that can be read afterwards."""
    peers, absent = _there(work)
    yield from absent
    for helpers, told in ((False, ""), (True, " and of its helpers, as a container dies")):
        chosen = [peer for peer in peers if not helpers or peer is OURS or peer.name == "W&B offline"]
        found: Found = {peer.name: [] for peer in chosen}
        rnd = random.Random(3)
        with stores.folder() as folder:
            for _ in range(work.times(2, 1)):
                for peer in chosen:
                    answers = found[peer.name]
                    if isinstance(answers, list):
                        try:
                            answers.append(_killed(peer, _place(folder, peer), rnd.uniform(1.5, 2.5), helpers=helpers))
                        except NotSo as why:
                            found[peer.name] = why
        logged = {name: sum(one[0] for one in answers) for name, answers in found.items() if isinstance(answers, list)}
        note = "killed two seconds after the first; logged by then: " + ", ".join(f"{name} {amount:,}" for name, amount in logged.items())
        what = f"points kept after SIGKILL of the process{told}"
        if len(chosen) > 1 or not helpers:
            yield from _rows(what, "%", found, lambda one: 100 * min(one) / one[0], more=True, limit=100.0, note=note)


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
    peers, absent = _there(work, *MODELS, "TensorBoard")
    yield from absent
    with stores.folder() as folder, _open(folder, peers) as all_asked:
        for quick, told in ((False, ""), (True, ", its requirements given")):
            able = [asked for asked in all_asked if not quick or asked.peer.name in (OURS.name, "MLflow")]
            question = _warm(able, functools.partial(_log_model, quick))
            found = _in_turns(work.times(3, 1), able, question)
            note = "" if quick else _MODELLED
            yield from _rows(f"log_model of a scikit-learn model{told}", "s", found, note=note)


def _log_model(quick: bool, asked: Asked) -> Any:
    return asked.ask("log_model", folder=str(asked.folder), quick=quick)


def files(work: Work) -> Iterator[Row | Absent]:
    """Artifacts to a local folder: many small files, and one large; beside the bare copying and hashing they are in ``artifacts.local``."""
    peers, absent = _there(work, *MODELS, "TensorBoard")
    yield from absent
    count, large, times = work.size(MANY_FILES, 1_000), work.size(256, 64), work.times(3, 2)
    with stores.folder() as folder, _open(folder, peers) as all_asked:
        for what, amounts, unit, amount in (
            (f"a folder of {count:,} files of {FILE // 1000} kB as artifacts", [FILE] * count, "files/s", count),
            (f"a file of {large} MiB as an artifact", [large * MIB], "MiB/s", large),
        ):
            # New bytes at each turn, since some keep the same bytes once. Nothing is removed in between: ext4 is slow to give out what was
            # freed a moment ago, to whoever asks first.
            paths = [_filled(folder / f"f{turn}-{len(amounts)}", amounts, turn) for turn in range(times)]
            left = {asked.peer.name: iter(paths) for asked in all_asked}
            found = _in_turns(times, all_asked, functools.partial(_log_files, left))
            yield from _rows(what, unit, found, functools.partial(operator.truediv, amount), more=True, note=_FILED)


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

_STEPS = "for step in range(100):\n    "
SCRIPTS = {
    OURS.name: f"""
from prefect_ledger import start_run
with start_run(experiment="first") as run:
    run.log_params({{"depth": 6, "rate": 0.1}})
    {_STEPS.replace("    ", "        ")}run.log_metric("loss", 1 / (step + 1), step)
""",
    "MLflow": f"""
import mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("first")
with mlflow.start_run():
    mlflow.log_params({{"depth": 6, "rate": 0.1}})
    {_STEPS.replace("    ", "        ")}mlflow.log_metric("loss", 1 / (step + 1), step=step)
""",
    "Trackio": f"""
import trackio
run = trackio.init(project="first", config={{"depth": 6, "rate": 0.1}}, embed=False)
{_STEPS}trackio.log({{"loss": 1 / (step + 1)}}, step=step)
trackio.finish()
""",
    "W&B offline": f"""
import wandb
run = wandb.init(project="first", config={{"depth": 6, "rate": 0.1}}, mode="offline")
{_STEPS}run.log({{"loss": 1 / (step + 1)}}, step=step)
run.finish()
""",
    "TensorBoard": f"""
from tensorboardX import SummaryWriter
writer = SummaryWriter("runs/first")
writer.add_text("params", "depth 6, rate 0.1")
{_STEPS}writer.add_scalar("loss", 1 / (step + 1), step)
writer.close()
""",
}
_IMPORTS = {
    OURS.name: "from prefect_ledger import start_run, log_metric, log_params, search_runs",
    "MLflow": "import mlflow",
    "Trackio": "import trackio",
    "W&B offline": "import wandb",
    "TensorBoard": "from tensorboardX import SummaryWriter",
}


def starting(work: Work) -> Iterator[Row | Absent]:
    """The import, and a whole script of two params and a hundred points in a folder where nothing is yet."""
    peers, absent = _there(work, *SCRIPTS)
    yield from absent
    times = work.times(3, 2)
    with stores.folder() as folder:
        imports: Found = {peer.name: [] for peer in peers}
        scripts: Found = {peer.name: [] for peer in peers}
        for turn in range(times + 1):
            for peer in peers:
                place = _place(folder, peer) / str(turn)
                (place / "home").mkdir(parents=True)
                importing = f"import time; start = time.perf_counter(); {_IMPORTS[peer.name]}; print(time.perf_counter() - start)"
                counts = turn > 0  # before that the files may not be in the page cache
                _keep(imports, peer, functools.partial(_printed, peer, place, importing), counts=counts)
                _keep(scripts, peer, functools.partial(timed, functools.partial(_python, peer, place, SCRIPTS[peer.name])), counts=counts)
    yield from _rows("import", "s", imports, note="ours without Prefect, which flows import anyway")
    yield from _rows("first script on a machine, process start to end", "s", scripts, note="2 params, 100 points")


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
