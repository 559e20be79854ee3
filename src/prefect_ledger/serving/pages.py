"""Floor 5. What a server says of itself: the model, the OpenAPI description, and a page for people that loads nothing from elsewhere."""

from __future__ import annotations

import html
import importlib.metadata
import json
import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from prefect_ledger.models.predictor import Predictor

INSTANCE = "PREFECT_LEDGER_SERVE_INSTANCE"  # whoever starts a server can give it a name to know it by
_STYLE = "body{font:16px/1.5 system-ui;margin:2rem auto;max-width:50rem;padding:0 1rem}pre{background:#f4f4f5;padding:1rem;overflow:auto}"
_OF_COLUMNS = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer", "format": "int32"},
    "long": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "float"},
    "double": {"type": "number", "format": "double"},
    "string": {"type": "string"},
    "binary": {"type": "string", "contentEncoding": "base64"},
    "datetime": {"type": "string", "format": "date-time"},
}


def version() -> bytes:
    """The version of prefect-ledger, where MLflow's server tells its own."""
    return importlib.metadata.version("prefect-ledger").encode()


def metadata(predictor: Predictor, reference: str) -> bytes:
    """Which model this is, what it eats, and what was said of it, as JSON."""
    signature = predictor.signature
    said = {
        "reference": reference,
        **{key: predictor.about.get(key) for key in ("model_id", "version", "name", "run_id", "digest")},
        "flavors": sorted(predictor.file.flavors),
        "created": predictor.file.created,
        "signature": _loaded(signature.to_mlmodel()) if signature is not None else None,
        "metadata": dict(predictor.metadata),
        "instance": os.environ.get(INSTANCE, ""),
    }
    return orjson.dumps(said, default=str, option=orjson.OPT_NON_STR_KEYS)


def _loaded(signature: Any) -> dict[str, Any]:
    return {key: json.loads(value) if value else None for key, value in signature.items()}


def openapi(predictor: Predictor, paths: Collection[str] = ()) -> dict[str, Any]:
    """The server's description for programs; ``paths`` are those that it has beside the usual ones."""
    refusal = {
        "description": "Refused, with a code and a sentence.",
        "content": {"application/json": {"schema": {"$ref": _REF + "Refusal"}}},
    }
    text = {"200": {"description": "Yes."}}
    return {
        "openapi": "3.1.0",
        "info": {"title": str(predictor.about.get("name") or "model"), "version": str(predictor.about.get("version") or "0")},
        "paths": {
            "/invocations": {
                "post": {
                    "summary": "Ask the model.",
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {"schema": {"$ref": _REF + "Request"}},
                            "text/csv": {"schema": {"type": "string"}},
                            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
                        },
                    },
                    "responses": {
                        "200": {
                            "description": "What the model answered.",
                            "content": {"application/json": {"schema": {"$ref": _REF + "Answer"}}},
                        },
                        **{str(status): refusal for status in (400, 408, 413, 415, 500, 503, 504)},
                    },
                }
            },
            **{path: {"get": {"summary": words, "responses": text}} for path, words in _gets(paths)},
        },
        "components": {"schemas": {"Request": _request(predictor), "Answer": _ANSWER, "Refusal": _REFUSAL}},
    }


_REF = "#/components/schemas/"
_GETS = {
    "/ping": "Whether the model can be asked.",
    "/health": "The same.",
    "/version": "The version of the server.",
    "/metadata": "Which model this is, and its signature.",
    "/metrics": "Counters for Prometheus.",
}
_MORE = {"/comparison": "How the two models compare."}
_ANSWER = {"type": "object", "required": ["predictions"], "properties": {"predictions": {}}}
_REFUSAL = {
    "type": "object",
    "required": ["error_code", "message"],
    "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
}


def _gets(paths: Collection[str]) -> list[tuple[str, str]]:
    return [*_GETS.items(), *((path, words) for path, words in _MORE.items() if path in paths)]


def _request(predictor: Predictor) -> dict[str, Any]:
    signature = predictor.signature
    params: dict[str, Any] = {"type": "object"}
    record: dict[str, Any] = {"type": "object"}
    if signature is not None:
        params = {"type": "object", "properties": {one.name: {"default": one.default} for one in signature.params}}
        columns = [one for one in (signature.inputs.fields if signature.inputs is not None else ()) if not hasattr(one, "dtype")]
        if columns and all(one.name for one in columns):
            record = {
                "type": "object",
                "properties": {str(one.name): _OF_COLUMNS.get(str(getattr(one, "type", "")), {}) for one in columns},
                "required": [one.name for one in columns if getattr(one, "required", True)],
            }
    rows = {"type": "array", "items": record}
    split = {
        "type": "object",
        "required": ["data"],
        "properties": {"columns": {"type": "array", "items": {"type": "string"}}, "data": {"type": "array"}},
    }
    forms: dict[str, Any] = {"dataframe_split": split, "dataframe_records": rows, "instances": {"type": "array"}, "inputs": {}}
    return {
        "type": "object",
        "oneOf": [{"required": [name]} for name in forms],
        "properties": {**forms, "params": params},
    }


def docs(predictor: Predictor, address: tuple[str, int | None] | None = None, paths: Collection[str] = ()) -> bytes:
    """A page that says what can be asked, with an example; ``address`` is where the server listens, ``paths`` as of :func:`openapi`."""
    host, port = address or ("127.0.0.1", 8000)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/invocations"
    name = html.escape(str(predictor.about.get("name") or "model"))
    signature = html.escape(str(predictor.signature) if predictor.signature is not None else "not recorded")
    rows = "".join(f"<li><code>GET {path}</code>: {words}</li>" for path, words in _gets(paths))
    call = f"curl -H 'Content-Type: application/json' -d @request.json {url}"
    page = (
        f"<!doctype html><meta charset=utf-8><title>{name}</title><style>{_STYLE}</style><h1>{name}</h1>"
        "<p><code>POST /invocations</code> asks the model: JSON with one of <code>dataframe_split</code>, <code>dataframe_records</code>, "
        "<code>instances</code>, <code>inputs</code> and, beside it, <code>params</code>; or CSV, or Parquet.</p>"
        f"<pre>{html.escape(call)}</pre><h2>What it eats and gives</h2><pre>{signature}</pre><h2>More</h2><ul>{rows}"
        "<li><code>GET /openapi.json</code>: all of this for programs</li></ul>"
    )
    return page.encode()
