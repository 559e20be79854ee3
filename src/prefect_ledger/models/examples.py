"""Floor 4. The input example of a model: kept in its folder in two forms, to be given to ``predict`` and to be sent to ``/invocations``.

The files and what the MLmodel file says of them are those of MLflow 3.17.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.model_file import inside
from prefect_ledger.models.scalars import missing

FILE, SERVING = "input_example.json", "serving_input_example.json"
ROWS = 100  # of a longer example, only the first are kept
LIMIT = 64 << 20  # bytes of an example's file that is read


def split(example: Any) -> tuple[Any, Mapping[str, Any] | None]:
    """An example as data and parameters: ``(data, {"alpha": 0.5})`` has both, all else is data."""
    if isinstance(example, tuple) and len(example) == 2 and (example[1] is None or isinstance(example[1], Mapping)):
        return example[0], example[1]
    return example, None


def write(folder: Path, data: Any, params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Write the two files; returns what the MLmodel file says of them.

    Raises:
        InvalidValue: the example is nothing that JSON can say.
    """
    kind, plain = _plain(data)
    body = {"dataframe_split": plain} if kind == "dataframe" else {"inputs": plain}
    info: dict[str, Any] = {"artifact_path": FILE, "serving_input_path": SERVING, "type": kind}
    if kind == "dataframe":
        info["pandas_orient"] = "split"
    if params:
        info["params"] = "true"
        body["params"] = _json(params)
    first: Any = {"inputs": plain, "params": body["params"]} if params else plain
    try:
        (folder / FILE).write_text(json.dumps(first, allow_nan=False), encoding="utf-8")
        (folder / SERVING).write_text(json.dumps(body, indent=2, allow_nan=False), encoding="utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValue(f"an input example of {type(data).__name__} cannot be kept as JSON: {error}") from error
    return info


def read(folder: Path, info: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any] | None]:
    """The example that :func:`write` or MLflow kept: data and parameters.

    Raises:
        InvalidValue: it is not there, or not what the MLmodel file says. MissingExtra: it is a frame, and pandas is not installed.
    """
    path = inside(folder, str(info.get("artifact_path") or FILE))
    try:
        if path.stat().st_size > LIMIT:
            raise InvalidValue(f"{path} has more than {LIMIT:,} bytes: that is no example")
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidValue(f"the input example {path} cannot be read: {error}") from error
    params: Mapping[str, Any] | None = None
    if info.get("params") and isinstance(found, dict):
        params = found.get("params")
        found = found.get("inputs")
    return _data(found, str(info.get("type") or ""), path), params


def _data(found: Any, kind: str, path: Path) -> Any:
    if kind == "ndarray":
        import numpy as np

        return np.asarray(found)
    if kind != "dataframe":
        return found
    from prefect_ledger.models.frames import pandas

    if not isinstance(found, dict) or not isinstance(found.get("data"), list):
        raise InvalidValue(f"the input example {path} is no frame in split form")
    return pandas("an input example that is a frame").DataFrame(found["data"], columns=found.get("columns"))


def _plain(data: Any) -> tuple[str, Any]:
    """What kind of example it is, and its first rows in values that JSON has."""
    from prefect_ledger.models.frames import as_pandas

    frame = as_pandas(data)
    if frame is not None:
        cut = frame.iloc[:ROWS]
        if all(type(name) is int for name in cut.columns):
            return "dataframe", {"data": _json(cut.to_numpy().tolist())}
        return "dataframe", {"columns": [str(name) for name in cut.columns], "data": _json(cut.to_numpy(dtype=object).tolist())}
    if hasattr(data, "toarray") and hasattr(data, "tocsr"):  # a sparse matrix
        data = data.tocsr()[:ROWS].toarray()
    if hasattr(data, "tolist") and hasattr(data, "dtype"):
        return ("ndarray", _json(data[:ROWS].tolist())) if data.ndim else ("json_object", _json(data.tolist()))
    return "json_object", _json(data[:ROWS] if isinstance(data, list) else data)


def _json(value: Any) -> Any:
    """``value`` in what JSON has: arrays as lists, times as ISO text, not-a-number and what is missing as null."""
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if missing(value):
        return None
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    if hasattr(value, "tolist"):
        return _json(value.tolist())
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise InvalidValue(f"an input example holds a {type(value).__name__}, which JSON cannot say")
