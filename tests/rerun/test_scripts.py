"""Runs of scripts, run again."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from prefect_ledger import search_runs
from prefect_ledger.errors import NotReproducible, RunNotFound
from prefect_ledger.rerun import compare, planned, rerun
from prefect_ledger.rerun.checkout import check_out
from prefect_ledger.rerun.recorded import Recorded
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.verdict import Reproduced, Tolerance
from tests.rerun.conftest import SCRIPT, ran

TORN = b"diff --git a/src/fit.py b/src/fit.py\n--- a/src/fit.py\n+++ b/src/fit.py\n@@ -1 +1 @@\n-no\n+yes\n"
LEAVING = b"diff --git a/x b/../../x\nnew file mode 100644\n--- /dev/null\n+++ b/../../x\n@@ -0,0 +1 @@\n+x\n"


@pytest.mark.long
def test_uncommitted_changes_are_run_again_in_a_fresh_checkout(tree: Path, fresh_ledger: Ledger) -> None:
    """Though the working tree has moved on: the same code, arguments and seed, so the same numbers, and a link to the first run."""
    (tree / "src" / "fit.py").write_text(SCRIPT.replace("/ (step + 1)", "/ (step + 2)"))
    (tree / "notes.txt").write_text("new\n")
    first = ran(fresh_ledger, tree, "src/fit.py", "7")
    (tree / "src" / "fit.py").write_text("raise SystemExit('other code')")
    said: list[str] = []
    again = rerun(first.id, verify=True, env_manager="local", say=said.append)
    assert again.exit_code == 0
    assert again.verdict is not None
    assert again.verdict.result is Reproduced.IDENTICAL
    assert again.run.id != first.id
    assert (again.run.params["depth"], again.run.tags["rerun.of"]) == ("7", first.id)
    assert again.run.facts["git"]["commit"] == first.facts["git"]["commit"]
    assert said[-1].startswith("running python fit.py 7")


@pytest.mark.long
def test_what_hangs_on_the_environment_is_run_again_in_it(tree: Path, fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts hash as they did; a variable that was not set is not set again; in a comparison both are named."""
    (tree / "src" / "fit.py").write_text(SCRIPT.replace("random.random() / (step + 1)", "hash('a')").replace("fit", "hash"))
    monkeypatch.setenv("PYTHONHASHSEED", "5")
    monkeypatch.delenv("TZ", raising=False)
    first = ran(fresh_ledger, tree, "src/fit.py")
    assert first.facts["variables"]["PYTHONHASHSEED"] == "5"
    monkeypatch.setenv("PYTHONHASHSEED", "6")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    again = rerun(first.id, verify=True)
    assert again.verdict is not None
    assert again.verdict.result is Reproduced.IDENTICAL
    other = compare(first, ran(fresh_ledger, tree, "src/fit.py"))
    assert other.result is Reproduced.DIFFERENT
    assert {one.name for one in other.differences} >= {"variables.PYTHONHASHSEED", "variables.TZ"}


@pytest.mark.long
def test_a_run_that_draws_anew_is_different_and_says_from_which_step_on(tree: Path, fresh_ledger: Ledger) -> None:
    """Without a seed; and within a tolerance that is wide enough it is within it."""
    (tree / "src" / "fit.py").write_text(SCRIPT.replace("    set_seed()\n", ""))
    first = ran(fresh_ledger, tree, "src/fit.py")
    said: list[str] = []
    again = rerun(first.id, verify=True, env_manager="local", say=said.append)
    assert again.verdict is not None
    assert (again.verdict.result, again.verdict.metrics[0].first_step) == (Reproduced.DIFFERENT, 0)
    assert any("no seed was recorded" in sentence for sentence in said)
    wide = compare(first, again.run, {"loss": Tolerance.read("1.5")})
    assert wide.result is Reproduced.WITHIN_TOLERANCE


@pytest.mark.long
def test_the_run_meant_is_the_one_of_the_same_place(tree: Path, fresh_ledger: Ledger) -> None:
    """A program that makes several runs makes all of them again; the one that was asked about is found among them."""
    (tree / "src" / "fit.py").write_text(SCRIPT.replace('name="fit"', 'name="zero"') + SCRIPT)
    last = ran(fresh_ledger, tree, "src/fit.py")
    runs = {run.name: run for run in search_runs("again")}
    assert set(runs) == {"fit", "zero"}
    again = rerun(runs["fit"].id, env_manager="local")
    assert (again.run.name, again.run.tags["rerun.of"]) == ("fit", runs["fit"].id)
    assert last.id in {run.id for run in runs.values()}


@pytest.mark.long
def test_what_cannot_be_run_again_says_why_and_starts_nothing(tree: Path, fresh_ledger: Ledger) -> None:
    """No such run, masked arguments, parameters of a script, code that is gone, a patch that does not apply."""
    with pytest.raises(RunNotFound):
        rerun("00000000")
    secret = ran(fresh_ledger, tree, "src/fit.py", "3", "--token=abcdefgh12345678")
    with pytest.raises(NotReproducible, match="masked"):
        rerun(secret.id)
    first = ran(fresh_ledger, tree, "src/fit.py", "3")
    with pytest.raises(NotReproducible, match="-P is for flows"):
        rerun(first.id, {"depth": 4})
    made = planned(first.id)
    torn = dataclasses.replace(
        made.recorded.code, patch=b"diff --git a/src/fit.py b/src/fit.py\n--- a/src/fit.py\n+++ b/src/fit.py\n@@ -1 +1 @@\n-no\n+yes\n"
    )
    with pytest.raises(NotReproducible, match="do not apply"):
        check_out(torn, tree.parent / "torn", home=fresh_ledger.settings.home)
    out = dataclasses.replace(
        made.recorded.code, patch=b"diff --git a/x b/../../x\nnew file mode 100644\n--- /dev/null\n+++ b/../../x\n@@ -0,0 +1 @@\n+x\n"
    )
    with pytest.raises(NotReproducible, match="do not apply"):
        check_out(out, tree.parent / "deep" / "out", home=fresh_ledger.settings.home)
    assert not (tree.parent / "x").exists()
    before = len(search_runs("again"))
    shutil.rmtree(tree)
    with pytest.raises(NotReproducible, match="cannot be had"):
        rerun(first.id)
    assert len(search_runs("again")) == before


def test_what_is_known_to_be_missing_is_said_before_anything_starts(tree: Path, fresh_ledger: Ledger) -> None:
    """Files that were left out are named, with the reason."""
    (tree / "secrets.toml").write_text("a = 1\n")
    first = ran(fresh_ledger, tree, "src/fit.py")
    assert any("secrets.toml (its name says" in sentence for sentence in planned(first.id).lacking)
    assert Recorded.of(first).seed is not None
