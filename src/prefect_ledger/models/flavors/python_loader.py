"""Opens a model that is a pickled Python function or object. A copy of this file travels with each such model, as the module
``prefect_ledger_model`` in its code folder, so that it opens where prefect-ledger is not installed: keep it to cloudpickle and what Python
brings.
"""

import inspect
from typing import Any

import cloudpickle  # type: ignore[import-untyped]


def _load_pyfunc(path: str) -> "Opened":  # MLflow's name for what opens a model
    with open(path, "rb") as file:  # noqa: PTH123
        return Opened(cloudpickle.load(file))


class Opened:
    """A model as MLflow wants one: ``predict(data, params)``."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._ask = asker(model)

    def predict(self, model_input: Any, params: Any = None) -> Any:
        """What the model answers."""
        return self._ask(model_input, params or {})


def asker(model: Any, context: Any = None) -> Any:
    """``model`` as a function of data and parameters. A method ``predict`` is asked, else the model is called; it is given parameters if it
    has an argument ``params``, and what else it has names for; and ``context`` first if it begins with that, as MLflow's do."""
    ask = getattr(model, "predict", None) or model
    plain = inspect.unwrap(ask)
    takes: Any = inspect.signature(plain).parameters
    if getattr(ask, "__self__", None) is not None and not inspect.ismethod(plain):
        takes = dict(list(takes.items())[1:])  # unwrapping a method gives the function, self and all
    names = [name for name, one in takes.items() if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)]
    first = (context,) if names[:1] == ["context"] else ()
    rest = names[len(first) + 1 :]
    everything = any(one.kind is one.VAR_KEYWORD for one in takes.values())
    if "params" in rest:
        return lambda data, params: ask(*first, data, params=params)
    if everything:
        return lambda data, params: ask(*first, data, **params)
    if not rest:
        return lambda data, _params: ask(*first, data)
    known = frozenset(rest)
    return lambda data, params: ask(*first, data, **{key: value for key, value in params.items() if key in known})
