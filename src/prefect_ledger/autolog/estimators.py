"""Floor 5. A fitted scikit-learn estimator, or what speaks like one: parameters, metrics, search, figures and the model in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_ledger.autolog.parameters import estimator_params
from prefect_ledger.autolog.writer import Writer, check_model, where_recorded
from prefect_ledger.errors import InvalidValue, MissingExtra

if TYPE_CHECKING:
    from prefect_ledger.entities import LoggedModel
    from prefect_ledger.tracking.runs import ActiveRun

_WHO = "log_sklearn"
_SHOWN = 5  # rows of X that the model's answer is looked at for


@where_recorded
def log_sklearn(
    estimator: Any,
    X: Any,  # noqa: N803  # as scikit-learn calls it
    y: Any = None,
    X_test: Any = None,  # noqa: N803
    y_test: Any = None,
    *,
    name: str | None = "model",
    prefix: str = "",
    plots: bool = True,
    children: bool = False,
    register: str | bool | None = None,
    run: ActiveRun | None = None,
) -> LoggedModel | None:
    """Log a fitted estimator: what it is, how good it is on ``X`` and ``X_test``, and the model itself, which is returned.

    For estimators, pipelines and searches of scikit-learn, and for what follows its protocol, such as ``XGBClassifier``. Parameters have
    the names that ``set_params`` takes (``clf__C``); metrics follow the kind of problem, as ``train.`` and ``test.`` and scikit-learn's
    name; figures are drawn of the test data, or else of the training data, where matplotlib is installed. Of a search,
    :func:`log_search` is done too and the best estimator is logged.

    ``name`` names the model, None logs none; its signature is that of ``X`` and of what is predicted. ``prefix`` stands before every key
    and file, for a second estimator in one run. ``children=True`` makes a child run of each candidate of a search. What cannot be
    computed or logged is told in one warning; it returns None where no model was logged.

    Raises:
        InvalidValue: not an estimator, not fitted, or data that do not belong together. InvalidName. NoActiveRun: no run is open.
        MissingExtra: scikit-learn is not installed.

    Example:
        >>> from prefect_ledger import start_run
        >>> from prefect_ledger.autolog import log_sklearn
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> with start_run(experiment="docs") as run:
        ...     logged = log_sklearn(DecisionTreeClassifier(max_depth=2).fit(X, y), X, y, plots=False)
        >>> logged.flavor
        'sklearn'
    """
    _check(estimator, X, y, X_test, y_test)
    check_model(_WHO, name, register)
    writer = Writer(run, prefix, _WHO)
    best = estimator
    if hasattr(estimator, "cv_results_"):
        from prefect_ledger.autolog.searches import write_search

        best = getattr(estimator, "best_estimator_", None)
        write_search(writer, estimator, children=children)
    if best is None:  # refit=False: there is nothing that could predict
        return None
    with writer.attempt("parameters"):
        writer.params(estimator_params(best))
    _measure(writer, best, X, y, "train", draw=plots and X_test is None)
    if X_test is not None:
        _measure(writer, best, X_test, y_test, "test", draw=plots)
    return None if name is None else _model(writer, best, X, name, register)


def _check(estimator: Any, X: Any, y: Any, X_test: Any, y_test: Any) -> None:  # noqa: N803
    try:
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted
    except ImportError as error:
        raise MissingExtra("scikit-learn", "sklearn", need=_WHO) from error
    if isinstance(estimator, type) or not (hasattr(estimator, "get_params") and hasattr(estimator, "fit")):
        raise InvalidValue(f"{_WHO} takes a fitted estimator, not {estimator!r:.80}")
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        raise InvalidValue(f"this {type(estimator).__name__} is not fitted: call fit first, then {_WHO}") from None
    if X_test is None and y_test is not None:
        raise InvalidValue(f"{_WHO}: y_test without X_test")
    if X_test is not None and y is not None and y_test is None:
        raise InvalidValue(f"{_WHO}: X_test without y_test, while X has y")
    for data, said, truth, name in ((X, "X", y, "y"), (X_test, "X_test", y_test, "y_test")):
        if data is not None and truth is not None and _rows(data, said) != _rows(truth, name):
            raise InvalidValue(f"{_WHO}: {said} has {_rows(data, said)} rows, {name} has {_rows(truth, name)}")
    if X is None:
        raise InvalidValue(f"{_WHO} needs the data X that the estimator was fitted to")


def _rows(data: Any, name: str) -> int:
    try:
        return int(data.shape[0]) if hasattr(data, "shape") else len(data)
    except (TypeError, IndexError):
        raise InvalidValue(f"{_WHO}: {name} is data with rows, not {type(data).__name__}") from None


def _measure(writer: Writer, estimator: Any, X: Any, y: Any, part: str, *, draw: bool) -> None:  # noqa: N803
    """Metrics and figures of one part of the data."""
    from prefect_ledger.autolog import plots
    from prefect_ledger.autolog.scores import Answers, clustering_scores, kind_of

    answers = None
    with writer.attempt(f"what is predicted for the {part} data"):
        if kind_of(estimator) == "clusterer":
            scores = clustering_scores(estimator, X, y)
        elif y is None or not kind_of(estimator):
            return
        else:
            answers = Answers(estimator, X, y)
            scores = answers.scores()
        for name, score in scores:
            with writer.attempt(f"the metric {part}.{name}"):
                writer.metric(f"{part}.{name}", score())
    if draw and answers is not None and plots.drawable():
        with writer.attempt("figures"):
            for name, figure in plots.figures(answers):
                figure.axes[0].set_title(f"{name.replace('_', ' ')}, {part}")
                writer.run.log_figure(figure, writer.path(f"plots/{part}.{name}.png"))


def _model(writer: Writer, estimator: Any, X: Any, name: str, register: str | bool | None) -> LoggedModel | None:  # noqa: N803
    signature: Any = None
    with writer.attempt("the model's signature"):
        ask = getattr(estimator, "predict", None) or getattr(estimator, "transform", None)
        some = X.iloc[:_SHOWN] if hasattr(X, "iloc") else X[:_SHOWN]
        signature = (X, ask(some)) if ask is not None else X
    logged = writer.model(estimator, name, signature=signature, register=register)
    if logged is None and signature is not None:  # perhaps no schema says the data
        logged = writer.model(estimator, name, signature=None, register=register)
    return logged
