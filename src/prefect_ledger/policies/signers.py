"""Floor 5, pure. Who signs with which key."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from prefect_ledger.errors import InvalidValue
from prefect_ledger.identities import person

SIGNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,249}")  # ssh-keygen takes spaces, commas and stars for something else
_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com) ([A-Za-z0-9+/]{40,}={0,2})( [ -~]*)?")


def check_signers(value: object) -> dict[str, tuple[str, ...]]:
    """The signers that a table of names and public keys means; a person with several keys has a list of them.

    Raises:
        InvalidValue: another name or key than ssh-keygen understands as just that, one person under two names, or two with one key.
    """
    if not isinstance(value, Mapping):
        raise InvalidValue(f"signers is a table of names and public keys, not {value!r:.80}")
    found = {
        _name(name): tuple(_key(name, key) for key in (keys if isinstance(keys, list | tuple) else (keys,))) for name, keys in value.items()
    }
    people: dict[str, str] = {}
    owners: dict[bytes, str] = {}
    for name, keys in found.items():
        if (other := people.setdefault(person(name), name)) != name:
            raise InvalidValue(f"signers names one person twice, {other} and {name}: give one name a list of keys")
        for key in keys:
            if (other := owners.setdefault(_blob(key), name)) != name:
                raise InvalidValue(f"signers gives one key to two people, {other} and {name}: one signature would be both")
    return found


def allowed(signers: Mapping[str, tuple[str, ...]]) -> str:
    """The lines that ``ssh-keygen -Y verify -f`` reads, for signatures made for this ledger alone."""
    keys = [(name, key) for name, found in sorted(signers.items()) for key in found]
    return "".join(f'{name} namespaces="prefect-ledger" {" ".join(key.split(" ")[:2])}\n' for name, key in keys)


def _name(name: object) -> str:
    if not isinstance(name, str) or not SIGNER.fullmatch(name):
        raise InvalidValue(f"a signer's name has letters, digits and . _ @ + -, as it is said to ssh-keygen, not {name!r:.80}")
    return name


def _key(name: str, key: object) -> str:
    line = _KEY.fullmatch(key.strip()) if isinstance(key, str) else None
    if line is None or not _whole(_blob(line[0]), line[1].encode()):
        raise InvalidValue(f"signer {name} has a public key such as 'ssh-ed25519 AAAA…', the line of an id_ed25519.pub, not {key!r:.80}")
    return line[0]


def _blob(key: str) -> bytes:
    """What the key's letters say: the same key can be spelt in several ways."""
    letters = key.split(" ")[1].rstrip("=")
    return base64.b64decode(letters + "=" * (-len(letters) % 4)) if len(letters) % 4 != 1 else b""


def _whole(blob: bytes, kind: bytes) -> bool:
    """Whether a key's bytes are of this kind and complete: parts with their lengths before them."""
    parts = []
    while len(blob) >= 4:
        size = int.from_bytes(blob[:4], "big")
        parts.append(blob[4 : 4 + size])
        blob = blob[4 + size :] if len(parts[-1]) == size else b"?"
    return not blob and len(parts) >= 2 and parts[0] == kind
