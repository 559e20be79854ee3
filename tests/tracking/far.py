"""A ledger whose artifacts go to a real S3 server, over a line that can be cut or stand still."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from prefect_ledger.settings import Settings
from prefect_ledger.tracking import keeping
from prefect_ledger.tracking import ledger as module
from prefect_ledger.tracking.ledger import Ledger
from tests.services_real.proxy import Proxy
from tests.services_real.s3 import S3Server


@contextlib.contextmanager
def ledger_over(line: Proxy, s3: S3Server, config: dict[str, Any]) -> Iterator[Ledger]:
    """The ledger of this process, its artifacts in an empty bucket behind ``line``; ``config`` is the client's. Closed at the end."""
    settings = Settings.resolve(
        capture_git=False,
        capture_packages=False,
        artifact_root=f"s3://{s3.bucket()}/root",
        storage_options=s3.options(line.url, **config),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeping, "_away", {})
        before, module._ledger = module._ledger, Ledger(settings)
        yield module._ledger
        module._ledger.close()
        module._ledger = before
