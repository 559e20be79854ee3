"""Floor 5. Evaluation: candidate and champion are asked about the same rows, by the evaluator that is built in or one of a package.

A package brings its own under the entry point group ``prefect_ledger.evaluators``: a name, and a class below :class:`Evaluator`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prefect_ledger import plugins
from prefect_ledger.errors import InvalidValue, LedgerError

if TYPE_CHECKING:
    from prefect_ledger.gates import Holdout

GROUP = "prefect_ledger.evaluators"
BUILT_IN = "rows"


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows of a holdout are: ``place`` is a Parquet or CSV file, a folder of them, or the URL of a database beside a ``query``.

    ``target`` is the column that is predicted, ``columns`` those that gates ask about (slices, drift) and that are kept with the evidence,
    ``reference`` the rows of the training data that drift is measured from. ``method`` is what of the model is asked: "predict", or
    such as "predict_proba", of which the last class is taken where there are two. ``options`` are for an evaluator of a package.

    Raises:
        InvalidValue: the target is not said.
    """

    place: str
    target: str
    query: str | None = None
    columns: tuple[str, ...] = ()
    reference: str | None = None
    method: str = "predict"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        for key in ("place", "target", "method"):
            if not isinstance(value := getattr(self, key), str) or not value:
                raise InvalidValue(f"the {key} of a holdout is a text, not {value!r:.80}")


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What an evaluator found: the rows with both predictions, measured seconds of single predictions of the "candidate" and the
    "champion", and facts to be kept beside them. ``beside`` is the champion's number, filled in by who had it evaluated."""

    holdout: Holdout | None = None
    latency: Mapping[str, Sequence[float]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    beside: int | None = None


class Evaluator(ABC):
    """Asks both models about the same rows."""

    @abstractmethod
    def evaluate(self, candidate: str, champion: str | None, rows: Rows) -> Evaluated:
        """Ask the models that the references ``candidate`` and ``champion`` mean; there may be no champion yet.

        Raises:
            InvalidValue: the rows are not there, or not what a model takes.
        """


def evaluate(candidate: str, champion: str | None, rows: Rows, *, evaluator: str = BUILT_IN) -> Evaluated:
    """Have an evaluator ask both models about the same rows; the one that is built in asks both about all rows, and times single ones.

    Raises:
        InvalidValue: there is no such evaluator, it fails, or the rows are not there or not what a model takes.
        MissingExtra, ModelNotFound, ArtifactCorrupt and what else :func:`prefect_ledger.load_predictor` raises.

    Example:
        >>> found = evaluate("models:/churn/7", "models:/churn@champion", Rows("holdout.parquet", "churned"))
        >>> len(found.holdout.target), len(found.holdout.candidate), len(found.holdout.champion)
        (1000, 1000, 1000)
    """
    if not isinstance(rows, Rows):
        raise InvalidValue(f"rows are prefect_ledger.promotion.Rows, not {type(rows).__name__}")
    try:
        found: object = get_evaluator(evaluator).evaluate(candidate, champion, rows)
    except LedgerError:
        raise
    except (Exception, SystemExit) as error:  # somebody else's code
        raise InvalidValue(f"the evaluator {evaluator!r} failed: {type(error).__name__}: {error}") from error
    if not isinstance(found, Evaluated):
        raise InvalidValue(f"the evaluator {evaluator!r} gives an Evaluated, not {found!r:.80}")
    return found


def get_evaluator(name: str) -> Evaluator:
    """The evaluator of this name.

    Raises:
        InvalidValue: there is none, or it cannot be loaded.
    """
    if name == BUILT_IN:
        from prefect_ledger.promotion.asked_rows import AskedRows

        return AskedRows()
    there = plugins.points(GROUP)
    if (point := there.get(name)) is None:
        raise InvalidValue(f"no evaluator {name!r:.80}; there are: {', '.join(sorted({BUILT_IN, *there}))}")
    return plugins.made(point, Evaluator)  # type: ignore[type-abstract]  # made by one below it
