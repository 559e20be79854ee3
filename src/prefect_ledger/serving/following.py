"""Floor 5. The model that is served: loaded before the first request, exchanged when its reference comes to mean another.

The new one is loaded beside the old, which answers until it stands; a request is answered by one of them. While the store cannot be asked,
or the new one does not load, the old one stays.

With a digest, one model alone is served: the one whose list of files has it. That is the word of whoever deployed it, so that it may run
what it brings, though no store is asked.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_ledger.errors import ArtifactCorrupt, InvalidValue, LedgerError
from prefect_ledger.models.manifest import folder_digest
from prefect_ledger.serving.copies import drop_copy, open_copy
from prefect_ledger.tracking.models import find_model, load_predictor
from prefect_ledger.tracking.references import parse

if TYPE_CHECKING:
    from prefect_ledger.models.predictor import Predictor

log = logging.getLogger("prefect_ledger.serving")


class Followed:
    """The predictor that ``reference`` means now, looked at again every ``seconds``; with ``digest`` the one model that has it.

    Raises:
        ArtifactCorrupt: it has another digest. InvalidValue: the digest is none. Else as :func:`prefect_ledger.load_predictor`.
    """

    def __init__(self, reference: str, *, seconds: float = 5.0, trust: bool = False, digest: str = "") -> None:
        self.reference, self._seconds, self._trust = reference, 0.0 if digest else seconds, trust
        self.current: Predictor = _proven(reference, digest.lower()) if digest else open_copy(reference, trust=trust)
        self.changed: Callable[[Predictor], None] = lambda _: None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if self._seconds > 0 and parse(reference).kind in ("registry", "run"):  # what an id or a place means does not change
            self._thread = threading.Thread(target=self._follow, name="prefect-ledger-follow", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Look no more; what is served now is asked no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        drop_copy(self.current)  # now, since a worker's process may not end in order

    def look(self) -> bool:
        """Look now; whether the model was exchanged.

        Raises:
            LedgerError: what is meant now cannot be found or loaded; the old one stays.
        """
        meant = find_model(self.reference)
        if meant.id == self.current.about.get("model_id"):
            return False
        self.current = open_copy(self.reference, trust=self._trust)
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


def prove(reference: str, digest: str) -> None:
    """Refuse a folder whose list of files has another digest; nothing is opened.

    Raises:
        ArtifactCorrupt: it has. InvalidValue: the digest is none, or ``reference`` is a URL. ModelNotFound: there is no model.
    """
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        raise InvalidValue(
            f"not a model's digest: {digest!r:.80}; it is a sha256, 64 hexadecimal digits, as `deploy get` and /metadata tell it"
        )
    meant = parse(reference)
    if meant.kind == "place":
        if "://" in meant.text:
            raise InvalidValue(
                f"a digest can be asked of a folder of this machine or of a model of the ledger, not of {reference}: copy it here"
            )
        _check(reference, folder_digest(Path(meant.text)), digest.lower())


def _proven(reference: str, digest: str) -> Predictor:
    """The model that has this digest, and may therefore run what it brings."""
    prove(reference, digest)
    if parse(reference).kind != "place":
        predictor = open_copy(reference)
        _check(reference, str(predictor.about.get("digest", "")), digest)
        return predictor
    sys.dont_write_bytecode = True  # else the model's own code would leave files beside it, and the next start would find another digest
    predictor = load_predictor(reference, trust=True)
    predictor.about |= _said(predictor, digest)
    return predictor


def _check(reference: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise ArtifactCorrupt(
            f"{reference} is not the model that was to be served: its files make the digest {found or 'none'}, wanted is {wanted}; "
            f"deploy it again, or look who changed it"
        )


def _said(predictor: Predictor, digest: str) -> dict[str, str]:
    """What the MLmodel file says of itself: the digest is of it too. An id goes into headers, so it is letters only."""
    file = predictor.file
    model_id = file.model_id if re.fullmatch(r"[A-Za-z0-9._-]{1,100}", file.model_id) else ""
    return {"model_id": model_id, "run_id": file.run_id, "name": file.name, "digest": digest}
