"""Floor 5. The steps of a promotion, each of which may be done again: what the registry says tells how far it came.

Nothing is remembered beside the registry. Whoever is killed between two steps is followed by whoever promotes the same version again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from prefect_ledger import registry
from prefect_ledger.errors import InvalidValue, RegistryConflict, TransitionRefused, VersionNotFound
from prefect_ledger.promotion import followers
from prefect_ledger.promotion.checking import Check, check_endpoint, check_follower, check_version
from prefect_ledger.promotion.evaluating import BUILT_IN, Evaluated, Rows, evaluate
from prefect_ledger.registered import JUDGED, STAGES, check_alias

if TYPE_CHECKING:
    from prefect_ledger.identities import Identity
    from prefect_ledger.promotion.followers import Followers
    from prefect_ledger.promotion.promotion import Promotion
    from prefect_ledger.registered import ModelVersion, TransitionRequest
    from prefect_ledger.tracking.trying import Tried

_LOOK = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class Promoter:
    """Brings a version of a registered model into a stage.

    ``version`` is a number; ``rows`` is what candidate and champion are both asked about by ``evaluator`` (None: gates go by what was
    recorded alone); ``aliases`` mean the version once it is in the stage. ``targets`` are those whose deployments follow (None: all that
    can be asked, none: no deployment is touched), ``endpoints`` addresses of servers that follow by themselves and are asked too.
    """

    name: str
    version: int
    stage: str = "production"
    rows: Rows | None = None
    evaluator: str = BUILT_IN
    aliases: tuple[str, ...] = ("champion",)
    targets: tuple[str, ...] | None = None
    endpoints: tuple[str, ...] = ()
    why: str = ""
    by: Identity | str | None = None

    # --- before the move --------------------------------------------------------------------------------------------------

    def candidate(self) -> ModelVersion:
        """The version, as it is now.

        Raises:
            RegisteredModelNotFound, VersionNotFound. StoreUnavailable.
        """
        return registry.get_version(self.name, self.version)

    def champion(self) -> ModelVersion | None:
        """The version in production, which candidates for it and for staging are compared with; None where there is none, or it is this
        one."""
        if self.stage not in JUDGED:
            return None
        try:
            found = registry.get_version(self.name, "production")
        except VersionNotFound:
            return None
        return None if found.version == self.version else found

    def over(self, told: Promotion) -> Promotion | None:  # noqa: ARG002  # for those who can be begun anew
        """How this promotion ended, where it was begun before and is not to be gone on with."""
        return None

    def mean_it(self) -> dict[str, int | None]:
        """Let the aliases mean the version, where it is in the stage and they mean another: what was asked for, and not done with the move.
        Gives what those that moved meant before.

        Raises:
            TransitionRefused: the policy lets them follow another stage. RegistryConflict. StoreUnavailable.
        """
        meant = registry.get_model(self.name).aliases
        before = {alias: meant.get(alias) for alias in self.aliases if meant.get(alias) != self.version}
        for alias, seen in before.items():
            registry.set_alias(self.name, alias, self.version, expected=seen, why=self.why, by=self.by)
        return before

    def mean_again(self, before: Mapping[str, int | None], why: str) -> None:
        """Let aliases mean what they meant before :meth:`mean_it`, those that nobody moved since, and deployments follow them.

        Raises:
            As :meth:`mean_it`.
        """
        meant = registry.get_model(self.name).aliases
        for alias, number in before.items():
            if meant.get(alias) == self.version:
                registry.set_alias(self.name, alias, number, expected=self.version, why=why, by=self.by)
        for number in {number for number in before.values() if number is not None}:
            self._follow(registry.get_version(self.name, number))

    def there(self, told: Promotion) -> Promotion:
        """What is to be told where the version is in the stage before anything was done."""
        return replace(told, state="already", reason=f"version {self.version} is in {self.stage} already")

    def try_it(self) -> tuple[Check, Tried | None]:
        """Whether the version can be fetched, opened, and asked for its own example."""
        return check_version(self.candidate())

    def waiting(self) -> TransitionRequest | None:
        """The request for this move that is open already, and still rests on what is so."""
        registry.settle(self.name, self.version, self.stage)
        found = registry.list_requests(self.name, state="open")
        return next((one for one in found if (one.version, one.stage) == (self.version, self.stage)), None)

    def needs_request(self) -> bool:
        """Whether the policy has gates or wants approvals for this move."""
        return registry.get_policy().policy.rule(self.name, self.stage).needs_request

    def evaluate(self) -> Evaluated:
        """What candidate and champion say of the rows; nothing where no rows were given.

        Raises:
            InvalidValue: the rows are not there, or not what a model takes. What load_predictor raises.
        """
        if self.rows is None:
            return Evaluated()
        champion = self.champion()
        found = evaluate(self.candidate().uri, None if champion is None else champion.uri, self.rows, evaluator=self.evaluator)
        return replace(found, beside=None if champion is None else champion.version)

    def ask(self, found: Evaluated | None = None) -> TransitionRequest:
        """Open the request, judged on what is recorded and on what was ``found``.

        Raises:
            TransitionRefused: the version is in the stage already. RegistryConflict: champion or policy changed while it was judged, or
            somebody else asks for the same; or another champion came while what was found was looked for. StoreUnavailable,
            ArtifactsUnavailable.
        """
        found = found or Evaluated()
        more: dict[str, Any] = {"holdout": found.holdout, "latency": found.latency, "facts": found.facts}
        if found.holdout is not None or found.latency:
            more["beside"] = found.beside
        return registry.request_transition(self.name, self.version, self.stage, **more, why=self.why, by=self.by)

    def wait(self, request: TransitionRequest, seconds: float | None) -> TransitionRequest:
        """The request, once nothing is missing any more, it ended, or so many seconds are over (None: as long as it is open)."""
        until = time.monotonic() + (float("inf") if seconds is None else seconds)
        while lacking(request) and request.state == "open" and time.monotonic() < until:
            time.sleep(min(_LOOK, max(0.0, until - time.monotonic())))
            request = registry.get_request(request.id)
        return request

    # --- the move, and what follows -----------------------------------------------------------------------------------------

    def move(self) -> ModelVersion:
        """Move the version and the aliases, in one change.

        Raises:
            TransitionRefused: what the policy asks for is missing. RegistryConflict: another version came into the stage meanwhile.
            StoreUnavailable.
        """
        return registry.transition(self.name, self.version, self.stage, aliases=self.aliases, why=self.why, by=self.by)

    def follow(self) -> Followers:
        """Have the deployments that follow the stage and the aliases serve what these mean now."""
        return self._follow(self.candidate())

    def _follow(self, version: ModelVersion) -> Followers:
        if self.targets is not None and not self.targets:
            return followers.Followers()
        return followers.bring(version, targets=self.targets)

    def check(self, found: Followers, tried: Tried | None) -> list[Check]:
        """Ask whatever serves the version for its example."""
        version = self.candidate()
        checks = [check_follower(one, tried) for one in found.found]
        return checks + [check_endpoint(url, version, tried) for url in self.endpoints]

    def go_back(self, why: str) -> tuple[ModelVersion | None, Followers]:
        """Take the move back: the version before, if there was one, is in the stage again, and deployments serve it.

        Raises:
            TransitionRefused, RegistryConflict: somebody else moved a version meanwhile, so that it is not ours to take back.
            StoreUnavailable, ArtifactsUnavailable.
        """
        back = registry.undo(self.name, self.version, why, stage=self.stage, by=self.by)
        return back, followers.Followers() if back is None else self._follow(back)


def candidate_of(name: str, version: int | str, goal: str = "production") -> int:
    """The number that ``version`` means on its way to a stage: a number, "@alias", "latest", or the stage that it waits in.

    A stage may be said again and again, by a schedule or after a kill, so it does not mean an older version once the newest was moved. It
    means the version there that people agreed to; else the highest there, where that is newer than the one in ``goal``; else the one in
    ``goal``, which then needs no more than to be verified.

    Raises:
        RegisteredModelNotFound, VersionNotFound: nothing is meant. StoreUnavailable.
    """
    if version not in STAGES or version == goal:
        return registry.get_version(name, version).version
    there = {one.version for one in registry.list_versions(name) if one.stage == version}
    agreed = [one.version for one in registry.list_requests(name, state="open") if one.stage == goal and not lacking(one)]
    if chosen := [number for number in agreed if number in there]:
        return chosen[0]
    now = registry.get_model(name).stages.get(goal)
    if now is not None and (not there or max(there) < now):
        return now
    return registry.get_version(name, version).version


def lacking(one: TransitionRequest) -> str:
    """What a request wants still before its version moves, in a sentence; "" where nothing is missing."""
    if one.state != "open":
        return f"request {one.id} is {one.state}: {one.reason}"
    if one.expires_at <= datetime.now(UTC):
        return f"request {one.id} expired at {one.expires_at:%Y-%m-%d %H:%M} UTC"
    wanted = int(one.rule.get("approvals", 0))
    missing = max(0, wanted - sum(bool(vote["approve"]) for vote in one.votes))
    if not missing:
        return ""
    who = f", by {', '.join(one.rule['approvers'])}" if one.rule.get("approvers") else ""
    return f"request {one.id} waits for {missing} of {wanted} approvals{who}"


def aliases_of(stage: str, aliases: object = None) -> tuple[str, ...]:
    """The aliases that go with a version: those that were said; else champion for production, and none for another stage.

    Raises:
        InvalidValue: they are no texts. InvalidName: one cannot be an alias.
    """
    if aliases is None:
        return ("champion",) if stage == "production" else ()
    return tuple(map(check_alias, check_words(aliases, "aliases")))


def check_words(texts: object, what: str) -> tuple[str, ...]:
    """``texts`` as a tuple of texts.

    Raises:
        InvalidValue: one is none.
    """
    if not isinstance(texts, list | tuple) or not all(isinstance(one, str) and one for one in texts):
        raise InvalidValue(f"{what} are a list of texts, not {texts!r:.80}")
    return tuple(texts)


REFUSED = (TransitionRefused, RegistryConflict)
