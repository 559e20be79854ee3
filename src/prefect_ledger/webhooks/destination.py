"""Floor 5. Where a webhook may lead: a URL without secrets for everybody to read, and no address of this machine or network unasked."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from prefect_ledger.errors import InvalidValue

_LONGEST = 2_000
_LABEL = 63  # characters between two dots of a host's name
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


class Address(NamedTuple):
    """What to connect to: resolved once, so that what was checked is what is spoken to."""

    family: int
    place: Any  # as ``socket.connect`` takes it


def check_url(url: object) -> str:
    """``url`` if events may be posted to it.

    Raises:
        InvalidValue: it is no http or https URL of a host, or has a user, a password or a fragment in it.
    """
    if not isinstance(url, str) or len(url) > _LONGEST:
        raise InvalidValue(f"a webhook's URL is a text of at most {_LONGEST:,} characters")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise InvalidValue("a webhook's URL has printable ASCII characters alone, without spaces: write others as %XX, a host as xn--…")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidValue(f"this is no URL to post to: {error}") from error
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise InvalidValue("a webhook's URL begins with https:// or http:// and a host, as in https://hooks.example/ledger")
    if "@" in parts.netloc:
        raise InvalidValue("a webhook's URL has no user and no password in it: what is posted is signed with its secret instead")
    if any(not 0 < len(label) <= _LABEL for label in host.rstrip(".").split(".")):
        raise InvalidValue(f"{host:.80} is no host: each of its parts has 1 to {_LABEL} characters")
    if parts.fragment:
        raise InvalidValue("a webhook's URL has no fragment ('#…'): no server would see it")
    return url


def resolve(url: str, *, allow_private: bool) -> Address:
    """The address that the host of a URL has now.

    Raises:
        InvalidValue: one of its addresses is not a public one, and private ones are not allowed. OSError: it has none.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    for *_, where in found:
        if not allow_private and not is_public(str(where[0])):
            raise InvalidValue(
                f"{parts.hostname} is {where[0]}, an address of this machine or a private network: events go there only when that was"
                " said when the webhook was added (--allow-private)"
            )
    family, *_, where = found[0]
    return Address(family, where)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the whole internet, and so is any IPv4 address inside it.

    Example:
        >>> is_public("93.184.216.34"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
        (True, False, False)
    """
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv4Address):
        return found.is_global and not found.is_multicast
    inner = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
    if found in _NAT64 or found in _COMPATIBLE:
        inner.append(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
    if known := [one for one in inner if one is not None]:
        return all(is_public(str(one)) for one in known)
    return found.is_global and not found.is_multicast and not found.is_site_local
