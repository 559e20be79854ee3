"""What is kept of deliveries: no secret that a receiver says again, and not for ever; and what is given wrong is said as what it is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefect_ledger import collect_garbage, registry, webhooks
from prefect_ledger.database import execute, rows
from prefect_ledger.errors import InvalidValue
from prefect_ledger.tracking import context
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.helpers import BOB
from tests.registry.receiving import SECRET, Receiver, receiver


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver, and the secret where whoever sends looks for it; nothing is sent behind one's back."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setattr(context, "messenger", None)
    with receiver() as one:
        yield one


@pytest.mark.usefixtures("store_url", "fresh_ledger")
def test_a_path_that_is_a_secret_is_not_told_by_who_says_it_again(there: Receiver) -> None:
    """Servers like to answer with the path that they do not know: it is masked in what a test shows and what dead letters keep."""
    path = "/services/T0/0123456789abcdef?key=fedcba9876543210&b=%41%42%43%44%45%46%47%48"
    hook = webhooks.add_webhook(f"{there.url}{path}", secret_env="HOOK_SECRET", events="model.*", allow_private=True, by=BOB)
    said = f"Cannot POST {path}; token 0123456789abcdef, key fedcba9876543210, b ABCDEFGH; {SECRET}"
    there.say(404, 404, text=said)
    shown = webhooks.ping(hook.id).text
    registry.create_model("churn", by=BOB)
    assert webhooks.deliver().dead == 1
    [letter] = webhooks.dead_letters()
    for text in (shown, letter.answer):
        assert text.startswith("Cannot POST ********")
        assert not [one for one in ("0123456789abcdef", "fedcba9876543210", "ABCDEFGH", "%41", SECRET) if one in text]


@pytest.mark.usefixtures("store_url", "fresh_ledger")
@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example", ".example"])
def test_a_host_that_can_be_none_is_refused_in_words(host: str) -> None:
    """Names that no resolver takes are a wrong URL, and no error of Python's codecs."""
    with pytest.raises(InvalidValue, match="is no host: each of its parts has 1 to 63 characters"):
        webhooks.add_webhook(f"https://{host}/x", secret_env="HOOK_SECRET", by=BOB)
    assert webhooks.list_webhooks() == []


@pytest.mark.usefixtures("store_url", "fresh_ledger")
def test_a_number_that_can_be_none_is_said_to_be_a_webhooks() -> None:
    """A webhook's number is no version's, and a limit of letters is one of at least 1, on every database."""
    with pytest.raises(InvalidValue, match="a webhook is a number"):
        webhooks.remove_webhook(0)
    with pytest.raises(InvalidValue, match="limit=-5"):
        webhooks.dead_letters(limit=-5)


@pytest.mark.usefixtures("store_url")
def test_what_is_long_at_an_end_goes_and_is_not_posted_again(
    there: Receiver, fresh_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gc takes deliveries that were taken or died more than its days ago, tells first how many, and leaves those that wait; what it took is
    not made anew."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    hook = webhooks.add_webhook(f"{there.url}/x", secret_env="HOOK_SECRET", events="model.*", allow_private=True, by=BOB)
    there.say(200, 404, 500)
    for name in ("taken", "dead", "waits"):
        registry.create_model(name, by=BOB)
    assert webhooks.deliver() == (1, 1, 1)
    assert collect_garbage(dry_run=False).deliveries == 0
    assert collect_garbage(retention_days=0).deliveries == 2
    assert len(webhooks.dead_letters()) == 1
    assert collect_garbage(dry_run=False, retention_days=0).deliveries == 2
    with fresh_ledger.database.read() as tx:
        assert rows(tx, "SELECT state FROM deliveries") == [("waiting",)]
    assert (webhooks.dead_letters(), webhooks.list_webhooks()[0].waiting) == ([], 1)
    assert webhooks.deliver() == (0, 0, 0)
    assert (hook.id, len(there.came)) == (1, 3)


def test_who_may_not_see_deliveries_clears_the_rest_away(fresh_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store gives its deliveries to nobody, as PostgreSQL does to a writer, gc says nothing of them and does all else."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with fresh_ledger.database.write() as tx:
        execute(tx, "ALTER TABLE deliveries RENAME TO hidden", [])
    found = collect_garbage(dry_run=False, retention_days=0)
    assert (found.deliveries, found.left) == (0, [])
