"""Floor 6. Options that say which rows candidate and champion are both asked about, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from prefect_ledger.promotion import Rows


@dataclass(frozen=True)
class Holdout:
    """A holdout as a command is given it."""

    holdout: Annotated[str | None, Parameter(help="Rows to ask both about: Parquet, CSV, a folder, or a database beside --query.")] = None
    target: Annotated[str | None, Parameter(help="The column of --holdout that is predicted.")] = None
    query: Annotated[str | None, Parameter(help="What to read where --holdout is a database.")] = None
    column: Annotated[list[str] | None, Parameter(negative="", help="Column that gates ask about (slices, drift); again for more.")] = None
    reference: Annotated[str | None, Parameter(help="Rows of the training data, which drift is measured from.")] = None
    method: Annotated[str | None, Parameter(help="What of the models is asked, as predict_proba: predict if not said.")] = None
    evaluator: Annotated[str | None, Parameter(help="Who asks: rows if not said, or one that another package brings.")] = None

    def rows(self) -> Rows | None:
        """The rows; None where none were given."""
        from prefect_ledger.promotion import Rows

        if self.holdout is None:
            return None
        return Rows(self.holdout, self.target or "", self.query, tuple(self.column or ()), self.reference, self.method or "predict")

    def by(self) -> str:
        """Who asks."""
        return self.evaluator or "rows"


def _check(_type: object, one: Holdout | None) -> None:
    """Refuse a holdout without its target, and what is said of a holdout that is not there.

    Raises:
        ValueError: with the option that is missing.
    """
    if one is None:
        return
    if one.holdout is not None and not one.target:
        raise ValueError("--holdout needs --target: the column that is predicted.")
    given = [name for name in ("target", "query", "column", "reference", "method", "evaluator") if getattr(one, name) is not None]
    if one.holdout is None and given:
        raise ValueError(f"--{given[0]} is about the rows of --holdout: say where they are.")


NO_HOLDOUT = Holdout()
AskedAbout = Annotated[Holdout, Parameter(name="*", validator=_check)]
