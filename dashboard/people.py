"""Who looks at the dashboard, and what they may do.

With sign-in (``[auth]`` in Streamlit's secrets) it is whom the identity provider says, in the role that a claim gives. Without, on
loopback, it is the operating system's user, in the browser that came in by the printed address. Anybody else may look alone. Hidden
buttons are a courtesy: what counts is that a change is asked for through :meth:`Person.acts`, and judged by the registry.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from prefect_ledger.errors import InvalidSettings, LedgerError
from prefect_ledger.identities import Identity, Strength

from .door import DOOR

_HOURS = 12.0
SECTION = "prefect_ledger"  # of Streamlit's secrets: which claim gives which role


class Role(IntEnum):
    """What somebody may do: each may what those before may."""

    NOBODY = 0  # is shown nothing but where to sign in
    VIEWER = 1
    CONTRIBUTOR = 2  # tags, deletes and restores runs, asks for promotions
    APPROVER = 3  # approves and rejects


class NotAllowed(LedgerError, PermissionError):
    """The person who looks may not do this."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who looks: ``identity`` is None where nobody knows who, ``why`` says in a sentence what the role rests on."""

    identity: Identity | None
    role: Role
    why: str

    def may(self, role: Role) -> bool:
        """Whether they may do what this role may."""
        return self.role >= role and (role <= Role.VIEWER or self.identity is not None)

    def acts(self, role: Role) -> Identity:
        """Their identity, to change something with.

        Raises:
            NotAllowed: they may not.
        """
        if not self.may(role) or self.identity is None:
            raise NotAllowed(f"this needs the role {role.name.lower()}: {self.why}")
        return self.identity


def here() -> Person:
    """Whoever this run of the page is for; asked anew each time, so that nobody keeps a role that they lost.

    Raises:
        InvalidSettings: the section ``prefect_ledger`` of the secrets cannot be understood.
    """
    import streamlit as st

    if signs_in():
        if not st.user.is_logged_in:
            return Person(None, Role.NOBODY, "nobody has signed in")
        return signed_in(st.user.to_dict(), roles())
    return opened(st.context.cookies.to_dict(), _caller)


def signs_in() -> bool:
    """Whether Streamlit's sign-in is set up."""
    return "auth" in _secrets()


def roles() -> Mapping[str, Any]:
    """The section of the secrets that gives roles: ``claim`` names the claim, ``viewer``, ``contributor``, ``approver`` list its values."""
    found = _secrets().get(SECTION, {})
    if not isinstance(found, Mapping):
        raise InvalidSettings(f"[{SECTION}] in Streamlit's secrets is a section, not {found!r:.80}")
    return found


def signed_in(claims: Mapping[str, Any], given: Mapping[str, Any], now: float | None = None) -> Person:
    """The person of an identity provider's claims, in the role that ``given`` (see :func:`roles`) has for them.

    ``name`` in it says which claim is their name: else a verified ``email``, else ``sub``. Without any role named, all who sign in look.
    Who signed in more than ``hours`` ago (12 if not said; the claim ``iat``) looks alone: what the provider has taken away meanwhile
    is told at the next sign-in.

    Raises:
        InvalidSettings: ``given`` names neither text nor lists of texts.

    Example:
        >>> signed_in({"sub": "7", "groups": ["ml-leads"]}, {"claim": "groups", "approver": ["ml-leads"]}).role.name
        'APPROVER'
    """
    claim, issuer = _text(given, "claim", "groups"), str(claims.get("iss", "") or "the identity provider")
    wanted = {role: _texts(given, role.name.lower()) for role in (Role.APPROVER, Role.CONTRIBUTOR, Role.VIEWER)}
    has = _values(claims.get(claim))
    role = next((one for one, values in wanted.items() if has & values), None)
    if role is None:
        role = Role.NOBODY if wanted[Role.VIEWER] else Role.VIEWER
    name = _name(claims, _text(given, "name", ""))
    if not name:
        return Person(None, min(role, Role.VIEWER), f"{issuer} says no name for whoever signed in")
    try:
        identity = Identity(name, Strength.OIDC, f"signed in with {issuer}"[:200])
    except LedgerError as error:
        return Person(None, min(role, Role.VIEWER), str(error))
    hours = _number(given, "hours", _HOURS)
    if role > Role.VIEWER and _age(claims, time.time() if now is None else now) > hours * 3600:
        return Person(identity, Role.VIEWER, f"{name} signed in more than {hours:g} hours ago: sign out and in again to change anything")
    return Person(identity, role, f"{name} is {role.name.lower()} by the claim {claim!r}")


def opened(cookies: Mapping[str, str], caller: Any) -> Person:
    """The person of a browser on this machine: its user, if it came in by the printed address."""
    if not DOOR.knows(cookies):
        return Person(None, Role.VIEWER, "this browser did not come in by the address that was printed at the start")
    who = caller()
    return Person(who, Role.APPROVER, f"{who.name} is the user who started the dashboard")


def _caller() -> Identity:
    from prefect_ledger.registry.callers import caller

    return caller()


def _secrets() -> Mapping[str, Any]:
    import streamlit as st
    from streamlit.errors import StreamlitSecretNotFoundError

    try:
        return dict(st.secrets.to_dict())
    except (FileNotFoundError, StreamlitSecretNotFoundError):
        return {}


def _age(claims: Mapping[str, Any], now: float) -> float:
    """Seconds since the provider said these claims; 0 where it does not say when that was."""
    said = claims.get("iat")
    return now - said if isinstance(said, int | float) and not isinstance(said, bool) else 0.0


def _number(given: Mapping[str, Any], key: str, default: float) -> float:
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InvalidSettings(f"{SECTION}.{key} in Streamlit's secrets is a number above 0, not {value!r:.80}")
    return float(value)


def _name(claims: Mapping[str, Any], chosen: str) -> str:
    if chosen:
        return str(claims.get(chosen) or "")
    verified = claims.get("email_verified", True) not in (False, "false", None)
    return str((claims.get("email") if verified else None) or claims.get("sub") or "")


def _values(said: Any) -> set[str]:
    if isinstance(said, str):
        return {said}
    return {str(one) for one in said} if isinstance(said, Iterable) else set()


def _text(given: Mapping[str, Any], key: str, default: str) -> str:
    value = given.get(key, default)
    if not isinstance(value, str):
        raise InvalidSettings(f"{SECTION}.{key} in Streamlit's secrets is a text, not {value!r:.80}")
    return value


def _texts(given: Mapping[str, Any], key: str) -> set[str]:
    value = given.get(key, ())
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(isinstance(one, str) for one in found):
        raise InvalidSettings(f"{SECTION}.{key} in Streamlit's secrets is a list of texts, not {value!r:.80}")
    return set(found)
