"""Floor 4. The files of a Hugging Face model or tokenizer, read as data: only transformers' own classes, described by checked configs.

What ``from_pretrained`` finds in a folder decides much: which code is fetched, which adapter is put on, where the weights are. So it never
sees the folder itself, but one made for it, with the files that hold data and configs without the keys that lead elsewhere.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import re
import struct
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import RLock
from typing import Any

from prefect_ledger.errors import InvalidValue, MissingExtra
from prefect_ledger.models.model_file import inside

CONFIG, GENERATION, TOKENIZER = "config.json", "generation_config.json", "tokenizer_config.json"
_INDEX, _WEIGHTS = "model.safetensors.index.json", "model.safetensors"
_CONFIGS, _HEADER = 64 << 20, 256 << 20  # bytes
_LAYERS, _SPARE = 5_000, 1 << 24  # layers, numbers that no weight file has to hold
_SHARD = re.compile(r"model[\w.-]*\.safetensors")
_DATA = re.compile(r"[\w.-]+\.(json|txt|model|jinja)")
_DTYPES = frozenset({"float64", "float32", "float16", "bfloat16"})
# Keys that lead to code, to other files or to a hub. Without them a model is the same: its class and weights are named elsewhere.
_DROPPED = frozenset(
    "auto_map custom_pipelines trust_remote_code name_or_path _name_or_path _commit_hash transformers_weights fusion_config kernel_config "
    "use_kernels attn_implementation _attn_implementation _attn_implementation_internal experts_implementation _experts_implementation "
    "_experts_implementation_internal distributed_config tp_plan device_map "
    "gguf_file".split()
)
# Keys without which it would be another model.
_REFUSED = frozenset(
    "quantization_config compression_config backbone use_timm_backbone use_pretrained_backbone custom_generate assistant_model "
    "generator question_encoder".split()
)
_PATHS = re.compile(r".*_files?|tokenizer_object|init_inputs|from_slow|local_files_only|token|subfolder|revision|is_local|backend")
_alone = RLock()
_ELSEWHERE = ("transformers.models.rag.", "transformers.models.timm_")  # these make models of what their configs name


def own_class(name: Any, base: str) -> Any:
    """transformers' own class ``name`` below ``base``; no other package is looked into.

    Raises:
        InvalidValue: there is none.
    """
    import transformers

    found = None
    if isinstance(name, str) and name.isidentifier():
        with contextlib.suppress(AttributeError, ImportError):
            found = getattr(transformers, name)
    if not isinstance(found, type) or not issubclass(found, getattr(transformers, base)):
        raise InvalidValue(f"{name!r:.80} is no {base} of transformers' own: code that is not transformers' is never run here")
    if not found.__module__.startswith("transformers.") or found.__module__.startswith(_ELSEWHERE):
        raise InvalidValue(f"{name} is made from what its config names, elsewhere too: it is not opened here")
    return found


def model(folder: Path, kind: Any, dtype: str) -> Any:
    """The model of the class ``kind`` in ``folder``, at rest, with all of its weights from there.

    Raises:
        InvalidValue: the files do not read as one.
    """
    with _reading(folder), tempfile.TemporaryDirectory() as aside:
        stage = Path(aside)
        told = _plain(_json(inside(folder, CONFIG)))
        if told.get("model_type", kind.config_class.model_type) != kind.config_class.model_type:
            raise ValueError(f"its {CONFIG} is of a {told['model_type']!r:.80}, not of a {kind.__name__}")
        numbers = sum(_numbers(one) for one in _weights(folder, stage))
        if (folder / GENERATION).exists():
            (stage / GENERATION).write_text(json.dumps(_plain(_json(inside(folder, GENERATION)))), encoding="utf-8")
        config = kind.config_class.from_dict(told)
        _check_size(kind, config, numbers)
        found, info = kind.from_pretrained(
            stage, config=config, dtype=_dtype(dtype), local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        if missing := sorted(map(str, info["missing_keys"])):
            raise ValueError(f"its weights lack {missing[0]!r:.80}")
        for one in (*found.parameters(), *found.buffers()):  # until then it is the file, and changes, or ends the process, as that does
            one.data = one.data.clone()
        found.config.name_or_path = ""
        return found.eval()


def tokenizer(folder: Path, kind: Any) -> Any:
    """The tokenizer of the class ``kind`` in ``folder``.

    Raises:
        InvalidValue: the files do not read as one.
    """
    with _reading(folder), tempfile.TemporaryDirectory() as aside:
        stage = Path(aside)
        for path in [*folder.iterdir(), *(folder / "additional_chat_templates").glob("*.jinja")]:
            name = path.relative_to(folder).as_posix()
            if _DATA.fullmatch(path.name) and name != CONFIG and path.is_file():
                (stage / name).parent.mkdir(exist_ok=True)
                (stage / name).symlink_to(inside(folder, name).resolve())
        if not any((stage / name).exists() for name in kind.vocab_files_names.values()):
            raise ValueError("it has no vocabulary")
        told = _plain(_json(inside(folder, TOKENIZER)))
        (stage / TOKENIZER).unlink()
        (stage / TOKENIZER).write_text(json.dumps({key: one for key, one in told.items() if not _PATHS.fullmatch(key)}), encoding="utf-8")
        found = kind.from_pretrained(stage, local_files_only=True, trust_remote_code=False)
        found.name_or_path = ""
        return found


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Nothing of Hugging Face's fetches anything meanwhile, whatever a model's own class would have it do."""
    constants: Any = importlib.import_module("huggingface_hub.constants")
    with _alone:
        before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = before


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        with _offline():
            yield
    except (InvalidValue, MissingExtra):
        raise
    except BaseException as error:  # the files may be anything; what tokenizers panics with is no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        said = f"{type(error).__name__}: {str(error)[:300]}"
        raise InvalidValue(f"{folder} does not open as a model of transformers: {said}") from error


def _json(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _CONFIGS:
        raise ValueError(f"{path.name} is too long")
    found: Any = json.loads(path.read_bytes())
    if not isinstance(found, dict):
        raise TypeError(f"{path.name} is no mapping")
    return found


def _plain(told: Any) -> Any:
    """A config without keys that lead elsewhere, also within it.

    Raises:
        InvalidValue: it cannot do without. ValueError: it describes more layers than there are.
    """
    if isinstance(told, list):
        return [_plain(one) for one in told]
    if not isinstance(told, dict):
        return told
    for key, one in told.items():
        if key in _REFUSED and one:
            raise InvalidValue(f"its config has {key!r}, which needs more than the files of the model: such a model is not opened here")
        if key in ("dtype", "torch_dtype") and one is not None:
            _dtype(one)
        if "layer" in key and isinstance(one, int) and one > _LAYERS:
            raise ValueError(f"{key} is {one:,}, more than {_LAYERS:,}")
    return {key: _plain(one) for key, one in told.items() if key not in _DROPPED and not key.startswith("__")}


def _dtype(name: Any) -> Any:
    """``name`` as transformers takes it; the config's own where it is "".

    Raises:
        ValueError: it is no type of weights.
    """
    if name == "":
        return "auto"
    plain = name.removeprefix("torch.") if isinstance(name, str) else ""
    if plain not in _DTYPES:
        raise ValueError(f"{name!r:.80} is no type of weights")
    import torch

    return getattr(torch, plain)


def _weights(folder: Path, stage: Path) -> list[Path]:
    """Have the weights in ``stage`` too; the files they are in.

    Raises:
        InvalidValue: there are none in safetensors.
    """
    names: set[Any] = {_WEIGHTS}
    if not (folder / _WEIGHTS).exists() and (folder / _INDEX).exists():
        told = _json(inside(folder, _INDEX))
        names = set(told["weight_map"].values())
        if strange := [name for name in names if not isinstance(name, str) or not _SHARD.fullmatch(name)]:
            raise ValueError(f"its weights are in {strange[0]!r:.80}")
        (stage / _INDEX).write_text(json.dumps(told), encoding="utf-8")
    elif not (folder / _WEIGHTS).exists() and any(folder.glob("*.bin")):
        raise InvalidValue(f"the weights in {folder} are pickles, which are not opened here: save the model anew, as safetensors")
    files = [inside(folder, name).resolve() for name in sorted(names)]
    for name, file in zip(sorted(names), files, strict=True):
        (stage / name).symlink_to(file)
    return files


def _numbers(path: Path) -> int:
    """How many numbers a file of safetensors says it holds."""
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        if size > min(_HEADER, path.stat().st_size):
            raise ValueError(f"the header of {path.name} is longer than it is")
        header: Mapping[str, Any] = json.loads(file.read(size))
    return sum(math.prod(said["shape"]) for name, said in header.items() if name != "__metadata__")


def _check_size(kind: Any, config: Any, numbers: int) -> None:
    """Refuse a config that would take much more memory than its weights do, before any of it is taken.

    Raises:
        ValueError: it would.
    """
    import copy

    import torch

    with torch.device("meta"):
        empty = kind(copy.deepcopy(config))
    wanted = sum(one.numel() for one in (*empty.parameters(), *empty.buffers()))
    if wanted > 2 * numbers + _SPARE:
        raise ValueError(f"its config describes a model of {wanted:,} numbers, and its weights are {numbers:,}")
