"""Floor 4. Modules of PyTorch while they are asked: as they are after training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from prefect_ledger.models.flavors.base import made_by


@contextlib.contextmanager
def resting(model: Any) -> Iterator[None]:
    """A module as it is after training, though its maker goes on with it: one that is saved is asked too."""
    exported = made_by(model, "torch.fx.graph_module.GraphModule")
    busy = [one for one in model.modules() if one.training] if hasattr(model, "modules") and not exported else []
    for one in busy:
        one.training = False
    try:
        yield
    finally:
        for one in busy:
            one.training = True
