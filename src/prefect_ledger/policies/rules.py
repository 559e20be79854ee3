"""Floor 5, pure. What must hold before a version of a model may enter a stage."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from prefect_ledger.errors import InvalidName, InvalidValue
from prefect_ledger.identities import Identity, Strength, person
from prefect_ledger.policies.durations import duration, duration_text
from prefect_ledger.registered import JUDGED, STAGES, check_alias

GateSpec = str | Mapping[str, Any]
_MOST_APPROVALS = 100
_LONGEST_TEXT = 1_000


@dataclass(frozen=True, slots=True)
class Rule:
    """What a move of a ``model`` into a ``stage`` asks for; both may be patterns as in ``Policy``.

    ``identity`` and ``archive`` that are not given are ``os`` and true for production, ``claimed`` and false for other stages (and
    stay None in a rule for every stage until :meth:`at_stage` says which). ``expires`` is in microseconds: ``duration("7d")``.
    ``aliases`` mean the version in the stage, staging or production: whoever comes into it gets them.

    Raises:
        InvalidValue: a value that the key cannot have; the message begins with the key.

    Example:
        >>> Rule("churn*", "production", approvals=2).archive
        True
    """

    model: str = "*"
    stage: str = "*"
    gates: tuple[GateSpec, ...] = ()
    approvals: int = 0
    approvers: tuple[str, ...] = ()
    identity: Strength | None = None
    exclude_author: bool = True
    expires: int = duration("14d")
    archive: bool | None = None
    break_glass: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _text("model", self.model)
        if self.stage not in (*STAGES, "*"):
            raise InvalidValue(f"stage is one of {', '.join(STAGES)} or '*', not {self.stage!r:.80}")
        object.__setattr__(self, "gates", _gates(self.gates))
        if type(self.approvals) is not int or not 0 <= self.approvals <= _MOST_APPROVALS:
            raise InvalidValue(f"approvals is a whole number from 0 to {_MOST_APPROVALS}, not {self.approvals!r:.80}")
        for key in ("approvers", "break_glass"):
            object.__setattr__(self, key, check_patterns(key, getattr(self, key)))
        _truth("exclude_author", self.exclude_author)
        _duration(self.expires)
        object.__setattr__(self, "aliases", _aliases(self.stage, self.aliases))
        self._settle()
        _enough(self)

    def _settle(self) -> None:
        """Give ``identity`` and ``archive`` what the stage says where nobody else did."""
        if self.identity is not None:
            object.__setattr__(self, "identity", check_strength("identity", self.identity))
        elif self.stage != "*":
            object.__setattr__(self, "identity", Strength.OS if self.stage == "production" else Strength.CLAIMED)
        if self.archive is not None:
            _truth("archive", self.archive)
        elif self.stage != "*":
            object.__setattr__(self, "archive", self.stage == "production")

    @property
    def needs_request(self) -> bool:
        """Whether a version enters the stage by a request alone: there is something to judge, or somebody to ask."""
        return bool(self.gates) or self.approvals > 0

    def holds_for(self, model: str, stage: str) -> bool:
        """Whether this rule speaks of ``model`` and ``stage``."""
        return self.stage in ("*", stage) and _means(self.model, model)

    def at_stage(self, stage: str) -> Rule:
        """This rule for one stage: what depends on it is decided.

        Example:
            >>> Rule("churn").at_stage("production").identity
            <Strength.OS: 'os'>
        """
        return replace(self, stage=stage)

    def too_weak(self, who: Identity) -> str | None:
        """Why ``who`` is not known well enough for this rule, in a sentence; None where it suffices."""
        least = self.identity or Strength.OS  # a rule for every stage that was not asked for one: the stricter of the two
        if who.strength.at_least(least):
            return None
        return (
            f"{who.name} is known by {who.strength!s} alone, and the rule for {self.model} in {self.stage} asks for {least!s} or stronger"
        )

    def may_break_glass(self, who: Identity) -> str | None:
        """Why ``who`` may not pass over gates and approvals, in a sentence; None where they may."""
        if not listed(who, self.break_glass):
            those = f"only {', '.join(self.break_glass)} may" if self.break_glass else "nobody may"
            return f"{who.name} may not pass over gates and approvals of {self.model} in {self.stage}: {those}"
        return self.too_weak(who)

    def to_json(self) -> dict[str, Any]:
        """The rule as plain JSON values, each key written out; ``aliases`` only where there are some."""
        found = {
            "model": self.model,
            "stage": self.stage,
            "gates": [gate if isinstance(gate, str) else copy.deepcopy(dict(gate)) for gate in self.gates],
            "approvals": self.approvals,
            "approvers": list(self.approvers),
            "identity": None if self.identity is None else str(self.identity),
            "exclude_author": self.exclude_author,
            "expires": duration_text(self.expires),
            "archive": self.archive,
            "break_glass": list(self.break_glass),
        }
        return found | ({"aliases": list(self.aliases)} if self.aliases else {})

    @classmethod
    def from_json(cls, found: object) -> Rule:
        """What :meth:`to_json` gave.

        Raises:
            InvalidValue: it is no rule.

        Example:
            >>> Rule.from_json(Rule("churn", approvals=1).to_json()) == Rule("churn", approvals=1)
            True
        """
        if not isinstance(found, Mapping) or not set(cls.__slots__).issuperset(found):
            raise InvalidValue(f"a rule is a JSON object with {', '.join(cls.__slots__)}, not {found!r:.200}")
        return cls(**{**found, **({"expires": duration(found["expires"])} if "expires" in found else {})})


def listed(who: Identity, patterns: tuple[str, ...]) -> bool:
    """Whether one of the patterns means this person; case and the way accents are written do not matter.

    Example:
        >>> listed(Identity("Team-Risk"), ("alice", "team-*"))
        True
    """
    return any(_means(person(pattern), who.person) for pattern in patterns)


def _means(pattern: str, name: str) -> bool:
    """Whether a pattern means a name; one that is written out means itself, also where it has brackets, as in ``build[bot]``."""
    return pattern == name or fnmatchcase(name, pattern)


# --- what a key may hold ---------------------------------------------------------------------------------------------


def _text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_TEXT or not value.isprintable():
        raise InvalidValue(f"{key} is a text of 1 to {_LONGEST_TEXT:,} printable characters, not {value!r:.80}")
    return value


def _truth(key: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidValue(f"{key} is true or false, not {value!r:.80}")


def check_strength(key: str, value: object) -> Strength:
    """``value`` as a strength.

    Raises:
        InvalidValue: there is none of this name.
    """
    try:
        return Strength(value)  # type: ignore[arg-type]
    except ValueError:
        raise InvalidValue(f"{key} is one of {', '.join(Strength)}, not {value!r:.80}") from None


def _duration(value: object) -> None:
    if type(value) is not int or value <= 0 or value % 1_000_000:
        raise InvalidValue(f"expires is whole seconds in microseconds, such as duration('7d'), not {value!r:.80}")


def check_patterns(key: str, value: object) -> tuple[str, ...]:
    """``value`` as names or patterns of people.

    Raises:
        InvalidValue: it is no list of texts.
    """
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise InvalidValue(f"{key} is a list of names or patterns, such as ['alice', 'team-*'], not {value!r:.80}")
    return tuple(_text(key, one) for one in value)


def _aliases(stage: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise InvalidValue(f"aliases is a list of names, such as ['champion'], not {value!r:.80}")
    try:
        found = tuple(map(check_alias, value))
    except InvalidName as error:
        raise InvalidValue(f"aliases: {error}") from None
    if twice := next((one for place, one in enumerate(found) if one in found[:place]), ""):
        raise InvalidValue(f"aliases names {twice!r} twice")
    if found and stage not in JUDGED:
        raise InvalidValue(f"aliases follow staging or production, and the rule is for {stage!r}: make a rule for that stage")
    return found


def _gates(value: object) -> tuple[GateSpec, ...]:
    if isinstance(value, str | Mapping) or not isinstance(value, list | tuple):
        raise InvalidValue(f"gates is a list of expressions or tables, not {value!r:.80}")
    return tuple(_gate(one) for one in value)


def _gate(value: object) -> GateSpec:
    if not isinstance(value, Mapping):
        return _text("gates", value)
    plain: dict[str, Any] = _plain(value)
    return plain


def _plain(value: object) -> Any:
    """A copy of what stands in a gate's table, of what both JSON and TOML can say."""
    if isinstance(value, Mapping) and all(isinstance(key, str) and key.isprintable() for key in value):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if type(value) in (bool, int) or (isinstance(value, str) and not any(0xD800 <= ord(c) < 0xE000 for c in value)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    raise InvalidValue(f"gates has tables of texts, finite numbers, truths, lists and tables alone, not {value!r:.80}")


def _enough(rule: Rule) -> None:
    """Refuse a rule that nobody could ever satisfy: more approvals than names that could give them."""
    plain = {person(name) for name in rule.approvers if not set("*?[") & set(name)}
    if plain and len(plain) == len({person(name) for name in rule.approvers}) and len(plain) < rule.approvals:
        names = ", ".join(rule.approvers)
        raise InvalidValue(f"approvals is {rule.approvals}, and approvers names {len(plain)} people only ({names})")
