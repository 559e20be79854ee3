"""Floor 5. Smoke tests: the version opens and predicts its own example, and whatever serves it answers that example with the same."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import LedgerError

if TYPE_CHECKING:
    from prefect_ledger.promotion.followers import Follower
    from prefect_ledger.registered import ModelVersion
    from prefect_ledger.tracking.trying import Tried

FOLLOWS = 30.0  # seconds within which an endpoint has to serve what is meant now
_LOOK = 0.2
_RELATIVE, _ABSOLUTE = 1e-5, 1e-8  # of numbers that went through text and, of some models, other kernels


@dataclass(frozen=True, slots=True)
class Check:
    """One smoke test: what was tried, and whether it is as it should be; ``said`` is what was found, in a sentence."""

    what: str
    ok: bool
    said: str
    seconds: float = 0.0


def check_version(version: ModelVersion) -> tuple[Check, Tried | None]:
    """Whether the version can be fetched, opened, and asked for its own example; and what came of that."""
    from prefect_ledger.tracking.trying import try_model

    begun, what = time.monotonic(), f"version {version.version} opens"
    try:
        tried = try_model(version.uri)
    except LedgerError as error:
        return Check(what, False, str(error), time.monotonic() - begun), None
    except SystemExit as error:  # of a model's own code: it is not to end us, and with a code that says that all went well
        return Check(what, False, f"it ends the process that asks it (SystemExit: {error})", time.monotonic() - begun), None
    said = "every file as it was logged; " + ("its example was predicted" if tried.predicted else "it has no example to predict")
    return Check(what, True, said, time.monotonic() - begun), tried


def check_follower(one: Follower, tried: Tried | None) -> Check:
    """Whether a deployment answers the version's example as the version itself does."""
    from prefect_ledger.deploying import get_target

    what = f"{one.target}/{one.name} answers" if one.name else f"{one.target} is asked"
    if not one.ok:
        return Check(what, False, one.reason, one.seconds)
    if tried is None or tried.example is None or not one.url:
        return Check(what, True, "it serves the version; there is no example to ask it" if one.url else "it has no address to ask")
    data, params = tried.example
    return _asked(what, tried, lambda: get_target(one.target).predict(one.name, data, params))


def check_endpoint(url: str, version: ModelVersion, tried: Tried | None, *, seconds: float | None = None) -> Check:
    """Whether a server of ours at ``url`` comes to serve the version, and answers its example as the version itself does."""
    from prefect_ledger.deploying import asking

    what, begun, serves = f"{url} answers", time.monotonic(), ""
    seconds = FOLLOWS if seconds is None else seconds
    while (found := asking.metadata(url)) is None or (serves := str(found.get("model_id", ""))) != version.logged_id:
        if time.monotonic() - begun > seconds:
            told = f"serves {serves or 'another model'}" if found is not None else "does not answer"
            return Check(what, False, f"it {told} after {seconds:g} s, and not {version.logged_id}", time.monotonic() - begun)
        time.sleep(_LOOK)
    if tried is None or tried.example is None:
        return Check(what, True, "it serves the version; there is no example to ask it", time.monotonic() - begun)
    data, params = tried.example
    return _asked(what, tried, lambda: asking.ask(url, data, params))


def _asked(what: str, tried: Tried, ask: Any) -> Check:
    begun = time.monotonic()
    try:
        wanted = _plain(tried.answer)
    except Exception as error:  # noqa: BLE001  # whatever a model's own code answered
        words = f"what it answers its own example with cannot be said in JSON: {type(error).__name__}: {error}"
        return Check(what, False, words, time.monotonic() - begun)
    try:
        answer = ask()
    except LedgerError as error:
        return Check(what, False, str(error), time.monotonic() - begun)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # of a target of another package
        return Check(what, False, f"{type(error).__name__}: {error}", time.monotonic() - begun)
    if not same(answer, wanted):
        return Check(
            what, False, f"it answers the example with {answer!r:.200}, the version with {wanted!r:.200}", time.monotonic() - begun
        )
    return Check(what, True, "it answers the example as the version does", time.monotonic() - begun)


def _plain(answer: Any) -> Any:
    from prefect_ledger.serving import answers

    return json.loads(answers.body(answer))["predictions"]


def same(one: Any, other: Any) -> bool:
    """Whether two answers, as JSON has them, are the same but for the last digits of numbers.

    Example:
        >>> same([1.0, {"a": "x"}], [1.0000000001, {"a": "x"}]), same([1.0], [1.1])
        (True, False)
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, Sequence) and isinstance(other, Sequence) and not isinstance(one, str) and not isinstance(other, str):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float) and not isinstance(one, bool) and not isinstance(other, bool):
        return math.isclose(one, other, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
    return bool(one == other)
