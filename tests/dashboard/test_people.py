"""Who looks, and what they may do: by the claims of an identity provider, as the secrets say, and nothing beyond that."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_ledger.dashboard import people
from prefect_ledger.dashboard.door import DOOR, Door
from prefect_ledger.dashboard.people import Role, opened, signed_in
from prefect_ledger.errors import InvalidSettings
from prefect_ledger.identities import Identity, Strength

GIVEN = {"claim": "groups", "viewer": ["all"], "contributor": ["ml"], "approver": ["leads", "board"]}


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["leads"], Role.APPROVER),
        (["ml", "board"], Role.APPROVER),
        (["ml"], Role.CONTRIBUTOR),
        ("ml", Role.CONTRIBUTOR),
        (["all"], Role.VIEWER),
        ([], Role.NOBODY),
        (None, Role.NOBODY),
        (["Leads", " leads", "lead"], Role.NOBODY),
        ("leads,board", Role.NOBODY),
        (7, Role.NOBODY),
        ({"leads": True}, Role.APPROVER),
        ([["leads"]], Role.NOBODY),
    ],
)
def test_the_role_is_what_the_claim_gives(groups: Any, role: Role) -> None:
    """The strongest role that a value of the claim is listed for; where viewers are listed, who is not listed at all is nobody."""
    person = signed_in({"sub": "7", "iss": "https://id.example", "groups": groups}, GIVEN)
    assert person.role is role
    assert person.identity == Identity("7", Strength.OIDC, "signed in with https://id.example")
    assert person.may(Role.APPROVER) is (role is Role.APPROVER)


def test_without_listed_viewers_who_signs_in_looks() -> None:
    """And nothing more, whatever the claims call them."""
    person = signed_in({"sub": "7", "role": "approver", "approver": True}, {})
    assert (person.role, person.may(Role.VIEWER), person.may(Role.CONTRIBUTOR)) == (Role.VIEWER, True, False)


def test_the_claim_may_have_another_name() -> None:
    """Roles go by the claim that the secrets name, and by no other."""
    given = {**GIVEN, "claim": "roles"}
    assert signed_in({"sub": "7", "groups": ["leads"]}, given).role is Role.NOBODY
    assert signed_in({"sub": "7", "roles": ["leads"]}, given).role is Role.APPROVER


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"sub": "7", "email": "ann@example.org"}, "ann@example.org"),
        ({"sub": "7", "email": "ann@example.org", "email_verified": True}, "ann@example.org"),
        ({"sub": "7", "email": "ann@example.org", "email_verified": False}, "7"),
        ({"sub": "7", "email": "ann@example.org", "email_verified": "false"}, "7"),
        ({"sub": "7", "email": "ann@example.org", "email_verified": None}, "7"),
        ({"sub": "7", "email": ""}, "7"),
    ],
)
def test_an_address_that_nobody_verified_is_no_name(claims: dict[str, Any], name: str) -> None:
    """Whoever may type any address at their provider must not become its owner here."""
    person = signed_in({**claims, "groups": ["leads"]}, GIVEN)
    assert person.identity is not None
    assert person.identity.name == name


def test_the_name_may_be_another_claim() -> None:
    """The one that the secrets name, and no other in its place where it is missing."""
    assert signed_in({"sub": "7", "upn": "ann"}, {"name": "upn"}).acts(Role.VIEWER).name == "ann"
    assert signed_in({"sub": "7"}, {"name": "upn"}).identity is None


@pytest.mark.parametrize("sub", ["", None, " ", "a\nb", "x" * 251, "al\u2800ice", "a\u202eb"])
def test_whoever_has_no_name_looks_alone(sub: Any) -> None:
    """Without a name that people can tell from others nobody changes anything, whatever their role."""
    person = signed_in({"sub": sub, "groups": ["leads"]}, GIVEN)
    assert person.identity is None
    assert not person.may(Role.CONTRIBUTOR)
    with pytest.raises(people.NotAllowed, match="approver"):
        person.acts(Role.APPROVER)


@pytest.mark.parametrize(
    "given", [{"approver": 5}, {"approver": [5]}, {"approver": {"a": 1}}, {"viewer": None}, {"claim": 5}, {"name": ["sub"]}]
)
def test_nonsense_in_the_secrets_is_refused(given: dict[str, Any]) -> None:
    """A setting that cannot be understood lets nobody in by accident."""
    with pytest.raises(InvalidSettings, match="prefect_ledger"):
        signed_in({"sub": "7", "groups": ["leads"]}, given)


def test_one_group_may_be_written_as_a_text() -> None:
    """``approver = "leads"`` means the group, not its letters."""
    assert signed_in({"sub": "7", "groups": ["leads"]}, {"approver": "leads"}).role is Role.APPROVER
    assert signed_in({"sub": "7", "groups": ["l"]}, {"approver": "leads"}).role is Role.VIEWER


def test_a_browser_without_the_cookie_looks_alone() -> None:
    """With the cookie of another server, or none, nobody acts; with the right one it is the user of the operating system."""
    who = Identity("ann", Strength.OS, "user id 1000")
    cookie = DOOR.enter(DOOR.token) or ""
    other = Door()
    for cookies in (
        {},
        {DOOR.cookie: ""},
        {DOOR.cookie: DOOR.token},
        {other.cookie: cookie},
        {DOOR.cookie: other.enter(other.token) or ""},
    ):
        person = opened(cookies, lambda: who)
        assert (person.identity, person.role) == (None, Role.VIEWER)
        with pytest.raises(people.NotAllowed):
            person.acts(Role.CONTRIBUTOR)
    if cookie:  # the token is good once in a process
        assert opened({DOOR.cookie: cookie}, lambda: who).acts(Role.APPROVER) == who


def test_who_signed_in_long_ago_looks_alone() -> None:
    """A group that the provider has taken away since is told at the next sign-in, which is asked for; the hours can be said."""
    old = {"sub": "7", "groups": ["leads"], "iat": 1_000_000}
    assert signed_in(old, GIVEN, 1_000_000 + 11 * 3600).role is Role.APPROVER
    late = signed_in(old, GIVEN, 1_000_000 + 13 * 3600)
    assert (late.role, "signed in more than 12 hours ago" in late.why) == (Role.VIEWER, True)
    with pytest.raises(people.NotAllowed, match="in again"):
        late.acts(Role.APPROVER)
    assert signed_in(old, {**GIVEN, "hours": 24}, 1_000_000 + 13 * 3600).role is Role.APPROVER
    for hours in (0, -1, "12", True):
        with pytest.raises(InvalidSettings, match="a number above 0"):
            signed_in(old, {**GIVEN, "hours": hours})
