"""Floor 2. Lines to a PostgreSQL server on which nobody waits for ever: a server that took a question and does not answer is given up.

A server that hangs, a proxy that lost it, a network that swallows packets: to the driver all of these look like an answer that takes
its time, and it waits without end. So a line on which nothing was heard for :data:`SILENCE` seconds is closed, where somebody is in haste:
who looks whether an idle line is alive, and who brings in what is logged, and tries again. A long search is waited for as ever.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlalchemy as sa

SILENCE = 20.0  # seconds
# For libpq, in seconds but for the last, which is ms: how long a server may take to let us in, and when a dead line is seen to be dead.
_DEFAULTS = {"connect_timeout": 10, "keepalives_idle": 20, "keepalives_interval": 5, "keepalives_count": 4, "tcp_user_timeout": 30_000}


def give_up_on_silence(engine: sa.Engine) -> None:
    """Have every connection of ``engine`` be given up when nothing is heard while it is looked at, and while somebody is in a hurry."""
    from sqlalchemy import event

    line = _line()

    def connect(_dialect: object, _record: object, args: tuple[Any, ...], given: dict[str, Any]) -> Any:
        return line.connect(*args, **{**_DEFAULTS, **given})

    def lent(raw: Any, _record: object, _proxy: object) -> None:
        raw.patience = None

    def back(raw: Any, _record: object) -> None:
        if raw is not None:
            raw.patience = SILENCE  # the pool looks whether it is alive before it lends it again

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkout", lent)
    event.listen(engine, "checkin", back)


@contextlib.contextmanager
def hurried(conn: sa.Connection) -> Iterator[None]:
    """In the block, give ``conn`` up when its server is silent for :data:`SILENCE` seconds."""
    raw: Any = conn.connection.driver_connection
    raw.patience = SILENCE
    try:
        yield
    finally:
        raw.patience = None


def _line() -> Any:
    import psycopg

    class Line(psycopg.Connection[Any]):
        """A connection that does not wait for ever."""

        patience: float | None = None

        def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
            if self.patience is None:
                return super().wait(gen, *args, **options)
            try:
                return super().wait(_heard(gen, self.patience), *args, **options)
            except TimeoutError as error:
                self.pgconn.finish()
                raise psycopg.OperationalError(str(error)) from None

    return Line


def _heard(steps: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
    """``steps`` of the driver, ended when it is told again and again that nothing came."""
    try:
        state = next(steps)
    except StopIteration as end:
        return end.value
    until = time.monotonic() + seconds
    while True:
        ready = yield state
        if ready:
            until = time.monotonic() + seconds
        elif time.monotonic() > until:
            steps.close()
            raise TimeoutError(f"the server has not answered for {seconds:.0f} s")
        try:
            state = steps.send(ready)
        except StopIteration as end:
            return end.value
