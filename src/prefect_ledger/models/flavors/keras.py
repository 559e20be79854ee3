"""Floor 4. Keras 3: models in its own ``.keras`` format.

The format can hold code and names of functions to call, which Keras's ``safe_mode`` alone has not always kept out. So every class that a
file names is looked at: nobody has to answer for one that consists of Keras's plain layers.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.flavors import skops_format
from prefect_ledger.models.flavors.base import Entry, Flavor, Predict, Saved, made_by, version_of
from prefect_ledger.models.frames import as_pandas, pandas
from prefect_ledger.models.model_file import inside

_FOLDER, _FILE, _HOW = "data", "model.keras", "keras_module.txt"  # MLflow's names
_INSIDE = {"metadata.json", "config.json", "model.weights.h5"}
_CONFIG = 64 << 20  # bytes of a description
# Layers that are made from numbers, texts and flags, and read no file as they are made.
_LAYERS = frozenset(
    "InputLayer Dense EinsumDense Embedding Activation Identity Flatten Reshape Permute RepeatVector Masking Dropout SpatialDropout1D "
    "SpatialDropout2D SpatialDropout3D AlphaDropout GaussianDropout GaussianNoise ActivityRegularization Conv1D Conv2D Conv3D "
    "Conv1DTranspose Conv2DTranspose Conv3DTranspose SeparableConv1D SeparableConv2D DepthwiseConv1D DepthwiseConv2D MaxPooling1D "
    "MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D "
    "GlobalMaxPooling3D GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D UpSampling1D UpSampling2D UpSampling3D "
    "ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D Cropping3D BatchNormalization LayerNormalization GroupNormalization "
    "UnitNormalization RMSNormalization ReLU LeakyReLU PReLU ELU Softmax LSTM GRU SimpleRNN LSTMCell GRUCell SimpleRNNCell RNN "
    "Bidirectional TimeDistributed ConvLSTM1D ConvLSTM2D MultiHeadAttention GroupQueryAttention Attention AdditiveAttention Add Subtract "
    "Multiply Average Maximum Minimum Concatenate Dot Rescaling CategoryEncoding".split()
)
_PARTS = re.compile(  # where all that has no layer's name may be from
    r"keras|keras\.(initializers|regularizers|constraints|optimizers|losses|metrics)|keras\.optimizers\.schedules"
    r"|keras\.src\.models\.(functional|sequential)|keras\.src\.ops\.(numpy|nn)|keras\.src\.backend\.\w+\.optimizers\.\w+"
)
_WHOLE = frozenset({"Sequential", "Functional", "Model", "DTypePolicy"})  # of what Keras has at its top


class Keras(Flavor):
    """``keras.Model``, sequential and functional ones and what is derived from them."""

    name: ClassVar[str] = "keras"
    module: ClassVar[str] = "keras"
    forms: ClassVar[tuple[str, ...]] = ("keras",)

    def claims(self, model: object) -> bool:
        return made_by(model, "keras.src.models.model.Model")

    def save(self, model: Any, folder: Path, form: str) -> Saved:  # noqa: ARG002
        keras = self.framework()
        (folder / _FOLDER).mkdir()
        (folder / _FOLDER / _HOW).write_text("keras", encoding="utf-8")
        file = folder / _FOLDER / _FILE
        try:
            model.save(os.fspath(file))
            strange = _strange(file)
        except Exception as error:  # the model's own code
            raise InvalidValue(f"this {type(model).__name__} cannot be saved: {type(error).__name__}: {str(error)[:300]}") from error
        backend = keras.backend.backend()
        entry = {"data": _FOLDER, "keras_version": version_of(keras), "keras_backend": backend, "save_exported_model": False, "code": None}
        note = f"it holds {', '.join(strange[:3])}, which is not one of Keras's plain layers: opening it runs code" if strange else ""
        return Saved(entry, {"loader_module": "mlflow.keras"}, ("keras", backend), note)

    def danger(self, folder: Path, entry: Entry) -> str:
        strange = _strange(_file(folder, entry))
        return f"what is not Keras's plain layers ({', '.join(strange[:5])})" if strange else ""

    def load(self, folder: Path, entry: Entry) -> Any:
        file = _file(folder, entry)
        keras = self.framework()
        try:
            return keras.saving.load_model(os.fspath(file), safe_mode=not _strange(file))
        except Exception as error:  # the file may be anything
            raise InvalidValue(f"{file} does not open as a Keras model: {type(error).__name__}: {str(error)[:300]}") from error

    def predictor(self, model: Any, entry: Entry, folder: Path | None = None) -> Predict:  # noqa: ARG002
        one_at_a_time = Lock()  # a model keeps what it predicts with as its own

        def ask(data: Any, params: Mapping[str, Any]) -> Any:
            frame = as_pandas(data)
            with one_at_a_time:
                found = model.predict(data if frame is None else frame.to_numpy(), **{"verbose": 0, **params})
            if frame is None or not hasattr(found, "shape"):
                return found
            return pandas("answers of a Keras model as a frame").DataFrame(found, index=frame.index)

        return ask


def _file(folder: Path, entry: Entry) -> Path:
    """The ``.keras`` file.

    Raises:
        InvalidValue: it is not there, lies outside of the folder, or the model is in TensorFlow's format.
    """
    if entry.get("save_exported_model"):
        raise InvalidValue(
            f"the model in {folder} is in TensorFlow's format, which is not opened here: save it without save_exported_model"
        )
    return inside(folder, f"{entry.get('data') or _FOLDER}/{_FILE}")


def _strange(file: Path) -> list[str]:
    """The classes in a ``.keras`` file that are none of those which anybody may open.

    Raises:
        InvalidValue: it is no such file.
    """
    try:
        skops_format.check_size(file)
        with zipfile.ZipFile(file) as packed:
            if more := set(packed.namelist()) - _INSIDE:
                return [f"the file {min(more)!r:.80}"]
            if packed.getinfo("config.json").file_size > _CONFIG:
                raise ValueError("its description is too long")
            told = json.loads(packed.read("config.json"))
    except Exception as error:  # the file may be anything
        raise InvalidValue(f"{file} does not open as a Keras model: {type(error).__name__}: {str(error)[:300]}") from error
    return sorted({name for node in _nodes(told) if (name := _odd(node))})


def _nodes(told: Any) -> Iterator[Mapping[str, Any]]:
    todo = [told]
    while todo:
        if isinstance(node := todo.pop(), dict):
            yield node
            todo += node.values()
        elif isinstance(node, list):
            todo += node


def _odd(node: Mapping[str, Any]) -> str:
    """What a node of a description names that is not plain; "" where there is nothing."""
    if not {"class_name", "module", "registered_name"} & set(node):
        return ""
    kind, module, registered = node.get("class_name"), node.get("module"), node.get("registered_name")
    if kind == "__keras_tensor__" and module is None and registered is None:
        return ""
    name = f"{module}.{kind}"[:100]
    if not isinstance(kind, str) or not isinstance(module, str) or registered not in (None, kind):
        return name
    if module == "keras.layers":
        return "" if kind in _LAYERS else name
    if not _PARTS.fullmatch(module) or not kind.isidentifier() or kind == "function":
        return name
    return name if module == "keras" and kind not in _WHOLE else ""
