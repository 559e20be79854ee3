"""Floor 5, pure. Signatures of what is posted: HMAC-SHA256 of the time and the body, with a key that both sides have."""

from __future__ import annotations

import hashlib
import hmac
import time

HEADER = "X-Prefect-Ledger-Signature"
EVENT_HEADER = "X-Prefect-Ledger-Event"
DELIVERY_HEADER = "X-Prefect-Ledger-Delivery"
_LONGEST = 4096
_DIGITS = 15


def signature(body: bytes, secret: str, at: int) -> str:
    """The header of a body that is sent ``at`` a time (seconds since 1970): ``t=<at>,v1=<hex hmac-sha256 of "<at>.<body>">``.

    Example:
        >>> signature(b"{}", "key", 1_700_000_000)[:24]
        't=1700000000,v1=9d713ed4'
    """
    return f"t={at},v1={_mac(body, secret, str(at))}"


def verify_signature(body: bytes | str, header: str | None, secret: str, tolerance: float = 300, *, now: float | None = None) -> bool:
    """Whether a request is from whoever has the secret, and is not older (or newer) than ``tolerance`` seconds. Takes the same time for
    every signature that is wrong.

    Args:
        body: the request's bytes as they came, before anything parses them.
        header: its ``X-Prefect-Ledger-Signature``; None where it has none.
        secret: the key.
        now: seconds since 1970; the clock's if not said.

    Example:
        >>> verify_signature(b"{}", signature(b"{}", "key", 1_700_000_000), "key", now=1_700_000_010)
        True
    """
    raw = body.encode() if isinstance(body, str) else bytes(body)
    at, said = _read(header)
    if not secret or not at or not said or abs((time.time() if now is None else now) - int(at)) > tolerance:
        return False
    wanted = _mac(raw, secret, at).encode()
    return sum(hmac.compare_digest(wanted, one) for one in said) > 0  # each is compared


def _mac(body: bytes, secret: str, at: str) -> str:
    return hmac.new(secret.encode("utf-8", "surrogatepass"), at.encode() + b"." + body, hashlib.sha256).hexdigest()


def _read(header: str | None) -> tuple[str, list[bytes]]:
    """The time, as it stands there, and the signatures; nothing where the header is none of ours."""
    if not isinstance(header, str) or len(header) > _LONGEST or not header.isascii():
        return "", []
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    if len(times) != 1 or not times[0].isdecimal() or len(times[0]) > _DIGITS:
        return "", []
    return times[0], [value.encode() for name, _, value in pairs if name == "v1"]
