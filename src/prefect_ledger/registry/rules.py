"""Floor 5. The policy that holds, kept in the store version by version."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.errors import InvalidValue, NotFound, TransitionRefused
from prefect_ledger.registry.access import changing, check_text, check_version, looking, who

if TYPE_CHECKING:
    from prefect_ledger.identities import Identity
    from prefect_ledger.policies import Policy, Rule
    from prefect_ledger.registered import ModelVersion


class PolicyVersion(NamedTuple):
    """A policy, and the number under which the store has it: 0 for the one that holds before any was set."""

    version: int
    policy: Policy


def set_policy(policy: str | Policy, *, why: str = "", by: Identity | str | None = None) -> int:
    """Let a policy (or the TOML text of one) hold from now on; returns its version. Requests that were judged by other rules become void.

    Raises:
        InvalidValue: it is none; the message names the rule, the key and what is wanted. TransitionRefused: the policy that holds does
            not let this person. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.set_policy('[[rule]]\\nmodel = "docs-*"\\nstage = "production"\\ngates = ["metrics.auc >= 0.8"]') > 0
        True
    """
    from prefect_ledger import request_store as store
    from prefect_ledger.policies import Policy, read_policy

    found = read_policy(policy) if isinstance(policy, str) else policy
    if not isinstance(found, Policy):
        raise InvalidValue(f"a policy is a TOML text or a Policy, not {type(policy).__name__}")
    found = read_policy(found.to_toml())  # what was built in code is checked as what was read
    said, by = check_text(why, "a reason"), who(by)
    with changing() as chain:
        if refused := policy_now(chain.tx).policy.may_set(by):
            raise TransitionRefused(f"the policy stays as it is: {refused}")
        return store.add_policy(chain, found.digest, found.to_toml(), by, said)


def get_policy(version: int | None = None) -> PolicyVersion:
    """The policy that holds, or the one of a version.

    Raises:
        NotFound: no such version. InvalidValue: that is no number. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.get_policy().policy.rules[0].approvals
        1
    """
    number = version if version in (None, 0) else check_version(version)
    with looking() as tx:
        return policy_now(tx, number)


def policy_now(tx: Any, version: int | None = None, *, until: int | None = None) -> PolicyVersion:
    """The policy that holds in this transaction, the one of a version, or the one that held at a moment (µs).

    Raises:
        NotFound: no such version.
    """
    from prefect_ledger import request_store as store
    from prefect_ledger.policies import DEFAULT

    found = None if version == 0 else store.policy(tx, version, until=until)
    if found is None:
        if version:
            raise NotFound(f"there is no version {version} of the policy")
        return PolicyVersion(0, DEFAULT)
    return PolicyVersion(found.version, _read(found.content))


def check_may_leave(policy: Policy, one: ModelVersion, by: Identity) -> None:
    """Refuse to take a version out of production for somebody who is known too weakly to bring one in: without a champion, gates that
    compare with it would be passed by.

    Raises:
        TransitionRefused.
    """
    if one.stage == "production" and (weak := policy.rule(one.name, "production").too_weak(by)):
        raise TransitionRefused(f"version {one.version} of {one.name!r} stays in production: {weak}")


def check_may_rename(policy: Policy, name: str, new_name: str, production: int | None, by: Identity) -> None:
    """Refuse to rename a model that has a version in production for somebody who is known too weakly to bring one in: under its name
    another would be what production means.

    Raises:
        TransitionRefused.
    """
    weak = next(filter(None, (policy.rule(one, "production").too_weak(by) for one in (name, new_name))), None)
    if production is not None and weak:
        raise TransitionRefused(f"{name!r} keeps its name, as version {production} of it stands in production: {weak}")


def canonical_rule(rule: Any) -> dict[str, Any]:
    """A rule as plain JSON values, the same for the same rule."""
    return dict(json.loads(json.dumps(rule.to_json())))


def rule_of(said: Mapping[str, Any]) -> Rule:
    """The rule whose :func:`canonical_rule` this is."""
    from prefect_ledger.policies import Rule

    return Rule.from_json(said)


@functools.lru_cache(maxsize=64)
def _read(content: str) -> Policy:
    """A policy that was checked when it was kept. Its gates are not parsed again: one that only another machine has must not be in the way
    of moves that it is not asked about."""
    from prefect_ledger.policies import read_policy

    return read_policy(content, check_gates=False)
