"""Floor 5. Where the keys of signatures are: the store has a name alone, and whoever sends looks it up."""

from __future__ import annotations

import os
import re

from prefect_ledger import sources
from prefect_ledger.errors import InvalidValue

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_BLOCK = re.compile(r"[a-z0-9][a-z0-9-]{0,199}")


def named(env: object, block: object) -> str:
    """How the store has it: ``env:NAME`` for a variable of the environment, ``block:name`` for one of Prefect's Secret blocks.

    Raises:
        InvalidValue: not exactly one is said, or it cannot be such a name.
    """
    if (env is None) == (block is None):
        raise InvalidValue("say where the webhook's secret is: in an environment variable, or in a Secret block of Prefect")
    if env is not None:
        if not isinstance(env, str) or not _VARIABLE.fullmatch(env):
            raise InvalidValue("a secret is named by its environment variable, such as CHURN_HOOK_SECRET, and is not written here itself")
        return f"env:{env}"
    if not isinstance(block, str) or not _BLOCK.fullmatch(block):
        raise InvalidValue("a Secret block has a name of small letters, digits and dashes, such as churn-hook")
    return f"block:{block}"


def find(secret: str) -> str | None:
    """The key that a name means here; None where there is none, or it cannot be asked for now."""
    kind, _, name = secret.partition(":")
    if kind == "env":
        return os.environ.get(name) or None
    return (sources.secret(name) if sources.secret is not None else None) or None


def lacking(secret: str) -> str:
    """Why a webhook waits, as a sentence; "" where its secret is found here."""
    if find(secret) is not None:
        return ""
    kind, _, name = secret.partition(":")
    where = f"the environment variable {name} is not set here" if kind == "env" else f"no Secret block {name} can be read from here"
    return f"its secret is missing: {where}"
