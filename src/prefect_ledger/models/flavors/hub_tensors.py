"""Floor 4. A model of Hugging Face by itself, asked with arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect_ledger.models.flavors.base import Predict
from prefect_ledger.models.flavors.hub_texts import check_params
from prefect_ledger.models.flavors.resting import resting
from prefect_ledger.models.frames import as_pandas, pandas


def predictor(net: Any) -> Predict:
    """Asks a model by itself: ids or named arrays in, logits out, or all of its arrays where it has none."""
    import torch

    def tensor(data: Any) -> Any:
        import numpy as np

        made = data if isinstance(data, torch.Tensor) else torch.from_numpy(np.array(data))
        return made.to(net.device, net.dtype if made.is_floating_point() else made.dtype)

    def plain(one: Any) -> Any:
        one = one.detach().cpu()
        return (one.float() if one.dtype is torch.bfloat16 else one).numpy()

    def ask(data: Any, params: Mapping[str, Any]) -> Any:
        check_params(params)
        frame = as_pandas(data)
        with torch.no_grad(), resting(net):
            if isinstance(data, Mapping):
                found = net(**{name: tensor(one) for name, one in data.items()}, **params)
            else:
                found = net(tensor(data if frame is None else frame.to_numpy()), **params)
        if isinstance(found, tuple):
            return plain(found[0])
        if "logits" not in found:
            return {name: plain(one) for name, one in found.items() if isinstance(one, torch.Tensor)}
        logits = plain(found["logits"])
        return logits if frame is None or logits.ndim != 2 else pandas("logits as a frame").DataFrame(logits, index=frame.index)

    return ask
