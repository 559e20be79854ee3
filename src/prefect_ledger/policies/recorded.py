"""Floor 5, pure. The text of recorded cases, read and checked key by key."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies.cases import Case
from prefect_ledger.policies.durations import duration
from prefect_ledger.policies.reading import known_only
from prefect_ledger.policies.votes import Asked, Vote
from prefect_ledger.registered import STAGES

_KEYS = (
    "name",
    "model",
    "stage",
    "candidate",
    "champion",
    "evidence",
    "author",
    "requester",
    "votes",
    "withdrawn",
    "after",
    "expect",
    "because",
)
_SHOWN, _OTHER = "shown", "other"


def read_cases(text: str) -> tuple[Case, ...]:
    """The cases of a TOML text (``[[case]]`` tables) or of the same as JSON.

    A case has ``model``, ``stage``, ``expect`` ("passes" or "refused"), and ``candidate`` and perhaps ``champion`` (metrics by name) or
    whole ``evidence``; perhaps ``name``, ``author`` and ``requester``, ``votes``, ``withdrawn``, ``after`` (how long after it was opened
    it is asked how the request stands: "2d") and ``because``. A person is a name, known by the operating system, or a table with ``name``
    and ``strength``. A vote is a name that approves, or a table with ``by``, and perhaps ``strength``, ``approve``, ``after``,
    ``comment`` and ``stale`` (true: other evidence was shown).

    Raises:
        InvalidValue: no such text; the message names the case's number (from 1) and the key.

    Example:
        >>> [case] = read_cases('[[case]]\\nmodel = "churn"\\nstage = "production"\\ncandidate = {auc = 0.9}\\nexpect = "passes"')
        >>> case.model, case.expect
        ('churn', 'passes')
    """
    found = _loaded(text)
    known_only("the file of cases", found, ("case",))
    cases = found.get("case", [])
    if not isinstance(cases, list) or not cases or not all(isinstance(case, dict) for case in cases):
        raise InvalidValue(f"cases begin with [[case]], each on its own line, and there is at least one, not {cases!r:.80}")
    made = []
    for number, case in enumerate(cases, 1):
        try:
            made.append(_case(number, case))
        except InvalidValue as error:
            raise InvalidValue(f"case {number}: {error}") from error
    return tuple(made)


def _loaded(text: object) -> dict[str, Any]:
    if not isinstance(text, str):
        raise InvalidValue(f"cases are a TOML or JSON text, not {type(text).__name__}")
    try:
        found: object = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(f"the cases are neither TOML nor JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidValue('cases as JSON are an object: {"case": [...]}')
    return found


def _case(number: int, found: Mapping[str, Any]) -> Case:
    known_only("a case", found, _KEYS)
    for key in ("model", "stage", "expect"):
        if not isinstance(found.get(key), str):
            raise InvalidValue(f"{key} is a text, not {found.get(key)!r:.80}" if key in found else f"says no {key}")
    if found["stage"] not in STAGES:
        raise InvalidValue(f"stage is one of {', '.join(STAGES)}, not {found['stage']!r:.80}")
    if found["expect"] not in ("passes", "refused"):
        raise InvalidValue(f"expect is 'passes' or 'refused', not {found['expect']!r:.80}")
    because, name = found.get("because", ""), found.get("name", f"case {number}")
    if not isinstance(because, str) or not isinstance(name, str) or (because and found["expect"] == "passes"):
        raise InvalidValue(f"name is a text, and because a part of the reason for which it is refused, not {because!r:.80}")
    author = _person("author", found.get("author", "author"))
    asked = Asked(
        author, _person("requester", found.get("requester", found.get("author", "author"))), 0, _SHOWN, _truth(found, "withdrawn")
    )
    votes = _votes(found.get("votes", []))
    now = max([_after(found), *(vote.at for vote in votes)])
    return Case(name, found["model"], found["stage"], _evidence(found), asked, votes, now, found["expect"], because)


def _evidence(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The evidence, whole as it was recorded or made of the metrics of both sides."""
    from prefect_ledger.gates import Evidence

    if "evidence" in found:
        if "candidate" in found or "champion" in found:
            raise InvalidValue("evidence is the whole of it: leave candidate and champion out")
        evidence = found["evidence"]
    else:
        sides = {key: _side(key, number, found) for number, key in ((1, "champion"), (2, "candidate")) if key in found}
        evidence = {"champion": None, "holdout": None, "facts": {}, **sides}
        if "candidate" not in found:
            raise InvalidValue("says no candidate: give its metrics, such as candidate = {auc = 0.9}, or the whole evidence")
    if not isinstance(evidence, Mapping):
        raise InvalidValue(f"evidence is a table, not {evidence!r:.80}")
    if not evidence.get("holdout"):  # the arrays of one come later, from files beside the text
        Evidence.from_json(evidence)
    return evidence


def _side(key: str, version: int, found: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(found[key], Mapping):
        raise InvalidValue(f"{key} is a table of metrics, such as {{auc = 0.9}}, not {found[key]!r:.80}")
    return {"name": found["model"], "version": version, "digest": "", "metrics": dict(found[key])}


def _votes(found: object) -> tuple[Vote, ...]:
    if not isinstance(found, list):
        raise InvalidValue(f"votes is a list of names or tables, such as ['bob', {{by = 'carol', approve = false}}], not {found!r:.80}")
    return tuple(_vote(one) for one in found)


def _vote(found: object) -> Vote:
    if not isinstance(found, Mapping):
        return Vote(_person("a vote", found), True, 0, "", _SHOWN)
    known_only("a vote", found, ("by", "strength", "approve", "after", "comment", "stale"))
    by = _person("by", {"name": found.get("by"), "strength": found.get("strength", Strength.OS)})
    comment = found.get("comment", "")
    if not isinstance(comment, str):
        raise InvalidValue(f"the comment of a vote is a text, not {comment!r:.80}")
    return Vote(by, _truth(found, "approve", True), _after(found), comment, _OTHER if _truth(found, "stale") else _SHOWN)


def _person(key: str, found: object) -> Identity:
    table = found if isinstance(found, Mapping) else {"name": found}
    known_only(f"{key}, a person,", table, ("name", "strength"))
    try:
        return Identity(table.get("name"), table.get("strength", Strength.OS), "of a recorded case")  # type: ignore[arg-type]  # it checks
    except InvalidValue as error:
        raise InvalidValue(f"{key}: {error}") from None


def _after(found: Mapping[str, Any]) -> int:
    if "after" not in found:
        return 0
    try:
        return duration(found["after"])
    except InvalidValue as error:
        raise InvalidValue(f"after: {error}") from None


def _truth(found: Mapping[str, Any], key: str, default: bool = False) -> bool:
    value = found.get(key, default)
    if not isinstance(value, bool):
        raise InvalidValue(f"{key} is true or false, not {value!r:.80}")
    return value
