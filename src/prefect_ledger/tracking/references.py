"""Floor 5. What a reference to a model says, wherever one is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from prefect_ledger.errors import InvalidName
from prefect_ledger.names import run_id_prefix

_MODEL = re.compile(r"m-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference that was read.

    ``kind`` says what ``text`` is: a "model"'s id, the name of a model of a "run" (whose id or prefix is ``run``), a name in the "registry"
    with ``selector`` behind it (a version, ``@alias``, a stage or "latest"), or a "place": a folder or URL.
    """

    kind: Literal["model", "run", "registry", "place"]
    text: str
    run: str = ""
    selector: str = ""


def parse(text: object) -> Reference:
    """Read a reference.

    Raises:
        InvalidName: it begins as one and is none.

    Example:
        >>> parse("models:/churn@champion")
        Reference(kind='registry', text='churn', run='', selector='@champion')
        >>> parse("runs:/8f2c51aa/churn")
        Reference(kind='run', text='churn', run='8f2c51aa', selector='')
        >>> parse("/data/models/churn").kind
        'place'
    """
    if not isinstance(text, str) or not text.strip():
        raise InvalidName(f"a reference to a model is text such as models:/churn@champion, not {text!r:.80}")
    if text.startswith("models:"):
        return _model(text)
    if text.startswith("runs:"):
        return _run(text)
    return Reference("place", text.removeprefix("file://") if text.startswith("file:///") else text)


def _model(text: str) -> Reference:
    rest = text.removeprefix("models:").lstrip("/")
    if _MODEL.fullmatch(rest):
        return Reference("model", rest)
    name, at, alias = rest.partition("@")
    if at:
        selector = f"@{alias}"
    else:
        name, _, selector = rest.partition("/")
    if not name or selector in ("", "@") or any(char in f"{name}{selector[1:]}" for char in "/@:"):
        raise InvalidName(
            f"not a reference to a model: {text!r}; write models:/churn/7, models:/churn@champion, models:/churn/production, "
            f"models:/churn/latest or models:/m-<id>"
        )
    return Reference("registry", name, selector=selector)


def _run(text: str) -> Reference:
    run, _, name = text.removeprefix("runs:").lstrip("/").partition("/")
    if not run or not name:
        raise InvalidName(f"not a reference to a model: {text!r}; write runs:/<run id>/<the model's name>")
    return Reference("run", name, run=run_id_prefix(run))
