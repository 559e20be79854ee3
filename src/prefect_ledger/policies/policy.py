"""Floor 5, pure. The rules of a registry, in the order in which they are asked, and who signs with which key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies.rules import Rule, check_patterns, check_strength, listed
from prefect_ledger.policies.signers import allowed, check_signers
from prefect_ledger.policies.toml import written, written_key
from prefect_ledger.registered import STAGES


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules for models and stages: the first that matches holds, and a plain ``Rule()`` where none does.

    ``signers`` are the public keys (as in ``id_ed25519.pub``) that each person signs with, versioned with the rules. ``set_by`` are names
    or patterns of those who may set another policy in place of this one (nobody named: anyone), known by ``set_identity`` at least.

    Raises:
        InvalidValue: what is given is no rule, no name and public key, or nobody that could be named; an alias would follow two stages.

    Example:
        >>> policy = Policy((Rule("churn*", "production", approvals=2),))
        >>> policy.rule("churn-eu", "production").approvals, policy.rule("fraud", "production").approvals
        (2, 0)
    """

    rules: tuple[Rule, ...] = ()
    signers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    set_by: tuple[str, ...] = ()
    set_identity: Strength = Strength.CLAIMED

    def __post_init__(self) -> None:
        rules: tuple[object, ...] = tuple(self.rules)
        if wrong := [rule for rule in rules if not isinstance(rule, Rule)]:
            raise InvalidValue(f"a policy is made of rules, not of {wrong[0]!r:.80}")
        object.__setattr__(self, "rules", rules)
        _one_stage_each(self.rules)
        object.__setattr__(self, "signers", check_signers(self.signers))
        object.__setattr__(self, "set_by", check_patterns("set_by", self.set_by))
        object.__setattr__(self, "set_identity", check_strength("identity", self.set_identity))

    def rule(self, model: str, stage: str) -> Rule:
        """The rule for a move of ``model`` into ``stage``, with what depends on the stage decided.

        Raises:
            InvalidValue: there is no such stage.
        """
        if stage not in STAGES:
            raise InvalidValue(f"stage is one of {', '.join(STAGES)}, not {stage!r:.80}")
        found = next((rule for rule in self.rules if rule.holds_for(model, stage)), None)
        return (found or Rule()).at_stage(stage)

    def following(self, model: str, alias: str) -> tuple[int, Rule] | None:
        """The rule that lets an alias of ``model`` follow a stage, and its number from 1; None where none does.

        Example:
            >>> policy = Policy((Rule("churn", "production", aliases=("champion",)),))
            >>> policy.following("churn", "champion")[0], policy.following("churn", "shadow")
            (1, None)
        """
        for number, rule in enumerate(self.rules, 1):
            if alias in rule.aliases and rule.holds_for(model, rule.stage) and self.rule(model, rule.stage) == rule:
                return number, rule
        return None

    def may_set(self, who: Identity) -> str | None:
        """Why ``who`` may not set another policy while this one holds, in a sentence; None where they may.

        Example:
            >>> Policy(set_by=("alice",)).may_set(Identity("bob", Strength.OIDC))
            'bob may not set a policy: the one that holds says that only alice may'
        """
        if self.set_by and not listed(who, self.set_by):
            return f"{who.name} may not set a policy: the one that holds says that only {', '.join(self.set_by)} may"
        if not who.strength.at_least(self.set_identity):
            return (
                f"{who.name} is known by {who.strength!s} alone, and the policy that holds wants {self.set_identity!s} of who sets another"
            )
        return None

    @property
    def digest(self) -> str:
        """The sha256 of the canonical JSON, in hex: the same for every order of keys and way to write the same policy."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The policy as plain JSON values, each key written out."""
        return {
            "policy": {"set_by": list(self.set_by), "identity": str(self.set_identity)},
            "rule": [rule.to_json() for rule in self.rules],
            "signers": {name: list(keys) for name, keys in sorted(self.signers.items())},
        }

    def to_toml(self) -> str:
        """The policy as :func:`read_policy` reads it, each key written out.

        Example:
            >>> print(Policy((Rule("churn", "staging", approvals=1),)).to_toml())
            [[rule]]
            model = "churn"
            stage = "staging"
            gates = []
            approvals = 1
            approvers = []
            identity = "claimed"
            exclude_author = true
            expires = "14d"
            archive = false
            break_glass = []
            <BLANKLINE>
        """
        parts = ["[policy]\n" + _lines(self.to_json()["policy"])] if self.set_by or self.set_identity != Strength.CLAIMED else []
        parts += ["[[rule]]\n" + _lines(rule.to_json()) for rule in self.rules]
        if self.signers:
            parts.append("[signers]\n" + _lines({name: list(keys) for name, keys in sorted(self.signers.items())}))
        return "\n".join(parts)

    def allowed_signers(self) -> str:
        """The signers as the file that ``ssh-keygen -Y verify -f`` reads."""
        return allowed(self.signers)


def _one_stage_each(rules: Sequence[Rule]) -> None:
    """Refuse an alias that would follow two stages."""
    seen: dict[str, tuple[int, Rule]] = {}
    for number, rule in enumerate(rules, 1):
        for alias in rule.aliases:
            above, first = seen.setdefault(alias, (number, rule))
            if first.stage != rule.stage:
                raise InvalidValue(
                    f"rule {number} of the policy lets @{alias} follow {rule.stage}, and rule {above} {first.stage}: choose one"
                )


def _lines(values: Mapping[str, Any]) -> str:
    """One ``key = value`` a line; what is None is left out, as TOML has no word for it."""
    return "".join(f"{written_key(key)} = {written(value)}\n" for key, value in values.items() if value is not None)


DEFAULT = Policy()
