"""Floor 6. The demo's second half: the best model is judged, agreed to and served, a worse one is refused, and one goes back."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING

from prefect_ledger import registry
from prefect_ledger.errors import LedgerError
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies import Policy, Rule

if TYPE_CHECKING:
    from rich.console import Console

    from prefect_ledger.entities import Run
    from prefect_ledger.promotion import Promotion

MODEL, DEPLOYMENT = "digits", "digits-demo"
REVIEWER = Identity("the demo's reviewer", Strength.CLAIMED, "the demo says so")
_GATES = (
    "metrics.val.accuracy >= 0.9",
    {"gate": "metrics.val.accuracy >= champion.metrics.val.accuracy - 0.02", "without_champion": "skip"},
)
# A reviewer whose name the demo types: where people decide, a policy wants them known better.
POLICY = Policy((Rule(MODEL, "production", gates=_GATES, approvals=1, identity=Strength.CLAIMED, aliases=("champion",)),))
_SERVES = ("uvicorn", "orjson", "prometheus_client")


def show_promotion(runs: Sequence[Run], console: Console) -> bool:
    """Bring the best of these runs into production, refuse the worst, try the second, and go back; whether that was done."""
    known = registry.get_policy()
    if known.version and known.policy.digest != POLICY.digest:
        console.print("\nThis ledger has a policy of its own, so that the demo leaves the registry alone.", style="dim")
        return False
    console.print("\nThe best goes into production: judged by gates, agreed to by somebody else, verified where it serves.\n", style="bold")
    try:
        _story(runs, _Teller(console))
    except LedgerError as error:
        console.print(f"  the registry could not be shown: {error}", style="yellow", soft_wrap=True)
        return False
    finally:
        _undeploy()
    return True


class _Teller:
    """Writes a line for each thing that happened."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, what: str, words: str, style: str = "") -> None:
        from rich.text import Text

        line = Text.assemble((f"  {what:<12}", style or "cyan"), words)
        self._console.print(line, soft_wrap=True)


def _story(runs: Sequence[Run], tell: _Teller) -> None:
    if registry.get_policy().version == 0:
        registry.set_policy(POLICY, why="the demo")
    tell("policy", "val.accuracy at least 0.9 and not 0.02 below the champion's; 1 approval of who neither made it nor asks")
    best, second, worst = runs[0], runs[1], runs[-1]
    _promoted(best, tell)
    _deploy(tell)
    told = _promote(_registered(worst, tell))
    tell("refused", f"{_named(worst)}: {told.reason}", "bold red")
    if _promoted(second, tell).before is not None:
        from prefect_ledger.promotion import rollback

        back = rollback(MODEL, "the demo shows how")
        tell("rolled back", f"{back.reason}; {_verified(back)}", "bold green" if back.ok else "bold red")
    found = registry.verify_audit()
    tell("audit log", f"{found.rows:,} rows, {'every one follows from the one before' if found.whole else 'not whole'}")


def _promoted(run: Run, tell: _Teller) -> Promotion:
    number = _registered(run, tell)
    told = _promote(number)
    if told.request is not None and told.state == "waiting":
        tell("asked", told.reason)
        registry.approve(told.request.id, "looks well", by=REVIEWER)
        tell("approved", f"by {REVIEWER.name}, from what the gates found")
        told = _promote(number)
    tell(told.state, f"{told.reason}; {_verified(told)}", "bold green" if told.ok else "bold red")
    return told


def _promote(number: int) -> Promotion:
    from prefect_ledger.promotion import promote

    return promote(MODEL, number, targets=("local",) if _can_serve() else (), why="the demo")


def _registered(run: Run, tell: _Teller) -> int:
    version = registry.register_model(MODEL, run.models[-1].uri)
    tell("registered", f"{MODEL} {version.version}, {_named(run)}")
    return version.version


def _named(run: Run) -> str:
    return f"{run.name} with val.accuracy {run.metrics['val.accuracy']:.4f}"


def _verified(told: Promotion) -> str:
    served = [check for check in told.checks if check.what.startswith("local/")]
    return served[0].what + ": " + served[0].said if served else told.checks[0].said if told.checks else "nothing was asked"


# --- serving --------------------------------------------------------------------------------------------------------------


def _can_serve() -> bool:
    return all(importlib.util.find_spec(module) is not None for module in _SERVES)


def _deploy(tell: _Teller) -> None:
    from prefect_ledger.deploying import get_target

    if not _can_serve():
        tell("served", "not shown: pip install 'prefect-ledger[serve]'", "yellow")
        return
    _undeploy()
    one = get_target("local").create(DEPLOYMENT, f"models:/{MODEL}@champion")
    tell("served", f"at {one.url}, as models:/{MODEL}@champion, until the demo ends")


def _undeploy() -> None:
    import contextlib

    from prefect_ledger.deploying import get_target
    from prefect_ledger.errors import DeploymentNotFound

    if _can_serve():
        with contextlib.suppress(DeploymentNotFound):
            get_target("local").delete(DEPLOYMENT)


def show_next(console: Console) -> None:
    """What to type to see more of it."""
    for command, why in (
        (f"prefect-ledger models history {MODEL}", "who put what into production, when, and why"),
        ("prefect-ledger promotion list", "what was asked for; promotion show NUMBER has its gates and votes"),
        ("prefect-ledger audit verify", "whether the log was changed by anybody"),
    ):
        console.print(f"  {command}", style="cyan", soft_wrap=True)
        console.print(f"      {why}", style="dim", soft_wrap=True)
