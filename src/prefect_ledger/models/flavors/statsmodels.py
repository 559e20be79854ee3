"""Floor 4. statsmodels: results of a fit, pickled as statsmodels itself saves them. There is no other form of them: opening one runs code.

What a result needs to be asked is spread over its model, the transformations of its formula and its data, differently for each of the
library's models; so no list of types or of numbers would hold more than the simplest of them, and MLflow would open none of it.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models import pickled_names, pickles
from prefect_ledger.models.flavors.base import Entry, Flavor, Predict, Saved, file_of, made_by, version_of
from prefect_ledger.models.frames import as_pandas

_FILE = "model.statsmodels"
_SERIES = "statsmodels.tsa.base.tsa_model.TimeSeriesModel"


class Statsmodels(Flavor):
    """What ``fit()`` of a model of statsmodels gives: regressions, generalised linear models, time series and the rest."""

    name: ClassVar[str] = "statsmodels"
    module: ClassVar[str] = "statsmodels"
    extra: ClassVar[str] = "statsmodels"
    forms: ClassVar[tuple[str, ...]] = ("pickle", "small")  # small: without the data it was fitted to, but for those of a formula

    def claims(self, model: object) -> bool:
        return made_by(model, "statsmodels.base.wrapper.ResultsWrapper", "statsmodels.base.model.Results")

    def save(self, model: Any, folder: Path, form: str) -> Saved:
        version = version_of(self.framework())
        pickles.dump(_without_data(model) if form == "small" else model, folder / _FILE)
        if getattr(getattr(getattr(model, "model", None), "data", None), "formula", None):
            self._opens(folder / _FILE)
        entry = {"statsmodels_version": version, "data": _FILE, "code": None}
        modules = ("statsmodels", *pickled_names.modules(folder / _FILE))
        return Saved(entry, {"loader_module": "mlflow.statsmodels", "data": _FILE}, modules, "it is pickled: opening it runs code")

    def _opens(self, file: Path) -> None:
        """Open what was just saved: a formula is read anew then, and finds only what statsmodels knows.

        Raises:
            InvalidValue: it does not open.
        """
        try:
            self.load(file.parent, {"data": file.name})
        except InvalidValue as error:
            raise InvalidValue(f"a formula with functions of yours cannot be saved: give their values as columns ({error})") from error

    def danger(self, folder: Path, entry: Entry) -> str:
        return f"a pickle ({file_of(folder, entry, 'data').name})"

    def load(self, folder: Path, entry: Entry) -> Any:
        file = file_of(folder, entry, "data")
        self.framework()
        from statsmodels.iolib import smpickle  # type: ignore[import-untyped]

        reader: Any = SimpleNamespace(load=lambda: smpickle.load_pickle(file))  # knows names of its older versions
        return pickles.opened(reader, file)

    def predictor(self, model: Any, entry: Entry, folder: Path | None = None) -> Predict:  # noqa: ARG002
        if not callable(getattr(model, "predict", None)):
            raise InvalidValue(f"a {type(model).__name__} can be loaded but not asked: it has no method predict(data)")
        if made_by(getattr(model, "model", None), _SERIES):
            return lambda data, params: model.predict(*_span(data), **params)
        return lambda data, params: model.predict(data, **params)


def _span(data: Any) -> tuple[Any, Any]:
    """From where to where a time series is asked for: the first and the last, numbers or times, as MLflow wants them told.

    Raises:
        InvalidValue: data are not one row with the columns start and end.
    """
    frame = as_pandas(data)
    if frame is None or len(frame) != 1 or not {"start", "end"} <= set(frame.columns):
        raise InvalidValue("a model of a time series is asked with a frame of one row and the columns 'start' and 'end'")
    return frame["start"].iloc[0], frame["end"].iloc[0]


def _without_data(model: Any) -> Any:
    """A copy that has not what it was fitted to; the caller's keeps it.

    Raises:
        InvalidValue: it cannot be copied, or not be without.
    """
    try:
        copy = pickle.loads(pickle.dumps(model))  # noqa: S301  # what was just pickled
        copy.remove_data()
    except Exception as error:  # the model's own code
        raise InvalidValue(f"this {type(model).__name__} cannot be saved without its data: {type(error).__name__}: {error}") from error
    return copy
