"""Floor 4. PyTorch: modules and exported programs, as MLflow keeps them; modules of PyTorch's own layers beside that as data alone.

What MLflow opens of PyTorch runs code: a module is pickled, and an exported program evaluates texts that it holds. So where a module
consists of PyTorch's own layers, these and their weights are written beside the pickle (``torch_layers``), and here only they are opened.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models import pickled_names
from prefect_ledger.models.flavors import torch_arrays, torch_layers
from prefect_ledger.models.flavors.base import Entry, Flavor, Predict, Saved, file_of, made_by, version_of
from prefect_ledger.models.flavors.resting import resting
from prefect_ledger.models.frames import as_pandas, pandas
from prefect_ledger.models.model_file import inside

_MODULE, _PROGRAM = "torch.nn.modules.module.Module", "torch.export.exported_program.ExportedProgram"
_SCRIPT = "torch.jit._script.ScriptModule"
_FOLDER, _PICKLE, _EXPORTED, _HOW = "data", "model.pth", "model.pt2", "pickle_module_info.txt"  # MLflow's names
_LAYERS = "layers"  # our key in the entry, which MLflow passes over


class PyTorch(Flavor):
    """``torch.nn.Module``, scripted ones too, and ``torch.export.ExportedProgram``."""

    name: ClassVar[str] = "pytorch"
    module: ClassVar[str] = "torch"
    forms: ClassVar[tuple[str, ...]] = ("layers", "module")

    def claims(self, model: object) -> bool:
        return made_by(model, _MODULE, _PROGRAM)

    def save(self, model: Any, folder: Path, form: str) -> Saved:
        torch = self.framework()
        (folder / _FOLDER).mkdir()
        entry: dict[str, Any] = {"model_data": _FOLDER, "pytorch_version": version_of(torch), "code": None}
        function = {"loader_module": "mlflow.pytorch", "data": _FOLDER, "pickle_module_name": "pickle"}
        if made_by(model, _PROGRAM):
            if form:
                raise InvalidValue(f"an exported program has one form only, not {form!r}: flavor='pytorch'")
            torch.export.save(model, os.fspath(folder / _FOLDER / _EXPORTED))
            return Saved(entry, function, ("torch",), "it is an exported program: opening it runs code")
        modules = _pickled(torch, model, folder / _FOLDER)
        if form == "module":
            return Saved(entry, function, ("torch", *modules), "it is pickled: opening it runs code")
        if why := torch_layers.save(model, folder / _FOLDER):
            if form:
                raise InvalidValue(f"this {type(model).__name__} cannot be saved as layers: {why}; flavor='pytorch:module' pickles it")
            return Saved(entry, function, ("torch", *modules), f"{why}, so it is pickled: opening it runs code")
        return Saved({**entry, _LAYERS: f"{_FOLDER}/{torch_layers.LAYERS}"}, function, ("torch",))

    def danger(self, folder: Path, entry: Entry) -> str:
        if entry.get(_LAYERS):
            file_of(folder, entry, _LAYERS)
            return ""
        file = _file(folder, entry)
        named = file.relative_to(folder).as_posix()
        return f"a pickle ({named})" if file.name != _EXPORTED else f"an exported program, which evaluates what it holds ({named})"

    def load(self, folder: Path, entry: Entry) -> Any:
        torch = self.framework()
        if entry.get(_LAYERS):
            return torch_layers.load(file_of(folder, entry, _LAYERS))
        file = _file(folder, entry)
        try:
            if file.name == _EXPORTED:
                return torch.export.load(os.fspath(file)).module()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of scripted modules, that they are on their way out
                model = torch.load(file, map_location="cpu", weights_only=False)
        except ModuleNotFoundError as error:
            raise InvalidValue(f"{file.name} needs the module {error.name!r}: install what the model's requirements.txt names") from error
        except Exception as error:  # what is unpickled runs its own code
            raise InvalidValue(f"{file} does not open as PyTorch's: {type(error).__name__}: {str(error)[:300]}") from error
        return model.eval() if hasattr(model, "eval") else model

    def predictor(self, model: Any, entry: Entry, folder: Path | None = None) -> Predict:  # noqa: ARG002
        torch = self.framework()
        model = model.module() if made_by(model, _PROGRAM) else model
        if not callable(model):
            raise InvalidValue(f"a {type(model).__name__} can be loaded but not asked: it is no module")

        def ask(data: Any, params: Mapping[str, Any]) -> Any:
            frame = as_pandas(data)
            with torch.no_grad(), resting(model):
                if frame is not None:
                    found = model(_tensor(model, frame.to_numpy(dtype="float32")), **params)
                elif isinstance(data, Mapping):
                    found = model(**{name: _tensor(model, one) for name, one in data.items()}, **params)
                else:
                    found = model(_tensor(model, data), **params)
            answer = _plain(torch, found)
            if frame is None or not hasattr(answer, "shape"):
                return answer
            return pandas("answers of a PyTorch model as a frame").DataFrame(answer, index=frame.index)

        return ask


def _pickled(torch: Any, model: Any, folder: Path) -> set[str]:
    """Write the module as MLflow reads it, and what it was pickled with; the modules that it names."""
    import zipfile

    import cloudpickle  # type: ignore[import-untyped]

    (folder / _HOW).write_text("pickle", encoding="utf-8")
    path = folder / _PICKLE
    try:
        if made_by(model, _SCRIPT):
            model.save(os.fspath(path))
            return set()
        torch.save(model, path, pickle_module=cloudpickle)
        with zipfile.ZipFile(path) as packed:
            name = next(one for one in packed.namelist() if one.endswith("/data.pkl"))
            (folder / "names").write_bytes(packed.read(name))
    except Exception as error:  # pickling runs the module's own code
        raise InvalidValue(f"this {type(model).__name__} cannot be pickled: {type(error).__name__}: {error}") from error
    found = pickled_names.modules(folder / "names")
    (folder / "names").unlink()
    return found


def _file(folder: Path, entry: Entry) -> Path:
    """What MLflow opens: the pickle, where there is one, else the program.

    Raises:
        InvalidValue: neither is there, or it lies outside of the folder.
    """
    data = entry.get("model_data") or entry.get("data")
    if not isinstance(data, str):
        raise InvalidValue(f"the MLmodel file in {folder} names no model_data")
    place = inside(folder, data)
    if place.is_file():
        return place
    return inside(folder, f"{data}/{_PICKLE if (place / _PICKLE).exists() else _EXPORTED}")


def _tensor(model: Any, data: Any) -> Any:
    """On the module's device; floats in the type of its weights."""
    weight = next((one for one in model.parameters() if one.is_floating_point()), None) if hasattr(model, "parameters") else None
    return torch_arrays.tensor(data) if weight is None else torch_arrays.tensor(data, weight.device, weight.dtype)


def _plain(torch: Any, found: Any) -> Any:
    """Tensors as arrays, also within mappings and lists."""
    if isinstance(found, torch.Tensor):
        return torch_arrays.array(found)
    if isinstance(found, Mapping):
        return {name: _plain(torch, one) for name, one in found.items()}
    if isinstance(found, list | tuple):
        return [_plain(torch, one) for one in found]
    return found
