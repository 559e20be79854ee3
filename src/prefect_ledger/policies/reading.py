"""Floor 5, pure. A policy's text, read and checked key by key."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from prefect_ledger.errors import InvalidValue, LedgerError
from prefect_ledger.identities import Strength
from prefect_ledger.policies.durations import duration
from prefect_ledger.policies.policy import Policy
from prefect_ledger.policies.rules import Rule

_KEYS = tuple(one.name for one in fields(Rule))


def read_policy(text: str, *, check_gates: bool = True) -> Policy:
    """The policy that a TOML text says: ``[[rule]]`` tables, and perhaps ``[policy]`` and ``[signers]``.

    ``check_gates=False`` is for a text that was checked when it was kept: a gate that another package brings need not be installed
    where only other models are asked about.

    Raises:
        InvalidValue: no TOML, a key that no rule has, or a value that the key cannot have; the message names the rule's number
            (from 1), the key, what was found and what is wanted. A rule that is never asked, as one above it always is, is refused too.

    Example:
        >>> policy = read_policy('[[rule]]\\nmodel = "churn*"\\nstage = "production"\\ngates = ["metrics.auc >= 0.8"]\\napprovals = 2')
        >>> policy.rule("churn", "production").needs_request
        True
    """
    try:
        found = tomllib.loads(text)
    except (TypeError, AttributeError):
        raise InvalidValue(f"a policy is a TOML text, not {type(text).__name__}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidValue(f"the policy is no TOML: {error}") from error
    known_only("the policy", found, ("policy", "rule", "signers"))
    rules = found.get("rule", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise InvalidValue(f"rules of a policy begin with [[rule]], each on its own line, not {rules!r:.80}")
    head = found.get("policy", {})
    if not isinstance(head, dict):
        raise InvalidValue(f"policy is a table, [policy], not {head!r:.80}")
    known_only("[policy]", head, ("set_by", "identity"))
    made = tuple(_rule(number, rule, check_gates) for number, rule in enumerate(rules, 1))
    if check_gates:
        _reached(made)
    return Policy(made, found.get("signers", {}), head.get("set_by", ()), head.get("identity", Strength.CLAIMED))


def known_only(noun: str, found: Iterable[str], known: Iterable[str]) -> None:
    """Refuse keys that are not ``known``, with the nearest one that is.

    Raises:
        InvalidValue: there is one.
    """
    known = tuple(known)
    for key in found:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
            raise InvalidValue(f"{noun} has no key {key!r:.80}: {hint}")


def _rule(number: int, found: Mapping[str, Any], check_gates: bool) -> Rule:
    noun = f"rule {number} of the policy"
    known_only(noun, found, _KEYS)
    if missing := [key for key in ("model", "stage") if key not in found]:
        raise InvalidValue(f"{noun} says no {missing[0]}: give a name or a pattern, '*' for all")
    try:
        values = {**found, "expires": duration(found["expires"])} if "expires" in found else dict(found)
    except InvalidValue as error:
        raise InvalidValue(f"{noun}: expires: {error}") from None
    try:
        rule = Rule(**values)
    except InvalidValue as error:
        raise InvalidValue(f"{noun}: {error}") from None
    if check_gates:
        _parsed(noun, rule)
    return rule


def _reached(rules: Sequence[Rule]) -> None:
    """Refuse a rule that another one hides: whoever wrote it believes that it holds."""
    for number, rule in enumerate(rules, 1):
        for above, first in enumerate(rules[: number - 1], 1):
            if first.model in ("*", rule.model) and first.stage in ("*", rule.stage):
                here, there = (f"{one.model!r} in {one.stage!r}" for one in (rule, first))
                raise InvalidValue(
                    f"rule {number} of the policy, for {here}, is never asked: rule {above}, for {there}, stands above it, and the first "
                    f"that matches holds; put the narrower rule first"
                )


def _parsed(noun: str, rule: Rule) -> None:
    """Refuse gates that are no gates, before somebody asks for a promotion by them."""
    from prefect_ledger.gates import parse_gate

    for place, spec in enumerate(rule.gates, 1):
        try:
            parse_gate(spec)
        except LedgerError as error:
            raise InvalidValue(f"{noun}: gates: gate {place}, {spec!r:.80}: {error}") from error
