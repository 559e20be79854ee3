"""The automations in ``deployments/automations``: Prefect takes them as they are, and they do what they say."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.blocks.notifications import SlackWebhook
from prefect.blocks.system import Secret
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from pydantic import SecretStr

from prefect_ledger import registry, webhooks
from prefect_ledger.flows.outbox import outbox
from prefect_ledger.orchestration.outbox import send_events
from prefect_ledger.tracking import context
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.helpers import ALICE, version
from tests.registry.receiving import SECRET, Receiver, receiver

FOLDER = Path(__file__).parents[2] / "deployments" / "automations"
PLACEHOLDER = str(uuid.UUID(int=0))


@pytest.fixture
def there() -> Iterator[Receiver]:
    """A receiver."""
    with receiver() as one:
        yield one


def created(file: Path) -> str:
    """What ``prefect automation create --from-file`` says."""
    command = [sys.executable, "-m", "prefect", "automation", "create", "--from-file", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def automations() -> dict[str, Any]:
    """Those of the server, by name."""
    with get_client(sync_client=True) as client:
        answer = client._client.post("/automations/filter", json={})
        answer.raise_for_status()
        return {one["name"]: one for one in answer.json()}


def removed(name: str) -> None:
    """The server does no more of this automation."""
    with get_client(sync_client=True) as client:
        client._client.delete(f"/automations/{automations()[name]['id']}").raise_for_status()


def filled(file: Path, block: object, folder: Path) -> Path:
    """A copy of an automation with the id of a block in it."""
    text = file.read_text()
    assert PLACEHOLDER in text
    copy = folder / file.name
    copy.write_text(text.replace(PLACEHOLDER, str(block)))
    return copy


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # of what Prefect's Slack block imports
@pytest.mark.parametrize("file", sorted(FOLDER.iterdir()), ids=lambda file: file.name)
@pytest.mark.long
def test_prefect_takes_each_file(prefect_server: str, tmp_path: Path, file: Path) -> None:
    """Each file makes the automations that it names, on a real server, with a Slack block in the place of the zeros."""
    block = SlackWebhook(url=SecretStr("https://hooks.slack.com/services/T0/B0/x")).save(f"slack-{uuid.uuid4().hex[:8]}")
    created(filled(file, block, tmp_path))
    names = [name for name in automations() if name in file.read_text()]
    assert names
    for name in names:
        one = automations()[name]
        assert (one["enabled"], one["actions"][0]["block_document_id"]) == (True, str(block))
        removed(name)


@pytest.mark.long
def test_a_request_is_told_by_prefect(
    prefect_server: str, fresh_ledger: Ledger, there: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that somebody opens is posted as JSON by Prefect's server, whatever the model is called; one that gates refused is not."""
    monkeypatch.setattr(context, "messenger", None)
    name = f'told-"{uuid.uuid4().hex[:8]}'
    block = Webhook(url=SecretStr(there.url), allow_private_urls=True).save(f"hook-{uuid.uuid4().hex[:8]}")
    created(filled(FOLDER / "request-opened-webhook.json", block, tmp_path))
    version(0.3, name=name), version(name=name)
    registry.set_policy('[[rule]]\nmodel = "*"\nstage = "production"\ngates = ["metrics.auc >= 0.5"]\napprovals = 1', by=ALICE)
    refused, asked = (registry.request_transition(name, number, "production", by=ALICE) for number in (1, 2))
    assert (refused.state, asked.state) == ("rejected", "open")
    send_events()
    told = {"text": f"{name} 2: request {asked.id} by alice"}
    for _ in range(300):
        if told in [one.event for one in there.came]:
            break
        time.sleep(0.1)
    removed("prefect-ledger-request-opened-webhook")
    assert [one.event for one in there.came] == [told]


def test_both_tell_of_the_same_requests() -> None:
    """The automation that notifies and the one that posts wait for the same: requests that are open, and not those that gates refused."""
    notifies = yaml.safe_load((FOLDER / "request-opened.yaml").read_text())
    posts = json.loads((FOLDER / "request-opened-webhook.json").read_text())
    assert notifies["trigger"] == posts["trigger"]
    assert posts["trigger"]["match"]["prefect-ledger.state"] == "open"


def test_the_flow_posts_with_a_secret_of_prefect(
    prefect_server: str, fresh_ledger: Ledger, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for a webhook whose secret is a block of Prefect is posted by the flow outbox; where there is no such block it waits."""
    monkeypatch.setattr(context, "messenger", None)
    block = f"hook-{uuid.uuid4().hex[:8]}"
    one = webhooks.add_webhook(there.url, secret_block=block, events="model.created", allow_private=True, by=ALICE)
    registry.create_model("churn", by=ALICE)
    assert webhooks.deliver() == (0, 0, 0)
    assert webhooks.troubles() == {one.id: f"its secret is missing: no Secret block {block} can be read from here"}
    Secret(value=SecretStr(SECRET)).save(block)
    done: dict[str, Any] = outbox()
    assert done["posted"] == 1
    assert [came.signed() for came in there.came] == [True]
