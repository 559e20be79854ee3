"""TensorBoard as a contender: tensorboardX's ``SummaryWriter``, which is what one has without PyTorch, and TensorBoard's own reader.

The writer gets a queue of a thousand, as its documentation says of speed; its default of ten has the caller wait for the disk.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from benchmarks.contenders.contender import Contender, Log, noise
from benchmarks.contenders.program import main

_QUEUE = 1_000


class TensorBoard(Contender):
    """A run is a folder with a file of events."""

    def open(self, folder: Path) -> None:
        """Nothing is opened until a run begins."""
        import tensorboardX

        self._writer, self._folder = tensorboardX.SummaryWriter, folder

    def begin(self) -> Any:
        """A writer."""
        names = (self._folder / f"run{number}" for number in itertools.count())
        return self._writer(str(next(path for path in names if not path.exists())), max_queue=_QUEUE)

    def logger(self, run: Any) -> Log:
        """``writer.add_scalar``."""
        log: Log = run.add_scalar
        return log

    def end(self, run: Any) -> None:
        """``writer.close`` writes what is left."""
        run.close()

    def where(self, run: Any) -> str:
        """The folder."""
        return str(run.logdir)

    def count(self, where: str) -> int:
        """Every scalar in it."""
        found = self._read(where)
        return sum(len(found.Scalars(tag)) for tag in found.Tags()["scalars"])

    def _read(self, where: str) -> Any:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = EventAccumulator(where, size_guidance={"scalars": 0})
        found.Reload()
        return found

    def make_series(self, count: int) -> str:
        """By its own calls."""
        run = self.begin()
        for step, value in zip(range(count), noise(), strict=False):
            run.add_scalar("loss", value, step)
        self.end(run)
        return self.where(run)

    def read(self, where: str) -> int:
        """``EventAccumulator``, told to keep every point."""
        return len(self._read(where).Scalars("loss"))


if __name__ == "__main__":
    main(TensorBoard())
