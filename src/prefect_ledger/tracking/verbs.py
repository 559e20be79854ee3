"""Floor 5. The logging verbs without a run: they mean the run of this context. The same in flows, tasks, notebooks and scripts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

from prefect_ledger.tracking import context
from prefect_ledger.tracking.alerts import EVERY, Level
from prefect_ledger.tracking.context import _current, active

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from prefect_ledger.entities import LoggedModel
    from prefect_ledger.tracking.runs import ActiveRun


def current_run() -> ActiveRun:
    """The handle of the run of this context: pass it to threads of your own.

    Raises:
        NoActiveRun: none is open here.

    Example:
        >>> from prefect_ledger import current_run, start_run
        >>> with start_run(experiment="docs") as run:
        ...     current_run() is run
        True
    """
    return _current.get() or (context.resolver and context.resolver()) or active()


def log_metric(key: str, value: SupportsFloat, step: SupportsIndex | None = None) -> None:
    """Log one point of a metric; see :meth:`ActiveRun.log_metric`. About a microsecond, never waiting for a store.

    Raises:
        NoActiveRun: no run is open here. InvalidName: the key. InvalidValue: no number, or no whole step. RunFinished.

    Example:
        >>> from prefect_ledger import get_run, log_metric, start_run
        >>> with start_run(experiment="docs") as run:
        ...     for step in range(3):
        ...         log_metric("loss", 1 / (step + 1), step=step)
        >>> get_run(run.id).summaries["loss"].first
        1.0
    """
    (_current.get() or active()).log_metric(key, value, step)


def log_metrics(metrics: Mapping[str, SupportsFloat], step: SupportsIndex | None = None) -> None:
    """Log one point of each key with one step; see :meth:`ActiveRun.log_metrics`.

    Raises:
        NoActiveRun: no run is open here. InvalidName, InvalidValue, RunFinished: and nothing of the call is kept.

    Example:
        >>> from prefect_ledger import log_metrics, start_run
        >>> with start_run(experiment="docs") as run:
        ...     log_metrics({"val.auc": 0.91, "val.loss": 0.3}, step=9)
    """
    active().log_metrics(metrics, step)


def log_series(key: str, values: ArrayLike, *, steps: ArrayLike | None = None, timestamps: ArrayLike | None = None) -> None:
    """Log many points of one key as arrays; see :meth:`ActiveRun.log_series`.

    Raises:
        NoActiveRun: no run is open here. InvalidName. InvalidValue: arrays of several lengths, or of no numbers. RunFinished.

    Example:
        >>> import numpy as np
        >>> from prefect_ledger import get_run, log_series, start_run
        >>> with start_run(experiment="docs") as run:
        ...     log_series("signal", np.sin(np.arange(1_000) / 100))
        >>> len(get_run(run.id).metric("signal"))
        1000
    """
    active().log_series(key, values, steps=steps, timestamps=timestamps)


def log_param(key: str, value: Any) -> None:
    """Log one parameter; see :meth:`ActiveRun.log_params`.

    Raises:
        NoActiveRun: no run is open here. ParamChanged: it has another value in this attempt. InvalidName, InvalidValue, RunFinished.

    Example:
        >>> from prefect_ledger import log_param, start_run
        >>> with start_run(experiment="docs") as run:
        ...     log_param("depth", 6)
    """
    active().log_param(key, value)


def log_params(params: Mapping[str, Any]) -> None:
    """Log parameters; see :meth:`ActiveRun.log_params`.

    Raises:
        NoActiveRun: no run is open here. ParamChanged: a key has another value in this attempt. InvalidName, InvalidValue, RunFinished.

    Example:
        >>> from prefect_ledger import get_run, log_params, start_run
        >>> with start_run(experiment="docs") as run:
        ...     log_params({"model": {"kind": "xgb", "depth": 6}})
        >>> sorted(get_run(run.id).params.items())
        [('model.depth', '6'), ('model.kind', 'xgb')]
    """
    active().log_params(params)


def set_tag(key: str, value: Any) -> None:
    """Set one tag; see :meth:`ActiveRun.set_tags`.

    Raises:
        NoActiveRun: no run is open here. InvalidName, InvalidValue, RunFinished.

    Example:
        >>> from prefect_ledger import set_tag, start_run
        >>> with start_run(experiment="docs") as run:
        ...     set_tag("stage", "trial")
    """
    active().set_tag(key, value)


def set_tags(tags: Mapping[str, Any]) -> None:
    """Set tags; see :meth:`ActiveRun.set_tags`.

    Raises:
        NoActiveRun: no run is open here. InvalidName, InvalidValue, RunFinished.

    Example:
        >>> from prefect_ledger import set_tags, start_run
        >>> with start_run(experiment="docs") as run:
        ...     set_tags({"stage": "trial", "draft": None})
    """
    active().set_tags(tags)


def alert(title: str, text: str = "", level: Level = "info", *, every: float = EVERY) -> bool:
    """Have somebody know something now; see :meth:`ActiveRun.alert`.

    Raises:
        NoActiveRun: no run is open here. InvalidValue: the title, the text or the level. RunFinished.

    Example:
        >>> from prefect_ledger import alert, start_run
        >>> with start_run(experiment="docs") as run:
        ...     alert("loss is NaN", "at step 17", level="error")
        True
    """
    return active().alert(title, text, level, every=every)


def log_artifact(local_path: str | os.PathLike[str], artifact_path: str | None = None, *, progress: bool | None = None) -> None:
    """Log a local file; see :meth:`ActiveRun.log_artifact`.

    Raises:
        NoActiveRun: no run is open here. InvalidValue: no such file. InvalidName: a path that leaves the run's folder. RunFinished.

    Example:
        >>> from pathlib import Path
        >>> from prefect_ledger import get_run, log_artifact, start_run
        >>> _ = Path("notes.txt").write_text("nothing to add")
        >>> with start_run(experiment="docs") as run:
        ...     log_artifact("notes.txt", "about")
        >>> [one.path for one in get_run(run.id).artifacts]
        ['about/notes.txt']
    """
    active().log_artifact(local_path, artifact_path, progress=progress)


def log_artifacts(local_folder: str | os.PathLike[str], artifact_path: str | None = None, *, progress: bool | None = None) -> None:
    """Log every file of a folder; see :meth:`ActiveRun.log_artifacts`.

    Raises:
        NoActiveRun: no run is open here. InvalidValue: no such folder. InvalidName: a path that leaves the run's folder. RunFinished.

    Example:
        >>> from pathlib import Path
        >>> from prefect_ledger import get_run, log_artifacts, start_run
        >>> Path("figures").mkdir()
        >>> _ = Path("figures/a.txt").write_text("a")
        >>> with start_run(experiment="docs") as run:
        ...     log_artifacts("figures")
        >>> [one.path for one in get_run(run.id).artifacts]
        ['a.txt']
    """
    active().log_artifacts(local_folder, artifact_path, progress=progress)


def log_bytes(data: bytes, path: str) -> None:
    """Log bytes as an artifact; see :meth:`ActiveRun.log_bytes`.

    Raises:
        NoActiveRun: no run is open here. InvalidValue: no bytes. InvalidName: the path. RunFinished.

    Example:
        >>> from prefect_ledger import log_bytes, start_run
        >>> with start_run(experiment="docs") as run:
        ...     log_bytes(b"\\x00\\x01", "raw.bin")
    """
    active().log_bytes(data, path)


def log_text(text: str, path: str) -> None:
    """Log text as an artifact; see :meth:`ActiveRun.log_text`.

    Raises:
        NoActiveRun: no run is open here. InvalidValue: no text. InvalidName: the path. RunFinished.

    Example:
        >>> from prefect_ledger import get_run, log_text, start_run
        >>> with start_run(experiment="docs") as run:
        ...     log_text("looks good", "notes/first.txt")
        >>> get_run(run.id).read_artifact("notes/first.txt")
        b'looks good'
    """
    active().log_text(text, path)


def log_dict(data: Any, path: str) -> None:
    """Log a mapping or list as JSON or YAML; see :meth:`ActiveRun.log_dict`.

    Raises:
        NoActiveRun: no run is open here. InvalidValue: what has no form in JSON or YAML. InvalidName: the path. RunFinished.

    Example:
        >>> from prefect_ledger import log_dict, start_run
        >>> with start_run(experiment="docs") as run:
        ...     log_dict({"threshold": 0.4}, "choice.json")
    """
    active().log_dict(data, path)


def log_figure(figure: Any, path: str | None = None, *, key: str | None = None, step: SupportsIndex | None = None) -> None:
    """Log a matplotlib or plotly figure; see :meth:`ActiveRun.log_figure`.

    Raises:
        NoActiveRun: no run is open here. InvalidValue: no figure, or neither a path nor a key. InvalidName. MissingExtra. RunFinished.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from prefect_ledger import log_figure, start_run
        >>> with start_run(experiment="docs") as run:
        ...     log_figure(Figure(), "empty.png")
    """
    active().log_figure(figure, path, key=key, step=step)


def log_image(image: Any, path: str | None = None, *, key: str | None = None, step: SupportsIndex | None = None) -> None:
    """Log a picture, by itself or as one of a series; see :meth:`ActiveRun.log_image`.

    Raises:
        NoActiveRun: no run is open here. InvalidValue: no picture, or neither a path nor a key. InvalidName. MissingExtra. RunFinished.

    Example:
        >>> import numpy as np
        >>> from prefect_ledger import log_image, start_run
        >>> with start_run(experiment="docs") as run:
        ...     log_image(np.zeros((8, 8), dtype=np.uint8), key="sample", step=0)
    """
    active().log_image(image, path, key=key, step=step)


def log_table(data: Any, name: str, step: SupportsIndex | None = None) -> None:
    """Add to a table; see :meth:`ActiveRun.log_table`.

    Raises:
        NoActiveRun: no run is open here. InvalidValue: what is no table, or columns of other types than before. InvalidName.
        MissingExtra. RunFinished.

    Example:
        >>> from prefect_ledger import log_table, start_run
        >>> with start_run(experiment="docs") as run:
        ...     log_table({"word": ["a", "b"], "score": [0.5, 0.25]}, "words", step=0)
    """
    active().log_table(data, name, step)


def log_dataset(
    data: Any,
    name: str | None = None,
    *,
    context: str = "",
    source: str = "",
    copy: bool = False,
    progress: bool | None = None,
) -> None:
    """Record data by digest, schema and rows, and on demand keep a copy; see :meth:`ActiveRun.log_dataset`.

    Raises:
        NoActiveRun: no run is open here. InvalidValue: what has no digest. InvalidName. RunFinished.

    Example:
        >>> import numpy as np
        >>> from prefect_ledger import log_dataset, start_run
        >>> with start_run(experiment="docs") as run:
        ...     log_dataset(np.zeros((4, 3)), "customers", context="train")
    """
    active().log_dataset(data, name, context=context, source=source, copy=copy, progress=progress)


def log_model(
    model: Any,
    name: str,
    *,
    flavor: str = "auto",
    signature: Any = "auto",
    input_example: Any = None,
    requirements: Any = "auto",
    metadata: Mapping[str, Any] | None = None,
    code_paths: Sequence[str | os.PathLike[str]] | None = None,
    register: str | bool | None = None,
) -> LoggedModel:
    """Log a model in the MLmodel format; see :meth:`ActiveRun.log_model`.

    Raises:
        NoActiveRun: no run is open here. InvalidName, InvalidValue: it cannot be saved so. MissingExtra. RunFinished.

    Example:
        >>> from prefect_ledger import load_predictor, log_model, start_run
        >>> with start_run(experiment="docs") as run:
        ...     logged = log_model(lambda data: [2 * x for x in data], "double", input_example=[1.0])
        >>> load_predictor(logged.uri, trust=True).predict([3.0])
        [6.0]
    """
    return active().log_model(
        model,
        name,
        flavor=flavor,
        signature=signature,
        input_example=input_example,
        requirements=requirements,
        metadata=metadata,
        code_paths=code_paths,
        register=register,
    )
