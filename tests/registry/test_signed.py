"""Votes that are signed: what a key of a signer of the policy says counts, and nothing else does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from prefect_ledger import registry
from prefect_ledger.errors import InvalidValue, TransitionRefused, VoteRefused
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.registered import TransitionRequest
from prefect_ledger.registry import callers
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.helpers import ALICE, BOB, version


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Bob's key."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bob", "-f", str(tmp_path / "key")], check=True)
    return tmp_path / "key"


@pytest.fixture
def request_of_alice(fresh_ledger: Ledger, key: Path) -> TransitionRequest:
    """Alice asks for production, for which a signature of Bob is needed."""
    public = key.with_suffix(".pub").read_text(encoding="ascii").strip()
    registry.set_policy(
        f'[[rule]]\nmodel = "*"\nstage = "production"\napprovals = 1\nidentity = "signed"\n[signers]\nbob = "{public}"', by=ALICE
    )
    version()
    return registry.request_transition("churn", 1, "production", by=ALICE)


def test_a_vote_signed_with_the_named_key_counts(request_of_alice: TransitionRequest, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has the key of a signer approves by it, and the signature of this very vote stands in the audit log."""
    with pytest.raises(VoteRefused, match="signed or stronger"):
        registry.approve(request_of_alice.id, by=BOB)
    told = registry.to_sign(request_of_alice.id)
    monkeypatch.setenv(callers.KEY_VARIABLE, str(key))
    registry.approve(request_of_alice.id, "looks good")
    registry.transition("churn", 1, "production", by="a worker")
    change = next(one for one in registry.history("churn") if one.action == "request.approved")
    assert (change.by.name, change.by.strength) == ("bob", Strength.SIGNED)
    policy = registry.get_policy().policy
    assert callers.verify(told, change.after["signature"], policy.allowed_signers()).name == "bob"


def test_a_signature_is_for_one_request_and_one_verdict(request_of_alice: TransitionRequest, key: Path) -> None:
    """A signature for something else, or an identity that merely says it is signed, is refused, and nothing is recorded."""
    rejection = callers.sign(registry.to_sign(request_of_alice.id, approves=False), key)
    with pytest.raises(InvalidValue, match="not for this"):
        registry.approve(request_of_alice.id, signature=rejection)
    other = json.loads(registry.to_sign(request_of_alice.id)) | {"request": request_of_alice.id + 1}
    with pytest.raises(InvalidValue, match="not for this"):
        registry.approve(request_of_alice.id, signature=callers.sign(json.dumps(other).encode(), key))
    with pytest.raises(InvalidValue, match="said to have signed"):
        registry.approve(request_of_alice.id, by=Identity("bob", Strength.SIGNED))
    assert registry.get_request(request_of_alice.id).votes == ()
    assert registry.reject(request_of_alice.id, "no", signature=rejection).state == "rejected"


def without_bob() -> None:
    """The policy, without the key that Bob had."""
    registry.set_policy(registry.get_policy().policy.to_toml().partition("[signers]")[0], why="the key was stolen", by=ALICE)


def test_what_a_revoked_key_signed_counts_no_more(request_of_alice: TransitionRequest, key: Path) -> None:
    """A key that was taken out of the policy lets nothing in, also where it signed before; that another one is added changes nothing."""
    registry.approve(request_of_alice.id, signature=callers.sign(registry.to_sign(request_of_alice.id), key))
    toml, second = registry.get_policy().policy.to_toml(), key.with_name("second")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(second)], check=True)
    registry.set_policy(f'{toml}carol = "{second.with_suffix(".pub").read_text(encoding="ascii").strip()}"', by=ALICE)
    assert registry.settle() == []
    without_bob()
    with pytest.raises(TransitionRefused, match="does not list the key any more that bob signed with"):
        registry.transition("churn", 1, "production", by=ALICE)
    assert registry.get_request(request_of_alice.id).state == "void"


def test_a_key_that_is_revoked_while_it_signs_is_refused(
    request_of_alice: TransitionRequest, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signature is checked with the keys of the policy under which the vote is written, not with those of a moment before."""
    verify = callers.verify

    def meanwhile(told: bytes, signature: str, allowed: str) -> Identity:
        who = verify(told, signature, allowed)
        without_bob()
        return who

    signature = callers.sign(registry.to_sign(request_of_alice.id), key)
    monkeypatch.setattr(callers, "verify", meanwhile)
    with pytest.raises(VoteRefused, match="set anew"):
        registry.approve(request_of_alice.id, signature=signature)
    assert registry.get_request(request_of_alice.id).votes == ()
