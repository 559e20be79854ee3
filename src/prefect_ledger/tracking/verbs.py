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
    """
    return _current.get() or (context.resolver and context.resolver()) or active()


def log_metric(key: str, value: SupportsFloat, step: SupportsIndex | None = None) -> None:
    """Log one point of a metric; see :meth:`ActiveRun.log_metric`. About a microsecond, never waiting for a store."""
    (_current.get() or active()).log_metric(key, value, step)


def log_metrics(metrics: Mapping[str, SupportsFloat], step: SupportsIndex | None = None) -> None:
    """Log one point of each key with one step; see :meth:`ActiveRun.log_metrics`."""
    active().log_metrics(metrics, step)


def log_series(key: str, values: ArrayLike, *, steps: ArrayLike | None = None, timestamps: ArrayLike | None = None) -> None:
    """Log many points of one key as arrays; see :meth:`ActiveRun.log_series`."""
    active().log_series(key, values, steps=steps, timestamps=timestamps)


def log_param(key: str, value: Any) -> None:
    """Log one parameter; see :meth:`ActiveRun.log_params`."""
    active().log_param(key, value)


def log_params(params: Mapping[str, Any]) -> None:
    """Log parameters; see :meth:`ActiveRun.log_params`."""
    active().log_params(params)


def set_tag(key: str, value: Any) -> None:
    """Set one tag; see :meth:`ActiveRun.set_tags`."""
    active().set_tag(key, value)


def set_tags(tags: Mapping[str, Any]) -> None:
    """Set tags; see :meth:`ActiveRun.set_tags`."""
    active().set_tags(tags)


def alert(title: str, text: str = "", level: Level = "info", *, every: float = EVERY) -> bool:
    """Have somebody know something now; see :meth:`ActiveRun.alert`."""
    return active().alert(title, text, level, every=every)


def log_artifact(local_path: str | os.PathLike[str], artifact_path: str | None = None, *, progress: bool | None = None) -> None:
    """Log a local file; see :meth:`ActiveRun.log_artifact`."""
    active().log_artifact(local_path, artifact_path, progress=progress)


def log_artifacts(local_folder: str | os.PathLike[str], artifact_path: str | None = None, *, progress: bool | None = None) -> None:
    """Log every file of a folder; see :meth:`ActiveRun.log_artifacts`."""
    active().log_artifacts(local_folder, artifact_path, progress=progress)


def log_bytes(data: bytes, path: str) -> None:
    """Log bytes as an artifact; see :meth:`ActiveRun.log_bytes`."""
    active().log_bytes(data, path)


def log_text(text: str, path: str) -> None:
    """Log text as an artifact; see :meth:`ActiveRun.log_text`."""
    active().log_text(text, path)


def log_dict(data: Any, path: str) -> None:
    """Log a mapping or list as JSON or YAML; see :meth:`ActiveRun.log_dict`."""
    active().log_dict(data, path)


def log_figure(figure: Any, path: str | None = None, *, key: str | None = None, step: SupportsIndex | None = None) -> None:
    """Log a matplotlib or plotly figure; see :meth:`ActiveRun.log_figure`."""
    active().log_figure(figure, path, key=key, step=step)


def log_image(image: Any, path: str | None = None, *, key: str | None = None, step: SupportsIndex | None = None) -> None:
    """Log a picture, by itself or as one of a series; see :meth:`ActiveRun.log_image`."""
    active().log_image(image, path, key=key, step=step)


def log_table(data: Any, name: str, step: SupportsIndex | None = None) -> None:
    """Add to a table; see :meth:`ActiveRun.log_table`."""
    active().log_table(data, name, step)


def log_dataset(data: Any, name: str | None = None, *, context: str = "", source: str = "") -> None:
    """Record data by digest, schema and rows; see :meth:`ActiveRun.log_dataset`."""
    active().log_dataset(data, name, context=context, source=source)


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
    """Log a model in the MLmodel format; see :meth:`ActiveRun.log_model`."""
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
