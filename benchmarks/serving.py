"""A served model beside MLflow's scoring server: the same model, one worker each on one core, asked from another."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import stores
from benchmarks.measure import Absent, Row, Sample, Work, in_turns
from tests.interop.mlflow_side import PYTHON, READY, environment
from tests.services_real.processes import clean_environment, dies_with_us, free_port, start, stop

CONNECTIONS = 8
BARE = 200.0  # µs that a request may take beyond asking the model itself


def serving(work: Work) -> Iterator[Row | Absent]:
    """Requests a second and their 99th percentile with 8 connections; and, with one, what a request costs beyond the model."""
    seconds = 4.0 if work.divisor == 1 and not work.quick else 1.5
    rounds = work.times(5, 3)
    with stores.folder() as folder:
        model = folder / "model"
        bare = _saved(model)
        with contextlib.ExitStack() as ends:
            ours = ends.enter_context(_ours(model, folder))
            alone = [_alone(ours) for _ in range(rounds)]
            beyond = Sample.of([(median - bare) * 1e6 for median in alone])
            yield Row(
                "one request beyond the bare model, 5 by 20", beyond, "µs", limit=BARE, note=f"the model alone takes {bare * 1e6:.0f} µs"
            )
            if not READY.is_file():
                yield Absent("beside MLflow's scoring server", "its environment is not there: make .venv-mlflow/.ok")
                return
            theirs = ends.enter_context(_mlflow(model, folder))
            found: dict[int, list[_Found]] = {ours: [], theirs: []}
            rates = in_turns(rounds, *(lambda port=port: _kept(found[port], port, seconds) for port in (ours, theirs)))
        ratio = Sample.of([a / b for a, b in zip(rates[0].values, rates[1].values, strict=True)])
        what = f"requests/s to a served model, {CONNECTIONS} connections, 5 by 20"
        yield Row(what, rates[0], "/s", raw=rates[1], beside="MLflow's scoring server", more=True)
        yield Row("the same over MLflow's", ratio, "times", limit=2.0, more=True)
        slow = [Sample.of([one.slowest * 1e3 for one in found[port]]) for port in (ours, theirs)]
        yield Row(
            f"99th percentile of a request, {CONNECTIONS} connections",
            slow[0],
            "ms",
            raw=slow[1],
            beside="MLflow's scoring server",
            limit=slow[1].median,
        )


def _saved(path: Path) -> float:
    """Save a model of 20 columns; the seconds it takes to ask it itself with 5 rows."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    from prefect_ledger import save_model

    made = np.random.default_rng(0)
    data = made.normal(size=(500, 20))
    model = LogisticRegression().fit(data, (data[:, 0] > 0).astype(int))
    save_model(model, path, input_example=data[:5])
    rows, taken = data[:5], []
    for _ in range(2_000):
        begun = time.perf_counter()
        model.predict(rows)
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[len(taken) // 2]


# --- servers ---------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _ours(model: Path, folder: Path) -> Iterator[int]:
    port = free_port()
    words = [sys.executable, "-m", "prefect_ledger.cli", "serve", str(model), "--port", str(port)]
    with _running(words, folder, port, clean_environment(PREFECT_LEDGER_HOME=str(folder / "home"))):
        yield port


@contextlib.contextmanager
def _mlflow(model: Path, folder: Path) -> Iterator[int]:
    port = free_port()
    words = [str(PYTHON), "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning", "--workers", "1"]
    # What `mlflow models serve --env-manager local` starts in the end.
    with _running([*words, "mlflow.pyfunc.scoring_server.app:app"], folder, port, environment(__pyfunc_model_path__=str(model))):
        yield port


@contextlib.contextmanager
def _running(words: list[str], folder: Path, port: int, env: Mapping[str, str]) -> Iterator[None]:
    child = start([*_pinned(), *dies_with_us(), *words], folder / f"{port}.log", env=env, cwd=folder)
    try:
        _wait(port, child, folder / f"{port}.log")
        yield
    finally:
        stop(child, signal.SIGTERM)


def _pinned() -> list[str]:
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[0])] if len(cores) > 1 else []


def _wait(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until and child.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the server did not come up: {log.read_text(errors='replace')[-2000:]}")


# --- asking -----------------------------------------------------------------------------------------------------------------


class _Found:
    """What was seen: seconds of each request, in order of size."""

    def __init__(self, taken: list[float], seconds: float) -> None:
        self.taken, self.seconds = sorted(taken), seconds

    @property
    def rate(self) -> float:
        return len(self.taken) / self.seconds

    @property
    def slowest(self) -> float:
        return self.taken[int(len(self.taken) * 0.99)]


def _kept(found: list[_Found], port: int, seconds: float) -> float:
    found.append(_asked(port, CONNECTIONS, seconds))
    return found[-1].rate


def _asked(port: int, connections: int, seconds: float) -> _Found:
    """Ask over so many connections, from the other core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        asyncio.run(_ask(port, connections, 0.3))
        return asyncio.run(_ask(port, connections, seconds))
    finally:
        os.sched_setaffinity(0, cores)


def _alone(port: int) -> float:
    """Seconds of the middle one of many requests over one connection, by a client that costs next to nothing."""
    request, taken = _request(), []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(3_000):
            begun = time.perf_counter()
            connection.sendall(request)
            answer = b""
            while b"}" not in answer:
                answer += connection.recv(65_536)
            taken.append(time.perf_counter() - begun)
            assert answer.startswith(b"HTTP/1.1 200"), answer
    return sorted(taken)[len(taken) // 2]


def _request() -> bytes:
    numbers = random.Random(0)  # nothing secret
    body = json.dumps({"inputs": [[numbers.gauss(0, 1) for _ in range(20)] for _ in range(5)]}).encode()
    head = f"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _ask(port: int, connections: int, seconds: float) -> _Found:
    request, taken = _request(), []
    until = time.perf_counter() + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (begun := time.perf_counter()) < until:
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"refused: {answer!r}")
            await reader.readexactly(int(answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]))
            taken.append(time.perf_counter() - begun)
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return _Found(taken, time.perf_counter() - begun)


BENCHES = {"serving": serving}
