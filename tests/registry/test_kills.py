"""A process that changes the registry is killed at any moment: what it did is there whole, or not at all."""

from __future__ import annotations

import contextlib
import json
import random
import time
import warnings
from typing import Any

import numpy as np
import pytest

from prefect_ledger import registry
from prefect_ledger.errors import LedgerError
from prefect_ledger.gates import Holdout
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.registered import STAGES
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.folding import agrees
from tests.registry.forking import Say, start
from tests.registry.helpers import logged

pytestmark = pytest.mark.usefixtures("store_url")

PEOPLE = [Identity(name, Strength.OS, "user") for name in ("alice", "bob", "carol", "dave")]
MODELS = ("churn", "fraud")
RULE = {"approvals": 1, "break_glass": ("dave",)}


def act(draw: random.Random, sources: list[str]) -> str:
    """One verb, drawn at random; returns its name."""
    name, number, by = draw.choice(MODELS), draw.randint(1, 6), draw.choice(PEOPLE)
    text, request = f"text {draw.random()}", draw.randint(1, 40)
    verbs: dict[str, Any] = {
        "create": lambda: registry.create_model(f"m{draw.randint(1, 99)}", description=text, tags={"a": 1}, by=by),
        "register": lambda: registry.register_model(name, draw.choice(sources), description=text, tags={"b": text}, by=by),
        "move": lambda: registry.transition(name, number, draw.choice(STAGES), why=text, by=by),
        "glass": lambda: registry.transition(name, number, "production", break_glass=True, why=text, by=PEOPLE[3]),
        "alias": lambda: registry.set_alias(name, draw.choice("pqr"), draw.choice([number, None]), by=by),
        "describe": lambda: registry.describe_version(name, number, text, by=by),
        "describe model": lambda: registry.describe_model(name, text, by=by),
        "tag": lambda: registry.tag_version(name, number, {"c": text, "d": draw.choice([None, text])}, by=by),
        "note": lambda: registry.annotate(name, number, text, verdict=draw.choice(("", "approve")), by=by),
        "delete": lambda: registry.delete_version(name, number, by=by),
        "restore": lambda: registry.restore_version(name, number, by=by),
        "delete model": lambda: registry.delete_model(f"m{draw.randint(1, 9)}", by=by),
        "restore model": lambda: registry.restore_model(f"m{draw.randint(1, 9)}", by=by),
        "rename": lambda: registry.rename_model(f"m{draw.randint(1, 9)}", f"m{draw.randint(1, 9)}", by=by),
        "policy": lambda: registry.set_policy(Policy((Rule("churn", "production", expires=draw.randint(1, 9) * 10**9, **RULE),)), by=by),  # type: ignore[arg-type]  # of the mapping
        "ask": lambda: registry.request_transition(name, number, "production", holdout=rows_of(draw), why=text, by=by),
        "approve": lambda: registry.approve(request, text, by=by),
        "reject": lambda: registry.reject(request, text, by=by),
        "withdraw": lambda: registry.withdraw(request, text, by=by),
        "settle": registry.settle,
    }
    verb = draw.choice(sorted(verbs))
    with contextlib.suppress(LedgerError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        verbs[verb]()
    return verb


def rows_of(draw: random.Random) -> Holdout | None:
    """A small holdout, or none."""
    values = np.array([draw.random() for _ in range(8)])
    return Holdout("h", "d", {"x": values}, values, values, values) if draw.random() < 0.5 else None


def kill_often(ledger: Ledger, kills: int, seed: int) -> int:
    """Let a process act until it is killed, again and again, and look each time; returns how many verbs were done before that."""
    draw, done = random.Random(seed), 0
    sources = [logged(name="m").uri for _ in range(8)]
    for source in sources[:3]:
        for name in MODELS:
            registry.register_model(name, source, by=PEOPLE[0])
    registry.set_policy(Policy((Rule("churn", "production", **RULE),)))  # type: ignore[arg-type]  # of the mapping

    def work(say: Say) -> None:
        own = random.Random(draw.random())
        while True:
            say([act(own, sources), registry.audit_head()])

    for number in range(kills):
        draw.seed(f"{seed} {number}")
        child = start(work)
        child.wait()  # for a first verb, so that a slow machine's children are not all killed before they have begun
        time.sleep(draw.uniform(0, 0.25))
        said = child.kill()
        with ledger.database.read() as tx:
            agrees(tx)
        last = [json.loads(line) for line in said.splitlines() if line.endswith("]")]
        done += len(last)
        rows = {one.seq: one.hash for name in MODELS for one in registry.history(name)}
        head = registry.audit_head()
        assert all(seq <= head.seq and rows.get(seq, found) == found for _, (seq, found) in last)
    for request in registry.list_requests():
        assert registry.replay(request.id).same  # its evidence is there, arrays and all
    registry.create_model("after", by=PEOPLE[0])  # the next one is not held up by what the dead held
    return done


@pytest.mark.long
def test_a_killed_verb_was_done_or_was_not(fresh_ledger: Ledger) -> None:
    """After each kill the tables say what the log says, its chain is whole, each row has its event, and what had returned is there."""
    assert kill_often(fresh_ledger, 8, seed=random.randrange(1 << 30)) >= 8


@pytest.mark.soak
def test_killed_verbs_many_times(fresh_ledger: Ledger) -> None:
    """The same, three hundred times."""
    assert kill_often(fresh_ledger, 300, seed=random.randrange(1 << 30)) > 1000
