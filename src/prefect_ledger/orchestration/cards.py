"""Floor 6. What Prefect's own UI shows of a run: a link to it in the dashboard, and a small table of its last metrics.

Once for each attempt that was finished, beside the run: nobody waits for it but a process that is about to end, and that not for long.
Where Prefect or the store is away, or says no, there is no card, and nothing is said about it.

A card is sent when the flows of this process are at rest. Sent while one begins or ends, its request may meet one of theirs in the
server's database, and with SQLite the server then refuses one of them: Prefect's client would try the flow's again two seconds later.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate

from prefect_ledger.orchestration.surroundings import Beside

if TYPE_CHECKING:
    from prefect_ledger.queries.details import Last
    from prefect_ledger.tracking.runs import ActiveRun

MOST = 30  # metrics in the table; a run with more has them in the dashboard
MOST_WAITING = 50  # cards; of flows that follow one another without rest, the latest are kept
REST_SECONDS = 0.5  # since a flow of this process began or ended
ARRIVAL_SECONDS = 0.1  # that the end of a flow waits for a request that is on its way
EXIT_SECONDS = 3.0  # that a process which ends waits for its cards
STORE_SECONDS = 15.0  # that a card waits for what was logged to be in the store
_SERVER = {"timeout": 30.0}  # seconds; and with settings of its own it is no client that the flow opens and closes
_KEY = 60  # characters of an experiment's name in a key
_SAFE_IN_URL = "%/:?#[]@!$&'*+,;=~"  # no parenthesis, which would end the link
# What Markdown would take for its own in a name: Prefect's UI renders the cells of a table.
_MARKUP = re.compile(r"(?i)[\\`*\[\]<>~&|]|(?<![^\W_])_|_(?![^\W_])|@(?=.*\.)|:(?=/)|(?<=www)\.|(?<=\d)[.)](?= |$)|^[-+#]")


class _Cards(Beside):
    """The thread that sends cards: when the flows are at rest, or else when the process ends."""

    def __init__(self) -> None:
        super().__init__("prefect-ledger-cards")
        self._stirred = 0.0  # when a flow of this process last began or ended
        self._renew()

    def _renew(self) -> None:
        self._hurry, self._idle = threading.Event(), threading.Event()  # ``idle``: no request is on its way
        self._idle.set()

    def do(self, work: Callable[..., None], *args: Any) -> None:
        if self._pid != os.getpid():
            self._renew()  # a forked child cannot know who held these
        super().do(work, *args)

    def finish(self, seconds: float = EXIT_SECONDS) -> None:
        if self._pid == os.getpid():
            self._hurry.set()
            super().finish(seconds)
            self._hurry.clear()

    def stir(self) -> None:
        """A flow begins or ends: nothing is to be sent for a while, and what is on its way may arrive."""
        self._stirred = time.monotonic()
        if self._pid == os.getpid() and not self._idle.is_set():
            self._idle.wait(ARRIVAL_SECONDS)

    def rested(self) -> bool:
        """Wait until no flow has begun or ended for a moment, or there is no more time to wait; False when too many others wait."""
        while self.waiting <= MOST_WAITING:
            left = self._stirred + REST_SECONDS - time.monotonic()
            if left <= 0 or self._hurry.wait(left):
                return True
        return False

    @contextlib.contextmanager
    def sending(self) -> Iterator[bool]:
        """For the time of one request: whether it may be made now."""
        try:
            while may := self.rested():
                self._idle.clear()
                if self._hurry.is_set() or time.monotonic() - self._stirred >= REST_SECONDS:
                    break
                self._idle.set()  # a flow was stirred just then, and has not waited
            yield may
        finally:
            self._idle.set()


_cards = _Cards()


def stir() -> None:
    """A flow of this process begins or ends: what is to be sent waits."""
    _cards.stir()


def publish(run: ActiveRun) -> None:
    """Show this attempt of ``run`` in Prefect's UI, in a while."""
    if run._ledger.settings.prefect_artifacts:
        _cards.do(_publish, run)


def finish(seconds: float = EXIT_SECONDS) -> None:
    """Send what waits to be sent, and wait for it so long at most."""
    _cards.finish(seconds)


def _publish(run: ActiveRun) -> None:
    with contextlib.suppress(Exception):  # an ornament: the run neither ends nor speaks for it
        if not _cards.rested():
            return
        made = list(cards(run.id, run.attempt, run.experiment, run._ledger.settings.dashboard_url, _metrics(run)))
        if made:
            with get_client(dict(_SERVER), sync_client=True) as client:
                for card in made:
                    _send(client, card)


def _send(client: SyncPrefectClient, card: ArtifactCreate) -> None:
    """Not by ``create_artifact``, which also emits an event: for that it would start a thread, and a process that ends has none to give."""
    with _cards.sending() as may:
        if may:
            client.request("POST", "/artifacts/", json=card.model_dump(mode="json", exclude_unset=True))


def _metrics(run: ActiveRun) -> Mapping[str, Last]:
    """What the attempt has in the store, once all that was logged here is there; nothing where the store is away."""
    with contextlib.suppress(Exception):
        if run._ledger.flush(STORE_SECONDS) == 0:
            return run._ledger.reader.last_values(run.id, run.attempt)
    return {}


def cards(run_id: str, attempt: int, experiment: str, dashboard_url: str, metrics: Mapping[str, Last]) -> Iterator[ArtifactCreate]:
    """The artifacts of an attempt: a link where there is a dashboard, a table where there are metrics."""
    name, again = key(experiment), f", attempt {attempt}" if attempt > 1 else ""
    common: dict[str, Any] = {"flow_run_id": UUID(run_id)}
    if dashboard_url.startswith(("http://", "https://")):
        link = f"[Run {run_id[:8]} in the dashboard]({run_url(dashboard_url, run_id)})"
        yield ArtifactCreate(key=f"{name}-run", type="markdown", description=f"Ledger run of this flow run{again}", data=link, **common)
    if metrics:
        first = [(name, metrics[name]) for name in sorted(metrics)[:MOST]]
        rows = [{"metric": plain(name), "last": shown(one.value), "step": one.step, "points": one.points} for name, one in first]
        more = f"; {len(metrics) - MOST} more in the ledger" if len(metrics) > MOST else ""
        about = f"Last metrics of ledger run {run_id[:8]}{again}{more}"
        yield ArtifactCreate(key=f"{name}-metrics", type="table", description=about, data=json.dumps(rows), **common)


def key(experiment: str) -> str:
    """The beginning of a key of Prefect's (small letters, digits, dashes) that no other experiment has.

    Example:
        >>> key("churn-2")
        'ledger-churn-2'
        >>> key("Churn 2")[:-9]
        'ledger-churn-2'
    """
    plain = re.sub(r"[^a-z0-9]+", "-", experiment.lower()).strip("-")[:_KEY].strip("-")
    if plain == experiment:
        return f"ledger-{plain}"
    return "-".join(part for part in ("ledger", plain, hashlib.sha256(experiment.encode("utf-8", "replace")).hexdigest()[:8]) if part)


def run_url(dashboard_url: str, run_id: str) -> str:
    """Where the dashboard shows the run: ``{run_id}`` in the setting is replaced, else it is asked for as ``?run=``."""
    if "{run_id}" in dashboard_url:
        return quote(dashboard_url.replace("{run_id}", run_id), safe=_SAFE_IN_URL)
    return quote(f"{dashboard_url}{'&' if '?' in dashboard_url else '/?'}run={run_id}", safe=_SAFE_IN_URL)


def plain(name: str) -> str:
    """``name`` so that Markdown shows it as it is; an ordinary one is not changed.

    Example:
        >>> plain("val/auc_2"), plain("_best_")
        ('val/auc_2', '\\\\_best\\\\_')
    """
    return _MARKUP.sub(r"\\\g<0>", name.strip())


def shown(value: float) -> float | str:
    """A number as JSON takes it."""
    return value if value - value == 0 else str(value)
