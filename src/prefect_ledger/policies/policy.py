"""Floor 5, pure. The rules of a registry, in the order in which they are asked, and who signs with which key."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.identities import person
from prefect_ledger.policies.rules import STAGES, Rule
from prefect_ledger.policies.toml import written, written_key

_SIGNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,249}")
_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com) ([A-Za-z0-9+/]{40,}={0,2})( [ -~]*)?")


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules for models and stages: the first that matches holds, and :data:`DEFAULT` where none does.

    ``signers`` are the public keys (as in ``id_ed25519.pub``) that each person signs with, versioned with the rules.

    Raises:
        InvalidValue: what is given is no rule, or no name and public key.

    Example:
        >>> policy = Policy((Rule("churn*", "production", approvals=2),))
        >>> policy.rule("churn-eu", "production").approvals, policy.rule("fraud", "production").approvals
        (2, 0)
    """

    rules: tuple[Rule, ...] = ()
    signers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rules: tuple[object, ...] = tuple(self.rules)
        if wrong := [rule for rule in rules if not isinstance(rule, Rule)]:
            raise InvalidValue(f"a policy is made of rules, not of {wrong[0]!r:.80}")
        object.__setattr__(self, "rules", rules)
        object.__setattr__(self, "signers", _signers(self.signers))

    def rule(self, model: str, stage: str) -> Rule:
        """The rule for a move of ``model`` into ``stage``, with what depends on the stage decided.

        Raises:
            InvalidValue: there is no such stage.
        """
        if stage not in STAGES:
            raise InvalidValue(f"stage is one of {', '.join(STAGES)}, not {stage!r:.80}")
        found = next((rule for rule in self.rules if rule.holds_for(model, stage)), None)
        return (found or Rule()).at_stage(stage)

    @property
    def digest(self) -> str:
        """The sha256 of the canonical JSON, in hex: the same for every order of keys and way to write the same policy."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The policy as plain JSON values, each key written out."""
        return {
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
        parts = ["[[rule]]\n" + _lines(rule.to_json()) for rule in self.rules]
        if self.signers:
            parts.append("[signers]\n" + _lines({name: list(keys) for name, keys in sorted(self.signers.items())}))
        return "\n".join(parts)

    def allowed_signers(self) -> str:
        """The signers as the file that ``ssh-keygen -Y verify -f`` reads."""
        keys = [(name, key) for name, found in sorted(self.signers.items()) for key in found]
        return "".join(f'{name} namespaces="prefect-ledger" {" ".join(key.split(" ")[:2])}\n' for name, key in keys)


def _lines(values: Mapping[str, Any]) -> str:
    """One ``key = value`` a line; what is None is left out, as TOML has no word for it."""
    return "".join(f"{written_key(key)} = {written(value)}\n" for key, value in values.items() if value is not None)


def _signers(value: object) -> Mapping[str, tuple[str, ...]]:
    """The signers, checked: they become lines of a file in which spaces, commas and stars would say something else."""
    if not isinstance(value, Mapping):
        raise InvalidValue(f"signers is a table of names and public keys, not {value!r:.80}")
    found: dict[str, tuple[str, ...]] = {}
    for name, keys in value.items():
        if not isinstance(name, str) or not _SIGNER.fullmatch(name):
            raise InvalidValue(f"a signer's name has letters, digits and . _ @ + -, as it is said to ssh-keygen, not {name!r:.80}")
        found[name] = tuple(
            _key(name, key) for key in ([keys] if isinstance(keys, str) else keys if isinstance(keys, list | tuple) else [keys])
        )
    if twice := [name for name in found if sum(person(name) == person(other) for other in found) > 1]:
        raise InvalidValue(f"signers names one person twice: {', '.join(twice)}; give one name a list of keys")
    return MappingProxyType(found)


def _key(name: str, key: object) -> str:
    if not isinstance(key, str) or not _KEY.fullmatch(key.strip()):
        raise InvalidValue(f"signer {name} has a public key such as 'ssh-ed25519 AAAA…', the line of an id_ed25519.pub, not {key!r:.80}")
    return key.strip()


DEFAULT = Policy()
