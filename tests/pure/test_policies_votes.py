"""Votes: who counts, once, in time, for what they saw; and everybody else is told why not."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger.errors import InvalidValue
from prefect_ledger.identities import Identity, Strength, person
from prefect_ledger.policies import Asked, Rule, Vote, deadline, duration, refusal, standing

LAW = settings(max_examples=300, deadline=None)
DAY = duration("1d")
RULE = Rule("churn", "production", approvals=2, approvers=("bob", "carol", "team-*", "alice", "rita"), expires=duration("7d"))


def known(name: str, strength: Strength = Strength.OS) -> Identity:
    return Identity(name, strength)


ASKED = Asked(author=known("alice"), requester=known("rita"), opened=0, evidence="e" * 64)


def vote(
    name: str, approve: bool = True, at: int = DAY, strength: Strength = Strength.OS, evidence: str = "e" * 64, comment: str = ""
) -> Vote:
    return Vote(known(name, strength), approve, at, comment, evidence)


def refused(given: Vote, *before: Vote, rule: Rule = RULE, asked: Asked = ASKED, now: int | None = None) -> str | None:
    return refusal(rule, asked, given, before, given.at if now is None else now)


def test_a_vote_that_nothing_speaks_against_counts() -> None:
    """An approver who is neither author nor requester, in time, with the request's evidence, is heard."""
    assert refused(vote("bob")) is None
    assert refused(vote("team-risk", approve=False)) is None


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (refused(vote("bob"), asked=replace(ASKED, withdrawn=True)), "the request was withdrawn"),
        (
            refused(vote("bob", at=7 * DAY)),
            "the request of rita expired on 1970-01-08 00:00:00 UTC, 7d after it was opened on 1970-01-01 00:00:00 UTC",
        ),
        (
            refused(vote("bob"), now=7 * DAY),
            "the request of rita expired on 1970-01-08 00:00:00 UTC, 7d after it was opened on 1970-01-01 00:00:00 UTC",
        ),
        (refused(vote("Alice")), "Alice made the version, and the rule asks for somebody else"),
        (refused(vote("RITA", approve=False)), "RITA opened the request, and the rule asks for somebody else"),
        (refused(vote("BOB"), vote("bob")), "BOB has approved already, on 1970-01-02 00:00:00 UTC, and each person counts once"),
        (refused(vote("mallory")), "mallory is none of the approvers of churn in production: bob, carol, team-*, alice, rita"),
        (
            refused(vote("bob", strength=Strength.CLAIMED)),
            "bob is known by claimed alone, and the rule for churn in production asks for os or stronger",
        ),
        (
            refused(vote("bob", evidence="f" * 64)),
            "bob was shown other evidence (ffffffffffff…) than the request has (eeeeeeeeeeee…): look at it again",
        ),
        (refused(vote("bob", evidence="")), "bob was shown other evidence (none) than the request has (eeeeeeeeeeee…): look at it again"),
        (
            refused(vote("bob"), vote("carol", approve=False, comment="drifts")),
            "carol rejected the request on 1970-01-02 00:00:00 UTC: drifts",
        ),
    ],
)
def test_each_refusal_says_who_and_why(said: str | None, message: str) -> None:
    """Nobody's vote is dropped without the sentence that explains it."""
    assert said == message


def test_the_last_moment_is_still_in_time() -> None:
    """A request holds until the microsecond before its deadline."""
    assert deadline(RULE, ASKED) == 7 * DAY
    assert refused(vote("bob", at=7 * DAY - 1)) is None
    assert refused(vote("bob", at=7 * DAY)) is not None


def test_authors_may_agree_with_themselves_only_where_the_rule_says_so() -> None:
    """exclude_author = false lets author and requester vote, and nothing else does."""
    lenient = replace(RULE, exclude_author=False)
    assert refused(vote("alice"), rule=lenient) is None
    assert refused(vote("rita"), rule=lenient) is None
    assert refused(vote("mallory"), rule=lenient) is not None


def test_with_no_approvers_named_anyone_else_may() -> None:
    """An empty list of approvers means everybody but author and requester."""
    anyone = replace(RULE, approvers=())
    assert refused(vote("mallory"), rule=anyone) is None
    assert refused(vote("alice"), rule=anyone) is not None


def test_who_did_not_count_may_vote_again() -> None:
    """A vote for evidence that has changed since is void, and its author may look again."""
    assert refused(vote("bob"), vote("bob", evidence="f" * 64)) is None


def test_a_request_stands_as_its_votes_say() -> None:
    """Waiting, approved, rejected, expired and withdrawn are told apart, with how many are missing and why."""
    one, two, no = vote("bob"), vote("carol"), vote("team-x", approve=False, comment="drifts")

    def says(*votes: Vote, now: int = 2 * DAY, asked: Asked = ASKED) -> tuple[bool, bool, bool, int, str]:
        found = standing(RULE, asked, votes, now)
        return found.approved, found.rejected, found.expired, found.missing, found.reason

    expired = "the request of rita expired on 1970-01-08 00:00:00 UTC, 7d after it was opened on 1970-01-01 00:00:00 UTC"
    assert says() == (False, False, False, 2, "2 of 2 approvals are missing")
    assert says(one) == (False, False, False, 1, "1 of 2 approvals is missing, approved by bob")
    assert says(one, two) == (True, False, False, 0, "approved by bob, carol")
    assert says(one, no, two) == (False, True, False, 1, "team-x rejected the request on 1970-01-02 00:00:00 UTC: drifts")
    assert says(one, two, no)[:2] == (False, True)
    assert says(one, two, now=7 * DAY) == (False, False, True, 0, expired)
    assert says(one, two, asked=replace(ASKED, withdrawn=True))[:4] == (False, False, False, 2)


def test_a_rule_without_approvals_is_approved_at_once() -> None:
    """Gates alone may guard a stage; then nobody is waited for."""
    found = standing(replace(RULE, approvals=0), ASKED, (), DAY)
    assert (found.approved, found.reason) == (True, "the rule asks for no approval")


def test_a_vote_is_yes_or_no() -> None:
    """What is merely truthy is no approval."""
    with pytest.raises(InvalidValue, match="a vote approves or not: True or False, not 'no'"):
        Vote(known("bob"), "no", 0)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="a vote is an identity's, not 'bob'"):
        Vote("bob", True, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["", " ", "a\nb", "ali\u200bce", "ali\u2060ce", "alice\ufe0f", "\u3164", "al\u034fice", "a" * 251, "al\u202eice"]
)
def test_names_that_look_like_others_by_what_nobody_sees_are_refused(name: str) -> None:
    """An invisible character cannot make a second person of one."""
    with pytest.raises(InvalidValue):
        Identity(name)


def test_a_strength_is_one_that_there_is() -> None:
    """A strength of a wrong name is the ledger's own error."""
    with pytest.raises(InvalidValue, match="a strength is one of claimed, os, ci, cloud, oidc, signed, not 'root'"):
        Identity("alice", "root")  # type: ignore[arg-type]


# --- laws ------------------------------------------------------------------------------------------------------------

NAMES = ["bob", "Bob ", "BOB", "carol", "team-a", "team-b", "TEAM-A", "alice", "rita", "mallory", "zoë", "ZOE\u0308"]
votes = st.builds(
    vote,
    st.sampled_from(NAMES),
    st.sampled_from([True, True, True, False]),
    st.integers(0, 9 * DAY),
    st.sampled_from([Strength.OS, Strength.OIDC, Strength.CLAIMED]),
    st.sampled_from(["e" * 64, "e" * 64, "e" * 64, "f" * 64]),
)
rules = st.builds(
    Rule,
    st.just("churn"),
    st.sampled_from(["production", "staging", "*"]),
    approvals=st.integers(0, 4),
    approvers=st.sampled_from([(), RULE.approvers, ("zo*", "team-*", "b?b")]),
    exclude_author=st.booleans(),
    expires=st.integers(1, 9).map(lambda days: days * DAY),
)
requests = st.builds(
    Asked,
    st.sampled_from([known("alice"), known("Bob")]),
    st.just(known("rita")),
    st.just(0),
    st.just("e" * 64),
    st.sampled_from([False] * 4 + [True]),
)


@LAW
@given(rules, requests, st.lists(votes, max_size=8), votes, st.integers(0, 8), st.integers(0, 9 * DAY))
def test_a_vote_that_is_refused_changes_nothing(rule: Rule, asked: Asked, said: list[Vote], more: Vote, place: int, now: int) -> None:
    """Wherever a refused vote stands among the others, the request stands as it would without it."""
    before, after = said[:place], said[place:]
    if refusal(rule, asked, more, before, more.at) is not None:
        assert standing(rule, asked, [*before, more, *after], now) == standing(rule, asked, said, now)
    else:
        assert more in standing(rule, asked, [*before, more, *after], now).counted


@LAW
@given(rules, requests, st.lists(votes, max_size=12), st.integers(0, 9 * DAY))
def test_what_counts_is_valid_and_each_person_once(rule: Rule, asked: Asked, said: list[Vote], now: int) -> None:
    """However names are written, an approved request has as many different people as the rule wants, all of them allowed to agree."""
    found = standing(rule, asked, said, now)
    people = [one.by.person for one in found.counted]
    assert len(people) == len(set(people))
    assert [found.approved, found.rejected, found.expired].count(True) <= 1
    if found.approved:
        assert len({one.by.person for one in found.counted if one.approve}) >= rule.approvals
        assert not asked.withdrawn
        assert now < deadline(rule, asked)
    for one in found.counted:
        assert one.evidence == asked.evidence
        assert one.at < deadline(rule, asked)
        assert rule.too_weak(one.by) is None
        assert not rule.exclude_author or one.by.person not in (asked.author.person, asked.requester.person)


@LAW
@given(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=12))
def test_a_person_is_the_same_however_the_name_is_written(name: str) -> None:
    """Case, outer spaces and the form of accents make no second person, and what is compared stays itself when compared again."""
    for written in (name.upper(), name.lower(), name.title(), f" {name} ", *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))):
        assert person(written).casefold() == person(person(written)).casefold()
    assert person(person(name)) == person(name)
    assert person(name) == person(name.casefold()) == person(unicodedata.normalize("NFD", name)) == person(f" {name} ")
