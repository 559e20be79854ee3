"""Floor 5. What a caller gives for a judgement beside what the ledger recorded, checked at the caller's line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from prefect_ledger.audit_chain import canonical
from prefect_ledger.errors import InvalidValue
from prefect_ledger.events import clean

_RECORDED = ("policy", "policy_digest", "stage", "run_id", "git", "datasets")


def times(latency: Mapping[str, Sequence[float]] | None) -> dict[str, tuple[float, ...]]:
    """The measured seconds of both sides.

    Raises:
        InvalidValue: of another side, no list, or no numbers.
    """
    from prefect_ledger.gates.evidence import seconds

    given: object = {} if latency is None else latency
    if not isinstance(given, Mapping) or not {"candidate", "champion"}.issuperset(given):
        raise InvalidValue(f"latency has seconds of the 'candidate' and of the 'champion', not {given!r:.80}")
    found: dict[str, tuple[float, ...]] = {}
    for key, values in given.items():
        try:
            found[key] = seconds(values)
        except InvalidValue as error:
            raise InvalidValue(f"latency of the {key}: {error}") from None
    return found


def facts_of(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Facts that the caller adds, masked; what the ledger records itself is not to be said by others.

    Raises:
        InvalidValue: it is such a thing, or nothing that JSON has.
    """
    from prefect_ledger.gates.plain import plain
    from prefect_ledger.masking import mask_value

    facts: object = {} if given is None else given
    if not isinstance(facts, Mapping):
        raise InvalidValue(f"facts are a mapping, not {type(facts).__name__}")
    if taken := [name for name in facts if name in _RECORDED]:
        raise InvalidValue(f"facts cannot have {taken[0]!r}: the ledger records that itself")
    found = json.loads(clean(canonical(plain(mask_value("", dict(facts)), "facts"))))
    assert isinstance(found, dict)
    return found


def check_holdout(holdout: object) -> None:
    """Refuse what is no holdout.

    Raises:
        InvalidValue.
    """
    from prefect_ledger.gates import Holdout

    if not isinstance(holdout, Holdout | None):
        raise InvalidValue(f"a holdout is a prefect_ledger.gates.Holdout, not {type(holdout).__name__}")
    if holdout is not None and clean(text := canonical(holdout.to_json())) != text:
        raise InvalidValue("the names of a holdout, of its data and columns are texts without lone surrogates")
