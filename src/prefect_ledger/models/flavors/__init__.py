"""Floor 4. Flavors: which one a model is of, told by its type, and which one a name means.

Further ones come by the entry point group ``prefect_ledger.flavors``: a name, and a class of its own below ``Flavor``.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from prefect_ledger import plugins
from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.flavors.base import Entry, Flavor, Predict, Saved
from prefect_ledger.models.model_file import FUNCTION, ModelFile

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "Entry", "Flavor", "Predict", "Saved", "choose", "named", "of_file", "parse_request"]

GROUP = "prefect_ledger.flavors"
# In the order in which they are asked: an XGBClassifier is scikit-learn's too, a BertModel PyTorch's, and every object is Python's.
_BUILT_IN: Mapping[str, str] = {
    "onnx": "onnx.ONNX",
    "statsmodels": "statsmodels.Statsmodels",
    "xgboost": "xgboost.XGBoost",
    "lightgbm": "lightgbm.LightGBM",
    "catboost": "catboost.CatBoost",
    "keras": "keras.Keras",
    "transformers": "transformers.Transformers",
    "pytorch": "pytorch.PyTorch",
    "sklearn": "sklearn.ScikitLearn",
    FUNCTION: "python.Python",
}
_ALIASES: Mapping[str, str] = {"python": FUNCTION, "pyfunc": FUNCTION, "scikit-learn": "sklearn", "torch": "pytorch"}


def parse_request(flavor: str) -> tuple[str, str]:
    """A flavor as asked for, ``"sklearn"`` or ``"sklearn:cloudpickle"``, as its name and form ("": the best).

    Raises:
        InvalidValue: it is no text.

    Example:
        >>> parse_request("sklearn:cloudpickle")
        ('sklearn', 'cloudpickle')
        >>> parse_request("python")
        ('python_function', '')
    """
    if not isinstance(flavor, str):
        raise InvalidValue(f"flavor is text such as 'sklearn' or 'sklearn:cloudpickle', not {flavor!r:.80}")
    name, _, form = flavor.strip().partition(":")
    return _ALIASES.get(name, name), form


def choose(model: object) -> Flavor:
    """The flavor of ``model``: the first that knows one of its classes; any object is at least Python's."""
    for name in _BUILT_IN:
        if name != FUNCTION and (one := named(name)).claims(model):
            return one
    for one in _installed():
        if one.claims(model):
            return one
    return named(FUNCTION)


def named(name: str) -> Flavor:
    """The flavor of this name.

    Raises:
        InvalidValue: there is none; the message lists those there are.
    """
    name = _ALIASES.get(name, name)
    if (found := _find(name)) is None:
        raise InvalidValue(f"no flavor {name!r}; there are: auto, python, {', '.join(sorted({*_BUILT_IN, *_points()} - {FUNCTION}))}")
    return found


def form_of(flavor: Flavor, form: str) -> str:
    """``form`` where ``flavor`` has it.

    Raises:
        InvalidValue: it has not.
    """
    if form and form not in flavor.forms:
        raise InvalidValue(f"the flavor {flavor.name!r} has no form {form!r}; it has: {', '.join(flavor.forms) or 'one only'}")
    return form


def of_file(file: ModelFile) -> tuple[Flavor, Entry]:
    """The flavor in which a saved model is opened, and its entry: its own framework's, else the ``python_function`` that all have.

    Raises:
        InvalidValue: it has none that is known here.
    """
    for name, entry in file.flavors.items():
        if name != FUNCTION and (found := _find(name)) is not None:
            return found, {"predict_fn": file.function.get("predict_fn"), **entry}
    if FUNCTION in file.flavors:
        return named(FUNCTION), file.function
    raise InvalidValue(f"no flavor of this model is known here: {', '.join(sorted(file.flavors)) or 'it names none'}")


@functools.cache
def _find(name: str) -> Flavor | None:
    if (place := _BUILT_IN.get(name)) is not None:
        module, _, kind = place.rpartition(".")
        found: Flavor = getattr(importlib.import_module(f"{__name__}.{module}"), kind)()
        return found
    return plugins.made(_points()[name], Flavor) if name in _points() else None  # type: ignore[type-abstract]  # made by one below it


@functools.cache
def _points() -> Mapping[str, EntryPoint]:
    return plugins.points(GROUP)


def _installed() -> Iterator[Flavor]:
    return (one for name in _points() if name not in _BUILT_IN and (one := _find(name)) is not None)
