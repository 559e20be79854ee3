"""Artifacts to and from a real S3 server, beside ``aws s3 cp`` and MLflow's ``log_artifacts``, each installed in an environment of its own;
and to a local folder, beside ``shutil.copyfile`` with a sha256 and MLflow's ``log_artifacts``, which copies without one.

Ours and MLflow's are timed inside a process that is running and has said hello to the server; of the aws command its own start is not
counted. Ours alone hashes and checks: the digest is part of what is timed.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import stores
from benchmarks.measure import Absent, Row, Sample, Work, in_turns, timed
from prefect_ledger.artifact_store import ArtifactStore, Stored, Wanted
from tests.services_real.s3 import S3Server, s3_server

MIB = 1 << 20
LARGE, FEW = 1_024, 256  # MiB of the one file
MANY, FEWER, SMALL = 5_000, 1_000, 10_000  # files of so many bytes
_PEERS = {"aws s3 cp": ("awscli",), "MLflow": ("mlflow-skinny", "boto3")}

_MLFLOW = """
import sys, time, warnings
warnings.simplefilter("ignore")
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
root = get_artifact_repository(sys.argv[1])
for line in sys.stdin:
    way, folder, path = line.rstrip("\\n").split("\\t")
    start = time.perf_counter()
    root.log_artifacts(folder, path) if way == "up" else root.download_artifacts(path, folder)
    print(time.perf_counter() - start, flush=True)
"""


@dataclass(frozen=True)
class Way:
    """How one of the contenders moves a folder there and back; each answers with its seconds."""

    up: Callable[[], float]
    down: Callable[[], float]


def large(work: Work) -> Iterator[Row | Absent]:
    """One file: MiB a second."""
    size = work.size(LARGE, FEW)
    yield from _raced(work, {"file": size * MIB}, size, "MiB/s", f"one file of {size:,} MiB", rounds=work.times(3, 2))


def many(work: Work) -> Iterator[Row | Absent]:
    """Many small files: files a second."""
    count = work.size(MANY, FEWER)
    files = {f"{n % 50}/{n}": SMALL for n in range(count)}
    yield from _raced(work, files, count, "files/s", f"{count:,} files of {SMALL // 1000} kB", rounds=work.times(1, 2))


def local(work: Work) -> Iterator[Row | Absent]:
    """To a local folder, by the verbs: one large file, and a folder of small ones."""
    size, count = work.size(FEW, FEW // 4), work.size(MANY, FEWER)
    few = {"file": size * MIB}
    yield from _beside(work, few, size, "MiB/s", f"one file of {size:,} MiB to a local folder", rounds=work.times(7, 3))
    small = {f"{n % 50}/{n}": SMALL for n in range(count)}
    yield from _beside(work, small, count, "files/s", f"{count:,} files of {SMALL // 1000} kB to a local folder", rounds=work.times(5, 3))


def _beside(work: Work, files: dict[str, int], amount: int, unit: str, what: str, *, rounds: int) -> Iterator[Row | Absent]:
    with stores.folder() as folder, contextlib.ExitStack() as ends:
        source, turn = folder / "in", itertools.count()
        _fill(source, files)
        one = ends.enter_context(stores.ledger(folder, f"sqlite:///{folder}/ledger.db"))
        run = stores.new_run(one)
        # Nothing is removed in between: ext4 is slow to give out what was freed a moment ago, to whoever asks first.
        ways: dict[str, Callable[[], float]] = {
            "ours": lambda: timed(lambda: run.log_artifacts(source, f"copy {next(turn)}", progress=False)),
            "copyfile, sha256": lambda: timed(lambda: _copied(source, folder / f"copy {next(turn)}")),
        }
        found = _environment(folder / "mlflow", _PEERS["MLflow"]) if work.divisor == 1 else None
        if found is not None:
            up = ends.enter_context(_asked(found, str(folder / "mlflow-root"), dict(os.environ), source)).up
            ways["MLflow, no sha256"] = up
        ours, *theirs = [sample.each(lambda seconds: amount / seconds) for sample in in_turns(rounds, *ways.values())]
        stores.end(run, one)
        for name, rate, times in zip(list(ways)[1:], theirs, (1 / 1.2, 5.0), strict=False):
            asked = times if unit == "files/s" or times < 1 else None
            limit = None if asked is None else rate.median * asked
            yield Row(what, ours, unit, rate, name, limit=limit, more=True, note="" if limit is None else f"limit: {asked:.2g} of {name}")


def _copied(source: Path, target: Path) -> None:
    for folder, _, names in os.walk(source):
        into = target / Path(folder).relative_to(source)
        into.mkdir(parents=True)
        for name in names:
            shutil.copyfile(Path(folder, name), into / name)
            with (into / name).open("rb") as file:
                hashlib.file_digest(file, "sha256").hexdigest()


def _raced(work: Work, files: dict[str, int], amount: int, unit: str, what: str, *, rounds: int) -> Iterator[Row | Absent]:
    with stores.folder() as folder, s3_server() as server, contextlib.ExitStack() as ends:
        source = folder / "in"
        _fill(source, files)
        bucket = server.bucket()
        ways: dict[str, Way] = {"ours": _ours(server, bucket, source, folder / "ours")}
        for name, packages in _PEERS.items() if work.divisor == 1 else ():
            found = _environment(folder / name.partition(" ")[0], packages)
            if found is None:
                yield Absent(f"{what}, beside {name}", f"{' and '.join(packages)} could not be installed")
            elif name == "MLflow":
                ways[name] = ends.enter_context(_mlflow(found, server, bucket, source, folder / "mlflow-out"))
            else:
                ways[name] = _aws(found, server, bucket, source, folder / "aws-out")
        ups, downs = _turns(list(ways.values()), rounds)
        for direction, samples in (("up", ups), ("down", downs)):
            rates = [sample.each(lambda seconds: amount / seconds) for sample in samples]
            if len(rates) == 1:
                yield Row(f"{what}, {direction}", rates[0], unit, more=True)
            for name, theirs in zip(list(ways)[1:], rates[1:], strict=True):
                yield Row(f"{what}, {direction}", rates[0], unit, theirs, name, limit=theirs.median, more=True, note=f"limit: {name}")


def _turns(ways: list[Way], rounds: int) -> tuple[list[Sample], list[Sample]]:
    calls = [call for way in ways for call in (way.up, way.down)]
    found = in_turns(rounds, *calls)
    return found[::2], found[1::2]


def _fill(folder: Path, files: dict[str, int]) -> None:
    chance = random.Random(1)
    for name, size in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for left in range(size, 0, -MIB):
                file.write(chance.randbytes(min(left, MIB)))


def _ours(server: S3Server, bucket: str, source: Path, target: Path) -> Way:
    store = ArtifactStore(f"s3://{bucket}/ours", server.options())
    store.put_bytes(store.uri(0, "warm"), "up", b"x")
    stored: list[Stored] = []
    turn = itertools.count()

    def up() -> float:
        base = store.uri(0, f"r{next(turn)}")
        return timed(lambda: stored.__setitem__(slice(None), store.put_folder(base, "", source, progress=False)))

    def down() -> float:
        with _emptied(target):
            return timed(lambda: store.download_many([Wanted(s.uri, target / s.path, s.sha256) for s in stored], progress=False))

    return Way(up, down)


def _aws(environment: Path, server: S3Server, bucket: str, source: Path, target: Path) -> Way:
    env, turn = os.environ | server.environment(), itertools.count()

    def call(*words: str) -> float:
        return timed(lambda: subprocess.run([str(environment / "aws"), *words], env=env, check=True, stdout=subprocess.DEVNULL))

    call("--version")
    start = min(call("--version") for _ in range(3))
    place = f"s3://{bucket}/aws"

    def up() -> float:
        return call("s3", "cp", "--recursive", "--quiet", str(source), f"{place}/{next(turn)}") - start

    def down() -> float:
        with _emptied(target):
            return call("s3", "cp", "--recursive", "--quiet", f"{place}/0", str(target)) - start

    return Way(up, down)


@contextlib.contextmanager
def _mlflow(environment: Path, server: S3Server, bucket: str, source: Path, target: Path) -> Iterator[Way]:
    env = os.environ | server.environment() | {"MLFLOW_S3_ENDPOINT_URL": server.url}
    with _asked(environment, f"s3://{bucket}/mlflow", env, source, target) as way:
        yield way


@contextlib.contextmanager
def _asked(environment: Path, root: str, env: dict[str, str], source: Path, target: Path | None = None) -> Iterator[Way]:
    turn, target = itertools.count(), target or source.parent / "mlflow-out"
    words = [str(environment / "python"), "-c", _MLFLOW, root]
    with subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        asked, answered = child.stdin, child.stdout

        def ask(way: str, folder: Path, path: str) -> float:
            asked.write(f"{way}\t{folder}\t{path}\n")
            asked.flush()
            return float(answered.readline())

        def down() -> float:
            with _emptied(target):
                return ask("down", target, "0")

        warm = source.parent / "warm"
        _fill(warm, {"x": 1})
        ask("up", warm, "warm")
        try:
            yield Way(lambda: ask("up", source, str(next(turn))), down)
        finally:
            asked.close()


@contextlib.contextmanager
def _emptied(folder: Path) -> Iterator[None]:
    folder.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(folder)


def _environment(folder: Path, packages: tuple[str, ...]) -> Path | None:
    """The ``bin`` of a new environment with these packages; None when they cannot be had."""
    uv = Path(sys.executable).with_name("uv")
    python = folder / "bin" / "python"
    if uv.exists():
        steps = [[str(uv), "venv", "-q", str(folder)], [str(uv), "pip", "install", "-q", "--python", str(python), *packages]]
    else:
        steps = [[sys.executable, "-m", "venv", str(folder)], [str(python), "-m", "pip", "install", "-q", *packages]]
    try:
        for step in steps:
            subprocess.run(step, check=True, timeout=120, capture_output=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return folder / "bin"


BENCHES = {"artifacts.large": large, "artifacts.many": many, "artifacts.local": local}
