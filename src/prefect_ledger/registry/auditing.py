"""Floor 5. Whether the audit log is whole, where it ends, and all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from prefect_ledger.errors import InvalidValue
from prefect_ledger.registry.access import check_row, looking

if TYPE_CHECKING:
    from prefect_ledger.audit_chain import Verified

_HASH = re.compile(r"[0-9a-f]{64}")


class AuditHead(NamedTuple):
    """The number of the last row of the audit log, and its hash: what is kept elsewhere, to compare with later."""

    seq: int
    hash: str


def verify_audit(anchor: str = "", *, tables: bool = True) -> Verified:
    """Walk the whole audit log; what is found names the first row that does not hold. ``anchor`` is a hash that was kept elsewhere.

    With ``tables`` the stages, aliases and digests that the tables have now are compared with what the log adds up to: who moved something
    past the log is found too.

    Whoever may write the database can write the whole log anew, with hashes that fit. That shows only where one of them was kept out of
    their reach: each event repeats the hash of its row, and :func:`audit_head` gives the last one.

    Raises:
        InvalidValue: the anchor is no hash. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.verify_audit().whole
        True
    """
    from dataclasses import replace

    from prefect_ledger import audit_store
    from prefect_ledger.queries.agreement import disagreements
    from prefect_ledger.queries.folding import Folded

    given: object = anchor
    if given != "" and not (isinstance(given, str) and _HASH.fullmatch(given)):
        raise InvalidValue(f"an anchor is the hash of a row: 64 hexadecimal digits, not {anchor!r:.80}")
    with looking() as tx:
        said = Folded()
        found = audit_store.check(tx, anchor, said.add if tables else None)
        if not tables:
            return found
        return replace(found, disagreements=tuple(disagreements(tx, said if found.broken is None else None)))


def audit_head() -> AuditHead:
    """Where the audit log ends now.

    Raises:
        StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> head = registry.audit_head()
        >>> registry.verify_audit(anchor=head.hash).whole
        True
    """
    from prefect_ledger import audit_store

    with looking() as tx:
        return AuditHead(*audit_store.head(tx))


def export_audit(after: int = 0) -> Iterator[str]:
    """The rows of the audit log as JSON lines, those beyond row ``after``: all that a row says, and its ``hash``.

    A line without its hash is the text that the hash covers, as ``prefect_ledger.audit_chain.canonical`` writes it.

    Raises:
        InvalidValue: ``after`` is no number. StoreUnavailable.

    Example:
        >>> import json
        >>> from prefect_ledger import registry
        >>> [json.loads(line)["seq"] for line in registry.export_audit()][:3]
        [1, 2, 3]
    """
    from prefect_ledger import audit_store

    last = check_row(after)
    while True:
        with looking() as tx:
            found = audit_store.lines(tx, last)
        yield from (f'{content[:-1]},"hash":"{row_hash}"}}' for _, content, row_hash in found)
        if not found:
            return
        last = found[-1][0]
