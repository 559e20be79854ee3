"""Floor 4. LightGBM: boosters in its own text format, its scikit-learn estimators by skops; neither runs code when it is opened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models import pickles
from prefect_ledger.models.flavors import grown, skops_format
from prefect_ledger.models.flavors.base import Entry, Flavor, Predict, Saved, file_of, kind_of, made_by, version_of
from prefect_ledger.models.frames import as_pandas, pandas

_BOOSTER = "lightgbm.basic.Booster"
_ESTIMATORS = frozenset(f"lightgbm.sklearn.{name}" for name in ("LGBMClassifier", "LGBMModel", "LGBMRanker", "LGBMRegressor"))
# Set by attributes; a Booster is read back from its text.
TRUSTED = frozenset({_BOOSTER, "collections.OrderedDict", "numpy.dtype", *_ESTIMATORS})


class LightGBM(Flavor):
    """``Booster`` and ``LGBMClassifier``, ``LGBMRegressor``, ``LGBMRanker``."""

    name: ClassVar[str] = "lightgbm"
    module: ClassVar[str] = "lightgbm"
    extra: ClassVar[str] = "lightgbm"
    forms: ClassVar[tuple[str, ...]] = ("skops", "cloudpickle")  # of its estimators: a booster has its text only

    def claims(self, model: object) -> bool:
        return made_by(model, _BOOSTER, "lightgbm.sklearn.LGBMModel")

    def save(self, model: Any, folder: Path, form: str) -> Saved:
        kind = kind_of(model, {_BOOSTER, *_ESTIMATORS})
        if not kind:
            raise InvalidValue(f"a {type(model).__name__} is no model of LightGBM: give a Booster or one of its estimators")
        if kind == _BOOSTER:
            (folder / "model.lgb").write_text(model.model_to_string(), encoding="utf-8")
            return self._saved("model.lgb", kind, "skops", ())
        note = ""
        if form != "cloudpickle":
            why = skops_format.dump(model, folder / "model.skops", TRUSTED, self.extra, "LightGBM")
            if isinstance(why, frozenset):
                return self._saved("model.skops", kind, "skops", ("sklearn", "skops"))
            if form:
                raise InvalidValue(f"this {type(model).__name__} cannot be saved by skops: {why}; flavor='lightgbm:cloudpickle' pickles it")
            note = f"{why}, so it is pickled: opening it runs code"
        pickles.dump(model, folder / "model.pkl")
        return self._saved("model.pkl", kind, "cloudpickle", ("sklearn", "cloudpickle"), note)

    def _saved(self, file: str, kind: str, form: str, modules: tuple[str, ...], note: str = "") -> Saved:
        entry: dict[str, Any] = {
            "data": file,
            "model_class": kind,
            "lgb_version": version_of(self.framework()),
            "code": None,
            "serialization_format": form,
        }
        if form == "skops":
            entry["skops_trusted_types"] = sorted(TRUSTED)
        return Saved(entry, {"loader_module": "mlflow.lightgbm", "data": file}, ("lightgbm", *modules), note)

    def danger(self, folder: Path, entry: Entry) -> str:
        file = file_of(folder, entry, "data")
        if str(entry.get("model_class") or _BOOSTER) == _BOOSTER:
            return ""
        return skops_format.danger(file, entry, TRUSTED, "LightGBM")

    def brittle(self, folder: Path, entry: Entry) -> Path | None:
        file = file_of(folder, entry, "data")
        return file if str(entry.get("model_class") or _BOOSTER) == _BOOSTER else None  # skops' files have checksums

    def load(self, folder: Path, entry: Entry) -> Any:
        file = file_of(folder, entry, "data")
        lightgbm = self.framework()
        try:
            if str(entry.get("model_class") or _BOOSTER) == _BOOSTER:
                grown.check_lightgbm(data := file.read_bytes())
                return lightgbm.Booster(model_str=data.decode())
        except (lightgbm.basic.LightGBMError, ValueError) as error:
            raise InvalidValue(f"{file} does not open as LightGBM's: {error}") from error
        if entry.get("serialization_format") != "skops":
            return pickles.load(file)
        try:
            skops_format.check_size(file)
            for text in _boosters(skops_format.schema(file)):
                grown.check_lightgbm(json.loads(text).encode())
        except Exception as error:  # the file may be anything
            raise InvalidValue(f"{file} does not open as a LightGBM model: {type(error).__name__}: {error}") from error
        return skops_format.load(file, entry, TRUSTED, self.extra, "LightGBM")

    def predictor(self, model: Any, entry: Entry, folder: Path | None = None) -> Predict:  # noqa: ARG002
        known = _categories(model if isinstance(model, self.framework().Booster) else model.booster_)
        return lambda data, params: model.predict(_of_training(data, known), **(params or {}))


def _categories(booster: Any) -> dict[int, list[Any]]:
    """By the place of a column that had categories in a frame of training: which ones.

    The model's text ends with the categories in the order of their columns, and says in ``feature_infos`` which columns have some:
    ``[min:max]`` is a number's. Where the two do not agree, as for a column of one category, nothing is known.
    """
    listed = booster.pandas_categorical or []
    if not listed:
        return {}
    head = booster.model_to_string(num_iteration=1).partition("feature_infos=")[2].partition("\n")[0]
    places = [at for at, info in enumerate(head.split(" ")) if info != "none" and not info.startswith("[")]
    return dict(zip(places, listed, strict=True)) if len(places) == len(listed) else {}


def _of_training(data: Any, known: Mapping[int, list[Any]]) -> Any:
    """A frame with the categories of training in its columns, which texts and JSON do not have; what is none of them is missing."""
    if not known or (frame := as_pandas(data)) is None or len(frame.columns) <= max(known):
        return data
    return frame.assign(**{frame.columns[at]: _column(frame.iloc[:, at], categories) for at, categories in known.items()})


def _column(values: Any, categories: list[Any]) -> Any:
    kind = pandas("categories").CategoricalDtype(categories)
    return values.where(values.isin(kind.categories)).astype(kind)


def _boosters(node: Any) -> Iterator[str]:
    """The texts of the boosters below a node of skops' schema, as JSON."""
    if isinstance(node, list):
        for one in node:
            yield from _boosters(one)
    if isinstance(node, dict):
        if node.get("__class__") == "Booster":
            yield node["content"]["content"]["_handle"]["content"]
        for one in node.values():
            if isinstance(one, dict | list):
                yield from _boosters(one)
