"""What is kept of deliveries: no secret that a receiver says again, and not for ever; and what is given wrong is said as what it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from prefect_ledger import registry, webhooks
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


@pytest.mark.usefixtures("store_url")
def test_a_number_that_can_be_none_is_said_to_be_a_webhooks(fresh_ledger: Ledger) -> None:
    """A webhook's number is no version's, and a limit of letters is one of at least 1, on every database."""
    assert fresh_ledger
    with pytest.raises(InvalidValue, match="a webhook is a number"):
        webhooks.remove_webhook(0)
    with pytest.raises(InvalidValue, match="limit=-5"):
        webhooks.dead_letters(limit=-5)
