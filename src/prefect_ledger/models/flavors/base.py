"""Floor 4. What a flavor is: how models of one framework are saved, recognised, opened and asked.

A flavor imports its framework only when it has a model of it in hand, or has one to open. Names of flavors, their entries in the MLmodel
file and their files are those of MLflow 3.17, so that it opens what is saved here and the other way round.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from prefect_ledger.errors import InvalidValue, MissingExtra

Entry = Mapping[str, Any]
Predict = Callable[[Any, Mapping[str, Any]], Any]  # data and parameters, both as the signature wants them


@dataclass(frozen=True, slots=True)
class Saved:
    """What a flavor wrote into a model's folder.

    ``entry`` is what the MLmodel file says under the flavor's name, ``function`` what it says under ``python_function`` beside the
    environment: the loader's module and the file. ``modules`` are what opening it imports. ``note`` is what a person should
    know of how it was saved.
    """

    entry: Entry
    function: Entry
    modules: tuple[str, ...] = ()
    note: str = ""
    code: Mapping[str, bytes] = field(default_factory=dict)  # files for the model's code folder


class Flavor(ABC):
    """Models of one framework.

    ``name`` is its key in the MLmodel file; ``module`` the package whose classes it knows; ``extra`` what installs it, "" where none does;
    ``forms`` the ways it can write a model, the first one by default: asked for as ``flavor="sklearn:cloudpickle"``.
    """

    name: ClassVar[str]
    module: ClassVar[str]
    extra: ClassVar[str] = ""
    forms: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def claims(self, model: object) -> bool:
        """Whether ``model`` is one of this framework's, told by the names of its classes: nothing is imported."""

    @abstractmethod
    def save(self, model: Any, folder: Path, form: str) -> Saved:
        """Write ``model`` into ``folder``, which exists; ``form`` is one of ``forms``, or "" for the best.

        Raises:
            InvalidValue: it cannot be written in this form.
        """

    @abstractmethod
    def danger(self, folder: Path, entry: Entry) -> str:
        """What would run code of the model's maker when it is opened, such as "a pickle (model.pkl)"; "" when nothing would."""

    def brittle(self, folder: Path, entry: Entry) -> Path | None:  # noqa: ARG002
        """The file that may end the process when it is opened damaged; None where the framework raises then."""
        return None

    def made_up(self, model: Any) -> Any:  # noqa: ARG002
        """Data that a loaded model of a ``brittle`` file can be asked, to see whether the process lives; None where none is known."""
        return None

    @abstractmethod
    def load(self, folder: Path, entry: Entry) -> Any:
        """The model itself. Called only when ``danger`` is "" or the model is trusted.

        Raises:
            MissingExtra: its framework is not installed. InvalidValue: its files do not read as one.
        """

    @abstractmethod
    def predictor(self, model: Any, entry: Entry, folder: Path | None = None) -> Predict:
        """A function that asks a loaded model; ``folder`` is where it was opened, None for one that is being saved."""

    def framework(self, need: str = "") -> Any:
        """The framework's module.

        Raises:
            MissingExtra: it is not installed.
        """
        try:
            return importlib.import_module(self.module)
        except ImportError as error:
            if error.name != self.module.partition(".")[0]:
                raise
            need = need or f"a model of the flavor {self.name!r}"
            missing = MissingExtra(self.module, self.extra, need=need)
            if not self.extra:
                missing.msg = f"{need} needs the package {self.module!r}: pip install {self.module}, in the build for your machine"
            raise missing from error


def made_by(model: object, *names: str) -> bool:
    """Whether one of the classes of ``model`` has one of these full names, such as "sklearn.base.BaseEstimator".

    Example:
        >>> from collections import OrderedDict
        >>> made_by(OrderedDict(), "collections.OrderedDict")
        True
    """
    return bool(kind_of(model, names))


def kind_of(model: object, names: Collection[str]) -> str:
    """The first of the classes of ``model`` that has one of these full names; "" where none has."""
    return next((name for kind in type(model).__mro__ if (name := class_name(kind)) in names), "")


def class_name(kind: type) -> str:
    """A class as "module.Name"."""
    return f"{kind.__module__}.{kind.__qualname__}"


def version_of(module: Any) -> str:
    """The version a framework says it has."""
    return str(getattr(module, "__version__", ""))


def file_of(folder: Path, entry: Entry, *keys: str) -> Path:
    """The file that ``entry`` names under the first of ``keys`` it has.

    Raises:
        InvalidValue: it names none, one outside of the folder, or one that is not there.
    """
    from prefect_ledger.models.model_file import inside

    name = next((entry[key] for key in keys if entry.get(key)), None)
    if not isinstance(name, str):
        raise InvalidValue(f"the MLmodel file in {folder} names no {' or '.join(keys)}")
    return inside(folder, name)
