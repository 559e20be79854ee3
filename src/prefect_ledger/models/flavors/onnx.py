"""Floor 4. ONNX: graphs of operators in their own format, which runs no code when it is opened; asked through onnxruntime.

Of what an MLmodel file says of how to run them, names of known providers and plain numbers are taken: options of providers, further
settings and libraries of operators may name files that would be loaded or written.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from prefect_ledger.errors import InvalidValue, MissingExtra
from prefect_ledger.models.flavors.base import Entry, Flavor, Predict, Saved, file_of, made_by, version_of
from prefect_ledger.models.frames import as_pandas, pandas
from prefect_ledger.models.model_file import inside
from prefect_ledger.models.widening import widen

_FILE = "model.onnx"
_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")  # a GPU where a build of onnxruntime for one is installed
_TIMES = 4  # tensors may share bytes of files beside the model, so often on the average
_IN_MEMORY = "_ORT_MEM_ADDR_"  # what onnxruntime calls its own tensors: such a "file" is an address in the process
_LEVELS = (0, 1, 2, 3, 99)  # how much onnxruntime rewrites a graph
_DTYPES: Mapping[str, str] = {"float": "float32", "double": "float64"}


class ONNX(Flavor):
    """``onnx.ModelProto``, from whichever framework it was converted."""

    name: ClassVar[str] = "onnx"
    module: ClassVar[str] = "onnx"
    extra: ClassVar[str] = "onnx"
    forms: ClassVar[tuple[str, ...]] = ("whole", "external")  # one file up to 2 GB, which is all it can have, or large tensors beside it

    def claims(self, model: object) -> bool:
        return made_by(model, "onnx.onnx_ml_pb2.ModelProto", "onnx.onnx_pb2.ModelProto")

    def save(self, model: Any, folder: Path, form: str) -> Saved:
        onnx = self.framework()
        if any(map(_is_external, _tensors(model))):
            raise InvalidValue("tensors of this model are in files beside it, and not read: load it by onnx.load(path), which reads them")
        _write(onnx, model, folder / _FILE, form)
        try:
            onnx.checker.check_model(os.fspath(folder / _FILE))
        except Exception as error:  # the checker of ONNX has several
            raise InvalidValue(f"this model is not valid ONNX: {_first(error)}") from error
        entry = {"onnx_version": version_of(onnx), "data": _FILE, "providers": list(_PROVIDERS), "onnx_session_options": None, "code": None}
        return Saved(entry, {"loader_module": "mlflow.onnx", "data": _FILE}, ("onnx", "onnxruntime"))

    def danger(self, folder: Path, entry: Entry) -> str:
        file_of(folder, entry, "data")
        return ""

    def load(self, folder: Path, entry: Entry) -> Any:
        file = file_of(folder, entry, "data")
        onnx = self.framework()
        try:
            model = onnx.load(os.fspath(file), format="protobuf", load_external_data=False)
            if outside := [tensor for tensor in _tensors(model) if _is_external(tensor)]:
                _look_at(outside, file.parent)
                onnx.load_external_data_for_model(model, os.fspath(file.parent))
            onnx.checker.check_model(os.fspath(file) if outside else model)
        except InvalidValue:
            raise
        except Exception as error:  # the file may be anything
            raise InvalidValue(f"{file} does not open as an ONNX model: {_first(error)}") from error
        if any(map(_is_external, _tensors(model))):
            raise InvalidValue(f"{file} has tensors in other files where ONNX does not read them from")
        return model

    def predictor(self, model: Any, entry: Entry, folder: Path | None = None) -> Predict:  # noqa: ARG002
        session = self._session(model, entry)
        inputs = {one.name: one for one in session.get_inputs()}
        outputs = [one.name for one in session.get_outputs()]

        def ask(data: Any, _params: Mapping[str, Any]) -> Any:
            frame = as_pandas(data)
            feed = _of_frame(frame, inputs) if frame is not None else _of_arrays(data, inputs)
            found = session.run(outputs, {name: _typed(one, inputs[name]) if name in inputs else one for name, one in feed.items()})
            answer = dict(zip(outputs, found, strict=True))
            return answer if frame is None else _framed(answer)

        return ask

    def _session(self, model: Any, entry: Entry) -> Any:
        """Made once, and safe to be asked by several threads.

        Raises:
            MissingExtra: onnxruntime is not installed. InvalidValue: it does not take the model.
        """
        try:
            import onnxruntime  # type: ignore[import-untyped]
        except ImportError as error:
            raise MissingExtra("onnxruntime", self.extra, need="asking an ONNX model") from error
        wanted = entry.get("providers")
        named = wanted if isinstance(wanted, list) else [wanted]
        usable = [one for one in _PROVIDERS if one in named and one in onnxruntime.get_available_providers()]
        options, providers = _options(onnxruntime, entry.get("onnx_session_options")), usable or ["CPUExecutionProvider"]
        try:
            return _whole(model, lambda given: onnxruntime.InferenceSession(given, options, providers=providers))
        except Exception as error:  # onnxruntime has one of its own for each kind of trouble
            raise InvalidValue(f"onnxruntime does not take the ONNX model: {_first(error)}") from error


# --- files --------------------------------------------------------------------------------------------------------------


def _write(onnx: Any, model: Any, path: Path, form: str) -> None:
    if form != "external":
        try:
            path.write_bytes(model.SerializeToString())
            return
        except OSError:
            raise
        except Exception as error:  # protobuf has several for what has more than 2 GB
            if form:
                raise InvalidValue(
                    f"this model does not go into one file ({_first(error)}): flavor='onnx:external' makes several"
                ) from error
    try:
        onnx.save_model(model, os.fspath(path), save_as_external_data=True, location=f"{path.name}.data")
    finally:  # it has taken the tensors out of the caller's model
        moved = [tensor for tensor in _tensors(model) if _is_external(tensor)]
        if moved and path.with_name(f"{path.name}.data").is_file():
            onnx.load_external_data_for_model(model, os.fspath(path.parent))


def _whole(model: Any, use: Callable[[Any], Any]) -> Any:
    """``use`` with the model as bytes; as a file, where they are too many."""
    try:
        data = model.SerializeToString()
    except Exception:  # noqa: BLE001  # protobuf has several for what has more than 2 GB
        data = None
    if data is not None:
        return use(data)
    import onnx

    with tempfile.TemporaryDirectory(prefix="prefect-ledger-onnx-") as folder:
        _write(onnx, model, Path(folder, _FILE), "external")
        return use(os.fspath(Path(folder, _FILE)))


def _tensors(model: Any) -> Iterator[Any]:
    """Every tensor of a model, also of graphs within its nodes and of its functions."""
    graphs = [model.graph, *(graph for one in model.training_info for graph in (one.initialization, one.algorithm))]
    nodes = [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            yield from (part for one in graph.sparse_initializer for part in (one.values, one.indices))
            nodes += graph.node
            continue
        for attribute in nodes.pop().attribute:
            yield from (attribute.t, *attribute.tensors)
            yield from (part for one in (attribute.sparse_tensor, *attribute.sparse_tensors) for part in (one.values, one.indices))
            graphs += [attribute.g, *attribute.graphs] if attribute.HasField("g") else attribute.graphs


def _is_external(tensor: Any) -> bool:
    return tensor.data_location == 1 or len(tensor.external_data) > 0


def _look_at(tensors: list[Any], folder: Path) -> None:
    """Refuse tensors that lie outside of the folder, or that claim far more bytes than there are.

    Raises:
        InvalidValue: the message names the file.
    """
    files: dict[Path, int] = {}
    claimed = 0
    for tensor in tensors:
        said = {one.key: one.value for one in tensor.external_data}
        location = said.get("location", "")
        if ".." in Path(location).parts or _IN_MEMORY in location:
            raise InvalidValue(f"the model in {folder} has a tensor ({tensor.name!r:.80}) in a file outside of it: {location!r:.200}")
        path = inside(folder, location)
        files.setdefault(path, size := path.stat().st_size)
        claimed += int(said["length"]) if said.get("length", "").isdecimal() else size
    if claimed > _TIMES * sum(files.values()):
        raise InvalidValue(f"the model in {folder} has tensors of {claimed:,} bytes in files of {sum(files.values()):,}")


def _options(onnxruntime: Any, said: Any) -> Any:
    """How a session runs: threads, order and rewriting, as far as an MLmodel file says it in numbers that make sense."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is raised
    options.add_session_config_entry("session.load_model_format", "ONNX")  # nothing else was looked at
    said = said if isinstance(said, Mapping) else {}
    for name in ("inter_op_num_threads", "intra_op_num_threads"):
        if isinstance(count := said.get(name), int) and count > 0:
            setattr(options, name, min(count, os.cpu_count() or 1))
    if str(said.get("execution_mode", "")).upper() == "PARALLEL":
        options.execution_mode = onnxruntime.ExecutionMode.ORT_PARALLEL
    if (level := said.get("graph_optimization_level")) in _LEVELS:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel(level)
    return options


def _first(error: Exception) -> str:
    """The kind of an error and the first line it says, which may be long."""
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]:.300}"


# --- data ---------------------------------------------------------------------------------------------------------------


def _of_arrays(data: Any, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(data, Mapping):
        return data
    if len(inputs) != 1:
        raise InvalidValue(f"the model has {len(inputs)} inputs: give a mapping or a frame with {', '.join(map(repr, inputs))}")
    return {next(iter(inputs)): data}


def _of_frame(frame: Any, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """A frame for the only input, or a column for each."""
    if len(inputs) == 1:
        return {next(iter(inputs)): frame.to_numpy()}
    if lacking := [name for name in inputs if name not in frame.columns]:
        raise InvalidValue(f"the model has inputs that are no columns: {', '.join(map(repr, lacking))}")
    return {name: _column(frame[name].to_numpy(), one) for name, one in inputs.items()}


def _column(values: Any, wanted: Any) -> Any:
    import numpy as np

    if values.dtype == object and len(values) and isinstance(values[0], list | np.ndarray):
        return np.asarray(list(values))
    return values.reshape(-1, 1) if len(wanted.shape) == 2 else values


def _typed(values: Any, wanted: Any) -> Any:
    """Numbers in the type that an input has, where that changes no value but the digits of floats."""
    import numpy as np

    kind = str(wanted.type).removeprefix("tensor(").removesuffix(")")
    if not isinstance(values, np.ndarray):
        values = np.asarray(values)
    if kind == "string":
        return values.astype(object) if values.dtype.kind in "OUT" else values
    try:
        dtype = np.dtype(_DTYPES.get(kind, kind))
    except TypeError:  # sequences, maps, and numbers that NumPy has not
        return values
    if values.dtype == object:
        return values.astype(dtype)
    if (done := widen(values, dtype, json=True)) is not None:
        return done
    return values.astype(dtype) if values.dtype.kind == dtype.kind == "f" else values


def _framed(answer: Mapping[str, Any]) -> Any:
    """As MLflow has it: a column for each output, whatever its shape; as it is where they differ in length."""
    import numpy as np

    try:
        flat = {name: np.asarray(one).reshape(-1) for name, one in answer.items()}
    except ValueError:  # lists of several lengths
        return answer
    if len({len(one) for one in flat.values()}) > 1:
        return answer
    return pandas("answers of an ONNX model as a frame").DataFrame(flat)
