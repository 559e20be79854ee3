"""Floor 4. Models as pickles, written by cloudpickle, whose bytes are bounded. Opening one runs what is in it: see ``trust``."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

from prefect_ledger.errors import InvalidValue

LIMIT = 1 << 34  # bytes


def dump(model: Any, path: Path) -> None:
    """Write ``model`` to ``path``.

    Raises:
        InvalidValue: it cannot be pickled, or has too many bytes; nothing is left at ``path`` then.
    """
    import cloudpickle  # type: ignore[import-untyped]

    kind = type(model).__name__
    try:
        with path.open("wb") as file:
            cloudpickle.dump(model, _Bounded(file))
    except _Full:
        path.unlink(missing_ok=True)
        raise InvalidValue(f"the pickled {kind} has more than {LIMIT:,} bytes: save it in its framework's own format") from None
    except OSError:
        path.unlink(missing_ok=True)
        raise
    except Exception as error:  # pickling runs the object's own code
        path.unlink(missing_ok=True)
        raise InvalidValue(f"a {kind} cannot be pickled ({type(error).__name__}: {error}): give an object that can") from error


def load(path: Path) -> Any:
    """What ``path`` holds; its code runs.

    Raises:
        InvalidValue: it does not unpickle here.
    """
    with path.open("rb") as file:
        return opened(pickle.Unpickler(file), path)  # noqa: S301  # whoever calls has asked trust first


def opened(unpickler: pickle.Unpickler, path: Path) -> Any:
    """What ``unpickler`` reads from ``path``; raises as :func:`load`."""
    try:
        return unpickler.load()
    except ModuleNotFoundError as error:
        raise InvalidValue(f"{path.name} needs the module {error.name!r}: install what the model's requirements.txt names") from error
    except Exception as error:  # what is unpickled runs its own code
        raise InvalidValue(f"{path.name} does not unpickle here: {type(error).__name__}: {error}") from error


class _Full(Exception):
    """More bytes than a model may have."""


class _Bounded(io.RawIOBase):
    """Passes bytes on, up to a limit."""

    def __init__(self, file: Any) -> None:
        self._file, self._size = file, 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        size = memoryview(data).nbytes
        self._size += size
        if self._size > LIMIT:
            raise _Full
        self._file.write(data)
        return size
