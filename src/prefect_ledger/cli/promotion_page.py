"""Floor 6. A promotion as its command shows it: what it is at while it goes on, and what came of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_ledger.cli.registry_records import registry_record
from prefect_ledger.cli.render import console, dim, print_json, say, warn
from prefect_ledger.cli.request_page import show_request
from prefect_ledger.formats import clean, duration, listed
from prefect_ledger.promotion.checking import Check
from prefect_ledger.promotion.promoter import Promoter, lacking
from prefect_ledger.promotion.promotion import DONE, Promotion
from prefect_ledger.registered import JUDGED

if TYPE_CHECKING:
    from prefect_ledger.promotion import Evaluated
    from prefect_ledger.promotion.followers import Followers
    from prefect_ledger.registered import TransitionRequest
    from prefect_ledger.tracking.trying import Tried

Tell = Callable[[str], None]
_MOVED = ("promoted", "rolled back")


@contextlib.contextmanager
def progress(first: str) -> Iterator[Tell]:
    """What is done at the moment, as a line on the error stream where a person watches it; the block is given what changes it."""
    from rich.text import Text

    watched = console("err")
    if not watched.is_terminal:
        yield lambda _: None
        return
    with watched.status(Text(clean(first))) as line:
        yield lambda text: line.update(Text(clean(text)))


@dataclass(frozen=True, slots=True)
class ShownPromoter(Promoter):
    """The steps of a promotion, each of which says that it is begun."""

    tell: Tell = print

    def try_it(self) -> tuple[Check, Tried | None]:
        """The base's; what nobody is to be served by need not work, to be put away."""
        if self.stage not in JUDGED:
            return Check(f"version {self.version} is there", True, f"not opened: nothing serves what is {self.stage}"), None
        self.tell(f"opening {self.name} {self.version}")
        return Promoter.try_it(self)

    def needs_request(self) -> bool:
        """The base's; says so where rows were given to nobody."""
        needed = Promoter.needs_request(self)
        if self.rows is not None and not needed:
            dim("the policy has no gates and wants no approvals: the rows were not looked at")
        return needed

    def waiting(self) -> TransitionRequest | None:
        """The base's; says so where rows were given that were judged before, or others in their place."""
        found = Promoter.waiting(self)
        if self.rows is not None and found is not None:
            dim(f"request {found.id} is open already, with its evidence: the rows were not looked at again")
        return found

    def evaluate(self) -> Evaluated:
        """The base's."""
        self.tell(f"asking {self.name} {self.version} and the champion about the rows")
        return Promoter.evaluate(self)

    def ask(self, found: Evaluated | None = None) -> TransitionRequest:
        """The base's."""
        self.tell("judging")
        return Promoter.ask(self, found)

    def wait(self, request: TransitionRequest, seconds: float | None) -> TransitionRequest:
        """The base's; a log that nobody watches says it too, since nothing happens for long."""
        if (words := lacking(request)) and request.state == "open" and seconds:
            dim(f"{clean(words)}; waiting for at most {duration(seconds)}")
            self.tell(words)
        return Promoter.wait(self, request, seconds)

    def follow(self) -> Followers:
        """The base's."""
        self.tell("having deployments follow")
        return Promoter.follow(self)

    def check(self, found: Followers, tried: Tried | None) -> list[Check]:
        """The base's."""
        self.tell("asking whatever serves it")
        return Promoter.check(self, found, tried)


def said(told: Promotion, *, json: bool) -> int:
    """Say what came of it, and return the exit code."""
    if json:
        print_json(record(told))
        return told.exit_code
    if told.request is not None:
        show_request(told.request)
        say("")
    for check in told.checks:
        (dim if check.ok else warn)(f"{clean(check.what)}: {clean(check.said)}")
    if told.unasked:
        dim(f"not asked, as --json says why: {listed(sorted(told.unasked))}")
    if told.state in DONE:
        say(f"{clean(told.name)} {told.version} is in {told.stage}" + (" already" if told.state == "already" else ""))
    if told.state not in DONE or not told.ok:
        word = told.state if told.state not in DONE else "not verified"
        warn(f"{word}: {clean(told.reason)}", style="bold red")
    return told.exit_code


def record(told: Promotion) -> dict[str, Any]:
    """As ``--json`` writes it: the promotion, with the version and the request as all commands write them."""
    from prefect_ledger import registry

    made, version = told.to_json(), registry.get_version(told.name, told.version)
    asked = None if told.request is None else {**made["request"], **registry_record(told.request)}
    missing = told.reason if told.state in ("refused", "waiting") else ""
    return {**made, "version": registry_record(version), "request": asked, "moved": told.state in _MOVED, "missing": missing}
