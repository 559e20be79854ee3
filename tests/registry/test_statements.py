"""How many statements a look at the registry takes: not one for each model."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from prefect_ledger import registry
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.helpers import ALICE, logged

pytestmark = pytest.mark.usefixtures("store_url")


@contextlib.contextmanager
def statements(ledger: Ledger) -> Iterator[list[str]]:
    """Those of this thread about registered models, as they are sent."""
    found: list[str] = []
    mine = threading.get_ident()

    def note(_conn: Any, _cursor: Any, text: str, *_: Any) -> None:
        if threading.get_ident() == mine and "model_" in text:
            found.append(text)

    with ledger.database.read() as tx:
        engine = tx.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def filled(*names: str) -> None:
    """Models with two versions each, one of them in production, an alias and a tag."""
    for name in names:
        for _ in range(2):
            registry.register_model(name, logged(name=name), by=ALICE, tags={"of": name})
        registry.transition(name, 1, "production", by=ALICE)
        registry.transition(name, 2, "staging", by=ALICE)
        registry.set_alias(name, "champion", 1, by=ALICE)
        registry.tag_model(name, {"team": name}, by=ALICE)


@pytest.mark.long
def test_many_models_take_no_more_statements_than_one(fresh_ledger: Ledger) -> None:
    """Aliases, stages and tags of all models come with as many statements as those of one, and each model has its own."""
    filled("a")
    with statements(fresh_ledger) as one:
        registry.list_models()
    filled("b", "c", "d")
    with statements(fresh_ledger) as four:
        found = registry.list_models()
    assert len(four) == len(one) > 0
    registry.delete_version("a", 2)
    found = registry.list_models()
    stages = [{"production": 1}, *([{"production": 1, "staging": 2}] * 3)]
    assert [dict(model.stages) for model in found] == stages
    assert [(model.name, dict(model.aliases), dict(model.tags)) for model in found] == [
        (name, {"champion": 1}, {"team": name}) for name in "abcd"
    ]
    assert found == [registry.get_model(name) for name in "abcd"]


def test_versions_of_many_models_take_no_more_statements_than_of_one(fresh_ledger: Ledger) -> None:
    """A search over versions takes as many statements for those of many models as for those of one, and each has its own tags."""
    filled("a")
    with statements(fresh_ledger) as one:
        registry.search_versions()
    filled("b", "c", "d")
    with statements(fresh_ledger) as four:
        found = registry.search_versions()
    assert len(four) == len(one) > 0
    places = [(name, number) for name in "abcd" for number in (2, 1)]
    assert [(version.name, version.version, dict(version.tags)) for version in found] == [(*one, {"of": one[0]}) for one in places]
    assert [version.aliases for version in found] == [(), ("champion",)] * 4
