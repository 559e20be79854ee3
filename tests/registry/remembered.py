"""The registry as it ought to be, in plain Python: what a verb does, or that it is refused. Time does not pass here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.registered import JUDGED, STAGES

ALICE, BOB, CAROL, DAVE = (Identity(name, Strength.OS, "user") for name in ("alice", "bob", "carol", "dave"))
TYPED = (Identity("erin"), Identity("Erin", how="named by mallory"), Identity("carol"), Identity("dave"))
PEOPLE = (ALICE, BOB, CAROL, DAVE, Identity("Carol", Strength.CI, "a token"), *TYPED)
TRAINERS = ("zoe", "alice", "dave", "zoe")  # whose processes logged the models that versions are made of
PASSES: dict[str, Callable[[float, float | None], bool]] = {
    "metrics.auc >= 0.5": lambda mine, theirs: mine >= 0.5,
    "metrics.auc >= champion.metrics.auc": lambda mine, theirs: theirs is not None and mine >= theirs,
}
ENOUGH, BETTER = PASSES
JUDGED_ALONE, CHALLENGED = Rule("*", "production", gates=(ENOUGH,)), Rule("*", "staging", aliases=("challenger",))
POLICIES = (
    Policy((Rule("*", "production", aliases=("champion",)), Rule("*", "staging", gates=(ENOUGH,)))),
    Policy((Rule("*", "production", gates=(ENOUGH,), approvals=1), CHALLENGED)),
    Policy((Rule("*", "production", approvals=2, exclude_author=False, archive=False, aliases=("champion",)),), set_by=("dave",)),
    Policy((Rule("*", "production", approvals=1, approvers=("carol", "dave"), break_glass=("dave",)), Rule("*", "staging", archive=True))),
    Policy((JUDGED_ALONE,), set_by=("bob", "erin")),
    Policy((Rule("*", "production", approvals=3, exclude_author=False), CHALLENGED), set_by=("carol", "dave"), set_identity=Strength.OS),
    Policy((Rule("*", "production", approvals=1, identity=Strength.CI, break_glass=("*",)), Rule("*", "staging", gates=(BETTER,)))),
    Policy((Rule("churn", "production", gates=(BETTER,), approvals=3, exclude_author=False), Rule("*", "staging", approvals=1))),
    Policy((Rule("churn", "production", approvals=1), Rule("fraud", "production", approvals=1, exclude_author=False)), set_by=("bob",)),
    Policy((Rule("churn", "production", approvals=3), Rule("fraud", "production", approvals=3), Rule("*", "staging", archive=True))),
    Policy((JUDGED_ALONE, Rule("*", "staging", approvals=1, aliases=("challenger",))), set_by=("alice", "carol")),
)


class Refused(Exception):  # it is the answer, not a fault
    """The verb does nothing, and says so."""


@dataclass
class Version:
    """A version."""

    source: int
    author: str
    stage: str = "none"
    deleted: bool = False


@dataclass(eq=False)
class Move:
    """What came into a stage, from where, by whom; which others and aliases moved with it; and whether it was taken back."""

    number: int
    was: str
    stage: str
    by: Identity
    replaced: list[int] = field(default_factory=list)
    aliases: list[tuple[str, int | None]] = field(default_factory=list)
    undoes: bool = False
    undone: bool = False


@dataclass(eq=False)
class Model:
    """A registered model, and the moves of its versions in order."""

    name: str
    versions: dict[int, Version] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    deleted: bool = False
    moves: list[Move] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # that it had once

    def live(self, number: int | None) -> Version:
        """A version that is not deleted."""
        one = self.versions.get(number or 0)
        if one is None or one.deleted:
            raise Refused
        return one

    def highest(self, stage: str) -> int | None:
        """What a stage means."""
        return max((number for number, one in self.versions.items() if one.stage == stage and not one.deleted), default=None)

    def rival(self, number: int) -> int | None:
        """The champion that a version is compared with: it is none of itself."""
        champion = self.highest("production")
        return None if champion == number else champion

    def meant(self) -> dict[str, int]:
        """What each stage and alias means."""
        stages = {stage: self.highest(stage) for stage in STAGES}
        found = stages | {f"@{alias}": number for alias, number in self.aliases.items()}
        return {} if self.deleted else {selector: number for selector, number in found.items() if number is not None}

    def move(self, number: int, stage: str, by: Identity, *, archive: bool, undoes: bool = False) -> Move:
        """Into a stage, and with ``archive`` the others that are there to the archive."""
        one = self.live(number)
        move = Move(number, one.stage, stage, by, undoes=undoes)
        for other, its in sorted(self.versions.items()):
            if archive and stage in JUDGED and its.stage == stage and its is not one and not its.deleted:
                its.stage = "archived"
                self.moves.append(Move(other, stage, "archived", by))
                move.replaced.append(other)
        self.moves += [] if one.stage == stage else [move]
        one.stage = stage
        return move

    def mean(self, alias: str, move: Move, number: int) -> None:
        """Let an alias mean a version, beside a move."""
        if self.aliases.get(alias) != number:
            move.aliases += [(alias, self.aliases.get(alias))] if number == move.number else []
            self.aliases[alias] = number


@dataclass(eq=False)
class Request:
    """A request for a stage."""

    model: Model
    number: int
    stage: str
    requester: Identity
    rule: Rule
    judged: tuple[Any, ...]
    state: str
    votes: list[str] = field(default_factory=list)


def weaker(by: Strength, than: Strength) -> bool:
    """Whether an identity is not as strong as another."""
    order = list(Strength)
    return order.index(by) < order.index(than)


def weak(rule: Rule, by: Identity) -> bool:
    """Whether somebody is not known as well as a rule asks for."""
    return weaker(by.strength, rule.identity or Strength.OS)


@dataclass
class Remembered:
    """All of it. ``metrics`` are those of the logged models, which versions are made of."""

    metrics: dict[int, float]
    models: dict[str, Model] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    policy: Policy = Policy()  # noqa: RUF009 - it is frozen

    def model(self, name: str, *, deleted: bool = False) -> Model:
        """A model by name."""
        found = self.models.get(name)
        if found is None or (found.deleted and not deleted):
            raise Refused
        return found

    def rule(self, name: str, stage: str) -> Rule:
        """What a move asks for."""
        found = (one for one in self.policy.rules if one.stage == stage and one.model in ("*", name))
        return next(found, Rule("*", stage))

    def set_policy(self, policy: Policy, by: Identity) -> None:
        """Let other rules hold, by whom those that hold let."""
        if weaker(by.strength, self.policy.set_identity) or (self.policy.set_by and by.person not in self.policy.set_by):
            raise Refused
        self.policy = policy

    def register(self, name: str, source: int, by: Identity) -> set[int]:
        """Returns which numbers the version may have."""
        self._free(name, self.models.get(name))
        one = self.models.setdefault(name, Model(name)) if name not in self.models else self.model(name)
        if there := {number for number, version in one.versions.items() if version.source == source and not version.deleted}:
            return there
        number = len(one.versions) + 1
        one.versions[number] = Version(source, by.person)
        return {number}

    # --- requests --------------------------------------------------------------------------------------------------------

    def judged(self, model: Model, number: int) -> tuple[Any, ...]:
        """What an approval rests on: the champion, its metric, and the candidate's."""
        rival = model.rival(number)
        of = None if rival is None else self.metrics[model.versions[rival].source]
        return rival, of, self.metrics[model.live(number).source]

    def settle(self) -> None:
        """End every request that rests on what is no longer so."""
        for one in self.requests:
            self._settle(one)

    def _settle(self, one: Request) -> None:
        one.state = "void" if one.state == "open" and not self._holds(one) else one.state

    def _holds(self, one: Request) -> bool:
        """Whether an open request is open rightly."""
        gone = one.model.deleted or one.model.versions[one.number].deleted or one.rule != self.rule(one.model.name, one.stage)
        return one.state == "open" and not gone and self.judged(one.model, one.number) == one.judged

    def of(self, model: Model, number: int, stage: str) -> list[Request]:
        """The requests for a version and a stage."""
        return [one for one in self.requests if (one.model, one.number, one.stage) == (model, number, stage)]

    def _end(self, model: Model, number: int, stage: str) -> None:
        for one in self.of(model, number, stage):
            one.state = "void" if one.state == "open" else one.state

    def ask(self, name: str, number: int, stage: str, by: Identity) -> Request:
        """A request, which its gates may refuse; in the place of an open one only by who asked for that, known as well as then."""
        model = self.model(name)
        if model.live(number).stage == stage:
            raise Refused
        for one in filter(self._holds, self.of(model, number, stage)):
            if by.person != one.requester.person or weaker(by.strength, one.requester.strength):
                raise Refused
        self._end(model, number, stage)
        rule, judged = self.rule(name, stage), self.judged(model, number)
        passed = all(PASSES[str(gate)](judged[2], judged[1]) for gate in rule.gates)
        self.requests.append(Request(model, number, stage, by, rule, judged, "open" if passed else "rejected"))
        return self.requests[-1]

    def may_vote(self, one: Request, by: Identity) -> bool:
        """Whether somebody's vote counts while a request is open."""
        version = one.model.versions[one.number]
        theirs = by.person in (one.requester.person, version.author, TRAINERS[version.source])
        other = bool(one.rule.approvers) and by.person not in one.rule.approvers
        return not ((one.rule.exclude_author and theirs) or other or by.person in one.votes or weak(one.rule, by))

    def vote(self, one: Request, approves: bool, by: Identity) -> None:
        """An approval or a rejection that counts, or is refused."""
        self._settle(one)
        if one.state != "open" or not self.may_vote(one, by):
            raise Refused
        if approves:
            one.votes.append(by.person)
        else:
            one.state = "rejected"

    def withdraw(self, one: Request, by: Identity) -> None:
        """By whoever asked, known as well as then, while it is open rightly; a refused withdrawal writes nothing."""
        if not self._holds(one) or by.person != one.requester.person or weaker(by.strength, one.requester.strength):
            raise Refused
        one.state = "withdrawn"

    # --- moves -----------------------------------------------------------------------------------------------------------

    def move(self, name: str, number: int, stage: str, by: Identity, *, glass: bool = False, also: Sequence[str] = ()) -> None:
        """To another stage, as the rule says; aliases ``also`` mean it then."""
        model, rule = self.model(name), self.rule(name, stage)
        for one in self.of(model, number, stage):
            self._settle(one)
        version = model.live(number)
        if version.stage == stage:
            for alias in also:
                self.alias(name, alias, number, model.aliases.get(alias))
            return
        if version.stage == "production" and weak(self.rule(name, "production"), by):
            raise Refused
        used = None if glass else self._allowed(model, number, stage, rule, by)
        if glass and (not {by.person, "*"} & set(rule.break_glass) or weak(rule, by)):
            raise Refused
        if any(self._followed(name, alias) not in (None, stage) for alias in also):
            raise Refused
        move = model.move(number, stage, by, archive=bool(rule.archive))
        self._follow(model, move)
        for alias in also:
            model.mean(alias, move, number)
        if used is not None:
            used.state = "done"
        self._spent(model, number, stage)

    def _follow(self, model: Model, move: Move) -> None:
        """Aliases that follow the stages which a version came into and left."""
        for alias in self.rule(model.name, move.stage).aliases:
            model.mean(alias, move, move.number)
        left = model.highest(move.was)
        for alias in self.rule(model.name, move.was).aliases:
            if left is not None and model.aliases.get(alias) == move.number:
                model.mean(alias, move, left)

    def _followed(self, name: str, alias: str) -> str | None:
        """The stage that an alias follows."""
        return next((stage for stage in STAGES if alias in self.rule(name, stage).aliases), None)

    def _allowed(self, model: Model, number: int, stage: str, rule: Rule, by: Identity) -> Request | None:
        """The request that a move uses; None where none is asked for."""
        if not rule.approvals and weak(rule, by):
            raise Refused
        if not rule.approvals and not rule.gates:
            return None
        newest = self.of(model, number, stage)[-1:]
        if not newest or newest[0].state != "open" or len(newest[0].votes) < rule.approvals:
            raise Refused
        return newest[0]

    def _spent(self, model: Model, number: int, stage: str) -> None:
        """End what a move leaves behind: other requests for it, and those beside another champion."""
        self._end(model, number, stage)
        for one in self.requests:
            if one.model is model and one.state == "open" and one.stage in JUDGED:
                one.state = "open" if one.judged[0] == model.rival(one.number) else "void"

    def roll_back(self, name: str, to: int | None, stage: str, by: Identity) -> int:
        """Into a stage again, with the alias; returns which version."""
        model = self.model(name)
        seen = model.highest(stage)
        came = [move for move in model.moves if move.stage == stage and not model.versions[move.number].deleted]
        found = [move.number for move in came if move.number != seen and (move.number == to if to else not move.undone)]
        if not found or any(weak(self.rule(name, one), by) for one in {stage, model.versions[found[-1]].stage} & {stage, "production"}):
            raise Refused
        move = model.move(found[-1], stage, by, archive=True)
        for other in move.replaced:  # what was gone back from is nowhere to go back to
            first = [one.number for one in model.moves if one.stage == stage]
            for one in model.moves:
                one.undone |= (one.number, one.stage) == (other, stage) and first.index(move.number) < first.index(other)
        self._follow(model, move)
        self._spent(model, found[-1], stage)
        if seen is not None and model.aliases.get("champion") == seen and self._followed(name, "champion") is None:
            model.mean("champion", move, found[-1])
        return found[-1]

    def undo(self, name: str, number: int, stage: str, by: Identity) -> int | None:
        """Take back the last move of a version into a stage, by who made it, while nothing else moved there; returns what is there then."""
        model = self.model(name)
        places = [place for place, move in enumerate(model.moves) if (move.number, move.stage) == (number, stage)]
        if not places:
            raise Refused
        move, since = model.moves[places[-1]], [one for one in model.moves[places[-1] + 1 :] if stage in (one.was, one.stage)]
        if any(one.number == number and one.undoes for one in since):
            return model.highest(stage)
        if since or move.undoes or by.person != move.by.person or weaker(by.strength, move.by.strength):
            raise Refused
        if move.by.strength is Strength.CLAIMED and by.how != move.by.how:
            raise Refused
        model.move(number, "archived", by, archive=False, undoes=True)
        move.undone = True
        back = [other for other in move.replaced if not model.versions[other].deleted]
        for other in back:
            model.move(other, stage, by, archive=False, undoes=True)
        self._alias_back(model, move)
        self._spent(model, back[-1] if back else number, stage if back else "archived")
        return model.highest(stage)

    def _alias_back(self, model: Model, move: Move) -> None:
        for alias, before in move.aliases:
            if model.aliases.get(alias) != move.number:
                continue
            if before is None:
                model.aliases.pop(alias)
            elif not model.versions[before].deleted:
                model.aliases[alias] = before

    # --- aliases, deletions, names ---------------------------------------------------------------------------------------

    def alias(self, name: str, alias: str, number: int | None, expected: int | None) -> None:
        """From where it was seen."""
        model = self.model(name)
        if model.aliases.get(alias) != expected:
            raise Refused
        follows = self._followed(name, alias)
        if number is None:
            if follows is not None and model.highest(follows) is not None:
                raise Refused
            model.aliases.pop(alias, None)
        elif follows in (None, model.live(number).stage):
            model.aliases[alias] = number
        else:
            raise Refused

    def delete(self, name: str, number: int, deleted: bool, by: Identity) -> None:
        """A version, or take that back: then it is nowhere if its place is another's."""
        model = self.model(name)
        if number not in model.versions:
            raise Refused
        one = model.versions[number]
        if deleted and not one.deleted and (one.stage == "production" or number in model.aliases.values()):
            raise Refused
        rule = self.rule(name, one.stage)
        taken = bool(rule.archive) and one.stage in JUDGED and model.highest(one.stage) is not None
        taken = taken or any(model.aliases.get(alias, number) != number for alias in rule.aliases)
        back, one.deleted = one.deleted and not deleted, deleted
        if back and taken:
            model.move(number, "none", by, archive=False)

    def delete_model(self, name: str, deleted: bool) -> None:
        """A model, or take that back."""
        model = self.model(name, deleted=True)
        if deleted and model.highest("production") is not None:
            raise Refused
        model.deleted = deleted

    def _free(self, name: str, mine: Model | None) -> None:
        """A name is its first model's for ever."""
        if any(name in one.names for one in self.models.values() if one is not mine):
            raise Refused

    def rename(self, name: str, new: str, by: Identity) -> None:
        """Give a model another name, under which the rules ask for the same, and which no other ever had."""
        model = self.model(name)
        if any(replace(self.rule(name, stage), model="x") != replace(self.rule(new, stage), model="x") for stage in STAGES):
            raise Refused
        if new == name:
            return
        if new in self.models or (model.highest("production") is not None and weak(self.rule(name, "production"), by)):
            raise Refused
        self._free(new, model)
        model.names.append(name)
        self.models[new], model.name = self.models.pop(name), new
