"""Floor 4. A PyTorch module that consists of PyTorch's own layers as data: which layers, with which arguments, and their weights.

The weights are in the format of safetensors: a header that says where in the file each array is, and the arrays.
"""

from __future__ import annotations

import inspect
import json
import math
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prefect_ledger.errors import InvalidValue

LAYERS, WEIGHTS = "layers.json", "model.safetensors"
_DEPTH, _HEADER, _LIMIT = 50, 64 << 20, 10_000  # levels, bytes, layers
# Layers that are made from numbers, texts and flags alone, compute with what they are given, and keep each argument under its name.
_KNOWN = frozenset(
    "Sequential Identity Flatten Unflatten Linear Bilinear Embedding EmbeddingBag Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d "
    "ConvTranspose3d MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d "
    "AdaptiveMaxPool1d AdaptiveMaxPool2d BatchNorm1d BatchNorm2d BatchNorm3d InstanceNorm1d InstanceNorm2d LayerNorm GroupNorm RMSNorm "
    "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout ReLU ReLU6 LeakyReLU PReLU ELU SELU CELU GELU SiLU Mish Sigmoid LogSigmoid Tanh "
    "Softplus Softsign Softmax LogSoftmax Softmin Hardtanh Hardsigmoid Hardswish Tanhshrink Hardshrink Softshrink Threshold GLU "
    "ZeroPad1d ZeroPad2d ConstantPad1d ConstantPad2d ReflectionPad1d ReflectionPad2d ReplicationPad1d ReplicationPad2d PixelShuffle "
    "Upsample LSTM GRU RNN CosineSimilarity".split()
)
_CELLS = "input_size hidden_size num_layers bias batch_first dropout bidirectional".split()  # of recurrent layers, which say *args
_RECURRENT = {"LSTM": [*_CELLS, "proj_size"], "GRU": _CELLS, "RNN": [*_CELLS, "nonlinearity"]}
_TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32", "I16": "int16",
    "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
_NAMES = {f"torch.{name}": key for key, name in _TYPES.items()}


def save(model: Any, folder: Path) -> str:
    """Write the layers and weights of ``model``; or nothing, and why it is more than they."""
    try:
        told = _told(model, 0)
        state = model.state_dict()
        dtypes = {str(one.dtype) for one in state.values()}
        if strange := dtypes - set(_NAMES):
            return f"it has weights of the type {min(strange)}"
        _same(model, _filled(_made(json.loads(json.dumps(told))), state))
    except _NotPlain as why:
        return str(why)
    except Exception as error:  # noqa: BLE001  # the layer's own code, with arguments that were guessed
        return f"its layers cannot be made anew ({type(error).__name__}: {str(error)[:200]})"
    (folder / LAYERS).write_text(json.dumps({"layers": told, "weights": WEIGHTS}), encoding="utf-8")
    _write(state, folder / WEIGHTS)
    return ""


def load(path: Path) -> Any:
    """The module whose layers are in ``path``, with the weights beside it, at rest.

    Raises:
        InvalidValue: they do not read as that, or do not fit each other.
    """
    from prefect_ledger.models.model_file import inside

    try:
        told = json.loads(path.read_bytes())
        weights = inside(path.parent, str(told["weights"]))
        _budget(told["layers"])
        return _filled(_made(told["layers"]), _read(weights)).eval()
    except InvalidValue:
        raise
    except Exception as error:  # the files may be anything
        raise InvalidValue(f"{path} does not open as layers of PyTorch: {type(error).__name__}: {str(error)[:300]}") from error


class _NotPlain(Exception):
    """What makes a module more than its layers and weights."""


# --- layers -------------------------------------------------------------------------------------------------------------


def _told(module: Any, depth: int) -> dict[str, Any]:
    kind = type(module)
    if not kind.__module__.startswith("torch.nn.modules.") or kind.__name__ not in _KNOWN:
        raise _NotPlain(f"it holds a {kind.__module__}.{kind.__qualname__}, which is not one of PyTorch's plain layers")
    if depth > _DEPTH:
        raise _NotPlain("it is nested too deeply")
    if any(getattr(module, name, None) for name in ("_forward_hooks", "_forward_pre_hooks")):
        raise _NotPlain("it has hooks")
    told: dict[str, Any] = {"class": kind.__name__}
    if kind.__name__ == "Sequential":
        told["layers"] = [[name, _told(one, depth + 1)] for name, one in module.named_children()]
    elif given := {name: _value(module, name) for name in _arguments(kind) if hasattr(module, name)}:
        told["given"] = given
    return told


def _arguments(kind: type) -> list[str]:
    names: Any = _RECURRENT.get(kind.__name__) or inspect.signature(kind).parameters
    return [name for name in names if not name.startswith("_") and name not in ("args", "kwargs", "device", "dtype")]


def _value(module: Any, name: str) -> Any:
    value = getattr(module, name)
    if name == "bias":
        return value if isinstance(value, bool) else value is not None
    return list(value) if isinstance(value, tuple) else value


def _made(told: Any, depth: int = 0) -> Any:
    """The layer that ``told`` says, without its memory: the weights come from the file.

    Raises:
        ValueError: it is none of those that are known, or is given something else than numbers, texts and flags.
    """
    import torch

    kind, given = told["class"], told.get("given", {})
    if kind not in _KNOWN or depth > _DEPTH:
        raise ValueError(f"{kind!r:.80} is no layer that is known here")
    with torch.device("meta"):
        made = getattr(torch.nn, kind)
        if kind == "Sequential":
            module = made()
            for name, one in told["layers"]:
                module.add_module(_text(name), _made(one, depth + 1))
            return module
        if given.get("num_layers", 1) > _LIMIT:
            raise ValueError("it has too many layers")
        if strange := set(given) - set(_arguments(made)):
            raise ValueError(f"{kind} has no {min(strange)!r:.80}")
        return made(**{name: _argument(one) for name, one in given.items()})


def _text(name: Any) -> str:
    if not isinstance(name, str) or len(name) > 200:
        raise ValueError("a layer's name is no text")
    return name


def _argument(value: Any) -> Any:
    if isinstance(value, list) and len(value) < 100 and all(one is None or type(one) in (int, float, bool) for one in value):
        return tuple(value)
    if value is None or type(value) in (int, float, bool) or (isinstance(value, str) and len(value) < 100):
        return value
    raise ValueError(f"a layer is given what is no argument of one: {value!r:.80}")


def _filled(module: Any, state: Mapping[str, Any]) -> Any:
    """With these weights, in their own types."""
    module.load_state_dict(state, strict=True, assign=True)
    if left := [name for name, one in (*module.named_parameters(), *module.named_buffers()) if one.is_meta]:
        raise ValueError(f"the weights lack {left[0]!r}")
    for _, one in module.named_parameters():
        one.requires_grad_(one.is_floating_point())
    return module


def _same(module: Any, made: Any) -> None:
    """Whether what was made says all that ``module`` is.

    Raises:
        _NotPlain: it does not.
    """
    pairs = list(zip(module.modules(), made.modules(), strict=True))
    tied = len({id(one) for one in module.parameters()}) != len(list(module.named_parameters(remove_duplicate=False)))
    if tied or len(list(module.modules())) != len(list(_every(module))):
        raise _NotPlain("some of its layers share their weights")
    for one, other in pairs:
        for name, value in vars(one).items():
            if name.startswith("_") or name == "training":
                continue
            if name not in vars(other) or not _equal(value, vars(other)[name]):
                raise _NotPlain(f"a {type(one).__name__} has a {name!r} of its own")


def _every(module: Any) -> Iterator[Any]:
    yield module
    for child in module._modules.values():
        yield from _every(child)


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _budget(told: Any) -> None:
    """Refuse more layers than a module has.

    Raises:
        ValueError: there are too many.
    """
    todo, count = [told], 0
    while todo:
        count += 1
        if count > _LIMIT:
            raise ValueError(f"it has more than {_LIMIT:,} layers")
        todo += [one for _, one in todo.pop().get("layers", [])]


# --- weights ------------------------------------------------------------------------------------------------------------


def _write(state: Mapping[str, Any], path: Path) -> None:
    import torch

    header: dict[str, Any] = {}
    at = 0
    for name, one in state.items():
        size = one.numel() * one.element_size()
        header[name] = {"dtype": _NAMES[str(one.dtype)], "shape": list(one.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for one in state.values():
            file.write(one.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())


def _read(path: Path) -> dict[str, Any]:
    """The arrays of a file; each is as long as it says.

    Raises:
        ValueError: the file is none of that format.
    """
    import torch

    data = bytearray(path.read_bytes())
    (size,) = struct.unpack_from("<Q", data)
    if not 2 <= size <= min(_HEADER, len(data) - 8):
        raise ValueError("its header is longer than it is")
    header = json.loads(bytes(data[8 : 8 + size]))
    body = memoryview(data)[8 + size :]
    found: dict[str, Any] = {}
    if sum(said["data_offsets"][1] - said["data_offsets"][0] for name, said in header.items() if name != "__metadata__") > len(body):
        raise ValueError("its arrays are longer than it is")
    for name, said in header.items():
        if name == "__metadata__":
            continue
        dtype, shape, (start, end) = getattr(torch, _TYPES[said["dtype"]]), said["shape"], said["data_offsets"]
        if not all(type(one) is int and one >= 0 for one in (*shape, start, end)) or not start <= end <= len(body):
            raise ValueError(f"the array {name!r:.80} lies outside of it")
        if math.prod(shape) * torch.empty((), dtype=dtype).element_size() != end - start:
            raise ValueError(f"the array {name!r:.80} is not as long as it says")
        flat = torch.frombuffer(body[start:end], dtype=torch.uint8).clone().view(dtype) if end > start else torch.empty(0, dtype=dtype)
        found[name] = flat.reshape(shape)
    return found
