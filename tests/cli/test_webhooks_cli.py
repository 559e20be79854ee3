"""``prefect-ledger webhooks``: added, listed, tried, sent, looked after and removed from a shell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from prefect_ledger import registry
from tests.cli.conftest import Cli, document
from tests.registry.receiving import SECRET, Receiver, receiver


@pytest.fixture
def there() -> Iterator[Receiver]:
    """A receiver."""
    with receiver() as one:
        yield one


def test_a_webhook_from_a_shell(cli: Cli, there: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed comes to pass: the receiver hears the ping and then the change, signed; the URL's path and the secret are not shown."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    assert "webhooks add URL" in cli("webhooks", "list").stderr
    words = [f"{there.url}/services/T0/B0/x", "--secret-env", "HOOK_SECRET", "--events", "model.*, version.moved", "--model", "chu*"]
    added = cli("webhooks", "add", *words, "--allow-private", "--why", "the channel", "--by", "alice")
    assert added.stdout.startswith(f"webhook 1 posts model.*, version.moved to {there.url}; ")
    assert cli("webhooks", "test", "1").stdout == "taken: 200\n"
    there.say(500, 404, text="not\x1b[31m here")
    done = cli("webhooks", "test", "1")
    assert (done.returncode, done.stdout) == (1, "not taken: 500 not\\x1b[31m here\n")
    assert document(cli("webhooks", "list", "--json"))["webhooks"] == [
        {
            "id": 1,
            "place": there.url,
            "secret": "env:HOOK_SECRET",
            "events": ["model.*", "version.moved"],
            "model": "chu*",
            "allow_private": True,
            "waiting": 0,
            "dead": 0,
            "trouble": "",
            "author": "alice",
            "created_at": document(cli("webhooks", "list", "--json"))["webhooks"][0]["created_at"],
        }
    ]
    monkeypatch.setattr("prefect_ledger.tracking.context.messenger", None)
    registry.create_model("churn")
    assert cli("webhooks", "send").stdout == "0 deliveries taken, 0 to be tried again, 1 given up\n"
    page = cli("webhooks", "dead").stdout
    assert all(part in page for part in ("prefect-ledger.registry.model.created", "404", "not\\x1b[31m here"))
    (letter,) = document(cli("webhooks", "dead", "1", "--json"))["dead"]
    assert (letter["webhook"], letter["event"], letter["tries"], letter["status"]) == (1, "prefect-ledger.registry.model.created", 1, 404)
    assert "1 of its deliveries is dead" in cli("webhooks", "list").stdout
    assert cli("webhooks", "dead", "--retry").stdout.startswith("1 delivery begins anew")
    assert document(cli("webhooks", "send", "--json")) == {"done": 1, "waiting": 0, "dead": 0}
    assert there.events == ["prefect-ledger.webhook.ping"] * 2 + ["model.created"] * 2
    assert all(one.signed() for one in there.came)
    assert cli("webhooks", "remove", "1", "--by", "alice").stdout == f"webhook 1 to {there.url} is removed\n"
    assert cli("webhooks", "test", "1").returncode == 1
    shown = "".join(cli(*words).stdout for words in (("webhooks", "list"), ("audit", "export")))
    assert "services" not in shown
    assert "HOOK_SECRET" not in shown


def test_what_is_wrong_is_said(cli: Cli, there: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A private host, a missing secret and a policy that does not let this person are refused or told in words, each with its exit code."""
    monkeypatch.delenv("HOOK_SECRET", raising=False)
    refused = cli("webhooks", "add", there.url, "--secret-env", "HOOK_SECRET")
    assert (refused.returncode, "--allow-private" in refused.stderr) == (1, True)
    assert "where the webhook's secret is" in cli("webhooks", "add", there.url, "--allow-private").stderr
    added = cli("webhooks", "add", there.url, "--secret-env", "HOOK_SECRET", "--allow-private", "--by", "alice")
    assert (added.returncode, "HOOK_SECRET is not set here" in added.stderr) == (0, True)
    assert "HOOK_SECRET is not set here" in cli("webhooks", "list").stdout
    assert "HOOK_SECRET is not set here" in cli("webhooks", "test", "1").stderr
    checks = document(cli("doctor", "--json"))["checks"]
    (found,) = [one for one in checks if one["name"] == "webhook 1"]
    assert (found["verdict"], "HOOK_SECRET is not set here" in found["found"]) == ("note", True)
    registry.set_policy('[[rule]]\nmodel = "*"\nstage = "*"\n[policy]\nset_by = ["alice"]', by="alice")
    assert cli("webhooks", "remove", "1", "--by", "bob").returncode == 3
    assert cli("webhooks", "add", there.url, "--secret-env", "X", "--allow-private", "--by", "bob").returncode == 3
    assert cli("webhooks", "remove", "7", "--by", "alice").returncode == 1
