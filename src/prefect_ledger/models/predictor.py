"""Floor 4. A model to be asked: data and parameters are brought to what its signature wants, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect_ledger.models.columns import LIST, ROWS, SPARSE
from prefect_ledger.models.model_file import FUNCTION

if TYPE_CHECKING:
    from prefect_ledger.models.enforcement import Enforcer
    from prefect_ledger.models.flavors.base import Predict
    from prefect_ledger.models.model_file import ModelFile
    from prefect_ledger.models.schema import Signature

TAKES = "takes"  # in the MLmodel file; a key that MLflow does not know, and keeps
_NONE: Mapping[str, Any] = {}


class Predictor:
    """A loaded model, whatever its framework: ``predict(data, params=None)``.

    ``file`` is what its MLmodel file says; ``about`` where it came from, such as ``model_id``, ``version``, ``run_id``.
    """

    def __init__(self, ask: Predict, file: ModelFile, about: Mapping[str, Any] | None = None) -> None:
        from prefect_ledger.models.enforcement import Enforcer

        self.file = file
        self.about = dict(about or {})
        self._ask = ask
        self._enforce: Enforcer | None = None
        self._of_json: Enforcer | None = None
        if file.signature is not None:
            frame, rows = _eats_frames(file), _eats_lists(file)
            self._enforce = Enforcer(file.signature, frame=frame, rows=rows)
            self._of_json = Enforcer(file.signature, json=True, frame=frame, rows=rows)

    def __repr__(self) -> str:
        return f"Predictor({self.about.get('uri') or self.file.name or self.file.model_id or 'model'!r})"

    @property
    def signature(self) -> Signature | None:
        """What the model eats and gives; None when that was not recorded."""
        return self.file.signature

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What the model's maker said of it."""
        return self.file.metadata

    def predict(self, data: Any, params: Mapping[str, Any] | None = None, *, json: bool = False) -> Any:
        """What the model answers to ``data``: frames, arrays, lists or mappings, as its signature says.

        ``json``: the data were read from JSON, where times are text and a whole number may stand for any number.

        Raises:
            SignatureMismatch: a column, tensor or parameter is missing, unknown or of another type; the message names it. Else what the
            model itself raises.
        """
        enforce = self._of_json if json else self._enforce
        if enforce is not None:
            data, params = enforce(data, params)
        return self._ask(data, params or _NONE)


def _eats_frames(file: ModelFile) -> bool:
    """Whether data with columns is given as a frame: to models of frameworks, and as MLflow does to the Python models that it saved,
    unless type hints say what they take. Those saved here take what the caller gives, and mappings where the example had them."""
    if file.extra.get(TAKES) == ROWS:
        return False
    if any(name != FUNCTION for name in file.flavors):
        return True
    return file.function.get("loader_module") == "mlflow.pyfunc.model" and not file.extra.get("is_signature_from_type_hint")


def _eats_lists(file: ModelFile) -> str:
    """Whether a model takes a list of values or of mappings, as its example was or its hints say; MLflow's Python models with hints do."""
    if file.extra.get("is_signature_from_type_hint") and file.function.get("loader_module") == "mlflow.pyfunc.model":
        return LIST
    takes = file.extra.get(TAKES)
    return takes if takes in (LIST, ROWS, SPARSE) else ""
