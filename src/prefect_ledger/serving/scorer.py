"""Floor 5. Asks the model, in threads of its own: what waits meanwhile and can be asked together is asked together.

Nobody waits for a batch to fill: while the model works on one, the next gathers. A batch that the model, or its signature, does not take is
asked one by one, so that one bad request spoils nobody else's. A model that runs code of its own may answer a row by what is beside it, so
that it is asked about each request alone, unless somebody said how many rows it may be asked about together.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.flavors import of_file
from prefect_ledger.models.model_file import FUNCTION
from prefect_ledger.serving import answers
from prefect_ledger.serving.bodies import Asked, gap
from prefect_ledger.serving.refusals import Refused, broken, too_busy

if TYPE_CHECKING:
    from prefect_ledger.models.predictor import Predictor

_LATELY = 20  # times
_QUICK = 0.002  # seconds
_FEW = 32  # rows of a request that may be answered in the thread of the connections
_NOTHING = Asked()
_ROWS = 1000  # asked together where nobody said how many
log = logging.getLogger("prefect_ledger.serving")


@dataclass(slots=True, eq=False)
class _Job:
    asked: Asked
    future: asyncio.Future[tuple[bytes, Predictor, float]]
    loop: asyncio.AbstractEventLoop
    dropped: bool = False  # nobody waits for it any more


class Scorer:
    """Answers requests with the predictor that ``current`` gives; at most ``waiting`` of them wait, at most ``rows`` are asked at once.

    Without ``rows``, models that run code of their own are asked about each request alone.
    """

    def __init__(self, current: Callable[[], Predictor], *, waiting: int = 100, rows: int | None = None, threads: int = 1) -> None:
        self._current, self._limit, self._rows = current, waiting, rows
        self._jobs: deque[_Job] = deque()
        self._turn = threading.Condition()
        self._stopped = False
        self._begun: dict[int, float] = {}  # when each thread that asks the model now began, by its id
        self._lately: deque[float] = deque(maxlen=_LATELY)  # seconds that the model took, the last times
        self.batches: Callable[[int], None] = lambda _size: None
        self._threads = [threading.Thread(target=self._work, name=f"prefect-ledger-scorer-{i}", daemon=True) for i in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._jobs)

    def stuck(self, seconds: float) -> bool:
        """Whether the model has not answered for so long, in any thread: what is asked now would not be answered."""
        begun = list(self._begun.values())
        return len(begun) == len(self._threads) and time.perf_counter() - max(begun) > seconds

    def renew(self) -> None:
        """The model is another one: how quick it is has to be seen again."""
        self._lately = deque(maxlen=_LATELY)

    def here(self, asked: Asked) -> Predictor | None:
        """The predictor, where asking it here and now costs less than handing it to a thread; None where it may hold up everybody else.

        That is: nobody waits, it has lately been quick, it is asked about few rows, and it runs no code of its own, which might wait for
        something or start a loop.
        """
        lately = self._lately
        if self._begun or self._jobs or len(lately) < _LATELY or max(lately) >= _QUICK or _length(asked) > _FEW:
            return None
        predictor = self._current()
        return None if runs_code(predictor) else predictor

    def ask_here(self, asked: Asked, predictor: Predictor) -> tuple[bytes, Predictor, float]:
        """As :meth:`ask`, in this thread, of the predictor that :meth:`here` gave."""
        begun = time.perf_counter()
        answer = answer_to(asked, predictor)
        self._lately.append(seconds := time.perf_counter() - begun)
        self.batches(1)
        if isinstance(answer, Refused):
            raise answer
        return answer, predictor, seconds

    async def ask(self, asked: Asked) -> tuple[bytes, Predictor, float]:
        """The body of the answer, the predictor that gave it, and the seconds that it took for it and what was asked together with it.

        Raises:
            Refused: the model does not take what is asked, fails on it, or too many requests wait.
        """
        if len(self._jobs) >= self._limit:
            raise too_busy(len(self._jobs))
        loop = asyncio.get_running_loop()
        job = _Job(asked, loop.create_future(), loop)
        self._jobs.append(job)
        with self._turn:
            self._turn.notify()
        try:
            return await job.future
        except asyncio.CancelledError:
            with self._turn:
                job.dropped = True
                if job in self._jobs:  # it keeps its place, since the model is slow, but not its data
                    job.asked = _NOTHING
            raise

    def stop(self) -> None:
        """End the threads once what waits is answered."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()
        for thread in self._threads:
            thread.join(timeout=5)

    # --- in the threads ---------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            self._serve(*batch)
            del batch  # a predictor that was exchanged is not held until the next request comes

    def _serve(self, batch: list[_Job], predictor: Predictor) -> None:
        jobs = [job for job in batch if not job.dropped]
        if not jobs:
            return
        begun = self._begun[threading.get_ident()] = time.perf_counter()
        try:
            results = self._answer(jobs, predictor)
        except BaseException as error:  # noqa: BLE001  # this thread answers everybody
            results = [_failed(error)] * len(jobs)
        del self._begun[threading.get_ident()]
        self._lately.append(seconds := time.perf_counter() - begun)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            jobs[0].loop.call_soon_threadsafe(_deliver, jobs, results, predictor, seconds)

    def _next(self) -> tuple[list[_Job], Predictor] | None:
        with self._turn:
            while not self._jobs:
                if self._stopped:
                    return None
                self._turn.wait()
            batch, predictor = [self._jobs.popleft()], self._current()
            limit = self._rows or (1 if runs_code(predictor) else _ROWS)
            if batch[0].asked.shape is not None:
                rows = _size(batch[0])
                while self._jobs and self._fits(self._jobs[0], batch[0]) and (rows := rows + _size(self._jobs[0])) <= limit:
                    batch.append(self._jobs.popleft())
        return batch, predictor

    @staticmethod
    def _fits(job: _Job, first: _Job) -> bool:
        return job.loop is first.loop and job.asked.shape == first.asked.shape

    def _answer(self, jobs: list[_Job], predictor: Predictor) -> list[bytes | Refused]:
        self.batches(len(jobs))
        if len(jobs) > 1:
            try:
                together = np.concatenate([job.asked.rows for job in jobs])
                found = predictor.predict(_data(together, jobs[0].asked), json=True)
                if (parts := answers.split(found, [_size(job) for job in jobs])) is not None:
                    return [answers.body(part) for part in parts]
            except Exception as error:  # noqa: BLE001  # whose fault it is shows when each is asked alone
                log.debug("a batch of %d was not answered together: %r", len(jobs), error)
        return [answer_to(job.asked, predictor) for job in jobs]


def runs_code(predictor: Predictor) -> bool:
    """Whether the model is a Python function or object, or brings code of its own: nobody knows what it does as it is asked."""
    flavor, entry = of_file(predictor.file)
    return flavor.name == FUNCTION or bool(entry.get("code") or predictor.file.function.get("code"))


def answer_to(asked: Asked, predictor: Predictor) -> bytes | Refused:
    """The body of the predictor's answer, or why there is none; what it raises is logged."""
    data = asked.data if asked.rows is None else _data(asked.rows, asked)
    try:
        return answers.body(predictor.predict(data, asked.params or None, json=True))
    except Exception as error:  # noqa: BLE001  # the model's own code
        if isinstance(error, ValueError) and (what := gap(data)):
            return Refused(f"the model does not take such data: {what}", code="INVALID_PARAMETER_VALUE")
        return _failed(error)


def _failed(error: BaseException) -> Refused:
    if isinstance(error, Refused):
        return error
    if isinstance(error, InvalidValue):
        return Refused(str(error), code="INVALID_PARAMETER_VALUE")
    reference = uuid.uuid4().hex[:12]
    log.error("the model failed (%s)", reference, exc_info=error)
    return broken(reference)


def _data(rows: np.ndarray[Any, Any], asked: Asked) -> Any:
    if asked.columns is None:
        return rows
    import pandas as pd

    return pd.DataFrame(rows, columns=asked.columns, copy=False)


def _size(job: _Job) -> int:
    return len(job.asked.rows) if job.asked.rows is not None else 1


def _length(asked: Asked) -> int:
    found = asked.data if asked.rows is None else asked.rows
    return len(found) if hasattr(found, "__len__") else 1


def _deliver(jobs: list[_Job], results: list[bytes | Refused], predictor: Predictor, seconds: float) -> None:
    for job, result in zip(jobs, results, strict=True):
        if job.future.done():
            continue
        if isinstance(result, Refused):
            job.future.set_exception(result)
        else:
            job.future.set_result((result, predictor, seconds))
