"""Floor 4. A Python function or object as a model, pickled by cloudpickle; and what MLflow saved as one.

Opening one always runs its code. MLflow's classes have stand-ins where MLflow is not installed: what its pickles say of them is enough to
ask the model.
"""

from __future__ import annotations

import importlib.util
import inspect
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models import pickles
from prefect_ledger.models.flavors import python_loader
from prefect_ledger.models.flavors.base import Entry, Flavor, Predict, Saved, file_of
from prefect_ledger.models.model_file import inside

LOADER = "prefect_ledger_model"
_FILE = "python_model.pkl"
_OF_MLFLOW = "mlflow.pyfunc.model"


class Python(Flavor):
    """Anything with a method ``predict(data)`` or ``predict(data, params)``, and any function of data.

    What is neither, such as an array of weights, is kept and loaded as it is; it cannot be asked.
    """

    name: ClassVar[str] = "python_function"
    module: ClassVar[str] = "cloudpickle"

    def claims(self, model: object) -> bool:
        return not isinstance(model, type)

    def save(self, model: Any, folder: Path, form: str) -> Saved:  # noqa: ARG002
        if isinstance(model, type):
            raise InvalidValue(f"{model.__name__} is a class: give an object of it, such as {model.__name__}()")
        try:
            if _askable(model):
                python_loader.asker(model)
        except ValueError as error:  # a builtin without a signature
            raise InvalidValue(f"what {model!r:.80} takes cannot be found out: wrap it in a function of data") from error
        if _is_async(model):
            raise InvalidValue(
                f"{model!r:.80} is async: asked, it gives a coroutine that nobody awaits; log a function that runs it, such as "
                f"lambda data: asyncio.run(predict(data))"
            )
        pickles.dump(model, folder / _FILE)
        code = {f"{LOADER}.py": Path(inspect.getfile(python_loader)).read_bytes()}
        return Saved({}, {"loader_module": LOADER, "data": _FILE, "cloudpickle_version": _version()}, ("cloudpickle",), code=code)

    def danger(self, folder: Path, entry: Entry) -> str:
        if entry.get("loader_module") in (LOADER, _OF_MLFLOW):
            return f"a pickle ({file_of(folder, entry, 'python_model', 'data').name})"
        return f"a loader of its own ({entry.get('loader_module')})"

    def load(self, folder: Path, entry: Entry) -> Any:
        loader = str(entry.get("loader_module") or "")
        if loader == LOADER:
            return pickles.load(file_of(folder, entry, "data"))
        if loader == _OF_MLFLOW:
            return self._of_mlflow(folder, entry)
        return self._by_loader(folder, entry, loader)

    def _of_mlflow(self, folder: Path, entry: Entry) -> Any:
        if entry.get("model_code_path"):
            raise InvalidValue(f"the model in {folder} is a script ({entry['model_code_path']}) that only MLflow can run: open it there")
        context = _context(folder, entry)
        model = open_mlflow(file_of(folder, entry, "python_model"))
        if not callable(prepare := getattr(model, "load_context", None)):
            return model
        try:
            prepare(context)
        except Exception as error:  # the model's own code
            raise InvalidValue(f"the model in {folder} fails in its load_context: {type(error).__name__}: {error}") from error
        return model

    @staticmethod
    def _by_loader(folder: Path, entry: Entry, loader: str) -> Any:
        try:
            module = importlib.import_module(loader)
        except ModuleNotFoundError as error:
            raise InvalidValue(f"the model is opened by the module {loader!r}, which lacks {error.name!r} here: install it") from error
        except Exception as error:  # the model's own code
            raise InvalidValue(f"the model's module {loader!r} does not import here: {type(error).__name__}: {error}") from error
        data = entry.get("data") or entry.get("model_path")
        path = str(inside(folder, str(data)) if data else folder)
        try:
            return module._load_pyfunc(path)
        except Exception as error:  # the model's own code
            raise InvalidValue(f"the model's module {loader!r} does not open it: {type(error).__name__}: {error}") from error

    def predictor(self, model: Any, entry: Entry, folder: Path | None = None) -> Predict:
        if not _askable(model):
            raise InvalidValue(f"a {type(model).__name__} can be loaded but not asked: it has no method predict(data) and is no function")
        asked: Predict = python_loader.asker(model, _context(folder, entry))
        return asked


def _is_async(model: Any) -> bool:
    """Whether its answer would have to be awaited."""
    ask = inspect.unwrap(getattr(model, "predict", None) or model)
    return any(
        inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one)
        for one in (ask, getattr(type(ask), "__call__", None))  # noqa: B004
    )


def _context(folder: Path | None, entry: Entry) -> SimpleNamespace:
    """What MLflow's models are given beside data: the paths of their files by name, and their configuration.

    Raises:
        InvalidValue: a file is not there, or lies outside of the model's folder.
    """
    artifacts = entry.get("artifacts") or {}
    if not isinstance(artifacts, Mapping) or not all(isinstance(one, Mapping) for one in artifacts.values()):
        raise InvalidValue(f"the MLmodel file in {folder} says of its artifacts what is no mapping to paths")
    files = {str(key): str(inside(folder, str(one.get("path")))) for key, one in artifacts.items()} if folder is not None else {}
    return SimpleNamespace(artifacts=files, model_config=entry.get("config") or {})


def _askable(model: object) -> bool:
    return callable(getattr(model, "predict", None)) or callable(model)


def _version() -> str:
    import cloudpickle  # type: ignore[import-untyped]

    return str(cloudpickle.__version__)


# --- what MLflow pickled ------------------------------------------------------------------------------------------------


def open_mlflow(path: Path) -> Any:
    """The object in a pickle of MLflow's, where it is installed and where it is not. Code runs.

    Raises:
        InvalidValue: it does not unpickle here.
    """
    with path.open("rb") as file:
        return pickles.opened(_WithStandIns(file), path)


class _PythonModel:
    """Stands for MLflow's base class of models."""

    def load_context(self, context: Any) -> None:
        """Nothing to prepare, where a model does not say otherwise."""


class _FunctionModel(_PythonModel):
    """Stands for MLflow's holder of a function."""

    func: Any

    def predict(self, model_input: Any) -> Any:
        """What the function answers, without MLflow's checks around it."""
        return inspect.unwrap(self.func)(model_input)


class _FuncInfo(NamedTuple):
    """Stands for what MLflow notes of a function's type hints."""

    input_type_hint: Any
    input_param_name: str


def _unchecked(args: Any, kwargs: Any, *_: Any) -> Any:
    """Stands for MLflow's check of data against type hints: the model's signature was held against it already."""
    return args, kwargs


_STAND_INS: Mapping[str, Any] = {
    "PythonModel": _PythonModel,
    "_FunctionPythonModel": _FunctionModel,
    "FuncInfo": _FuncInfo,
    "_validate_model_input": _unchecked,
}


class _WithStandIns(pickle.Unpickler):
    """Finds MLflow's names where MLflow is not installed."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] != "mlflow" or "mlflow" in sys.modules or importlib.util.find_spec("mlflow") is not None:
            return super().find_class(module, name)
        return _STAND_INS.get(name) or type(name, (Exception,), {"__module__": module})
