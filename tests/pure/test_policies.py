"""Policies: what is written is what holds, and what cannot hold is refused where it is written."""

from __future__ import annotations

import json
import random
import re
import tomllib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger.errors import InvalidValue
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies import DEFAULT, Asked, Policy, Rule, Vote, duration, duration_text, read_policy, refusal
from prefect_ledger.registered import STAGES

LAW = settings(max_examples=150, deadline=None)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH1Z9wv0m5T4yQ2vH0v8oV8c1vNfJ3mJ5c0x1t2u3v4w"
OTHER = KEY.replace("3v4w", "3v5w")
ALIASES = {"staging": ["challenger", "next"], "production": ["champion", "Zoë.1-b_c"]}
WHOLE = """
[[rule]]
model = "churn*"
stage = "production"
gates = ["metrics.auc >= champion.metrics.auc - 0.002", {gate = "bootstrap", metric = "auc", at_least = -0.01}]
approvals = 2
approvers = ["alice", "team-*"]
identity = "oidc"
exclude_author = false
expires = "7d"
archive = false
break_glass = ["alice"]

[[rule]]
model = "*"
stage = "*"

[signers]
alice = "KEY alice@laptop"
""".replace("KEY", KEY)


def rule_text(line: str) -> str:
    return f'[[rule]]\nmodel = "m"\nstage = "production"\n\n[[rule]]\nmodel = "churn"\nstage = "staging"\n{line}\n'


def test_a_policy_says_what_its_text_says() -> None:
    """Each key of the text is that of the rule, with the type it has in code."""
    policy = read_policy(WHOLE)
    assert policy.rules[0] == Rule(
        "churn*",
        "production",
        gates=("metrics.auc >= champion.metrics.auc - 0.002", {"gate": "bootstrap", "metric": "auc", "at_least": -0.01}),
        approvals=2,
        approvers=("alice", "team-*"),
        identity=Strength.OIDC,
        exclude_author=False,
        expires=7 * 86_400 * 1_000_000,
        archive=False,
        break_glass=("alice",),
    )
    assert policy.signers == {"alice": (f"{KEY} alice@laptop",)}
    assert policy.allowed_signers() == f'alice namespaces="prefect-ledger" {KEY}\n'


def test_the_first_rule_that_matches_holds() -> None:
    """Model and stage must both match, patterns are case-sensitive, and a later rule never adds to an earlier one."""
    policy = Policy((Rule("churn*", "production", approvals=3), Rule("churn-eu", "*", approvals=2), Rule("c*", "staging", approvals=1)))
    assert policy.rule("churn-eu", "production").approvals == 3
    assert policy.rule("churn-eu", "staging").approvals == 2
    assert policy.rule("churn-us", "staging").approvals == 1
    assert policy.rule("Churn", "production").approvals == 0


@pytest.mark.parametrize(
    ("first", "hidden"), [(("*", "*"), ("churn", "production")), (("*", "staging"), ("c*", "staging")), (("c*", "*"),) * 2]
)
def test_a_rule_that_another_hides_is_refused(first: tuple[str, str], hidden: tuple[str, str]) -> None:
    """A strict rule below one that always matches first would be believed to hold; it is refused with both numbers, where it is set."""
    text = "".join(f'[[rule]]\nmodel = "{model}"\nstage = "{stage}"\n' for model, stage in (("fraud", "production"), first, hidden))
    with pytest.raises(InvalidValue, match=r"rule 3 of the policy, for .* is never asked: rule 2"):
        read_policy(text)
    assert len(read_policy(text, check_gates=False).rules) == 3


def test_a_name_that_is_written_out_means_itself() -> None:
    """A model or a person whose name has the characters of patterns is meant by that name, so no rule is passed by for it."""
    policy = Policy(
        (Rule("churn[eu]", "production", approvals=1, approvers=("build[bot]",), break_glass=("build[bot]",)),), set_by=("a[b]",)
    )
    assert policy.rule("churn[eu]", "production").approvals == 1
    bot = Identity("Build[bot]", Strength.OS)
    asked = Asked(Identity("alice"), Identity("alice"), 0)
    assert refusal(policy.rules[0], asked, Vote(bot, True, 1), (), 1) is None
    assert policy.rules[0].may_break_glass(bot) is None
    assert policy.may_set(Identity("A[B]")) is None


@pytest.mark.parametrize("stage", STAGES)
def test_where_no_rule_matches_production_is_still_more_than_a_name(stage: str) -> None:
    """By default nothing is judged and nobody asked, but production wants the system's user and archives the version before."""
    rule = DEFAULT.rule("churn", stage)
    production = stage == "production"
    assert (rule.gates, rule.approvals, rule.needs_request, rule.break_glass) == ((), 0, False, ())
    assert rule.identity is (Strength.OS if production else Strength.CLAIMED)
    assert rule.archive is production
    assert (rule.too_weak(Identity("alice")) is not None) is production
    assert rule.too_weak(Identity("alice", Strength.OS)) is None


def test_a_rule_for_every_stage_takes_what_the_stage_wants() -> None:
    """A rule of stage "*" that says nothing of identity and archive is strict for production and lenient elsewhere; what it says holds."""
    policy = read_policy('[[rule]]\nmodel = "a"\nstage = "*"\n[[rule]]\nmodel = "b"\nstage = "*"\nidentity = "ci"\narchive = true')
    assert (policy.rule("a", "production").identity, policy.rule("a", "production").archive) == (Strength.OS, True)
    assert (policy.rule("a", "staging").identity, policy.rule("a", "staging").archive) == (Strength.CLAIMED, False)
    assert (policy.rule("b", "staging").identity, policy.rule("b", "staging").archive) == (Strength.CI, True)


def test_a_stage_that_is_none_has_no_rule() -> None:
    """A misspelt stage is refused rather than given the default rule."""
    with pytest.raises(InvalidValue, match="stage is one of none, staging, production, archived, not 'Production'"):
        DEFAULT.rule("churn", "Production")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("aprovals = 2", "rule 2 of the policy has no key 'aprovals': did you mean 'approvals'?"),
        ("zzz = 2", "rule 2 of the policy has no key 'zzz': it has model, stage, gates"),
        ("approvals = -1", "rule 2 of the policy: approvals is a whole number from 0 to 100, not -1"),
        ("approvals = true", "approvals is a whole number from 0 to 100, not True"),
        ('approvals = "2"', "approvals is a whole number from 0 to 100, not '2'"),
        ('approvers = "alice"', "rule 2 of the policy: approvers is a list of names or patterns, such as ['alice', 'team-*'], not 'alice'"),
        ("approvers = [1]", "approvers is a text of 1 to 1,000 printable characters, not 1"),
        ('approvals = 2\napprovers = ["bob", "BOB"]', "approvals is 2, and approvers names 1 people only (bob, BOB)"),
        ('break_glass = [""]', "break_glass is a text of 1 to 1,000 printable characters, not ''"),
        ('aliases = "champion"', "rule 2 of the policy: aliases is a list of names, such as ['champion'], not 'champion'"),
        ('aliases = ["production"]', "aliases: 'production' cannot be an alias: it means a version, a stage or the latest already"),
        ('aliases = ["a b"]', "aliases: an alias is 1 to 250 letters, digits"),
        ('aliases = ["a", "@a"]', "aliases names 'a' twice"),
        ('identity = "strong"', "identity is one of claimed, os, ci, cloud, oidc, signed, not 'strong'"),
        ("exclude_author = 1", "exclude_author is true or false, not 1"),
        ('archive = "yes"', "archive is true or false, not 'yes'"),
        ('expires = "soon"', "rule 2 of the policy: expires: a duration is a whole number and s, m, h, d or w, such as '7d'"),
        ('expires = "0d"', "not '0d'"),
        ("expires = 7", "such as '7d', at most a hundred years, not 7"),
        ('gates = "metrics.auc > 1"', "gates is a list of expressions or tables, not 'metrics.auc > 1'"),
        ('gates = ["metrics.auc >="]', "rule 2 of the policy: gates: gate 1, 'metrics.auc >='"),
        ('gates = ["metrics.auc >= 1", {gate = "bootstrop"}]', "gates: gate 2, {'gate': 'bootstrop'}: there is no gate 'bootstrop'"),
        ("gates = [1]", "gates is a text of 1 to 1,000 printable characters, not 1"),
        (
            "gates = [{gate = 'bootstrap', at_least = nan}]",
            "gates has tables of texts, finite numbers, truths, lists and tables alone, not nan",
        ),
        (
            "gates = [{gate = 'drift', at = 2026-01-01}]",
            "gates has tables of texts, finite numbers, truths, lists and tables alone, not datetime",
        ),
    ],
)
def test_a_rule_that_cannot_hold_is_refused_with_its_number(line: str, message: str) -> None:
    """The message says which rule, which key, what stands there and what may."""
    with pytest.raises(InvalidValue) as caught:
        read_policy(rule_text(line))
    assert message in str(caught.value)
    assert str(caught.value).startswith("rule 2 of the policy")


def test_a_kept_policy_is_read_where_a_gate_is_not_installed() -> None:
    """A text whose gates were checked when it was kept still says its other rules where another package's gate is missing."""
    text = '[[rule]]\nmodel = "a"\nstage = "*"\ngates = [{gate = "acme_fairness"}]\n[[rule]]\nmodel = "b"\nstage = "*"\napprovals = 1'
    with pytest.raises(InvalidValue, match="there is no gate 'acme_fairness'"):
        read_policy(text)
    assert read_policy(text, check_gates=False).rule("b", "staging").approvals == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rule]", "the policy is no TOML"),
        ("rule = 3", "rules of a policy begin with [[rule]], each on its own line, not 3"),
        ("[[rule]]\nstage = '*'", "rule 1 of the policy says no model"),
        ("[[rule]]\nmodel = '*'", "rule 1 of the policy says no stage"),
        (
            "[[rule]]\nmodel = '*'\nstage = 'prod'",
            "rule 1 of the policy: stage is one of none, staging, production, archived or '*', not 'prod'",
        ),
        ("[[rules]]", "the policy has no key 'rules': did you mean 'rule'?"),
        ("policy = 1", "policy is a table, [policy], not 1"),
        ("[policy]\nset-by = []", "[policy] has no key 'set-by': did you mean 'set_by'?"),
        ("[policy]\nset_by = 'alice'", "set_by is a list of names or patterns, such as ['alice', 'team-*'], not 'alice'"),
        ("[policy]\nidentity = 'root'", "identity is one of claimed, os, ci, cloud, oidc, signed, not 'root'"),
        ("signers = 1", "signers is a table of names and public keys, not 1"),
        ("[signers]\n'al,ice' = 'x'", "a signer's name has letters, digits and . _ @ + -"),
        ("[signers]\n'*' = 'x'", "a signer's name has letters, digits and . _ @ + -"),
        (f"[signers]\nalice = '{KEY}'\nbob = '{KEY} b'", "signers gives one key to two people, alice and bob"),
        (f"[signers]\nalice = '{KEY.replace('ed25519', 'rsa')}'", "signer alice has a public key such as"),
        (f"[signers]\nalice = '{KEY[:-4]}'", "signer alice has a public key such as"),
        ("[signers]\nalice = 'ssh-dss AAAA'", "signer alice has a public key such as 'ssh-ed25519 AAAA…'"),
        (f"[signers]\nalice = ['{KEY}\\nbob {KEY}']", "signer alice has a public key"),
        (f"[signers]\nalice = 'cert-authority {KEY}'", "signer alice has a public key"),
        (f"[signers]\nalice = '{KEY}'\nAlice = '{KEY}'", "signers names one person twice, alice and Alice"),
    ],
)
def test_a_text_that_is_no_policy_is_refused(text: str, message: str) -> None:
    """What is no TOML, has other tables, or would say something else to ssh-keygen is refused with what is wanted."""
    with pytest.raises(InvalidValue) as caught:
        read_policy(text)
    assert message in str(caught.value)


def test_a_policy_is_text() -> None:
    """Anything but text is refused by the ledger's own error."""
    with pytest.raises(InvalidValue, match="a policy is a TOML text, not NoneType"):
        read_policy(None)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="a policy is made of rules, not of 1"):
        Policy((1,))  # type: ignore[arg-type]


def test_glass_is_broken_only_by_those_named_and_known_well_enough() -> None:
    """Nobody may pass over a rule that names nobody, and a typed name does not suffice for production."""
    rule = Rule("churn", "production", approvals=1, break_glass=("Alice",))
    assert rule.may_break_glass(Identity("alice", Strength.OS)) is None
    assert rule.may_break_glass(Identity("bob", Strength.OS)) == (
        "bob may not pass over gates and approvals of churn in production: only Alice may"
    )
    assert "known by claimed alone" in str(rule.may_break_glass(Identity("alice")))
    assert "nobody may" in str(Rule("churn", "production").may_break_glass(Identity("alice", Strength.SIGNED)))


def test_a_policy_says_who_may_set_another() -> None:
    """Or else who is bound by it would set a lenient one, promote, and set it back."""
    policy = read_policy('[policy]\nset_by = ["alice", "lead-*"]\nidentity = "oidc"')
    assert policy.may_set(Identity("LEAD-risk", Strength.OIDC)) is None
    assert policy.may_set(Identity("bob", Strength.SIGNED)) == (
        "bob may not set a policy: the one that holds says that only alice, lead-* may"
    )
    assert policy.may_set(Identity("alice", Strength.OS)) == (
        "alice is known by os alone, and the policy that holds wants oidc of who sets another"
    )
    assert DEFAULT.may_set(Identity("anyone")) is None


def test_what_is_given_stays_the_policys_own() -> None:
    """A gate's table that the caller changes later does not change the rule, nor does what to_json gave."""
    gate: dict[str, Any] = {"gate": "slices", "columns": ["region"]}
    rule = Rule("churn", "staging", gates=(gate,))
    before = Policy((rule,)).digest
    gate["columns"].append("age")
    rule.to_json()["gates"][0]["columns"].append("sex")
    assert Policy((rule,)).digest == before


@pytest.mark.parametrize("stage", ["*", "none", "archived"])
def test_an_alias_follows_a_stage_that_holds_what_is_in_use(stage: str) -> None:
    """An alias can mean the version in staging or in production, and not whatever is in any stage, in none or in the archive."""
    with pytest.raises(InvalidValue, match=re.escape(f"aliases follow staging or production, and the rule is for {stage!r}")):
        Rule("churn", stage, aliases=("champion",))
    assert Rule("churn", "staging", aliases=["@champion"]).aliases == ("champion",)  # type: ignore[arg-type]  # as TOML has it


def test_an_alias_follows_one_stage() -> None:
    """No alias is said to mean the version in two stages, of whatever models the rules are."""
    text = '[[rule]]\nmodel = "a"\nstage = "production"\naliases = ["x"]\n[[rule]]\nmodel = "b*"\nstage = "staging"\naliases = ["y", "x"]'
    with pytest.raises(InvalidValue, match="rule 2 of the policy lets @x follow staging, and rule 1 production"):
        read_policy(text)
    policy = read_policy(text.replace("staging", "production"))
    followed = policy.following("bert", "y")
    assert followed is not None
    assert (followed[0], followed[1].model) == (2, "b*")
    assert (policy.following("a", "y"), policy.following("a", "z")) == (None, None)


def test_a_rule_above_takes_the_aliases_away() -> None:
    """Only the first rule that matches a model and a stage is asked, for aliases too."""
    policy = Policy((Rule("churn", "production"), Rule("churn*", "production", aliases=("champion",))))
    assert policy.following("churn", "champion") is None
    assert policy.following("churn-eu", "champion") == (2, policy.rules[1])


def test_policies_without_aliases_have_the_digests_that_they_had() -> None:
    """A policy that says nothing of aliases is the same text and digest as before there were any; one that does is another."""
    plain = Policy((Rule("churn", "production", approvals=1),))
    assert plain.digest == "697cd23efb736148c6b6e45b1218234e6820a42757432fae529f7ffd6627a689"
    assert "aliases" not in plain.to_toml()
    assert read_policy(plain.to_toml().replace("approvals", "aliases = []\napprovals")).digest == plain.digest
    following = Policy((Rule("churn", "production", approvals=1, aliases=("champion",)),))
    assert following.digest != plain.digest
    assert read_policy(following.to_toml()) == following


# --- laws ------------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
plain = st.recursive(
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
rules = st.builds(
    Rule,
    model=texts,
    stage=st.sampled_from([*STAGES, "*"]),
    gates=st.lists(texts | st.dictionaries(texts, plain, max_size=3), max_size=3).map(tuple),
    approvals=st.integers(0, 3),
    approvers=st.lists(texts.map(lambda name: name + "*"), max_size=3).map(tuple),
    identity=st.none() | st.sampled_from(list(Strength)),
    exclude_author=st.booleans(),
    expires=st.integers(1, 10**7).map(lambda seconds: seconds * 1_000_000),
    archive=st.none() | st.booleans(),
    break_glass=st.lists(texts, max_size=2).map(tuple),
).flatmap(
    lambda rule: (
        st.just(rule)
        if rule.stage not in ALIASES
        else st.lists(st.sampled_from(ALIASES[rule.stage]), unique=True).map(lambda found: replace(rule, aliases=tuple(found)))
    )
)
policies = st.builds(
    Policy,
    st.lists(rules, max_size=4).map(tuple),
    st.sampled_from([{}, {"alice": (KEY, f"{OTHER} laptop")}, {"b@example.org": (OTHER,), "alice": (KEY,)}]),
    st.lists(texts, max_size=2).map(tuple),
    st.sampled_from(list(Strength)),
)


def read_ungated(text: str) -> Policy:
    """The policy of a text whose gates are any tables at all, which no gate would accept."""
    found = tomllib.loads(text)
    head = found.get("policy", {"set_by": (), "identity": "claimed"})
    return Policy(tuple(map(Rule.from_json, found.get("rule", []))), found.get("signers", {}), head["set_by"], head["identity"])


@LAW
@given(policies)
def test_a_policy_written_and_read_is_the_same(policy: Policy) -> None:
    """Whatever names, patterns and gates hold, the TOML and its digest come back."""
    again = read_ungated(policy.to_toml())
    assert again == policy
    assert again.digest == policy.digest
    assert again.to_toml() == policy.to_toml()


@LAW
@given(policies, st.randoms(use_true_random=False))
@pytest.mark.long
def test_a_digest_is_that_of_what_is_said(policy: Policy, chance: random.Random) -> None:
    """The order of keys, in rules and gates alike, does not change the digest."""

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            keys = list(value)
            chance.shuffle(keys)
            return {key: shuffled(value[key]) for key in keys}
        return [shuffled(one) for one in value] if isinstance(value, list) else value

    said = json.loads(json.dumps(policy.to_json()))
    made = tuple(map(Rule.from_json, shuffled(said)["rule"]))
    assert Policy(made, shuffled(said)["signers"], policy.set_by, policy.set_identity).digest == policy.digest


@LAW
@given(rules, st.integers(0, 3))
def test_another_rule_is_another_digest(rule: Rule, approvals: int) -> None:
    """Two policies that ask for different things have different digests."""
    other = Rule(**{**{name: getattr(rule, name) for name in rule.__slots__}, "approvals": approvals})
    assert (Policy((rule,)).digest == Policy((other,)).digest) == (rule == other)


@LAW
@given(st.integers(1, 10**9))
def test_a_duration_is_written_as_it_is_read(seconds: int) -> None:
    """Every whole number of seconds survives being written for people."""
    assert duration(duration_text(seconds * 1_000_000)) == seconds * 1_000_000
