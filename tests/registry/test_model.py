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
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from prefect_ledger import open_run, registry
from prefect_ledger.audit_chain import GENESIS
from prefect_ledger.database import execute, rows
from prefect_ledger.entities import to_datetime
from prefect_ledger.errors import ModelNotFound, RegisteredModelExists, RegistryConflict, TransitionRefused, VoteRefused
from prefect_ledger.tracking.ledger import Ledger
from tests.examples import examples
from tests.registry.folding import agrees
from tests.registry.helpers import logged
from tests.registry.remembered import CAROL, PEOPLE, POLICIES, RULES, Model, Refused, Remembered, Request

REFUSALS = (ModelNotFound, RegisteredModelExists, RegistryConflict, TransitionRefused, VoteRefused)
TABLES = "request_votes transition_requests evidences policies model_notes model_tags model_aliases model_versions registered_models"
STEPS = itertools.count(1_000)

names, people = st.sampled_from(["churn", "fraud"]), st.sampled_from(PEOPLE)
numbers, aliases = st.integers(1, 4), st.sampled_from(["champion", "challenger"])
sources, stages = st.integers(0, 3), st.sampled_from(["none", "staging", "production", "production", "archived"])


class Registry(RuleBasedStateMachine):
    """Each rule does a verb in the registry and in the model: both do it, or both refuse."""

    ledger: ClassVar[Ledger]
    logged: ClassVar[list[Any]]
    metrics: ClassVar[dict[int, float]]

    def __init__(self) -> None:
        super().__init__()
        with self.ledger.database.write() as tx:
            for table in (*TABLES.split(), "outbox", "audit"):
                execute(tx, f"DELETE FROM {table}")
            execute(tx, "UPDATE audit_head SET seq = 0, hash = ?", [GENESIS])
        for source in self.logged if not self.metrics else [self.logged[one] for one, value in self.metrics.items() if value != 0.5]:
            self._measure(source, 0.5)
        self.metrics.update(dict.fromkeys(range(len(self.logged)), 0.5))
        self.model, self.ids = Remembered(self.metrics), list[int]()
        self.past: list[tuple[datetime, list[tuple[Model, dict[str, Any]]]]] = []

    def _measure(self, source: Any, value: float) -> None:
        open_run(source.run_id).log_metric("auc", value, step=next(STEPS))

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

    # --- verbs -----------------------------------------------------------------------------------------------------------

    @rule(name=names, source=sources, by=people)
    def register(self, name: str, source: int, by: Any) -> None:
        there = set(self.model.models[name].versions) if name in self.model.models else set()
        found = self._both(
            lambda: self.model.register(name, source, by), lambda: registry.register_model(name, self.logged[source].uri, by=by).version
        )
        if found is not None:
            assert found[1] in found[0]
            assert found[1] in there or found[1] == len(there) + 1  # never a number that was given before, nor a gap

    @rule(name=names, number=numbers, stage=stages, by=people)
    def move(self, name: str, number: int, stage: Any, by: Any) -> None:
        self._both(lambda: self.model.move(name, number, stage, by), lambda: registry.transition(name, number, stage, by=by))

    @rule(name=names, number=numbers, stage=stages, by=people)
    def pass_over(self, name: str, number: int, stage: Any, by: Any) -> None:
        self._both(
            lambda: self.model.move(name, number, stage, by, glass=True),
            lambda: registry.transition(name, number, stage, break_glass=True, why="down", by=by),
        )

    @rule(name=names, alias=aliases, number=st.none() | numbers, seen=st.none() | numbers, by=people)
    def set_alias(self, name: str, alias: str, number: int | None, seen: int | None, by: Any) -> None:
        self._both(
            lambda: self.model.alias(name, alias, number, seen), lambda: registry.set_alias(name, alias, number, expected=seen, by=by)
        )

    @rule(name=names, number=numbers, deleted=st.booleans(), by=people)
    def delete(self, name: str, number: int, deleted: bool, by: Any) -> None:
        verb = registry.delete_version if deleted else registry.restore_version
        self._both(lambda: self.model.delete(name, number, deleted), lambda: verb(name, number, by=by))

    @rule(name=names, deleted=st.booleans(), by=people)
    def delete_model(self, name: str, deleted: bool, by: Any) -> None:
        verb = registry.delete_model if deleted else registry.restore_model
        self._both(lambda: self.model.delete_model(name, deleted), lambda: verb(name, by=by))

    @rule(name=names, new=names, by=people)
    def rename(self, name: str, new: str, by: Any) -> None:
        self._both(lambda: self.model.rename(name, new), lambda: registry.rename_model(name, new, by=by))

    @rule(number=st.integers(0, len(RULES) - 1), by=people)
    def set_policy(self, number: int, by: Any) -> None:
        registry.set_policy(POLICIES[number], by=by)
        self.model.rule = number

    @rule(source=sources, value=st.sampled_from([0.2, 0.5, 0.9]))
    def measure(self, source: int, value: float) -> None:
        self._measure(self.logged[source], value)
        self.metrics[source] = value

    @rule(name=names, number=numbers, by=people)
    def ask(self, name: str, number: int, by: Any) -> None:
        found = self._both(lambda: self.model.ask(name, number, by), lambda: registry.request_transition(name, number, "production", by=by))
        if found is not None:
            self.ids.append(found[1].id)
            assert found[1].passed == (found[0].state == "open")

    def _picked(self, back: int) -> tuple[Request, int]:
        place = len(self.ids) - 1 - back % len(self.ids)
        return self.model.requests[place], self.ids[place]

    @precondition(lambda self: self.ids)
    @rule(back=st.integers(0, 3), approves=st.sampled_from([True, True, True, False]), by=people)
    def vote(self, back: int, approves: bool, by: Any) -> None:
        one, request = self._picked(back)
        verb = registry.approve if approves else registry.reject
        self._both(lambda: self.model.vote(one, approves, by), lambda: verb(request, "a reason", by=by))

    @precondition(lambda self: self.ids)
    @rule(back=st.integers(0, 3))
    def vote_of_many_and_move(self, back: int) -> None:
        """Everybody votes, and carol carries it out: what a random vote rarely comes to."""
        one, request = self._picked(back)
        for by in PEOPLE:
            self._both(lambda by=by: self.model.vote(one, True, by), lambda by=by: registry.approve(request, by=by))  # type: ignore[misc]  # of the defaults
        for name in [name for name, model in self.model.models.items() if model is one.model]:
            self.move(name, one.number, "production", CAROL)

    @precondition(lambda self: self.ids)
    @rule(back=st.integers(0, 3), by=people)
    def withdraw(self, back: int, by: Any) -> None:
        one, request = self._picked(back)
        self._both(lambda: self.model.withdraw(one, by), lambda: registry.withdraw(request, by=by))

    @rule()
    def settle(self) -> None:
        self.model.settle()
        registry.settle()

    # --- what holds --------------------------------------------------------------------------------------------------------

    @invariant()
    def is_what_the_model_says(self) -> None:
        with self.ledger.database.read() as tx:
            agrees(tx)
            last = rows(tx, "SELECT at FROM audit ORDER BY seq DESC LIMIT 1")
        assert {one.name: one.deleted_at is not None for one in registry.list_models(deleted=True)} == {
            name: one.deleted for name, one in self.model.models.items()
        }
        for name, one in self.model.models.items():
            self._same(name, one)
        assert [registry.get_request(request).state for request in self.ids] == [one.state for one in self.model.requests]
        if last and (at := to_datetime(last[0][0])) is not None and (not self.past or self.past[-1][0] != at):
            self.past.append((at, [(one, one.meant()) for one in self.model.models.values()]))

    def _same(self, name: str, one: Model) -> None:
        found = registry.get_model(name)
        assert found.latest == len(one.versions)
        assert dict(found.aliases) == one.aliases
        if one.deleted:
            return
        versions = {version.version: version for version in registry.list_versions(name, deleted=True)}
        assert {number: (version.stage, version.deleted_at is not None) for number, version in versions.items()} == {
            number: (version.stage, version.deleted) for number, version in one.versions.items()
        }
        assert {number: version.logged_id for number, version in versions.items()} == {
            number: self.logged[version.source].id for number, version in one.versions.items()
        }
        for selector, number in one.meant().items():
            assert registry.get_version(name, selector).version == number

    def teardown(self) -> None:
        names = {id(one): name for name, one in self.model.models.items()}
        for at, meant in self.past[:: max(1, len(self.past) // 6)]:
            for one, then in meant:
                for selector in ("none", "staging", "production", "archived", "@champion", "@challenger"):
                    found = registry.as_of(names[id(one)], selector, at)
                    assert (None if found is None else found.version) == then.get(selector), (at, selector)


@pytest.mark.usefixtures("store_url")
def test_the_registry_is_what_a_simple_model_says(fresh_ledger: Ledger) -> None:
    """Whatever several people do in whatever order: it is done or refused as the rules say, log and tables agree after each step, numbers
    are never given twice, only valid approvals count, and what was meant at a past moment is what is remembered."""
    Registry.ledger, Registry.metrics, Registry.logged = fresh_ledger, {}, [logged(name="m") for _ in range(4)]
    limits = settings(max_examples=examples(6), stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Registry, settings=limits)
