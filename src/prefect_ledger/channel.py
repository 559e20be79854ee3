"""Floor 2. One voice in the journal: what is said for one run, attempt, task run and try.

``log_metric`` is the hot path of the package: checks, one clock, one reserved slot, the point and then its mark. Everything that
calls anything happens before the slot is reserved, so that a signal handler that logs in between loses nothing.
"""

from __future__ import annotations

import numbers
import operator
import struct
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

from prefect_ledger.errors import InvalidValue, RunFinished, RunStopped
from prefect_ledger.events import Event
from prefect_ledger.masked_events import masked_event
from prefect_ledger.masking import quoted
from prefect_ledger.names import check_key
from prefect_ledger.segments import ARRAY, POINT, POINT_BODY, POINT_MARK, SLOT, Kind

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from prefect_ledger.journal import Journal

PIECE = 65_536  # points in one array record
_LEAST, _GREATEST = -(1 << 63), (1 << 63) - 1
_REAL: set[type] = {int}  # types whose every value is one number
_pack, _body = POINT.pack_into, POINT_BODY.pack
_MARK, _MARK_AT = POINT_MARK.to_bytes(4, "little"), POINT_BODY.size
_now = time.time_ns


class Channel:
    """Says things for one (run, attempt, task run, try); usable from any thread, and from a forked child.

    Values are float64; steps int64, counted from 0 per key when left out; times are taken here, in nanoseconds.
    """

    def __init__(self, journal: Journal, run_id: str, *, attempt: int = 1, task_run_id: str = "", try_number: int = 1) -> None:
        self.run_id, self.attempt, self.task_run_id, self.try_number = run_id, attempt, task_run_id, try_number
        self._journal = journal
        self._numbers: dict[str, int] = {}  # of each key's series: kept here, so that they go with the last who logs for a run
        self._ids: dict[str, int] = {}  # of these, those whose names stand in the segment being written
        self._steps: dict[str, int] = {}
        self._closed, self._stopped = False, ""
        with journal._lock:  # a roll in another thread walks over them
            journal.channels.add(self)

    def log_metric(self, key: str, value: SupportsFloat, step: SupportsIndex | None = None) -> None:
        """Log one point of the metric ``key``: kept once this returned, also when the process is killed next.

        ``step`` is any whole number of 64 bits; left out, it counts up from 0 per key and process.

        Raises:
            InvalidName, InvalidValue: a bad key, a value that is not one number, a step that is not a whole number.
            RunFinished: the run has ended.
        """
        if value.__class__ is not float:
            value = number(key, value)
        if step.__class__ is not int:
            step = self._next_step(key) if step is None else whole(key, step)
        at = _now()
        journal = self._journal
        body = None
        try:
            body = _body(step, at, value, self._numbers[key])
        except struct.error:
            raise _bad_step(key, step) from None
        except (KeyError, TypeError):  # the first point of this key, or one that cannot be hashed
            pass
        if body is None:
            check_key(key)
            with journal._lock:
                return self._log_slowly(key, value, step, at)
        # No call between here and the return: a thread that is made to wait while it holds the lock has all others queue for it, and from
        # then on each call of each thread waits for another (seen: 3.4 µs a call from four threads, 0.65 since).
        with journal._lock:
            if key in self._ids and journal._offset <= journal._last:
                memory, offset = journal._memory, journal._offset
                mark = offset + _MARK_AT
                journal._offset = end = offset + SLOT
                memory[offset:mark] = body
                memory[mark:end] = _MARK
                return None
            return self._log_slowly(key, value, step, at)

    def log_metrics(self, metrics: Mapping[str, SupportsFloat], step: SupportsIndex | None = None) -> None:
        """Log one point of each key, all with one step and one time. All are checked before the first is kept.

        Raises: as :meth:`log_metric`.
        """
        if not isinstance(metrics, Mapping):
            raise InvalidValue(f"log_metrics takes a mapping of names to numbers, not {type(metrics).__name__}")
        pairs = [(key, value if value.__class__ is float else number(key, value)) for key, value in metrics.items()]
        given = None if step is None else whole("step", step)
        self._check_open()
        ids = self._ids
        for key, _ in pairs:
            if key not in ids:
                check_key(key)
        at = _now()
        journal = self._journal
        with journal._lock:
            for key, value in pairs:
                at_step = given if given is not None else self._next_step(key)
                if key in ids and journal._offset <= journal._last:
                    series = ids[key]
                    offset = journal._offset
                    journal._offset = offset + SLOT
                    _pack(journal._memory, offset, at_step, at, value, series, POINT_MARK)
                else:
                    self._log_slowly(key, value, at_step, at)

    def log_series(self, key: str, values: ArrayLike, *, steps: ArrayLike | None = None, timestamps: ArrayLike | None = None) -> None:
        """Log many points of one key at once: ``values`` of shape (n,), ``steps`` int64 (n,), ``timestamps`` µs since 1970 (n,).

        Steps left out go on counting from 0 per key and process; timestamps left out are now. Kept once this returned.

        Raises:
            InvalidValue: arrays of other shapes, lengths or types.
            InvalidName, RunFinished: as :meth:`log_metric`.
        """
        import numpy as np

        check_key(key)
        self._check_open()
        data = _array(key, values, np.float64, "values")
        at_steps = None if steps is None else _array(key, steps, np.int64, "steps", len(data))
        at_times = None if timestamps is None else _array(key, timestamps, np.int64, "timestamps", len(data))
        start = 0 if at_steps is not None else self._next_step(key, len(data))
        flags = (at_steps is not None) | (at_times is not None) << 1
        now = _now()
        for low in range(0, len(data), PIECE):
            high = min(len(data), low + PIECE)
            parts = [data[low:high], *(a[low:high] for a in (at_steps, at_times) if a is not None)]
            head = ARRAY.pack(flags, high - low, start + low, now)
            self._put_array(key, b"".join((head, *(part.data.cast("B") for part in parts))), high - low)

    def say(self, event: Event) -> None:
        """Put an event into the journal, the secrets in its texts hidden."""
        self._journal.say(masked_event(event))

    def forget_series(self) -> None:
        """Have every key announced again: called when a new segment begins, which must be readable alone."""
        self._ids.clear()

    def close(self) -> None:
        """Refuse what is logged from here on."""
        with self._journal._lock:  # else a call in another thread finds its key, and then not its number
            self._closed = True
            self._ids.clear()

    def break_off(self, reason: str) -> None:
        """Have whoever logs next, and after that, be told by RunStopped that the run is to end."""
        with self._journal._lock:
            self._stopped = reason
            self._ids.clear()  # so that the next point of any key asks

    def _check_open(self) -> None:
        if self._closed:
            raise RunFinished(f"run {self.run_id} is finished and takes no more values; open_run({self.run_id[:8]!r}) adds to it")
        if self._stopped:
            raise RunStopped(self._stopped)

    def _next_step(self, key: str, count: int = 1) -> int:
        try:
            step = self._steps[key]
        except (KeyError, TypeError):
            check_key(key)
            step = 0
        self._steps[key] = step + count
        return step

    def _announced(self, key: str) -> int:
        """The series' number, its name standing in the segment being written; 0 when nothing has room. With the lock held."""
        self._check_open()
        check_key(key)
        journal, name = self._journal, (self.run_id, key, self.attempt, self.task_run_id, self.try_number)
        series = self._numbers.get(key) or self._numbers.setdefault(key, journal.new_series())
        while True:
            where = journal.announce(series, name)
            if not where:
                return 0
            if journal.number == where:  # else a signal handler that logs went on to a new segment meanwhile
                if not journal.rolling:  # else the segment may change any moment, and this would count for the next one
                    self._ids[key] = series
                return series

    def _log_slowly(self, key: str, value: Any, step: Any, at: int) -> None:
        """A first point of a key in a segment, or a segment that is full. With the lock held."""
        journal, ids = self._journal, self._ids
        while True:
            if journal.rolling:
                return self._log_between(key, value, step, at)
            if key not in ids:
                if not self._announced(key):
                    return journal.drop(1)
            elif journal._offset > journal._last and not journal.roll(SLOT):
                return journal.drop(1)
            if key in ids and journal._offset <= journal._last:  # from here to the end of the packing no call
                series = ids[key]
                offset = journal._offset
                journal._offset = offset + SLOT
                try:
                    _pack(journal._memory, offset, step, at, value, series, POINT_MARK)
                except struct.error:
                    journal.skip(offset)
                    raise _bad_step(key, step) from None
                return None

    def _log_between(self, key: str, value: Any, step: Any, at: int) -> None:
        """A signal handler logs while its thread goes on to another segment: into the room that is kept for this, the name before it."""
        self._check_open()
        check_key(key)
        journal, name = self._journal, (self.run_id, key, self.attempt, self.task_run_id, self.try_number)
        series = self._numbers.get(key) or self._numbers.setdefault(key, journal.new_series())
        try:
            body = _body(step, at, value, series)
        except struct.error:
            raise _bad_step(key, step) from None
        while True:
            where = journal.announce(series, name)
            if not where:
                return journal.drop(1)
            if journal.number == where and journal._offset + SLOT <= journal._end:  # from here on no call
                memory, offset = journal._memory, journal._offset
                mark = offset + _MARK_AT
                journal._offset = end = offset + SLOT
                memory[offset:mark] = body
                memory[mark:end] = _MARK
                return None

    def _put_array(self, key: str, payload: bytes, count: int) -> None:
        journal, ids = self._journal, self._ids
        need = len(payload) + 2 * SLOT
        with journal._lock:
            # Room first, then the name: both belong into one segment, and rolling forgets the name.
            if journal._offset + need > journal._size and not journal.roll(need + 4096):
                return journal.drop(count)
            series = ids.get(key) or self._announced(key)
            if not series or not journal.put(Kind.ARRAY, payload, series):
                return journal.drop(count)
            if key not in ids:  # a signal handler rolled in between: the name follows its points
                self._announced(key)
            return None


def number(key: object, value: object) -> float:
    """``value`` as a float: Python and numpy numbers, and arrays or tensors that hold one number.

    Raises:
        InvalidValue: text, a bool, None, or anything that is not one number.
    """
    try:
        if value.__class__ in _REAL:
            return float(value)  # type: ignore[arg-type]
        if isinstance(value, bool | str | bytes | bytearray) or type(value).__name__ in ("bool_", "bool"):
            raise InvalidValue(f"metric {key!r} takes a number, not {quoted(key, value)} ({type(value).__name__})")
        got = float(value)  # type: ignore[arg-type]
        if isinstance(value, numbers.Real):  # numpy's scalars too: known from here on, at a quarter of the price
            _REAL.add(type(value))
        return got
    except OverflowError:
        raise InvalidValue(f"metric {key!r}: the number is too large for a float64") from None
    except InvalidValue:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        said = quoted(key, str(error))  # numpy's quotes what an array of texts holds
        raise InvalidValue(f"metric {key!r} takes one number, not {type(value).__name__}: {said}") from None


def whole(key: object, step: object) -> int:
    """``step`` as a Python int of 64 bits.

    Raises:
        InvalidValue: not a whole number, or out of range.
    """
    try:
        index = operator.index(step)  # type: ignore[arg-type]
    except TypeError:
        raise _bad_step(key, step) from None
    if not _LEAST <= index <= _GREATEST:
        raise _bad_step(key, step)
    return index


def _bad_step(key: object, step: object) -> InvalidValue:
    return InvalidValue(f"metric {key!r}: step must be a whole number of 64 bits, not {quoted(key, step)} ({type(step).__name__})")


def _array(key: str, given: Any, dtype: Any, what: str, length: int | None = None) -> Any:
    import numpy as np

    try:
        array = np.asarray(given)
        shape = array.shape
        if array.dtype.kind not in ("iuf" if dtype is np.float64 else "iu") and not (array.size == 0):
            raise TypeError(f"its elements are {array.dtype}")
        array = np.ascontiguousarray(array, dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidValue(f"series {key!r}: {what} must be an array of numbers: {error}") from None
    if len(shape) != 1:  # ascontiguousarray makes a single number one-dimensional
        raise InvalidValue(f"series {key!r}: {what} must have one dimension, not shape {shape}")
    if length is not None and len(array) != length:
        raise InvalidValue(f"series {key!r}: {length} values but {len(array)} {what}")
    return array
