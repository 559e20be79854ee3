"""Floor 5. Sends in the background, such as what is held for a root that is far, so that whoever asks waits for no network."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

from prefect_ledger import forks

_IDLE = 10.0  # seconds after which a thread with nothing to send ends
_LIVE: weakref.WeakSet[Sender] = weakref.WeakSet()


class Sender:
    """Calls ``send`` soon after it was asked to, in a thread of its own; asked often meanwhile, once more."""

    _thread: threading.Thread | None

    def __init__(self, send: Callable[[], None], name: str = "sender") -> None:
        self._send, self._name = send, f"prefect-ledger-{name}"
        self._reset()
        _LIVE.add(self)

    def _reset(self) -> None:
        """As new: in a forked child the parent's thread is not there, and its lock may never be free."""
        self._gate = threading.Condition()
        self._asked = self._done = 0
        self._thread = None

    def soon(self) -> None:
        """Have it sent; returns at once."""
        with self._gate:
            self._asked += 1
            self._gate.notify_all()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()

    def flush(self, timeout: float) -> bool:
        """Wait until what was asked for until now was sent, or tried; False when ``timeout`` seconds were not enough."""
        with self._gate:
            wanted = self._asked
            return self._gate.wait_for(lambda: self._done >= wanted, max(0.0, timeout))

    def _work(self) -> None:
        gate = self._gate
        while True:
            with gate:
                if not gate.wait_for(lambda: self._asked > self._done, _IDLE):
                    self._thread = None
                    return
                wanted = self._asked
            try:
                self._send()
            finally:  # also what it should not have raised: nobody waits for it
                with gate:
                    self._done = wanted
                    gate.notify_all()


def _forked() -> None:
    for sender in list(_LIVE):
        sender._reset()


forks.around(5, in_child=_forked)
