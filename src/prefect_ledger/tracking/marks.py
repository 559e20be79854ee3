"""Floor 5. The annotations of a returned value: what a flow or task says of what it gives back. Wrong ones refuse to be made."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_ledger.errors import InvalidValue
from prefect_ledger.names import check_key
from prefect_ledger.tracking.datasets import check_context
from prefect_ledger.tracking.paths import check_model_name, check_path


@dataclass(frozen=True, slots=True)
class Metrics:
    """The returned mapping of names to numbers is logged as metrics, nested names joined by ``.``, behind ``prefix`` when there is one.

    Dataclasses and pydantic models are mappings here. Usable as ``Metrics``, without arguments, too.

    Raises:
        InvalidName: ``prefix`` cannot begin a metric's name.

    Example:
        >>> from typing import Annotated
        >>> def evaluate() -> Annotated[dict[str, float], Metrics(prefix="val")]:
        ...     return {"auc": 0.91}  # the metric "val.auc"
    """

    prefix: str = ""

    def __post_init__(self) -> None:
        if self.prefix != "":
            check_key(self.prefix, "metric prefix")


@dataclass(frozen=True, slots=True)
class Artifact:
    """The returned value is logged as the artifact ``path``.

    Text for paths such as ``.txt`` and ``.html``; bytes; a ``Path``, whose file (or folder) is copied; a matplotlib or plotly figure; a
    Pillow image, array or tensor for ``.png`` and its like; a mapping or list for ``.json``; a frame for ``.csv``, ``.tsv``, ``.parquet``,
    ``.json``, ``.html``.

    Raises:
        InvalidName: ``path`` is no path within a run.

    Example:
        >>> from typing import Annotated
        >>> def report() -> Annotated[str, Artifact("report.html")]:
        ...     return "<h1>done</h1>"
    """

    path: str

    def __post_init__(self) -> None:
        check_path(self.path)


@dataclass(frozen=True, slots=True)
class Model:
    """The returned object is logged as the model ``name``, as ``log_model(model, name)`` does it.

    ``register`` asks for a version in the registry; it is kept with the model until there is one.

    Raises:
        InvalidName: ``name`` cannot stand in a reference such as ``models:/churn/7``.

    Example:
        >>> from typing import Annotated
        >>> def train() -> Annotated[object, Model("churn")]:
        ...     return lambda data: [0.5 for _ in data]  # anything with a flavor: an estimator, a booster, a function
    """

    name: str
    register: bool = False

    def __post_init__(self) -> None:
        check_model_name(self.name)
        _check_switch("register", self.register)


@dataclass(frozen=True, slots=True)
class Dataset:
    """The returned data is recorded by ``name``, digest, rows and schema; ``context`` says what it is for, such as "train".

    Frames, tables, arrays, lists of dicts, and files or folders given by their ``Path``.

    Raises:
        InvalidName: ``name`` cannot name a dataset. InvalidValue: ``context`` is no short text.

    Example:
        >>> from typing import Annotated
        >>> def load() -> Annotated[list[dict[str, int]], Dataset("clients", context="train")]:
        ...     return [{"age": 40}]
    """

    name: str
    context: str = ""

    def __post_init__(self) -> None:
        check_key(self.name, "dataset")
        check_context(self.context)


def _check_switch(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidValue(f"{name} is True or False, not {value!r}")


Mark = Metrics | Artifact | Model | Dataset
MARKS = (Metrics, Artifact, Model, Dataset)


def shown(mark: Mark) -> str:
    """``mark`` as its author wrote it."""
    return "Metrics" if mark == Metrics() else repr(mark)
