"""Floor 5. What becomes of a value under its annotation: first checked and made into bytes, numbers or a description, then written.

A format is chosen by the path's suffix and the value's type; no framework is imported that is not loaded already.
"""

from __future__ import annotations

import io
import os
import posixpath
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from prefect_ledger.channel import number
from prefect_ledger.errors import InvalidValue, MissingExtra
from prefect_ledger.names import check_key
from prefect_ledger.tracking import images
from prefect_ledger.tracking.datasets import describe, family_of
from prefect_ledger.tracking.marks import Artifact, Dataset, Mark, Metrics, Model
from prefect_ledger.tracking.nesting import entries, unwrapped
from prefect_ledger.tracking.params import DEPTH, key_part, type_name

if TYPE_CHECKING:
    from prefect_ledger.tracking.models import Prepared

TEXTUAL = frozenset(
    (
        " .cfg .conf .css .csv .dot .geojson .htm .html .ini .ipynb .js .json .jsonl .log .md .mmd .ndjson .py .rst .sql .svg .tex .toml"
        " .tsv .txt .xml .yaml .yml"
    ).split(" ")
)  # and no suffix at all


class Target(Protocol):
    """The run that returned values are logged into."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None: ...
    def log_text(self, text: str, path: str) -> None: ...
    def log_dict(self, data: Any, path: str) -> None: ...
    def log_figure(self, figure: Any, path: str) -> None: ...
    def log_bytes(self, data: bytes, path: str, *, kind: str = "file", metadata: Mapping[str, Any] | None = None) -> None: ...
    def log_artifact(self, local_path: str | os.PathLike[str], artifact_path: str | None = None) -> None: ...
    def log_artifacts(self, local_folder: str | os.PathLike[str], artifact_path: str | None = None) -> None: ...
    def log_prepared_model(self, prepared: Prepared, name: str, register: object = None) -> object: ...
    def record_dataset(
        self,
        name: str,
        digest: str,
        *,
        context: str = "",
        source: str = "",
        rows: int | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> None: ...


Write = Callable[[Target], None]


def prepare(mark: Mark, value: Any) -> Write:
    """Make of ``value`` what ``mark`` asks for; what comes back writes it.

    Raises:
        InvalidValue: ``value`` does not fit. MissingExtra: a package for the format is not installed.
    """
    if isinstance(mark, Metrics):
        metrics = metrics_of(value, mark.prefix)
        return lambda run: run.log_metrics(metrics) if metrics else None
    if isinstance(mark, Artifact):
        return _artifact(mark.path, value)
    if isinstance(mark, Model):
        return _model(mark, value)
    return _dataset(mark, value)


def metrics_of(value: Any, prefix: str = "") -> dict[str, float]:
    """``value``, nested mappings of names to numbers, as metrics; names joined by ``.`` behind ``prefix``.

    Raises:
        InvalidValue: not a mapping, dataclass or model; something in it that is not one number; one name twice.
        InvalidName: a name that cannot be a metric's.
    """
    out: dict[str, float] = {}
    value = unwrapped(value)
    if entries(value) is None:
        raise InvalidValue(f"metrics are a mapping of names to numbers, a dataclass or a pydantic model, not {type_name(value)}")
    _collect(out, prefix, value, 0)
    return out


def _collect(out: dict[str, float], key: str, value: Any, depth: int) -> None:
    parts = entries(value)
    if parts is None:
        check_key(key)
        if key in out:
            raise InvalidValue(f"metric {key!r} is there twice, once nested and once by its whole name")
        out[key] = number(key, value)
        return
    if depth >= DEPTH:
        raise InvalidValue(f"metric {key!r}: nested deeper than {DEPTH} levels, or holding itself")
    for name, item, _ in parts:
        part = key_part(name, "metric", key)
        _collect(out, f"{key}.{part}" if key else part, unwrapped(item), depth + 1)


# --- artifacts -----------------------------------------------------------------------------------------------------------


def _artifact(path: str, value: Any) -> Write:
    suffix = PurePosixPath(path).suffix.lower()
    if isinstance(value, str) and suffix in TEXTUAL:
        return lambda run: run.log_text(value, path)
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        return lambda run: run.log_bytes(data, path)
    if isinstance(value, os.PathLike):
        return _local(path, Path(value))
    if _is_figure(value):
        return lambda run: run.log_figure(value, path)
    if isinstance(value, Mapping | list) and suffix == ".json":
        return lambda run: run.log_dict(value, path)
    family = family_of(value)
    if family in (None, "numpy") and images.is_picture(value, path):
        picture = images.encode(value, path)
        about = {"width": picture.width, "height": picture.height}
        return lambda run: run.log_bytes(picture.data, path, kind="image", metadata=about)
    if family is not None and (writer := _WRITERS.get((family, suffix))) is not None:
        table = _written(writer, value, path)
        return lambda run: run.log_text(table, path) if isinstance(table, str) else run.log_bytes(table, path)
    advice = "return a pathlib.Path to log a file" if isinstance(value, str) else "return bytes or a pathlib.Path"
    raise InvalidValue(f"a {type_name(value)} cannot be written as {suffix or 'a path without suffix'}: {advice}")


def _is_figure(value: Any) -> bool:
    kind = type(value)
    return hasattr(kind, "savefig") or hasattr(kind, "to_plotly_json") or (hasattr(kind, "get_figure") and hasattr(kind, "plot"))


def _local(path: str, local: Path) -> Write:
    if local.is_dir():
        return lambda run: run.log_artifacts(local, path)
    if not local.is_file():
        raise InvalidValue(f"there is no file at {local}")
    folder, name = posixpath.split(path)
    return lambda run: _log_as(run, local, folder or None, name)


def _log_as(run: Target, local: Path, folder: str | None, name: str) -> None:
    """Log a file under another name than its own, without a copy of it."""
    if local.name == name:
        return run.log_artifact(local, folder)
    with tempfile.TemporaryDirectory(prefix="prefect-ledger-") as aside:
        link = Path(aside, name)
        link.symlink_to(local.resolve())
        return run.log_artifact(link, folder)


# --- frames as files -------------------------------------------------------------------------------------------------------


def _written(writer: Callable[[Any], str | bytes], value: Any, path: str) -> str | bytes:
    try:
        return writer(value)
    except ImportError as error:
        raise MissingExtra("pyarrow", "data", need=f"writing a {type_name(value)} as {path!r}") from error
    except Exception as error:  # frameworks raise what they like for what a format cannot hold
        raise InvalidValue(f"this {type_name(value)} cannot be written as {path!r}: {type(error).__name__}: {error}") from error


def _pandas(write: Callable[[Any, bool], str | bytes]) -> Callable[[Any], str | bytes]:
    """A pandas writer that is told whether the index says anything."""

    def writer(value: Any) -> str | bytes:
        from prefect_ledger.tracking.frames import counts_rows

        frame = value.to_frame() if value.ndim == 1 else value
        return write(frame, not counts_rows(frame.index))

    return writer


def _polars(write: Callable[[Any], str | bytes]) -> Callable[[Any], str | bytes]:
    return lambda value: write(value if hasattr(value, "get_columns") else value.to_frame())


def _streamed(write: Callable[[Any, Any], Any]) -> Callable[[Any], bytes]:
    def writer(value: Any) -> bytes:
        buffer = io.BytesIO()
        write(value, buffer)
        return buffer.getvalue()

    return writer


def _arrow_parquet(table: Any, buffer: Any) -> None:
    import pyarrow.parquet as parquet

    parquet.write_table(table, buffer)


def _arrow_csv(table: Any, buffer: Any) -> None:
    import pyarrow.csv as csv

    csv.write_csv(table, buffer)


_WRITERS: Mapping[tuple[str, str], Callable[[Any], str | bytes]] = {
    ("pandas", ".csv"): _pandas(lambda frame, index: str(frame.to_csv(index=index))),
    ("pandas", ".tsv"): _pandas(lambda frame, index: str(frame.to_csv(index=index, sep="\t"))),
    ("pandas", ".html"): _pandas(lambda frame, index: str(frame.to_html(index=index))),
    ("pandas", ".json"): _pandas(lambda frame, _: str(frame.to_json(date_format="iso"))),
    ("pandas", ".parquet"): _pandas(lambda frame, index: bytes(frame.to_parquet(index=index or None, engine="pyarrow"))),
    ("polars", ".csv"): _polars(lambda frame: str(frame.write_csv())),
    ("polars", ".json"): _polars(lambda frame: str(frame.write_json())),
    ("polars", ".parquet"): _polars(_streamed(lambda frame, buffer: frame.write_parquet(buffer))),
    ("pyarrow", ".csv"): _streamed(_arrow_csv),
    ("pyarrow", ".parquet"): _streamed(_arrow_parquet),
}


# --- models and datasets -----------------------------------------------------------------------------------------------------


def _model(mark: Model, value: Any) -> Write:
    from prefect_ledger.models.saving import Request
    from prefect_ledger.tracking import models

    prepared = models.Prepared(value, Request())

    def write(run: Target) -> None:
        run.log_prepared_model(prepared, mark.name, mark.register)

    return write


def _dataset(mark: Dataset, value: Any) -> Write:
    found = describe(value, name=mark.name, context=mark.context)
    return lambda run: run.record_dataset(
        found.name, found.digest, context=found.context, source=found.source, rows=found.rows, schema=found.schema
    )
