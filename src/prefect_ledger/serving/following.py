"""Floor 5. The model that is served: loaded before the first request, exchanged when its reference comes to mean another.

The new one is loaded beside the old, which answers until it stands; a request is answered by one of them. While the store cannot be asked,
or the new one does not load, the old one stays.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from prefect_ledger.errors import LedgerError
from prefect_ledger.tracking.models import find_model, load_predictor
from prefect_ledger.tracking.references import parse

if TYPE_CHECKING:
    from prefect_ledger.models.predictor import Predictor

log = logging.getLogger("prefect_ledger.serving")


class Followed:
    """The predictor that ``reference`` means now, looked at again every ``seconds``.

    Raises:
        As :func:`prefect_ledger.load_predictor`.
    """

    def __init__(self, reference: str, *, seconds: float = 5.0, trust: bool = False) -> None:
        self.reference, self._seconds, self._trust = reference, seconds, trust
        self.current: Predictor = load_predictor(reference, trust=trust)
        self.changed: Callable[[Predictor], None] = lambda _: None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if seconds > 0 and parse(reference).kind in ("registry", "run"):  # what an id or a place means does not change
            self._thread = threading.Thread(target=self._follow, name="prefect-ledger-follow", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def look(self) -> bool:
        """Look now; whether the model was exchanged.

        Raises:
            LedgerError: what is meant now cannot be found or loaded; the old one stays.
        """
        meant = find_model(self.reference)
        if meant.id == self.current.about.get("model_id"):
            return False
        self.current = load_predictor(self.reference, trust=self._trust)
        log.info("%s is %s now", self.reference, self.current.about.get("model_id"))
        self.changed(self.current)
        return True

    def _follow(self) -> None:
        said = ""
        while not self._stop.wait(self._seconds):
            try:
                self.look()
                said = ""
            except (LedgerError, OSError) as error:
                if said != (said := str(error)):
                    log.warning("%s: still serving %s: %s", self.reference, self.current.about.get("model_id"), error)
