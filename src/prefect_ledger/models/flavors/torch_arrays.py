"""Floor 4. Arrays on their way into modules of PyTorch, and out of them."""

from __future__ import annotations

from typing import Any


def tensor(data: Any, device: Any = None, dtype: Any = None) -> Any:
    """A tensor of ``data``, on ``device``; floats in ``dtype``."""
    import numpy as np
    import torch

    made = data if isinstance(data, torch.Tensor) else torch.from_numpy(np.array(data))
    return made if device is None else made.to(device, dtype if made.is_floating_point() else made.dtype)


def array(found: Any) -> Any:
    """A tensor as an array of numpy, which has no bfloat16."""
    import torch

    found = found.detach().cpu()
    return (found.float() if found.dtype is torch.bfloat16 else found).numpy()
