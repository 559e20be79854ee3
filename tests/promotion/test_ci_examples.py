"""``deployments/ci``: every command of ours in the examples for GitHub Actions and GitLab CI does what it is there for, as it is written.

What belongs to the CI systems is not run: checkout, set-up of Python, pip, ``gh pr comment``, uploads, and what GitLab does with artifacts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest
import yaml

from prefect_ledger import registry
from prefect_ledger.promotion import Rows, promote
from prefect_ledger.tracking.ledger import Ledger
from tests.cli.conftest import environment
from tests.promotion.helpers import framed, rows

FOLDER = Path(__file__).parents[2] / "deployments" / "ci"
POLICY = """
[[rule]]
model = "churn"
stage = "production"
gates = [
  "metrics.auc >= 0.8",
  {gate = "bootstrap", metric = "squared_error", at_least = 0, without_champion = "skip"},
  {gate = "slices", metric = "squared_error", by = "region", at_least = -0.01, without_champion = "skip"},
]
identity = "claimed"
"""
CASES = """
[[case]]
name = "a first version"
model = "churn"
stage = "production"
candidate = {auc = 0.9}
expect = "passes"

[[case]]
name = "not good enough"
model = "churn"
stage = "production"
candidate = {auc = 0.7}
expect = "refused"
because = "metrics.auc"
"""
# What the CI systems put into the environment, and secrets and variables of a project. The ledger is this test's own.
GIVEN = {"CI_MERGE_REQUEST_IID": "12", "CI_PIPELINE_ID": "4711", "GITHUB_RUN_ID": "4711", "GITHUB_STEP_SUMMARY": "summary.md"}
NEXT = {"CI_PIPELINE_ID": "4712", "GITHUB_RUN_ID": "4712"}


class Job(NamedTuple):
    """A job of an example: its scripts that have a command of ours, what it puts into their environment, and files that are kept."""

    scripts: tuple[str, ...]
    variables: dict[str, str]
    kept: tuple[str, ...]


def github() -> dict[str, Job]:
    """The jobs of the example for GitHub Actions."""
    read = yaml.safe_load((FOLDER / "github-actions.yml").read_text(encoding="utf-8"))
    found = {}
    for name, job in read["jobs"].items():
        ours = [step for step in job["steps"] if _ours(step.get("run", ""))]
        variables: dict[str, str] = {}
        for level in (read, job, *ours):
            variables |= level.get("env", {})
        uploads = [step["with"]["path"] for step in job["steps"] if "upload-artifact" in step.get("uses", "")]
        found[name] = Job(tuple(step["run"] for step in ours), variables, tuple(" ".join(uploads).split()))
    return found


def gitlab() -> dict[str, Job]:
    """The jobs of the example for GitLab CI."""
    read = yaml.safe_load((FOLDER / "gitlab-ci.yml").read_text(encoding="utf-8"))
    found = {}
    for name, job in read.items():
        if isinstance(job, dict) and "script" in job:
            files = job.get("artifacts", {})
            kept = (*files.get("paths", ()), *([files["reports"]["junit"]] if "reports" in files else ()))
            found[name] = Job(tuple(line for line in job["script"] if _ours(line)), read["variables"], kept)
    return found


def _ours(script: str) -> bool:
    return any(line.startswith("prefect-ledger ") for line in script.splitlines())


class Repository(NamedTuple):
    """A folder with what the examples name, beside a ledger."""

    folder: Path
    jobs: dict[str, Job]

    def run(self, name: str, **variables: str) -> int:
        """The exit code of a job: its scripts as they are written, in a shell as the CI systems start it."""
        job = self.jobs[name]
        values = {key: value for key, value in job.variables.items() if "${{" not in value}
        env = {**environment(Path(os.environ["PREFECT_LEDGER_HOME"])), **GIVEN, **values, **variables}
        env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
        assert job.scripts, f"{name} has no command of ours"
        for script in job.scripts:
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
            done = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, timeout=120, check=False)
            print(done.stdout, done.stderr)
            if done.returncode:
                return done.returncode
        return 0

    def promoted(self, *factors: float) -> None:
        """New versions that multiply by these, each in production after the other."""
        holdout = Rows(str(self.folder / "data" / "holdout.csv"), "target", columns=("region",))
        for factor in factors:
            assert promote("churn", framed(factor).version, rows=holdout, targets=(), by="ci").state == "promoted"

    def fresh(self, *names: str) -> bool:
        """Whether these files came to be; they are taken away for the next time."""
        there = [(self.folder / name).exists() for name in names]
        for name in names:
            (self.folder / name).unlink(missing_ok=True)
        return all(there) and bool(there)


@pytest.fixture(params=[github, gitlab])
def repository(request: pytest.FixtureRequest, fresh_ledger: Ledger, tmp_path: Path) -> Repository:
    """What the examples ask of a repository, and the policy in the ledger that stands in it."""
    read: Callable[[], dict[str, Job]] = request.param
    folder = tmp_path / "repository"
    (folder / "data").mkdir(parents=True)
    shutil.move(rows(tmp_path), folder / "data" / "holdout.csv")
    (folder / "policy.toml").write_text(POLICY)
    (folder / "cases.toml").write_text(CASES)
    registry.set_policy(POLICY)
    return Repository(folder, read())


def _staged(factor: float) -> None:
    registry.transition("churn", framed(factor).version, "staging")


def test_the_policy_is_a_check(repository: Repository) -> None:
    """A pull request whose policy decides the cases otherwise than they say fails."""
    assert repository.run("policy") == 0
    (repository.folder / "policy.toml").write_text(POLICY.replace("0.8", "0.6"))
    assert repository.run("policy") == 1


@pytest.mark.long
def test_a_promotion_with_its_reports(repository: Repository) -> None:
    """The version in staging comes into production; a worse one is code 3; either time every file that is posted or kept is there."""
    kept = repository.jobs["promote"].kept
    assert set(kept) == {"promotion.md", "promotion.xml"}
    for factor, code in ((2.0, 0), (2.4, 3)):
        _staged(factor)
        assert repository.run("promote", WHY="pull request 12") == code
        text = (repository.folder / "promotion.md").read_text()
        assert ElementTree.parse(repository.folder / "promotion.xml").getroot().get("failures") == ("0" if code == 0 else "3")
        assert repository.fresh(*kept)
    assert "### churn 2 to production: refused" in text
    assert registry.get_version("churn", "@champion").version == 1
    assert "12" in registry.get_request(1).why


@pytest.mark.long
def test_a_promotion_that_is_begun_again_moves_nothing_else(repository: Repository) -> None:
    """Done once more, the job verifies what it brought into production: an older version that still waits in staging is left there."""
    repository.promoted(1.9)
    _staged(1.95)
    _staged(2.0)
    assert repository.run("promote", WHY="pull request 12") == 0
    head = registry.audit_head()
    assert repository.run("promote", WHY="pull request 12") == 0
    assert "### churn 3 to production: already" in (repository.folder / "promotion.md").read_text()
    assert (registry.audit_head(), registry.get_version("churn", 2).stage) == (head, "staging")


@pytest.mark.long
def test_what_people_agreed_to_is_what_moves(repository: Repository) -> None:
    """Begun again once people agreed, the job moves the version they looked at, and not one that came into staging meanwhile."""
    registry.set_policy(POLICY + "approvals = 1\n")
    holdout = Rows(str(repository.folder / "data" / "holdout.csv"), "target", columns=("region",))
    _staged(1.9)
    waits = promote("churn", 1, rows=holdout, targets=(), by="ci")
    assert (waits.state, waits.request is not None) == ("waiting", True)
    _staged(2.0)
    registry.approve(1, by="ann")
    assert repository.run("promote", WHY="pull request 12") == 0
    assert registry.get_version("churn", "@champion").version == 1


@pytest.mark.long
def test_challengers_at_night(repository: Repository) -> None:
    """A better version gets a request; where none is better the night is no fault, as each system says it in its own way."""
    repository.promoted(1.9)
    _staged(2.4)
    allowed = repository.run("challenge", WHY="nightly run 1")
    assert allowed == (3 if repository.jobs["challenge"].kept else 0)  # GitLab is told that code 3 is allowed
    assert repository.fresh("challenges.md")
    _staged(2.0)
    assert repository.run("challenge", WHY="nightly run 2") == 0
    assert repository.fresh("challenges.md")
    assert [one.version for one in registry.list_requests("churn", state="open")] == [3]


@pytest.mark.long
def test_a_rollback_by_hand(repository: Repository) -> None:
    """The version before comes back, once however often the job is begun, or the one that was named; without a reason nothing does."""
    repository.promoted(1.9, 1.95, 2.0)
    kept = [*repository.jobs["rollback"].kept, "rollback.md", "rollback.xml"]
    assert repository.run("rollback", WHY="", VERSION="") == 1
    assert repository.fresh(*kept)
    assert repository.run("rollback", WHY="3 is wrong; $(touch hacked) `touch hacked`", VERSION="") == 0
    assert repository.fresh(*kept)
    assert repository.run("rollback", WHY="3 is wrong", VERSION="") == 1
    assert registry.get_version("churn", "@champion").version == 2
    assert repository.run("rollback", WHY="3 is wrong", VERSION="2") == 0
    assert repository.run("rollback", WHY="both are wrong", VERSION="1") == 0
    assert registry.get_version("churn", "@champion").version == 1
    assert repository.run("rollback", WHY="2 was right", VERSION="2", **NEXT) == 0
    assert registry.get_version("churn", "@champion").version == 2
    assert repository.fresh(*kept)
    assert not (repository.folder / "hacked").exists()


def test_words_of_people_are_no_part_of_a_script() -> None:
    """No script has an expression of GitHub's in it, through which a title or an input would be run as a command."""
    read = yaml.safe_load((FOLDER / "github-actions.yml").read_text(encoding="utf-8"))
    scripts: list[Any] = [step["run"] for job in read["jobs"].values() for step in job["steps"] if "run" in step]
    assert len(scripts) >= 8
    assert [script for script in scripts if "${{" in script] == []
