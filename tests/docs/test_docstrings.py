"""Every public name says what it promises, what it raises and how it is used; and what its example shows is what comes out."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import prefect_ledger
from prefect_ledger import autolog, create_experiment, deploying, gates, policies, promotion, registry, rerun, sweep, verdict, webhooks
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.helpers import ALICE, version

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
_ROOMS = (registry, gates, policies, promotion, deploying, rerun, sweep, verdict, webhooks)
DOORS = {"prefect_ledger": prefect_ledger, **{room.__name__: room for room in _ROOMS}}
DATA = {"STAGES"}  # names that are no class and no function
INSIDE = {  # what other parts of the package import from these doors, and no guide speaks of
    "prefect_ledger.gates": {"FUNCTIONS"},
    "prefect_ledger.policies": {"DEFAULT", "deadline", "duration_text", "moment", "refusal", "standing"},
    "prefect_ledger.deploying": {"GROUP"},
}
QUIET = {"judge", "statement", "target_names", "troubles", "try_cases", "verify_signature"}  # these answer, whatever they are given
SHOWN = {  # examples that stand for others' tests: what they need is a Prefect server, files of somebody's, or a framework
    "challenge",
    "evaluate",
    "planned",
    "promote",
    "reconcile",
    "rerun",
    "rollback",
    "score",
}


def public_of(door: str) -> list[str]:
    """The names that a door has for everybody."""
    return [name for name in DOORS[door].__all__ if name not in INSIDE.get(door, ())]


def public() -> Iterator[tuple[str, str, str]]:
    """Module, name and docstring of every public name, without importing a framework."""
    for door, module in DOORS.items():
        for name in public_of(door):
            yield door, name, "" if name in DATA else _own(getattr(module, name))
    for name, where in autolog._HOME.items():
        tree = ast.parse((Path(autolog.__file__).parent / f"{where}.py").read_text(encoding="utf-8"))
        [found] = [one for one in tree.body if isinstance(one, ast.ClassDef | ast.FunctionDef) and one.name == name]
        yield "prefect_ledger.autolog", name, ast.get_docstring(found) or ""


def _own(found: Any) -> str:
    """The docstring that was written for this, and not for what it inherits from."""
    return inspect.cleandoc(vars(found).get("__doc__") or "") if inspect.isclass(found) else inspect.getdoc(found) or ""


NAMES = [one for one in public() if one[1] not in DATA]


def is_verb(door: str, name: str) -> bool:
    """Whether it is a function."""
    return name[0].islower() and door in {*DOORS, "prefect_ledger.autolog"}


@pytest.mark.parametrize(("door", "name", "said"), NAMES, ids=[f"{door}.{name}" for door, name, _ in NAMES])
def test_a_public_name_says_what_it_promises(door: str, name: str, said: str) -> None:
    """It begins with a sentence; a function says what it raises, and shows an example."""
    assert re.match(r"[A-Z@`:\"].*?[.:;](\s|$)", said, re.DOTALL), f"{door}.{name} has no sentence that says what it promises"
    assert not said.startswith(f"{name}("), f"{door}.{name}: this is what Python writes for a class that has no docstring"
    if is_verb(door, name):
        assert "Raises" in said or name in QUIET, f"{door}.{name} does not say what it raises"
        assert ">>>" in said, f"{door}.{name} has no example"


def test_the_reference_has_every_public_name() -> None:
    """Each public name stands on one page of the reference, and nothing else does."""
    pages = "\n".join(page.read_text(encoding="utf-8") for page in sorted(REFERENCE.glob("*.md")))
    named = re.findall(r"^::: ([\w.]+)$", pages, re.MULTILINE)
    wanted = [f"{door}.{name}" for door in DOORS for name in public_of(door)] + [
        f"prefect_ledger.autolog.{name}" for name in autolog.__all__
    ]
    wanted = [name for name in wanted if name != "prefect_ledger.LedgerError"]  # with the other errors
    assert sorted(named) == sorted([*wanted, "prefect_ledger.errors"])


def test_the_reference_has_every_task() -> None:
    """Each verb that is a task too is named on the page of tasks."""
    from prefect_ledger import tasks

    text = (REFERENCE / "tasks.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(tasks.__all__)
    assert all(getattr(tasks, name).__doc__ for name in tasks.__all__)


@pytest.fixture
def there(fresh_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Ledger:
    """A ledger with what examples speak of: an experiment churn; for those of the registry, three versions of a model churn, the second
    in production, where one person must agree."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEDGER_HOOK_SECRET", "hunter2hunter2")
    if request.node.callspec.params["door"] != "prefect_ledger.registry":
        create_experiment("churn")
        return fresh_ledger
    set_rules()
    for number in (1, 2, 3):
        version(0.9 + number / 100, by=ALICE)
        if number < 3:
            asked = registry.request_transition("churn", number, "production", by=ALICE)
            registry.approve(asked.id, by="bob")
            registry.transition("churn", number, "production", aliases=["champion"], by=ALICE)
    return fresh_ledger


def set_rules() -> None:
    """One person must agree to what goes into production, and everybody is who they say they are."""
    registry.set_policy('[[rule]]\nmodel = "*"\nstage = "production"\napprovals = 1\nidentity = "claimed"')


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.long
def test_what_an_example_shows_is_what_comes_out(door: str) -> None:
    """The examples of all public names, one after the other in one ledger."""
    finder, failed = doctest.DocTestFinder(recurse=False), []
    for name in public_of(door):
        if name in DATA or (name in SHOWN and door != "prefect_ledger.registry"):
            continue
        found = getattr(DOORS[door], name)
        for example in finder.find(found, name, globs={**vars(importlib.import_module(found.__module__))}):
            if door == "prefect_ledger.registry":
                set_rules()
            heard: list[str] = []
            if doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=heard.append).failed:
                failed.append("".join(heard))
    assert not failed, "\n".join(failed)
