"""The registry as it ought to be, in plain Python: what a verb does, or that it is refused. Time does not pass here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies import Policy, Rule

ALICE, BOB, CAROL, DAVE = (Identity(name, Strength.OS, "user") for name in ("alice", "bob", "carol", "dave"))
PEOPLE = (ALICE, BOB, CAROL, DAVE, Identity("Carol", Strength.CI, "a token"), Identity("erin"), Identity("carol"))
RULES = (
    Rule("*", "production"),
    Rule("*", "production", gates=("metrics.auc >= 0.5",), approvals=1),
    Rule("*", "production", approvals=2, exclude_author=False, archive=False),
    Rule("*", "production", approvals=1, approvers=("carol", "dave"), break_glass=("dave",)),
    Rule("*", "production", gates=("metrics.auc >= 0.5",)),
)
POLICIES = tuple(Policy((rule,)) for rule in RULES)


class Refused(Exception):  # it is the answer, not a fault
    """The verb does nothing, and says so."""


@dataclass
class Version:
    """A version."""

    source: int
    author: str
    stage: str = "none"
    deleted: bool = False


@dataclass
class Model:
    """A registered model."""

    versions: dict[int, Version] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    deleted: bool = False

    def live(self, number: int | None) -> Version:
        """A version that is not deleted."""
        one = self.versions.get(number or 0)
        if one is None or one.deleted:
            raise Refused
        return one

    def highest(self, stage: str) -> int | None:
        """What a stage means."""
        return max((number for number, one in self.versions.items() if one.stage == stage and not one.deleted), default=None)

    def meant(self) -> dict[str, Any]:
        """What each stage and alias means."""
        stages = {stage: self.highest(stage) for stage in ("none", "staging", "production", "archived")}
        found = stages | {f"@{alias}": number for alias, number in self.aliases.items()}
        return {} if self.deleted else {selector: number for selector, number in found.items() if number is not None}


@dataclass
class Request:
    """A request for production."""

    model: Model
    number: int
    requester: str
    rule: int
    judged: tuple[Any, ...]
    state: str
    votes: list[str] = field(default_factory=list)


@dataclass
class Remembered:
    """All of it. ``metrics`` are those of the logged models, which versions are made of."""

    metrics: dict[int, float]
    models: dict[str, Model] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    rule: int = 0

    def model(self, name: str, *, deleted: bool = False) -> Model:
        """A model by name."""
        found = self.models.get(name)
        if found is None or (found.deleted and not deleted):
            raise Refused
        return found

    def register(self, name: str, source: int, by: Identity) -> set[int]:
        """Returns which numbers the version may have."""
        one = self.models.setdefault(name, Model()) if name not in self.models else self.model(name)
        if there := {number for number, version in one.versions.items() if version.source == source and not version.deleted}:
            return there
        one.versions[len(one.versions) + 1] = Version(source, by.person)
        return {len(one.versions)}

    def judged(self, model: Model, number: int) -> tuple[Any, ...]:
        """What an approval rests on."""
        champion = model.highest("production")
        of = None if champion is None else self.metrics[model.versions[champion].source]
        return champion, of, self.metrics[model.live(number).source]

    def settle(self) -> None:
        """End every request that rests on what is no longer so."""
        for one in self.requests:
            self._settle(one)

    def _settle(self, one: Request) -> None:
        version = one.model.versions[one.number]
        gone = one.model.deleted or version.deleted or one.rule != self.rule
        if one.state == "open" and (gone or self.judged(one.model, one.number) != one.judged):
            one.state = "void"

    def ask(self, name: str, number: int, by: Identity) -> Request:
        """A request, which its gates may refuse."""
        model = self.model(name)
        if model.live(number).stage == "production":
            raise Refused
        self._end(model, number, "void")
        judged = self.judged(model, number)
        passed = not RULES[self.rule].gates or judged[2] >= 0.5
        self.requests.append(Request(model, number, by.person, self.rule, judged, "open" if passed else "rejected"))
        return self.requests[-1]

    def vote(self, one: Request, approves: bool, by: Identity) -> None:
        """An approval or a rejection that counts, or is refused."""
        self._settle(one)
        rule = RULES[one.rule]
        theirs = rule.exclude_author and by.person in (one.requester, one.model.versions[one.number].author)
        other = bool(rule.approvers) and by.person not in rule.approvers
        if one.state != "open" or theirs or other or by.person in one.votes or by.strength is Strength.CLAIMED:
            raise Refused
        if approves:
            one.votes.append(by.person)
        else:
            one.state = "rejected"

    def withdraw(self, one: Request, by: Identity) -> None:
        """By whoever asked, while it is open rightly."""
        before = one.state
        self._settle(one)
        now, one.state = one.state, before  # a refused withdrawal writes nothing
        if now != "open" or by.person != one.requester:
            raise Refused
        one.state = "withdrawn"

    def move(self, name: str, number: int, stage: str, by: Identity, *, glass: bool = False) -> None:
        """To another stage, as the rule says."""
        model, rule = self.model(name), RULES[self.rule]
        mine = [one for one in self.requests if one.model is model and one.number == number] if stage == "production" else []
        for one in mine:
            self._settle(one)
        version = model.live(number)
        if version.stage == stage:
            return
        if glass and (stage != "production" or by.person not in rule.break_glass or by.strength is Strength.CLAIMED):
            raise Refused
        if stage == "production":
            self._enter(model, number, rule, mine, by, glass=glass)
        version.stage = stage
        for one in self.requests:
            if one.model is model and one.state == "open" and one.judged[0] != model.highest("production"):
                one.state = "void"

    def _enter(self, model: Model, number: int, rule: Rule, mine: list[Request], by: Identity, *, glass: bool) -> None:
        if not glass and not rule.approvals and by.strength is Strength.CLAIMED:
            raise Refused
        if not glass and (rule.approvals or rule.gates):
            if not mine or mine[-1].state != "open" or len(mine[-1].votes) < rule.approvals:
                raise Refused
            mine[-1].state = "done"
        self._end(model, number, "void")
        for other in model.versions.values() if rule.archive else ():
            if other.stage == "production" and not other.deleted:
                other.stage = "archived"

    def _end(self, model: Model, number: int, state: str) -> None:
        for one in self.requests:
            if one.model is model and one.number == number and one.state == "open":
                one.state = state

    def alias(self, name: str, alias: str, number: int | None, expected: int | None) -> None:
        """From where it was seen."""
        model = self.model(name)
        if model.aliases.get(alias) != expected:
            raise Refused
        if number is not None:
            model.live(number)
            model.aliases[alias] = number
        else:
            model.aliases.pop(alias, None)

    def delete(self, name: str, number: int, deleted: bool) -> None:
        """A version, or take that back."""
        model = self.model(name)
        if number not in model.versions:
            raise Refused
        one = model.versions[number]
        if deleted and not one.deleted and (one.stage == "production" or number in model.aliases.values()):
            raise Refused
        one.deleted = deleted

    def delete_model(self, name: str, deleted: bool) -> None:
        """A model, or take that back."""
        model = self.model(name, deleted=True)
        if deleted and model.highest("production") is not None:
            raise Refused
        model.deleted = deleted

    def rename(self, name: str, new: str) -> None:
        """Give a model another name."""
        model = self.model(name)
        if new == name:
            return
        if new in self.models:
            raise Refused
        self.models[new] = self.models.pop(name)
        assert model is self.models[new]
