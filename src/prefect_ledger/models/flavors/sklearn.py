"""Floor 4. scikit-learn: estimators and pipelines, by default in skops' format, which runs no code when it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models import pickles
from prefect_ledger.models.flavors import skops_format
from prefect_ledger.models.flavors.base import Entry, Flavor, Predict, Saved, file_of, made_by, version_of

# What skops does not trust by itself and fitted estimators of scikit-learn are made of, found by fitting every one there is: classes that
# are made by setting attributes or from arrays and numbers, and functions that are given data. None runs code from the file. A forged tree
# (Tree, KDTree) can have indices that crash the process, not more.
_REVIEWED = {
    "collections": "OrderedDict",
    "functools": "partial",  # what it would call has to be trusted too
    "numpy": "dtype mean",
    "scipy._lib.array_api_compat.numpy._aliases": "asarray",
    "scipy.interpolate._bsplines": "BSpline",
    "scipy.interpolate._interpolate": "interp1d",
    "scipy.sparse._csr": "csr_matrix",
    "scipy.sparse._csc": "csc_matrix",
    "sklearn._loss.loss": (
        "AbsoluteError ExponentialLoss HalfBinomialLoss HalfGammaLoss HalfMultinomialLoss HalfPoissonLoss HalfSquaredError "
        "HalfTweedieLoss HalfTweedieLossIdentity HuberLoss PinballLoss"
    ),
    "sklearn.calibration": "_CalibratedClassifier _SigmoidCalibration",
    "sklearn.cluster._bisect_k_means": "_BisectingTree",
    "sklearn.cluster._kmeans": "_kmeans_single_elkan _kmeans_single_lloyd",
    "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
    "sklearn.feature_selection._univariate_selection": "chi2 f_classif f_regression r_regression",
    "sklearn.feature_selection._mutual_info": "mutual_info_classif mutual_info_regression",
    "sklearn.gaussian_process._gpc": "_BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels": (
        "CompoundKernel ConstantKernel DotProduct Exponentiation ExpSineSquared Matern PairwiseKernel Product RationalQuadratic RBF "
        "Sum WhiteKernel"
    ),
    "sklearn.metrics._classification": "accuracy_score balanced_accuracy_score f1_score log_loss precision_score recall_score",
    "sklearn.metrics._ranking": "average_precision_score roc_auc_score",
    "sklearn.metrics._regression": "mean_absolute_error mean_squared_error r2_score root_mean_squared_error",
    "sklearn.metrics._dist_metrics": "ChebyshevDistance64 EuclideanDistance64 HaversineDistance64 ManhattanDistance64 MinkowskiDistance64",
    "sklearn.metrics._scorer": "_CurveScorer _PassthroughScorer _Scorer",
    "sklearn.model_selection._split": (
        "GroupKFold KFold RepeatedKFold RepeatedStratifiedKFold ShuffleSplit StratifiedKFold StratifiedShuffleSplit TimeSeriesSplit"
    ),
    "sklearn.multiclass": "_ConstantPredictor",
    "sklearn.neighbors._ball_tree": "BallTree BallTree64",
    "sklearn.neighbors._kd_tree": "KDTree KDTree64",
    "sklearn.neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "sklearn.tree._tree": "Tree",
    "sklearn.utils._bunch": "Bunch",
    "sklearn.utils._metadata_requests": "MetadataRequest MethodMetadataRequest",
    "sklearn.utils.validation": "check_array",
}
TRUSTED = frozenset(f"{module}.{name}" for module, names in _REVIEWED.items() for name in names.split())


class ScikitLearn(Flavor):
    """Estimators, transformers and pipelines of scikit-learn, and what is derived from them."""

    name: ClassVar[str] = "sklearn"
    module: ClassVar[str] = "sklearn"
    extra: ClassVar[str] = "sklearn"
    forms: ClassVar[tuple[str, ...]] = ("skops", "cloudpickle")

    def claims(self, model: object) -> bool:
        return made_by(model, "sklearn.base.BaseEstimator")

    def save(self, model: Any, folder: Path, form: str) -> Saved:
        if form == "cloudpickle":
            return self._pickled(model, folder, "")
        why = skops_format.dump(model, folder / "model.skops", TRUSTED, self.extra, "scikit-learn")
        if isinstance(why, frozenset):
            return self._saved(model, "model.skops", "skops", sorted(why), ("skops",))
        if form:
            raise InvalidValue(f"this {type(model).__name__} cannot be saved by skops: {why}; flavor='sklearn:cloudpickle' pickles it")
        return self._pickled(model, folder, f"{why}, so it is pickled: opening it runs code")

    def _pickled(self, model: Any, folder: Path, note: str) -> Saved:
        pickles.dump(model, folder / "model.pkl")
        return self._saved(model, "model.pkl", "cloudpickle", None, ("cloudpickle",), note)

    def _saved(self, model: Any, file: str, form: str, trusted: list[str] | None, modules: tuple[str, ...], note: str = "") -> Saved:
        entry = {
            "pickled_model": file,
            "serialization_format": form,
            "sklearn_version": version_of(self.framework()),
            "code": None,
            "skops_trusted_types": trusted or None,
        }
        function = {"loader_module": "mlflow.sklearn", "model_path": file, "predict_fn": "predict"} if hasattr(model, "predict") else {}
        return Saved(entry, function, ("sklearn", *modules), note)

    def danger(self, folder: Path, entry: Entry) -> str:
        file = file_of(folder, entry, "pickled_model")
        return skops_format.danger(file, entry, TRUSTED, "scikit-learn")

    def load(self, folder: Path, entry: Entry) -> Any:
        file = file_of(folder, entry, "pickled_model")
        self.framework()
        if entry.get("serialization_format") != "skops":
            return pickles.load(file)
        return skops_format.load(file, entry, TRUSTED, self.extra, "scikit-learn")

    def predictor(self, model: Any, entry: Entry, folder: Path | None = None) -> Predict:  # noqa: ARG002
        ask = _asked(model, str(entry.get("predict_fn") or ""))
        return lambda data, params: ask(data, **params) if params else ask(data)


_WAYS = ("predict", "transform", "predict_proba", "predict_log_proba", "predict_joint_log_proba")  # the first that it has


def _asked(model: Any, way: str) -> Any:
    """The method that answers: the one that the MLmodel file names, else the first there is.

    Raises:
        InvalidValue: it has none.
    """
    for name in (way, *_WAYS) if way in _WAYS else _WAYS:
        if (method := getattr(model, name, None)) is not None:
            return method
    raise InvalidValue(f"a {type(model).__name__} can be loaded but not asked: it has neither predict nor transform")
