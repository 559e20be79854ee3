"""Floor 4. A model of Hugging Face by itself, asked with arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect_ledger.models.flavors.base import Predict
from prefect_ledger.models.flavors.hub_texts import check_params
from prefect_ledger.models.flavors.resting import resting
from prefect_ledger.models.flavors.torch_arrays import array, tensor
from prefect_ledger.models.frames import as_pandas, pandas


def predictor(net: Any) -> Predict:
    """Asks a model by itself: ids or named arrays in, logits out, or all of its arrays where it has none."""
    import torch

    def ask(data: Any, params: Mapping[str, Any]) -> Any:
        check_params(params)
        frame = as_pandas(data)
        with torch.no_grad(), resting(net):
            if isinstance(data, Mapping):
                found = net(**{name: tensor(one, net.device, net.dtype) for name, one in data.items()}, **params)
            else:
                found = net(tensor(data if frame is None else frame.to_numpy(), net.device, net.dtype), **params)
        if isinstance(found, tuple):
            return array(found[0])
        if "logits" not in found:
            return {name: array(one) for name, one in found.items() if isinstance(one, torch.Tensor)}
        logits = array(found["logits"])
        return logits if frame is None or logits.ndim != 2 else pandas("logits as a frame").DataFrame(logits, index=frame.index)

    return ask
