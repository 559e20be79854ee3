"""Webhooks: events of the registry, posted to URLs, signed, tried again, and kept where nobody takes them."""

from __future__ import annotations

from prefect_ledger.hooks import Delivery, Webhook
from prefect_ledger.webhooks.delivering import Delivered, deliver
from prefect_ledger.webhooks.keeping import add_webhook, dead_letters, list_webhooks, ping, remove_webhook, retry_dead, troubles
from prefect_ledger.webhooks.posting import Answer
from prefect_ledger.webhooks.signing import verify_signature

__all__ = [
    "Answer",
    "Delivered",
    "Delivery",
    "Webhook",
    "add_webhook",
    "dead_letters",
    "deliver",
    "list_webhooks",
    "ping",
    "remove_webhook",
    "retry_dead",
    "troubles",
    "verify_signature",
]
