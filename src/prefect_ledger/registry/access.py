"""Floor 5. How the registry's verbs reach the store: to look, or to change under the held end of the audit chain."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.tracking import context
from prefect_ledger.tracking.ledger import ledger

if TYPE_CHECKING:
    from prefect_ledger.audit_store import Chain

WHERE_IT_IS: Any = object()  # "expected": where it was when the verb was called
_TEXT_LIMIT = 20_000
_MANY = 1_000_000_000


@contextlib.contextmanager
def looking() -> Iterator[Any]:
    """A reading transaction, all of one moment; Any, because nothing up here speaks SQL. What this process logged is brought in first."""
    one = ledger()
    one.flush()
    with one.database.read() as tx:
        yield tx


@contextlib.contextmanager
def changing() -> Iterator[Chain]:
    """A writing transaction that holds the end of the audit chain. When it is committed, whoever sends events is told.

    Raises:
        StoreUnavailable.
    """
    from prefect_ledger import audit_store, registrations

    one = ledger()
    one.flush()
    registrations.register_if_possible(one.database)  # what was logged by those who may not do it themselves
    with one.database.write() as tx:
        yield audit_store.hold(tx)
    if context.messenger is not None:
        with contextlib.suppress(Exception):  # the change stands; what is not sent now is sent by the next one who looks
            context.messenger()


def who(by: Identity | str | None) -> Identity:
    """The identity that a verb was given: a name is claimed, None asks who runs this process."""
    if by is None:
        from prefect_ledger.registry.callers import caller

        return caller()
    if isinstance(by, Identity):
        if by.strength is Strength.SIGNED:
            raise InvalidValue(f"{by.name} is said to have signed: only a vote with its signature is signed (registry.to_sign says what)")
        return Identity(by.name, by.strength, check_text(by.how, "how an identity is known"))
    if isinstance(by, str):
        from prefect_ledger.registry.callers import caller

        return Identity(by, Strength.CLAIMED, f"named by {caller().name}")
    raise InvalidValue(f"by is an Identity, a name, or None for whoever runs this process, not {by!r:.80}")


def check_model(name: object) -> str:
    """``name`` if it may name a registered model: what a logged model may be named, at most 250 characters.

    Raises:
        InvalidName: otherwise.
    """
    from prefect_ledger.tracking.paths import check_model_name

    check_model_name(name)
    assert isinstance(name, str)
    return name


def check_version(version: object) -> int:
    """``version`` as a number: 7, "7".

    Raises:
        InvalidValue: otherwise.
    """
    return _number(version, "a version", 1)


def check_request(request: object) -> int:
    """``request`` as a number: 7, "7".

    Raises:
        InvalidValue: otherwise.
    """
    return _number(request, "a request")


def check_webhook(webhook: object) -> int:
    """``webhook`` as a number: 7, "7".

    Raises:
        InvalidValue: otherwise.
    """
    return _number(webhook, "a webhook", 1)


def check_row(row: object) -> int:
    """``row`` as the number of a row of the audit log, 0 for before the first.

    Raises:
        InvalidValue: otherwise.
    """
    if type(row) is int and 0 <= row < 1 << 63:
        return row
    return _number(row, "a row")


def _number(value: object, what: str, least: int = 0) -> int:
    found = value
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < len(str(_MANY)):
        found = int(value)
    if type(found) is int and least <= found < _MANY:
        return found
    shown = "that" if isinstance(value, int) and abs(value) >= 1 << 64 else repr(value)  # Python does not write out the longest
    raise InvalidValue(f"{what} is a number from 1 on, not {shown:.80}")


def check_text(text: object, what: str, *, needed: bool = False) -> str:
    """``text`` masked, if it is one of at most 20,000 characters.

    Raises:
        InvalidValue: otherwise, or when it is ``needed`` and empty.
    """
    from prefect_ledger.events import clean
    from prefect_ledger.masking import mask_text

    if not isinstance(text, str) or len(text) > _TEXT_LIMIT:
        raise InvalidValue(f"{what} is a text of at most {_TEXT_LIMIT:,} characters, not {text!r:.80}")
    if needed and not text.strip():
        raise InvalidValue(f"{what} is needed here: say it in a sentence")
    return clean(mask_text(text))
