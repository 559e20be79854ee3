"""Floor 5. What a search over parameters found: every candidate, and the best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from prefect_ledger.autolog.children import open_child
from prefect_ledger.autolog.parameters import plain_value
from prefect_ledger.autolog.writer import Writer, key_of, where_recorded
from prefect_ledger.errors import InvalidValue

if TYPE_CHECKING:
    from prefect_ledger.tracking.runs import ActiveRun

_WHO = "log_search"


@where_recorded
def log_search(search: Any, *, children: bool = False, prefix: str = "", run: ActiveRun | None = None) -> None:
    """Log a fitted ``GridSearchCV``, ``RandomizedSearchCV`` or the like.

    Every candidate is a row of ``search/candidates.csv`` and a step of the series ``search.mean_test_score`` and its kin; the best is in
    ``search.best_score``, ``search.best_index`` and the parameters ``search.best.…``, its folds are the series ``search.best.test_score``.
    ``children=True`` makes a child run of each candidate as well.

    Raises:
        InvalidValue: not a search, or not fitted. NoActiveRun: no run is open.

    Example:
        >>> from prefect_ledger import start_run
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.model_selection import GridSearchCV
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 3]}, cv=3).fit(X, y)
        >>> with start_run(experiment="docs") as run:
        ...     log_search(search)
        >>> int(run.metric("search.best_index").values[-1])
        1
    """
    if not isinstance(getattr(search, "cv_results_", None), Mapping):
        raise InvalidValue(f"{_WHO} takes a fitted search, such as GridSearchCV after fit, not {type(search).__name__}")
    write_search(Writer(run, prefix, _WHO), search, children=children)


def write_search(writer: Writer, search: Any, *, children: bool) -> None:
    """Log ``search`` by ``writer``."""
    results = search.cv_results_
    with writer.attempt("the search's parameters"):
        known = {name: plain_value(value) for name, value in search.get_params(deep=False).items() if name != "estimator"}
        about = {"kind": type(search).__name__, "candidates": len(results["params"]), "folds": getattr(search, "n_splits_", None)}
        writer.params({f"search.{name}": value for name, value in about.items()})
        writer.params({f"search.{name}": value for name, (kept, value) in known.items() if kept})
    with writer.attempt("the table of candidates"):
        names = [name for name in results if name != "params"]
        writer.table("search/candidates.csv", ["candidate", *names], _rows(results, names))
    with writer.attempt("the candidates' scores"):
        for name, values in results.items():
            if name.startswith(("mean_", "std_")):
                writer.series(f"search.{name}", np.asarray(values, float))
    with writer.attempt("the best candidate"):
        _best(writer, search)
    if children:
        with writer.attempt("the candidates' runs"):
            for number in range(len(results["params"])):
                _child(writer, search, number)


def _rows(results: Mapping[str, Any], names: list[str]) -> list[list[Any]]:
    columns: list[Any] = [np.ma.filled(np.ma.asarray(results[name], dtype=object), None) for name in names]
    return [[number, *row] for number, row in enumerate(zip(*columns, strict=True))]


def _best(writer: Writer, search: Any) -> None:
    best = getattr(search, "best_index_", None)
    if best is None:  # several scores, and none of them decides
        return
    writer.metric("search.best_index", best)
    if hasattr(search, "best_score_"):
        writer.metric("search.best_score", search.best_score_)
    for name, values in _folds(search.cv_results_, int(best)).items():
        writer.series(f"search.best.{name}", values)
    plain = {name: plain_value(value) for name, value in search.cv_results_["params"][best].items()}
    writer.params({f"search.best.{name}": value for name, (kept, value) in plain.items() if kept})


def _folds(results: Mapping[str, Any], number: int) -> dict[str, list[float]]:
    """The scores of one candidate, fold by fold: ``split0_test_score``, ``split1_test_score``, … as ``test_score``."""
    found: dict[str, list[float]] = {}
    for name, values in results.items():
        split, _, score = name.partition("_")
        if split.startswith("split") and split[5:].isdigit():
            found.setdefault(score, []).append(float(values[number]))
    return found


def _child(writer: Writer, search: Any, number: int) -> None:
    results = search.cv_results_
    child = open_child(writer.run, f"{type(search).__name__} candidate {number}")
    try:
        child.set_tag("search.candidate", number)
        plain = {name: plain_value(value) for name, value in results["params"][number].items()}
        child.log_auto_params({key_of(name): value for name, (kept, value) in plain.items() if kept})
        for name, values in results.items():
            if name.startswith(("mean_", "std_", "rank_")):
                child.log_metric(key_of(name), float(values[number]))
        for name, scores in _folds(results, number).items():
            child.log_series(key_of(name), scores)
    finally:
        child.finish()
