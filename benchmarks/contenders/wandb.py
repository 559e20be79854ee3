# ruff: noqa: ARG002  # verbs take what others need
"""W&B as a contender: offline, so that a run is a file of its own until somebody sends it to a server."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.contenders.contender import Contender, Log, LogMany, fitted
from benchmarks.contenders.program import main

_BLOCK, _HEAD = 32_768, 7
_FULL, _FIRST, _LAST = 1, 2, 4


class Wandb(Contender):
    """Runs by ``wandb.init(mode="offline")``."""

    def open(self, folder: Path) -> None:
        """Nothing is opened until a run begins."""
        import wandb

        self._wandb, self._folder = wandb, folder / "wandb"
        self._folder.mkdir(exist_ok=True)

    def begin(self) -> Any:
        """``wandb.init``."""
        return self._wandb.init(project="bench", mode="offline", dir=str(self._folder))

    def logger(self, run: Any) -> Log:
        """``run.log`` of one."""
        log = run.log
        return lambda key, value, step: log({key: value}, step=step)

    def logger_in_threads(self, run: Any) -> Log:
        """Without a step: one that is smaller than the last is dropped."""
        log = run.log
        return lambda key, value, _: log({key: value})

    def logger_of_many(self, run: Any) -> LogMany:
        """``run.log``."""
        log = run.log
        return lambda values, step: log(values, step=step)

    def end(self, run: Any) -> None:
        """``run.finish`` waits until its file is written."""
        run.finish()

    def where(self, run: Any) -> str:
        """The file."""
        return str(Path(run.dir).parent / f"run-{run.id}.wandb")

    def count(self, where: str) -> int:
        """The points in the file: nothing in Python reads it, so its records are taken apart here, once it has stopped growing."""
        path, size = Path(where), -1
        while path.exists() and size != path.stat().st_size:
            size = path.stat().st_size
            time.sleep(0.5)
        from wandb.proto import wandb_internal_pb2

        found, one = 0, wandb_internal_pb2.Record()
        for record in _records(path.read_bytes()) if path.exists() else ():
            one.ParseFromString(record)
            if one.WhichOneof("record_type") == "history":
                keys = (item.key or item.nested_key[0] for item in one.history.item)
                found += sum(not key.startswith("_") for key in keys)
        return found

    def log_model(self, run: Any, path: Path, *, quick: bool) -> None:
        """``run.log_model`` of a file that its user pickled."""
        import joblib  # type: ignore[import-untyped,unused-ignore]

        joblib.dump(fitted(), path.with_suffix(".joblib"))
        run.log_model(path.with_suffix(".joblib"), name=path.name)

    def log_files(self, run: Any, path: Path) -> None:
        """``run.log_artifact``, which keeps a copy for the server to come."""
        artifact = self._wandb.Artifact(path.stem, type="dataset")
        if path.is_dir():
            artifact.add_dir(str(path))
        else:
            artifact.add_file(str(path))
        run.log_artifact(artifact)


def _records(data: bytes) -> Iterator[bytes]:
    """The records of a log in LevelDB's format, up to where it ends or was cut off."""
    place, part = 7, b""
    while place + _HEAD <= len(data):
        left = _BLOCK - place % _BLOCK
        _, length, kind = struct.unpack_from("<IHB", data, place) if left >= _HEAD else (0, 0, 0)
        if not kind:  # the rest of a block in which no head had room
            place += left
            continue
        body = data[place + _HEAD : place + _HEAD + length]
        if len(body) < length:
            return
        part = body if kind in (_FULL, _FIRST) else part + body
        if kind in (_FULL, _LAST):
            yield part
        place += _HEAD + length


if __name__ == "__main__":
    main(Wandb())
