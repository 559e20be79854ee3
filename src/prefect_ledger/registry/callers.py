"""Floor 5. Who calls this process, and what somebody signed.

What each strength proves, and against whom, is said in the guide to policies. Nothing here asks a network.
"""

from __future__ import annotations

import functools
import os
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect_ledger import plugins
from prefect_ledger.errors import InvalidValue, LedgerError
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies.signers import SIGNER

GROUP = "prefect_ledger.identities"
KEY_VARIABLE = "PREFECT_LEDGER_IDENTITY_KEY"
NAMESPACE = "prefect-ledger"
_ROOT = Path("/")
_ENGINES = ("docker", "kubepods", "containerd", "libpod", "lxc", "crio", "garden")
_PATIENCE = 120  # seconds: somebody may have to type a passphrase or touch a key


class Identifier(ABC):
    """Tells who calls by what a company has: a token of its CI system or identity provider, verified where it is asked for.

    A class of this kind under the entry point group ``prefect_ledger.identities`` is asked by :func:`caller`. The ledger believes the
    strength that it says.
    """

    @abstractmethod
    def identify(self) -> Identity | None:
        """Who calls, as of now; None where this source does not know."""


def caller() -> Identity:
    """Who calls this process: the strongest of what other packages' sources say and the operating system's user.

    The user is ``claimed`` alone where whoever started the process could choose it: root in a container, and any user of a user
    namespace.

    Raises:
        InvalidValue: a source cannot be loaded, fails, or says something that is no identity.

    Example:
        >>> caller().strength in (Strength.CLAIMED, Strength.OS)
        True
    """
    found = [who for source in _sources() if (who := _said(source)) is not None]
    return max([*found, system_user()], key=lambda who: list(Strength).index(who.strength))


def claimed(name: str) -> Identity:
    """Somebody who typed this name.

    Raises:
        InvalidValue: it cannot be a name.

    Example:
        >>> claimed("alice").strength
        <Strength.CLAIMED: 'claimed'>
    """
    return Identity(name, Strength.CLAIMED, "typed")


def system_user(root: Path = _ROOT) -> Identity:
    """The effective user of this process; ``root`` is where the file system begins that says what it runs in."""
    if sys.platform == "win32":
        return Identity(os.getlogin(), Strength.OS, f"user of {socket.gethostname()}")
    import pwd

    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid:{uid}"
    how = f"user id {uid} on {socket.gethostname()}"
    if in_user_namespace(root):
        return Identity(name, Strength.CLAIMED, f"{how}, in a user namespace")
    if uid == 0 and in_container(root):
        return Identity(name, Strength.CLAIMED, f"{how}, root in a container")
    return Identity(name, Strength.OS, how)


def in_container(root: Path = _ROOT) -> bool:
    """Whether this process runs in a container; in doubt it does, as that claims less."""
    if any((root / mark).exists() for mark in (".dockerenv", "run/.containerenv", "run/systemd/container")):
        return True
    if root == _ROOT and "KUBERNETES_SERVICE_HOST" in os.environ:
        return True
    groups = [_text(root / "proc" / process / "cgroup") for process in ("self", "1")]
    # A container with a cgroup namespace of its own sees itself at the top; a host's first process has a group below it.
    return any(engine in text for text in groups for engine in _ENGINES) or groups[1].strip() == "0::/"


def in_user_namespace(root: Path = _ROOT) -> bool:
    """Whether user ids of this process are not the machine's: anybody may begin a namespace in which they have another's."""
    mapped = _text(root / "proc/self/uid_map").split()
    return bool(mapped) and mapped != ["0", "0", "4294967295"]


# --- signatures ------------------------------------------------------------------------------------------------------


def signing_key() -> Path | None:
    """The key that ``PREFECT_LEDGER_IDENTITY_KEY`` names: a private key of ssh, or a public one whose other half an agent holds.

    Raises:
        InvalidValue: no file is there.
    """
    said = os.environ.get(KEY_VARIABLE, "")
    if not said:
        return None
    key = Path(said).expanduser()
    if not key.is_file():
        raise InvalidValue(f"{KEY_VARIABLE} names no file: {key}")
    return key


def sign(payload: bytes, key: Path) -> str:
    """The signature of ``payload`` by ``key``, as text, for this ledger's use alone (ssh's namespace ``prefect-ledger``).

    Raises:
        InvalidValue: ssh-keygen does not sign with this key; the message has its words.
        LedgerError: there is no ssh-keygen.
    """
    done = _ssh_keygen("sign", "-n", NAMESPACE, "-f", str(key.absolute()), payload=payload)
    if done.returncode or b"BEGIN SSH SIGNATURE" not in done.stdout:
        raise InvalidValue(f"ssh-keygen does not sign with {key}: {_words(done)}")
    return done.stdout.decode("ascii")


def verify(payload: bytes, signature: str, allowed_signers: str) -> Identity:
    """Who signed ``payload``: one of the signers, as ``Policy.allowed_signers()`` writes them.

    Raises:
        InvalidValue: nobody of them did, or somebody signed something else.
        LedgerError: there is no ssh-keygen.
    """
    with TemporaryDirectory(prefix="prefect-ledger-") as folder:
        signers, signed = Path(folder, "signers"), Path(folder, "signature")
        signers.write_text(allowed_signers, encoding="utf-8")
        signed.write_text(signature, encoding="utf-8")
        given = ("-f", str(signers), "-s", str(signed))
        found = _ssh_keygen("find-principals", *given)
        name = found.stdout.decode("utf-8", "replace").partition("\n")[0].strip()
        if found.returncode or not SIGNER.fullmatch(name):
            raise InvalidValue(f"the signature is of no signer of the policy: {_words(found)}")
        done = _ssh_keygen("verify", "-n", NAMESPACE, "-I", name, *given, payload=payload)
        if done.returncode:
            raise InvalidValue(f"the signature by a key of {name} is not for this: {_words(done)}")
    return Identity(name, Strength.SIGNED, _words(done))


def signed_caller(payload: bytes, allowed_signers: str) -> tuple[Identity, str] | None:
    """Who calls, by a signature of ``payload`` with :func:`signing_key`, and the signature to keep; None where no key is named.

    Raises:
        InvalidValue: as :func:`signing_key`, :func:`sign` and :func:`verify` do.
        LedgerError: there is no ssh-keygen.
    """
    if (key := signing_key()) is None:
        return None
    signature = sign(payload, key)
    return verify(payload, signature, allowed_signers), signature


# --- helpers ---------------------------------------------------------------------------------------------------------


@functools.cache
def _sources() -> tuple[Identifier, ...]:
    # Kept, because looking through all installed packages takes longer than a whole transition may.
    points = sorted(plugins.points(GROUP).items())
    return tuple(plugins.made(point, Identifier) for _, point in points)  # type: ignore[type-abstract]  # made by one below it


def _said(source: Identifier) -> Identity | None:
    noun = f"the identifier {type(source).__module__}.{type(source).__qualname__}"
    try:
        found: object = source.identify()
    except Exception as error:  # somebody else's code
        raise InvalidValue(f"{noun} failed: {type(error).__name__}: {error}") from error
    if found is None or isinstance(found, Identity):
        return found
    raise InvalidValue(f"{noun} says an Identity or None, not {found!r:.80}")


def _ssh_keygen(verb: str, *words: str, payload: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["ssh-keygen", "-Y", verb, *words], input=payload, capture_output=True, timeout=_PATIENCE, check=False)
    except FileNotFoundError as error:
        raise LedgerError("signatures need the program ssh-keygen of OpenSSH 8.2 or later, and there is none on PATH") from error
    except subprocess.TimeoutExpired as error:
        raise InvalidValue(f"ssh-keygen -Y {verb} did not end within {_PATIENCE} s") from error


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    """What ssh-keygen said, on one line."""
    return " ".join((done.stdout + b" " + done.stderr).decode("utf-8", "replace").split())[:300] or f"exit status {done.returncode}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
