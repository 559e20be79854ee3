"""Floor 4. LightGBM: boosters in its own text format, its scikit-learn estimators by skops; neither runs code when it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from prefect_ledger.errors import InvalidValue, MissingExtra
from prefect_ledger.models import pickles
from prefect_ledger.models.flavors import grown
from prefect_ledger.models.flavors.base import Entry, Flavor, Predict, Saved, class_name, file_of, made_by, version_of

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
        kind = next((name for one in type(model).__mro__ if (name := class_name(one)) in {_BOOSTER, *_ESTIMATORS}), "")
        if not kind:
            raise InvalidValue(f"a {type(model).__name__} is no model of LightGBM: give a Booster or one of its estimators")
        if kind == _BOOSTER:
            (folder / "model.lgb").write_text(model.model_to_string(), encoding="utf-8")
            return self._saved("model.lgb", kind, "skops", ())
        note = ""
        if form != "cloudpickle":
            why = _skops(model, folder / "model.skops")
            if not why:
                return self._saved("model.skops", kind, "skops", ("sklearn", "skops"))
            (folder / "model.skops").unlink(missing_ok=True)
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
        if entry.get("serialization_format") != "skops":
            return f"a pickle ({file.name})"
        strange = sorted(frozenset(map(str, entry.get("skops_trusted_types") or ())) - TRUSTED)
        return f"types that are not LightGBM's ({', '.join(strange)})" if strange else ""

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
            from skops import io
        except ImportError as error:
            raise MissingExtra("skops", "lightgbm", need="opening a model in skops' format") from error
        asked = set(map(str, entry.get("skops_trusted_types") or ()))
        try:
            return io.load(file, trusted=sorted(TRUSTED | asked))
        except Exception as error:  # the file may be anything
            raise InvalidValue(f"{file} does not open as a LightGBM model: {type(error).__name__}: {error}") from error

    def predictor(self, model: Any, entry: Entry, folder: Path | None = None) -> Predict:  # noqa: ARG002
        return lambda data, params: model.predict(data, **params) if params else model.predict(data)


def _skops(model: Any, path: Path) -> str:
    """Write it; why that cannot be opened by trusted types alone, "" when it can."""
    try:
        from skops import io
    except ImportError:
        return "the package 'skops' is not installed (pip install 'prefect-ledger[lightgbm]')"
    try:
        io.dump(model, path)
        strange = sorted(frozenset(io.get_untrusted_types(file=path)) - TRUSTED)
    except Exception as error:  # noqa: BLE001  # the methods of what is saved are called
        return f"{type(error).__name__}: {error}"
    return f"it holds {', '.join(strange[:3])}, which is not LightGBM's" if strange else ""
