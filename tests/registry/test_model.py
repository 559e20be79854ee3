"""Random verbs by several people: the registry is what a simple model of it says, after each step and at each past moment."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from prefect_ledger import open_run, registry
from prefect_ledger.audit_chain import GENESIS
from prefect_ledger.database import execute, rows
from prefect_ledger.entities import LoggedModel, to_datetime
from prefect_ledger.errors import ModelNotFound, RegisteredModelExists, RegistryConflict, TransitionRefused, VoteRefused
from prefect_ledger.identities import person
from prefect_ledger.registered import STAGES
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.origin import user
from tests.examples import examples
from tests.registry.folding import agrees
from tests.registry.helpers import logged
from tests.registry.remembered import ALICE, PEOPLE, POLICIES, TRAINERS, Model, Refused, Remembered, Request

REFUSALS = (ModelNotFound, RegisteredModelExists, RegistryConflict, TransitionRefused, VoteRefused)
TABLES = "request_votes transition_requests evidences policies model_notes model_tags model_aliases model_versions registered_models"
STEPS = itertools.count(1_000)
SELECTORS = (*STAGES, "@champion", "@challenger")

# What makes verbs meet is drawn more often than the rest.
PRODUCTION, EDGES = ["production"], ["candidate", "champion", "withdraw", "anew", "reject", "policy", "delete", "replace"]
names, numbers = st.sampled_from(["churn", "churn", "churn", "fraud"]), st.sampled_from([1, 1, 2, 2, 3, 3, 4])
people, choirs = st.sampled_from(PEOPLE), st.permutations(PEOPLE)
stages, wishes = st.sampled_from([*STAGES, *PRODUCTION * 2]), st.sampled_from([*PRODUCTION * 3, "staging"])
sources, values, policies = st.integers(0, 3), st.sampled_from([0.2, 0.5, 0.9]), st.integers(0, len(POLICIES) - 1)
aliases, meanwhile = st.sampled_from(["champion", "challenger"]), st.sampled_from([*[""] * 3, *EDGES, "withdraw"])
UPKEEP = ("register", "delete", "restore", "delete model", "restore model", "rename", "rename", "policy")
ways, shorts = st.tuples(numbers, wishes, meanwhile), st.sampled_from([0, 0, 1])


def four(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Four of a kind."""
    return st.tuples(of, of, of, of)


class Registry(RuleBasedStateMachine):
    """Each rule does a verb in the registry and in the model: both do it, or both refuse."""

    ledger: ClassVar[Ledger]
    logged: ClassVar[list[LoggedModel]]
    metrics: ClassVar[dict[int, float]]

    def __init__(self) -> None:
        super().__init__()
        with self.ledger.database.write() as tx:
            for table in (*TABLES.split(), "outbox", "audit"):
                execute(tx, f"DELETE FROM {table}")
            execute(tx, "UPDATE audit_head SET seq = 0, hash = ?", [GENESIS])
        for source in range(len(self.logged)):
            self.measure(source, 0.5)
        self.model, self.ids, self.head = Remembered(self.metrics), list[int](), 0
        self.past: list[tuple[datetime, list[tuple[Model, dict[str, int]]]]] = []

    def _both(self, model: Callable[[], Any], verb: Callable[[], Any]) -> tuple[Any, Any] | None:
        """What both gave; None where both refuse."""
        try:
            expected = model()
        except Refused:
            with pytest.raises(REFUSALS):
                verb()
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return expected, verb()

    @initialize(authors=four(people), auc=four(values), policy=policies, champions=st.integers(0, 2), asks=st.none() | people)
    def begin(self, authors: tuple[Any, ...], auc: tuple[float, ...], policy: int, champions: int, asks: Any) -> None:
        """Three versions of one model and one of another, perhaps a champion and one before it, a policy, and perhaps an open request."""
        for name, source, by in zip(["churn", "churn", "churn", "fraud"], [0, 1, 2, 1], authors, strict=True):
            self.register(name, source, by)
            self.measure(source, auc[source])
        for number in range(1, champions + 1):
            self.move("churn", number, "production", ("champion",), ALICE)
        self.set_policy(policy, ALICE)
        if asks is not None:
            self.ask("churn", 3, "production", asks)

    # --- verbs -----------------------------------------------------------------------------------------------------------

    def register(self, name: str, source: int, by: Any) -> None:
        there = set(self.model.models[name].versions) if name in self.model.models else set()
        found = self._both(
            lambda: self.model.register(name, source, by), lambda: registry.register_model(name, self.logged[source].uri, by=by).version
        )
        if found is not None:
            assert found[1] in found[0]
            assert found[1] in there or found[1] == len(there) + 1  # never a number that was given before, nor a gap

    @rule(name=names, number=numbers, stage=stages, also=st.just(()) | st.tuples(aliases), by=people)
    def move(self, name: str, number: int, stage: Any, also: tuple[str, ...], by: Any) -> None:
        self._both(
            lambda: self.model.move(name, number, stage, by, also=also),
            lambda: registry.transition(name, number, stage, aliases=also, by=by),
        )

    def pass_over(self, name: str, number: int, stage: Any, by: Any) -> None:
        self._both(
            lambda: self.model.move(name, number, stage, by, glass=True),
            lambda: registry.transition(name, number, stage, break_glass=True, why="down", by=by),
        )

    def roll_back(self, name: str, to: int | None, stage: Any, by: Any) -> None:
        found = self._both(
            lambda: self.model.roll_back(name, to, stage, by),
            lambda: registry.rollback(name, "it is worse", to=to, stage=stage, by=by).version,
        )
        assert found is None or found[0] == found[1]

    def undo(self, name: str, number: int, stage: Any, by: Any) -> None:
        found = self._both(
            lambda: self.model.undo(name, number, stage, by), lambda: registry.undo(name, number, "it fails", stage=stage, by=by)
        )
        assert found is None or found[0] == (None if found[1] is None else found[1].version)

    @rule(
        what=st.sampled_from(["over", "roll", "roll", "undo", "undo"]),
        name=names,
        number=numbers,
        stage=wishes,
        own=st.booleans(),
        by=people,
    )
    def go_back(self, what: str, name: str, number: int, stage: Any, own: bool, by: Any) -> None:
        moves = self.model.models[name].moves if name in self.model.models else []
        match what:
            case "over":
                self.pass_over(name, number, stage, by)
            case "roll":
                self.roll_back(name, None if own else number, stage, by)
            case "undo" if own and moves:
                self.undo(name, moves[-1].number, moves[-1].stage, moves[-1].by if number > 1 else by)
            case "undo":
                self.undo(name, number, stage, by)

    @rule(what=st.sampled_from(UPKEEP), name=names, number=numbers, new=st.sampled_from(["other", "other", "fraud", "churn"]), by=people)
    def keep_up(self, what: str, name: str, number: int, new: str, by: Any) -> None:
        match what:
            case "register":
                used = {its.source for its in self.model.models[name].versions.values()} if name in self.model.models else set()
                new_ones = [source for source in range(len(self.logged)) if source not in used]
                self.register(name if new_ones else new, (new_ones or [number - 1])[0], by)
            case "policy":
                self.set_policy((number * 3 + len(new)) % len(POLICIES), by)
            case "delete":
                self.delete(name, number, True, by)
            case "restore":
                gone = [(one.name, number) for one in self.model.models.values() for number, its in one.versions.items() if its.deleted]
                self.delete(*(gone or [(name, number)])[0], False, by)
            case "delete model" | "restore model":
                self.delete_model(name, what == "delete model", by)
            case "rename":
                self.rename(name, new, by)

    @rule(name=names, alias=aliases, number=st.none() | numbers, seen=st.none() | numbers, by=people)
    def set_alias(self, name: str, alias: str, number: int | None, seen: int | None, by: Any) -> None:
        self._both(
            lambda: self.model.alias(name, alias, number, seen), lambda: registry.set_alias(name, alias, number, expected=seen, by=by)
        )

    def delete(self, name: str, number: int, deleted: bool, by: Any) -> None:
        verb = registry.delete_version if deleted else registry.restore_version
        self._both(lambda: self.model.delete(name, number, deleted, by), lambda: verb(name, number, by=by))

    def delete_model(self, name: str, deleted: bool, by: Any) -> None:
        verb = registry.delete_model if deleted else registry.restore_model
        self._both(lambda: self.model.delete_model(name, deleted), lambda: verb(name, by=by))

    def rename(self, name: str, new: str, by: Any) -> None:
        self._both(lambda: self.model.rename(name, new, by), lambda: registry.rename_model(name, new, by=by))

    def set_policy(self, number: int, by: Any) -> None:
        self._both(lambda: self.model.set_policy(POLICIES[number], by), lambda: registry.set_policy(POLICIES[number], by=by))

    @rule(source=sources, value=values)
    def measure(self, source: int, value: float) -> None:
        if self.metrics.get(source) != value:
            open_run(self.logged[source].run_id).log_metric("auc", value, step=next(STEPS))
        self.metrics[source] = value

    @rule(name=names, number=numbers, stage=wishes, by=people)
    def ask(self, name: str, number: int, stage: Any, by: Any) -> None:
        self._asked(name, number, stage, by)

    def _asked(self, name: str, number: int, stage: Any, by: Any) -> Request | None:
        found = self._both(lambda: self.model.ask(name, number, stage, by), lambda: registry.request_transition(name, number, stage, by=by))
        if found is None:
            return None
        self.ids.append(found[1].id)
        assert found[1].passed == (found[0].state == "open")
        assert isinstance(found[0], Request)
        return found[0]

    def _picked(self, back: int) -> Request:
        """The newest open request, or one of those before it, or one that has ended."""
        found = self.model.requests[::-1]
        return [*(one for one in found if one.state == "open"), *(one for one in found if one.state != "open")][back % len(found)]

    def _vote(self, one: Request, approves: bool, by: Any) -> None:
        verb, request = registry.approve if approves else registry.reject, self._id(one)
        self._both(lambda: self.model.vote(one, approves, by), lambda: verb(request, "a reason", by=by))

    def _withdraw(self, one: Request, by: Any) -> None:
        self._both(lambda: self.model.withdraw(one, by), lambda: registry.withdraw(self._id(one), by=by))

    def _id(self, one: Request) -> int:
        return self.ids[self.model.requests.index(one)]

    @precondition(lambda self: self.ids)
    @rule(back=st.integers(0, 3), approves=st.sampled_from([True, True, True, False]), by=people)
    def vote(self, back: int, approves: bool, by: Any) -> None:
        self._vote(self._picked(back), approves, by)

    @precondition(lambda self: self.ids)
    @rule(back=st.integers(0, 3), by=st.none() | people)
    def end(self, back: int, by: Any) -> None:
        if by is not None:
            self._withdraw(self._picked(back), by)
            return
        self.model.settle()
        registry.settle()

    # --- whole stories: what single verbs rarely come to ---------------------------------------------------------------------

    @precondition(lambda self: self.ids)
    @rule(back=st.integers(0, 3), choir=choirs, short=shorts, before=meanwhile, after=meanwhile, value=values, by=people)
    def carry_out(self, back: int, choir: list[Any], short: int, before: str, after: str, value: float, by: Any) -> None:
        """People vote on a request until it has its approvals, or one less, and somebody carries it out; something happens meanwhile."""
        one = self._picked(back)
        self._meanwhile(before, one, value, by)
        wrong, right = ([voter for voter in choir if self.model.may_vote(one, voter) == may] for may in (False, True))
        for voter in [*wrong[:2], *right] if one.state == "open" else right[:1]:
            if len(one.votes) < one.rule.approvals - short or one.state != "open":
                self._vote(one, True, voter)
        self._meanwhile(after, one, value, by)
        self.move(one.model.name, one.number, one.stage, (), by)

    @rule(name=names, ways=st.lists(ways, min_size=1, max_size=3), short=shorts, asker=people, choir=choirs, value=values, by=people)
    def promote(self, name: str, ways: list[Any], short: int, asker: Any, choir: list[Any], value: float, by: Any) -> None:
        """The whole way of a version or of several, one after the other: asked for, voted on and moved, while something happens."""
        for number, stage, after in ways:
            there = self.model.models[name].versions if name in self.model.models else {}
            others = [place for place in there if not there[place].deleted and there[place].stage != stage]
            if (one := self._asked(name, others[number % len(others)] if others else number, stage, asker)) is not None:
                self.carry_out(self._back(one), choir, short, "", after, value, by)

    def _back(self, one: Request) -> int:
        return next(back for back in range(len(self.ids)) if self._picked(back) is one)

    def _meanwhile(self, what: str, one: Request, value: float, by: Any) -> None:
        rival, policy = one.model.rival(one.number), self.model.policy
        match what:
            case "candidate":
                self.measure(one.model.versions[one.number].source, value)
            case "champion" if rival is not None:
                self.measure(one.model.versions[rival].source, value)
            case "withdraw":
                self._withdraw(one, one.requester)
            case "anew":  # by the same person, known as weakly as may be
                self._asked(one.model.name, one.number, one.stage, [who for who in PEOPLE if who.person == one.requester.person][-1])
            case "reject":
                self._vote(one, False, by)
            case "policy":
                for who in (by, *PEOPLE[:4]):
                    if self.model.policy is policy:
                        self.set_policy(int(value * 10), who)
            case "delete":
                self.delete(one.model.name, one.number, True, by)
            case "replace":
                self.pass_over(one.model.name, one.number % 3 + 1, "production", by)

    # --- what holds --------------------------------------------------------------------------------------------------------

    @invariant()
    def is_what_the_model_says(self) -> None:
        if (now := registry.audit_head().seq) == self.head:
            return  # nothing was done; at the end it is looked at all the same
        self.head = now
        self._look()
        with self.ledger.database.read() as tx:
            ((at,),) = rows(tx, "SELECT at FROM audit ORDER BY seq DESC LIMIT 1")
        moment = to_datetime(at)
        assert moment is not None
        self.past.append((moment, [(one, one.meant()) for one in self.model.models.values()]))

    def _look(self) -> None:
        with self.ledger.database.read() as tx:
            agrees(tx)
        assert {one.name: one.deleted_at is not None for one in registry.list_models(deleted=True)} == {
            name: one.deleted for name, one in self.model.models.items()
        }
        for name, one in self.model.models.items():
            self._same(name, one)
        found = [(one.id, one.state, [person(said["voter"]) for said in one.votes if said["approve"]]) for one in registry.list_requests()]
        assert found[::-1] == [(request, one.state, one.votes) for request, one in zip(self.ids, self.model.requests, strict=True)]
        assert registry.get_policy().policy == self.model.policy

    def _same(self, name: str, one: Model) -> None:
        found = registry.get_model(name)
        assert found.latest == len(one.versions)
        assert dict(found.aliases) == one.aliases
        if not one.deleted:
            versions = {version.version: version for version in registry.list_versions(name, deleted=True)}
            assert {number: (version.stage, version.deleted_at is not None, version.logged_id) for number, version in versions.items()} == {
                number: (version.stage, version.deleted, self.logged[version.source].id) for number, version in one.versions.items()
            }
        meant, gone = one.meant(), [number for number, version in one.versions.items() if version.deleted or one.deleted]
        for means, number in meant.items():
            assert registry.get_version(name, means).version == number
        nothing: list[str | int] = [*gone, *(selector for selector in SELECTORS if selector not in meant)]
        for selector in nothing[:2]:
            with pytest.raises(ModelNotFound):
                registry.get_version(name, selector)

    def teardown(self) -> None:
        self._look()
        for at, meant in self.past[:: max(1, len(self.past) // 6)]:
            for one, then in meant:
                for selector in SELECTORS:
                    found = registry.as_of(one.name, selector, at)
                    assert (None if found is None else found.version) == then.get(selector), (at, selector)


@pytest.mark.usefixtures("store_url")
@pytest.mark.long
def test_the_registry_is_what_a_simple_model_says(fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever several people do in whatever order: it is done or refused as the rules say, log and tables agree after each step, numbers
    are never given twice, only valid approvals count, and what was meant at a past moment is what is remembered."""
    Registry.ledger, Registry.metrics, Registry.logged = fresh_ledger, {}, []
    for trainer in TRAINERS:
        monkeypatch.setenv("LOGNAME", trainer)
        user.cache_clear()
        Registry.logged.append(logged(name="m"))
    user.cache_clear()
    count = examples(12 if fresh_ledger.database.dialect == "sqlite" else 4)  # the rules are the same on both; more in the soak
    limits = settings(max_examples=count, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Registry, settings=limits)
