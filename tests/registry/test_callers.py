"""Who calls: no more is believed than what the machine or a key can show."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from prefect_ledger.errors import InvalidValue, LedgerError
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies import Policy, statement
from prefect_ledger.registry.callers import caller, claimed, in_container, in_user_namespace, sign, signed_caller, system_user, verify

HOST = {
    "proc/1/cgroup": "0::/init.scope\n",
    "proc/self/cgroup": "0::/user.slice\n",
    "proc/self/uid_map": "         0          0 4294967295\n",
}


def machine(folder: Path, **changed: str) -> Path:
    """A file system that says of a process what ``HOST`` says, but for what is changed (``_`` for ``/``)."""
    for name, text in {**HOST, **{name.replace("_", "/"): text for name, text in changed.items()}}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def python(code: str, *, user: int | None = None, **environ: str) -> str:
    environ = {**os.environ, **environ}
    done = subprocess.run([sys.executable, "-c", code], env=environ, user=user, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# --- the system's user -----------------------------------------------------------------------------------------------


def test_on_a_plain_machine_the_effective_user_is_known_by_the_system(tmp_path: Path) -> None:
    """The name is that of the effective user id, and the words say which id and where."""
    found = system_user(machine(tmp_path))
    assert (found.name, found.strength) == (pwd.getpwuid(os.geteuid()).pw_name, Strength.OS)
    assert found.how.startswith(f"user id {os.geteuid()} on ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".dockerenv", ""),
        ("run/.containerenv", ""),
        ("proc/1/cgroup", "12:cpu:/docker/1f2e\n"),
        ("proc/self/cgroup", "0::/kubepods.slice/pod1\n"),
        ("proc/1/cgroup", "0::/\n"),
    ],
)
def test_a_container_is_known_by_its_marks(tmp_path: Path, name: str, text: str) -> None:
    """Docker's and Podman's files, an engine's cgroup, or a first process at the top of a cgroup namespace."""
    host = machine(tmp_path)
    assert not in_container(host)
    (host / name).parent.mkdir(parents=True, exist_ok=True)
    (host / name).write_text(text)
    assert in_container(host)


def test_a_user_namespace_is_not_believed(tmp_path: Path) -> None:
    """Where user ids are mapped, whoever began the namespace chose them: the name is a claim."""
    host = machine(tmp_path)
    assert not in_user_namespace(host)
    (host / "proc/self/uid_map").write_text("1001 1000 1\n")
    found = system_user(host)
    assert (found.strength, found.how.endswith("in a user namespace")) == (Strength.CLAIMED, True)


def test_an_unshared_user_is_claimed() -> None:
    """A process that really gave itself another user id in a namespace of its own is not taken for that user."""
    code = "from prefect_ledger.registry.callers import system_user; who = system_user(); print(who.strength, who.how)"
    done = subprocess.run(["unshare", "--user", "--map-root-user", sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no user namespaces here: {done.stderr.strip()[:80]}")
    assert done.stdout.startswith("claimed "), done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can begin a process of another user")
def test_root_in_a_container_is_a_claim_and_another_user_is_not(tmp_path: Path) -> None:
    """Root's name is worth nothing where everybody is root; any other effective user is the system's word."""
    host = machine(tmp_path)
    assert system_user(host).strength is Strength.OS
    (host / ".dockerenv").touch()
    assert (system_user(host).strength, system_user(host).how.endswith("root in a container")) == (Strength.CLAIMED, True)
    os.seteuid(65_534)
    try:
        found = system_user(Path("/nowhere"))
    finally:
        os.seteuid(0)
    assert (found.name, found.strength) == (pwd.getpwuid(65_534).pw_name, Strength.OS)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user that has no name")
def test_a_user_without_a_name_is_told_by_the_number() -> None:
    """A user id that no passwd file knows is still an identity."""
    os.seteuid(54_321)
    try:
        found = system_user(Path("/nowhere"))
    finally:
        os.seteuid(0)
    assert (found.name, found.strength) == ("uid:54321", Strength.OS)


def test_names_in_the_environment_are_not_believed() -> None:
    """USER and LOGNAME change nothing."""
    code = "from prefect_ledger.registry.callers import caller; print(caller().name)"
    assert python(code, USER="mallory", LOGNAME="mallory", USERNAME="mallory") == caller().name != "mallory"


def test_what_is_typed_is_claimed() -> None:
    """A typed name is a claim, and must be a name."""
    assert claimed("alice") == Identity("alice", Strength.CLAIMED, "typed")
    with pytest.raises(InvalidValue, match="1 to 250 printable characters"):
        claimed("")


# --- sources of other packages ---------------------------------------------------------------------------------------

SOURCE = """
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.registry.callers import Identifier
class Company(Identifier):
    def identify(self):
        {body}
class Stranger:
    pass
"""
ASK = """
from prefect_ledger.errors import LedgerError
from prefect_ledger.registry.callers import caller
try:
    print(caller().name, caller().strength)
except LedgerError as error:
    print(type(error).__name__, error)
"""


def installed(folder: Path, body: str, name: str = "Company") -> str:
    """What ``caller()`` says in a process where a package brings an identity source."""
    (folder / "acme-1.0.dist-info").mkdir()
    (folder / "acme-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (folder / "acme-1.0.dist-info" / "entry_points.txt").write_text(f"[prefect_ledger.identities]\nacme = acme:{name}\n")
    (folder / "acme.py").write_text(SOURCE.format(body=body))
    return python(ASK, PYTHONPATH=str(folder))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return Identity('alice@acme.example', Strength.OIDC, 'token')", "alice@acme.example oidc"),
        ("return None", f"{caller().name} {caller().strength}"),
        ("return 'alice'", "InvalidValue the identifier acme.Company says an Identity or None, not 'alice'"),
        ("raise OSError('no token')", "InvalidValue the identifier acme.Company failed: OSError: no token"),
    ],
)
def test_a_company_plugs_in_what_it_verified(tmp_path: Path, body: str, said: str) -> None:
    """The strongest identity wins, one that is not known is passed over, and a broken source is an error rather than a weaker name."""
    assert installed(tmp_path, body) == said


def test_what_is_no_source_is_refused(tmp_path: Path) -> None:
    """A class of another kind behind the entry point is named."""
    assert installed(tmp_path, "return None", "Stranger") == (
        "InvalidValue the identifier 'acme' (acme:Stranger) is no Identifier but a acme.Stranger"
    )


# --- signatures ------------------------------------------------------------------------------------------------------

PAYLOAD = statement("approve", request="r-1", evidence="ab12")


def make_key(folder: Path, name: str) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)], check=True)
    return folder / name


def policy_of(**keys: Path) -> Policy:
    return Policy((), {name: (Path(f"{key}.pub").read_text().strip(),) for name, key in keys.items()})


def test_a_signature_says_who_signed(tmp_path: Path) -> None:
    """What one signer's key signed is that person's, found among several by the key alone."""
    alice, bob = make_key(tmp_path, "alice"), make_key(tmp_path, "bob")
    allowed = policy_of(alice=alice, **{"bob@example.org": bob}).allowed_signers()
    found = verify(PAYLOAD, sign(PAYLOAD, bob), allowed)
    assert (found.name, found.strength) == ("bob@example.org", Strength.SIGNED)
    assert "ED25519 key SHA256:" in found.how
    assert verify(PAYLOAD, sign(PAYLOAD, alice), allowed).name == "alice"


def test_a_signature_is_for_what_was_signed_alone(tmp_path: Path) -> None:
    """Another request, another use of the key, another person's key and no signature at all are each refused."""
    alice, mallory = make_key(tmp_path, "alice"), make_key(tmp_path, "mallory")
    allowed = policy_of(alice=alice).allowed_signers()
    other = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-n", "git", "-f", str(alice)], input=PAYLOAD, capture_output=True, check=True
    ).stdout.decode()
    with pytest.raises(InvalidValue, match="the signature by a key of alice is not for this"):
        verify(statement("approve", request="r-2", evidence="ab12"), sign(PAYLOAD, alice), allowed)
    with pytest.raises(InvalidValue, match="the signature"):
        verify(PAYLOAD, other, allowed)
    for signature in (sign(PAYLOAD, mallory), "", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"):
        with pytest.raises(InvalidValue, match="the signature is of no signer of the policy"):
            verify(PAYLOAD, signature, allowed)


def test_signers_whose_names_are_patterns_are_no_signers(tmp_path: Path) -> None:
    """A line of allowed signers that means anybody gives nobody's name."""
    alice = make_key(tmp_path, "alice")
    key = Path(f"{alice}.pub").read_text()
    with pytest.raises(InvalidValue, match="the signature is of no signer of the policy"):
        verify(PAYLOAD, sign(PAYLOAD, alice), f"*@example.org,al?ce {key}")


def test_one_key_is_one_person(tmp_path: Path) -> None:
    """A policy that gives one key to two people would count one signature twice."""
    alice = make_key(tmp_path, "alice")
    with pytest.raises(InvalidValue, match="signers gives one key to two people, alice and bob"):
        policy_of(alice=alice, bob=alice)


def test_the_key_of_the_environment_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names a key is known by it; who names none has no signature; a name of nothing is said to be that."""
    alice = make_key(tmp_path, "alice")
    allowed = policy_of(alice=alice).allowed_signers()
    monkeypatch.delenv("PREFECT_LEDGER_IDENTITY_KEY", raising=False)
    assert signed_caller(PAYLOAD, allowed) is None
    monkeypatch.setenv("PREFECT_LEDGER_IDENTITY_KEY", str(alice))
    made = signed_caller(PAYLOAD, allowed)
    assert made is not None
    assert made[0] == verify(PAYLOAD, made[1], allowed)
    monkeypatch.setenv("PREFECT_LEDGER_IDENTITY_KEY", str(tmp_path / "none"))
    with pytest.raises(InvalidValue, match="PREFECT_LEDGER_IDENTITY_KEY names no file"):
        signed_caller(PAYLOAD, allowed)


def test_what_cannot_sign_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no key, and a machine without ssh-keygen, are told apart."""
    broken = tmp_path / "broken"
    broken.write_text("no key")
    broken.chmod(0o600)
    with pytest.raises(InvalidValue, match="ssh-keygen does not sign with"):
        sign(PAYLOAD, broken)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LedgerError, match="signatures need the program ssh-keygen of OpenSSH"):
        sign(PAYLOAD, broken)
