"""Floor 5. Two runs as they are compared: what went in, and the points of their metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from prefect_ledger.rerun.recorded import Recorded
from prefect_ledger.verdict import Curve, Outcome, Tolerance, Verdict, judge

if TYPE_CHECKING:
    from prefect_ledger.entities import Run


def compare(before: Run, after: Run, tolerances: Mapping[str, Tolerance] | None = None, ignore: Iterable[str] = ()) -> Verdict:
    """Whether ``after`` came out as ``before`` did; see :func:`prefect_ledger.verdict.judge`.

    Raises:
        StoreUnavailable. ArtifactCorrupt: the patch of the code of one of them is not what was kept.

    Example:
        >>> from prefect_ledger import get_run, start_run
        >>> from prefect_ledger.rerun import compare
        >>> with start_run(experiment="docs") as run:
        ...     run.log_metric("auc", 0.9)
        >>> compare(get_run(run.id), get_run(run.id)).result.value
        'identical'
    """
    return judge(outcome(before), outcome(after), tolerances, ignore)


def outcome(run: Run) -> Outcome:
    """A run as it is compared: of its last attempt, all its tasks."""
    recorded = Recorded.of(run)
    causes = {
        "inputs": _inputs(recorded),
        "code": _code(recorded),
        "packages": {**recorded.packages, "python": recorded.python},
        "hardware": {**recorded.hardware, **{f"variables.{name}": value for name, value in (recorded.variables or {}).items()}},
    }
    curves = {}
    for key in run.metrics:
        series = run.metric(key)
        curves[key] = Curve(series.steps, series.values)
    return Outcome(causes, curves)


def _inputs(recorded: Recorded) -> dict[str, Any]:
    found: dict[str, Any] = {f"params.{name}": value for name, value in recorded.params.items()}
    found |= {f"datasets.{name}": digest for name, digest in recorded.datasets.items()}
    return found | ({"seed": recorded.seed} if recorded.seed is not None else {})


def _code(recorded: Recorded) -> dict[str, Any]:
    import hashlib

    code = recorded.code
    changes = hashlib.sha256(code.patch).hexdigest()[:16] if code.patch else None
    return {name: value for name, value in (("commit", code.commit), ("changes", changes)) if value}
