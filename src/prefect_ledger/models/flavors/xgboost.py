"""Floor 4. XGBoost: boosters and its scikit-learn estimators, in its own format (UBJSON or JSON), which runs no code when it is opened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.flavors import grown, ubjson
from prefect_ledger.models.flavors.base import Entry, Flavor, Predict, Saved, file_of, kind_of, made_by, version_of
from prefect_ledger.models.flavors.categories import Categories

_BOOSTER = "xgboost.core.Booster"
_ESTIMATORS = frozenset(
    f"xgboost.sklearn.{name}" for name in ("XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier", "XGBRFRegressor", "XGBModel")
)


class XGBoost(Flavor):
    """``Booster`` and ``XGBClassifier``, ``XGBRegressor``, ``XGBRanker`` and their kin."""

    name: ClassVar[str] = "xgboost"
    module: ClassVar[str] = "xgboost"
    extra: ClassVar[str] = "xgboost"
    forms: ClassVar[tuple[str, ...]] = ("ubj", "json")

    def claims(self, model: object) -> bool:
        return made_by(model, _BOOSTER, "xgboost.sklearn.XGBModel")

    def save(self, model: Any, folder: Path, form: str) -> Saved:
        form = form or "ubj"
        kind = kind_of(model, {_BOOSTER, *_ESTIMATORS})
        if not kind:
            raise InvalidValue(f"a {type(model).__name__} is no model of XGBoost: give a Booster or one of its estimators")
        try:
            model.save_model(folder / f"model.{form}")
        except Exception as error:  # such as an estimator that was not fitted
            raise InvalidValue(f"this {type(model).__name__} cannot be saved: {type(error).__name__}: {error}") from error
        version = version_of(self.framework())
        entry = {"data": f"model.{form}", "model_class": kind, "model_format": form, "xgb_version": version, "code": None}
        return Saved(entry, {"loader_module": "mlflow.xgboost", "data": f"model.{form}"}, ("xgboost",))

    def danger(self, folder: Path, entry: Entry) -> str:
        file_of(folder, entry, "data")
        return "" if self._kind(entry) else f"a class that is not XGBoost's ({entry.get('model_class')})"

    def brittle(self, folder: Path, entry: Entry) -> Path | None:
        return file_of(folder, entry, "data") if self._kind(entry) else None

    def load(self, folder: Path, entry: Entry) -> Any:
        xgboost = self.framework()
        kind = self._kind(entry).rpartition(".")[2]
        if not kind:
            raise InvalidValue(f"{entry.get('model_class')!r} is no class of XGBoost")
        data = (file := file_of(folder, entry, "data")).read_bytes()
        try:
            grown.check_xgboost(json.loads(data) if entry.get("model_format") == "json" or file.suffix == ".json" else ubjson.read(data))
            model = getattr(xgboost, kind)()
            model.load_model(bytearray(data))
        except (xgboost.core.XGBoostError, ValueError, TypeError, RecursionError) as error:
            raise InvalidValue(f"{file} does not open as XGBoost's: {(str(error).splitlines() or [''])[0]}") from error
        return model

    @staticmethod
    def _kind(entry: Entry) -> str:
        kind = str(entry.get("model_class") or _BOOSTER)
        return kind if kind in {_BOOSTER, *_ESTIMATORS} else ""

    def predictor(self, model: Any, entry: Entry, folder: Path | None = None) -> Predict:  # noqa: ARG002
        if self._kind(entry) != _BOOSTER:
            known = Categories(model.get_booster())
            return lambda data, params: model.predict(known.of_training(data), **params)
        known, matrix = Categories(model), self.framework().DMatrix
        return lambda data, params: model.predict(matrix(known.of_training(data), enable_categorical=bool(known)), **params)
