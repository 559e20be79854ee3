"""Floor 4. CatBoost: its models in its own binary format, which runs no code when it is opened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.flavors.base import Entry, Flavor, Predict, Saved, file_of, kind_of, version_of

_FILE = "model.cb"
_KINDS: Mapping[str, str] = {
    f"catboost.core.{name}": name for name in ("CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker", "CatBoost")
}
_FORMATS = ("cbm", "json")  # of those that MLflow lets a caller choose, the ones that CatBoost reads back


class CatBoost(Flavor):
    """``CatBoost``, ``CatBoostClassifier``, ``CatBoostRegressor`` and ``CatBoostRanker``."""

    name: ClassVar[str] = "catboost"
    module: ClassVar[str] = "catboost"
    extra: ClassVar[str] = "catboost"
    forms: ClassVar[tuple[str, ...]] = ("cbm",)

    def claims(self, model: object) -> bool:
        return bool(kind_of(model, _KINDS))

    def save(self, model: Any, folder: Path, form: str) -> Saved:  # noqa: ARG002
        version = version_of(self.framework())
        try:
            model.save_model(os.fspath(folder / _FILE), format="cbm")
        except Exception as error:  # such as one that was not fitted
            raise InvalidValue(f"this {type(model).__name__} cannot be saved: {type(error).__name__}: {error}") from error
        kind = _KINDS[kind_of(model, _KINDS)]
        entry = {"model_type": kind, "save_format": "cbm", "data": _FILE, "catboost_version": version, "code": None}
        return Saved(entry, {"loader_module": "mlflow.catboost", "data": _FILE}, ("catboost",))

    def danger(self, folder: Path, entry: Entry) -> str:
        file_of(folder, entry, "data")
        return ""

    def brittle(self, folder: Path, entry: Entry) -> Path | None:
        return file_of(folder, entry, "data")

    def made_up(self, model: Any) -> Any:
        words = set(model.get_cat_feature_indices())
        return [["" if index in words else 0.0 for index in range(len(model.feature_names_))]]

    def load(self, folder: Path, entry: Entry) -> Any:
        file = file_of(folder, entry, "data")
        kind, form = entry.get("model_type"), entry.get("save_format", "cbm")
        if kind not in _KINDS.values():
            raise InvalidValue(f"{kind!r:.80} is no class of CatBoost's; it has: {', '.join(_KINDS.values())}")
        if form not in _FORMATS:
            raise InvalidValue(f"a model of CatBoost in the format {form!r:.80} is not opened here; {' and '.join(_FORMATS)} are")
        catboost = self.framework()
        try:
            model = getattr(catboost, str(kind))()
            model.load_model(os.fspath(file), format=form)
        except Exception as error:  # CatBoost's own, and what reading its parameters raises
            raise InvalidValue(f"{file} does not open as CatBoost's: {type(error).__name__}: {error}") from error
        return model

    def predictor(self, model: Any, entry: Entry, folder: Path | None = None) -> Predict:  # noqa: ARG002
        return lambda data, params: model.predict(data, **params) if params else model.predict(data)
