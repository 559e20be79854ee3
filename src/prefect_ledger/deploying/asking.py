"""Floor 5. Asks a server of ``prefect-ledger serve``, over plain HTTP and past any proxy."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from prefect_ledger.errors import DeploymentFailed, InvalidValue

_MOST = 256 << 20  # bytes of an answer
_SHOWN = 2000  # characters of an answer that is no prediction


def body(data: Any, params: Mapping[str, Any] | None = None) -> bytes:
    """What is sent to ask about ``data``: frames as ``dataframe_split``, records as ``dataframe_records``, all else as ``inputs``.

    Raises:
        InvalidValue: JSON cannot say it.

    Example:
        >>> body([[1.0, 2.0]], {"times": 3})
        b'{"inputs": [[1.0, 2.0]], "params": {"times": 3}}'
    """
    said: dict[str, Any] = {"params": dict(params)} if params else {}
    form, value = _form(data)
    try:
        return json.dumps({form: _plain(value), **_plain(said)}, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValue(f"such data cannot be sent: {error}; give a frame, an array, records or lists of numbers and texts") from error


def ask(url: str, data: Any, params: Mapping[str, Any] | None = None, *, seconds: float = 60.0) -> Any:
    """What the model at ``url`` answers to ``data``.

    Raises:
        DeploymentFailed: nobody answers, or with a refusal, whose words are in the message. InvalidValue: the data cannot be sent.
    """
    status, answer = request(url, "/invocations", body(data, params), seconds=seconds)
    found = _read(answer)
    if status != http.HTTPStatus.OK or not isinstance(found, dict) or "predictions" not in found:
        words = found.get("message") if isinstance(found, dict) else None
        raise DeploymentFailed(f"{url} answered {status}: {words or answer.decode(errors='replace')[:_SHOWN] or 'nothing'}")
    return found["predictions"]


def metadata(url: str, *, seconds: float = 2.0) -> Mapping[str, Any] | None:
    """What the server at ``url`` says of itself; None where none of ours answers."""
    try:
        status, answer = request(url, "/metadata", seconds=seconds)
    except DeploymentFailed:
        return None
    found = _read(answer)
    return found if status == http.HTTPStatus.OK and isinstance(found, dict) else None


def request(url: str, path: str, sent: bytes | None = None, *, seconds: float) -> tuple[int, bytes]:
    """Status and body of one answer.

    Raises:
        DeploymentFailed: nobody answers.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=seconds)
    try:
        headers = {"Content-Type": "application/json"} if sent is not None else {}
        connection.request("GET" if sent is None else "POST", f"{parts.path.rstrip('/')}{path}", sent, headers)
        answer = connection.getresponse()
        if len(found := answer.read(_MOST + 1)) > _MOST:
            raise DeploymentFailed(f"{url} answers with more than {_MOST >> 20} MB")
        return answer.status, found
    except (OSError, http.client.HTTPException) as error:
        raise DeploymentFailed(f"{url} does not answer: {str(error) or type(error).__name__}") from error
    finally:
        connection.close()


def _form(data: Any) -> tuple[str, Any]:
    if hasattr(data, "columns") and hasattr(data, "to_dict"):
        split = data.to_dict("split") if type(data).__module__.startswith("pandas") else data.to_pandas().to_dict("split")
        return "dataframe_split", {"columns": split["columns"], "data": split["data"]}
    if isinstance(data, list | tuple) and data and all(isinstance(row, Mapping) for row in data):
        return "dataframe_records", data
    return "inputs", data


def _plain(value: Any) -> Any:
    """``value`` as JSON says it: not-a-number as null, times in ISO 8601, bytes in base64."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else _odd(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()  # NaT is not itself
    if hasattr(value, "tolist"):  # arrays, columns, and NumPy's own numbers
        return _plain(value.tolist())
    if type(value).__name__ == "NAType":
        return None
    raise TypeError(f"JSON has no {type(value).__name__}")


def _odd(value: float) -> None:
    if value == value:  # an infinity
        raise ValueError("JSON has no infinities")


def _read(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return None
