"""ONNX models: saved so that they come back the same, asked with what MLflow asks them with, and never opened beyond their folder."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import pandas as pd
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument  # type: ignore[import-untyped]

from prefect_ledger.errors import ArtifactCorrupt, InvalidValue
from prefect_ledger.models import digests
from prefect_ledger.models.opening import open_folder
from prefect_ledger.models.saving import save_model

ROWS = np.random.default_rng(0).normal(size=(7, 40))
WEIGHTS = np.random.default_rng(1).normal(size=(40, 30)).astype("float32")


def _graph(nodes: list[Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any], *weights: Any) -> Any:
    def infos(said: Mapping[str, Any]) -> list[Any]:
        return [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in said.items()]

    graph = helper.make_graph(nodes, "g", infos(inputs), infos(outputs), list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _product() -> Any:
    """Rows of 40 numbers by weights of 4,800 bytes, and the greatest of each."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("ArgMax", ["y"], ["best"], axis=1, keepdims=0)]
    outputs = {"y": (TensorProto.FLOAT, ["n", 30]), "best": (TensorProto.INT64, ["n"])}
    return _graph(nodes, {"x": (TensorProto.FLOAT, ["n", 40])}, outputs, numpy_helper.from_array(WEIGHTS, "w"))


def _columns(shape: list[Any]) -> Any:
    """A column of floats times one of whole numbers."""
    nodes = [helper.make_node("Cast", ["count"], ["c"], to=TensorProto.FLOAT), helper.make_node("Mul", ["price", "c"], ["total"])]
    inputs = {"price": (TensorProto.FLOAT, shape), "count": (TensorProto.INT64, shape)}
    return _graph(nodes, inputs, {"total": (TensorProto.FLOAT, shape)})


def _edit(folder: Path, change: Callable[[Any], Any]) -> None:
    told = yaml.safe_load((folder / "MLmodel").read_text())
    change(told)
    (folder / "MLmodel").write_text(yaml.safe_dump(told))


def _expected() -> dict[str, Any]:
    session = onnxruntime.InferenceSession(_product().SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip(("y", "best"), session.run(None, {"x": ROWS.astype("float32")}), strict=True))


@pytest.mark.parametrize("flavor", ["auto", "onnx:external"])
def test_a_graph_comes_back_as_it_was(flavor: str, tmp_path: Path) -> None:
    """In one file, or with its large tensors beside it; the caller's own is not changed by that. Nobody has to answer for it."""
    model = _product()
    before = model.SerializeToString()
    saved = save_model(model, tmp_path / "m", flavor=flavor, input_example=ROWS)
    assert onnx.load_from_string(model.SerializeToString()).graph.initializer[0].raw_data == WEIGHTS.tobytes()
    assert (tmp_path / "m" / "model.onnx.data").exists() == (flavor != "auto")
    assert saved.flavors["onnx"]["data"] == "model.onnx"
    assert {line.partition("==")[0] for line in (tmp_path / "m" / "requirements.txt").read_text().split()} >= {"onnx", "onnxruntime"}
    opened = open_folder(tmp_path / "m")
    assert opened.model.graph.node == onnx.load_from_string(before).graph.node
    assert numpy_helper.to_array(opened.model.graph.initializer[0]).tobytes() == WEIGHTS.tobytes()
    answer = opened.predictor().predict(ROWS)
    for name, values in _expected().items():
        np.testing.assert_array_equal(answer[name], values)


def test_it_is_asked_with_arrays_mappings_frames_and_lists(tmp_path: Path) -> None:
    """And by several threads at once. A frame's answer is a frame with a column for each output, if they are of one length."""
    save_model(_product(), tmp_path / "m")
    save_model(_columns(["n"]), tmp_path / "c")
    save_model(_columns(["n", 1]), tmp_path / "tall")
    predictor, expected = open_folder(tmp_path / "m").predictor(), _expected()
    given = [ROWS, {"x": ROWS}, pd.DataFrame(ROWS), ROWS.tolist(), ROWS.astype("float32")] * 4
    with ThreadPoolExecutor(4) as pool:
        for answer in pool.map(predictor.predict, given):
            np.testing.assert_array_equal(answer["y"], expected["y"])
    frame = pd.DataFrame({"count": [2, 3], "price": [1.5, 0.5], "name": ["a", "b"]})
    for name in ("c", "tall"):
        columns = open_folder(tmp_path / name).predictor()
        pd.testing.assert_frame_equal(columns.predict(frame), pd.DataFrame({"total": np.array([3.0, 1.5], "float32")}))
    with pytest.raises(InvalidValue, match="no columns: 'price'"):
        columns.predict(frame[["count"]])
    with pytest.raises(InvalidValue, match=r"2 inputs: give a mapping or a frame with 'price', 'count'"):
        columns.predict(ROWS)


def test_texts_and_narrow_numbers_reach_the_inputs_they_are_for(tmp_path: Path) -> None:
    """Whatever holds texts in a frame; and numbers in the type that the graph has, where they fit."""
    nodes = [helper.make_node("Identity", ["word"], ["said"]), helper.make_node("Identity", ["place"], ["at"])]
    kinds = ((TensorProto.STRING, ["n"]), (TensorProto.INT32, ["n"]))
    model = _graph(nodes, dict(zip(("word", "place"), kinds, strict=True)), dict(zip(("said", "at"), kinds, strict=True)))
    frame = pd.DataFrame({"word": ["a", "ö"], "place": [1, 2]})
    save_model(model, tmp_path / "m", input_example=frame)
    answer = open_folder(tmp_path / "m").predictor().predict(frame)
    assert answer.to_dict("list") == {"said": ["a", "ö"], "at": [1, 2]}
    assert answer["at"].dtype == "int32"


def test_what_is_no_valid_graph_is_not_saved(tmp_path: Path) -> None:
    """Nor one whose tensors were left in their files."""
    broken = _product()
    broken.graph.node[0].input[1] = "nowhere"
    with pytest.raises(InvalidValue, match="not valid ONNX"):
        save_model(broken, tmp_path / "m")
    save_model(_product(), tmp_path / "e", flavor="onnx:external")
    with pytest.raises(InvalidValue, match="in files beside it"):
        save_model(onnx.load(tmp_path / "e" / "model.onnx", load_external_data=False), tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_operators_that_onnxruntime_has_not_are_named(tmp_path: Path) -> None:
    """No library that a model may want is loaded: such a model opens, and cannot be asked."""
    model = _product()
    model.graph.node[0].domain = "of.ours"
    model.opset_import.append(helper.make_opsetid("of.ours", 1))
    save_model(model, tmp_path / "m")
    opened = open_folder(tmp_path / "m")
    with pytest.raises(InvalidValue, match=r"onnxruntime does not take .*of\.ours"):
        opened.predictor()


def _hostile(location: str) -> Callable[[Any, Path], None]:
    def change(model: Any, folder: Path) -> None:
        next(one for one in model.graph.initializer[0].external_data if one.key == "location").value = location

    return change


def _linked(model: Any, folder: Path) -> None:
    (folder.parent / "secret").write_bytes(WEIGHTS.tobytes())
    (folder / "model.onnx.data").unlink()
    (folder / "model.onnx.data").symlink_to(folder.parent / "secret")


def _address(model: Any, folder: Path) -> None:
    (folder / "*" / "_ORT_MEM_ADDR_").mkdir(parents=True)
    (folder / "*" / "_ORT_MEM_ADDR_" / "*").write_bytes(WEIGHTS.tobytes())
    _hostile("*/_ORT_MEM_ADDR_/*")(model, folder)


def _greedy(model: Any, folder: Path) -> None:
    for number in range(9):
        model.graph.initializer.append(model.graph.initializer[0])
        model.graph.initializer[-1].name = f"w{number}"


def _within(model: Any, folder: Path) -> None:
    """In a graph within a node, and without the mark that says so."""
    tensor = model.graph.initializer.pop()
    tensor.external_data[0].value = "../secret"
    tensor.data_location = TensorProto.DEFAULT
    inner = helper.make_graph([helper.make_node("Constant", [], ["v"], value=tensor)], "inner", [], [])
    model.graph.node.append(helper.make_node("If", ["best"], ["z"], then_branch=inner, else_branch=inner))


@pytest.mark.parametrize(
    "change",
    [
        *map(_hostile, ("../secret", "/etc/passwd", "a/../../secret", "", ".", "none.data", "~/x", "*/_ORT_MEM_ADDR_/*", "x" * 5000)),
        _linked,
        _address,
        _greedy,
        _within,
    ],
)
def test_tensors_outside_of_the_folder_are_refused(change: Callable[[Any, Path], None], tmp_path: Path) -> None:
    """Before anything is opened: paths that lead out, links, what is no file, and claims of more bytes than there are."""
    (tmp_path / "secret").write_bytes(WEIGHTS.tobytes())
    folder = tmp_path / "m"
    save_model(_product(), folder, flavor="onnx:external", requirements=[])
    _edit(folder, lambda told: told.pop(digests.KEY))
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    change(model, folder)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InvalidValue, match=r"the model in .*(outside|no model has|lacks its file|in files of)"):
        open_folder(folder)


def test_of_an_mlmodel_file_only_harmless_settings_are_taken(tmp_path: Path) -> None:
    """Providers by name, threads, order and level; no options that would name a library or a file, and no nonsense."""
    save_model(_product(), tmp_path / "m", requirements=[])
    named = [["TensorrtExecutionProvider", {"trt_extra_plugin_lib_paths": "/x.so"}], "CPUExecutionProvider", {"a": []}, 3]
    settings: dict[str, Any] = {
        "intra_op_num_threads": 100_000,
        "inter_op_num_threads": "many",
        "execution_mode": ["parallel"],
        "graph_optimization_level": 7,
        "extra_session_config": {"session.optimized_model_external_initializers_file_name": "../x", "no.such": "1"},
    }
    for providers, options in (
        (named, settings),
        (None, None),
        ("CUDAExecutionProvider", 3),
        ([], {"execution_mode": "parallel", "graph_optimization_level": 99}),
    ):
        _edit(tmp_path / "m", lambda told: told["flavors"]["onnx"].update(providers=providers, onnx_session_options=options))  # noqa: B023
        np.testing.assert_array_equal(open_folder(tmp_path / "m").predictor().predict(ROWS)["y"], _expected()["y"])


@pytest.mark.parametrize("data", ["model.ort", "../model.onnx", "MLmodel"])
def test_a_file_that_is_no_onnx_is_refused(data: str, tmp_path: Path) -> None:
    """Also one in onnxruntime's own format, which holds what was not looked at."""
    save_model(_product(), tmp_path / "m", requirements=[])
    (tmp_path / "m" / "model.ort").write_bytes(b"\x18\0\0\0ORTM" + bytes(100))
    _edit(tmp_path / "m", lambda told: told["flavors"]["onnx"].update(data=data))
    with pytest.raises(InvalidValue):
        open_folder(tmp_path / "m")


def test_damage_is_refused_or_harmless(tmp_path: Path) -> None:
    """With its digest by the file's name; without, it does not open or it answers, and the process lives."""
    save_model(_product(), tmp_path / "m", flavor="onnx:external", requirements=[])
    file = tmp_path / "m" / "model.onnx.data"
    good = file.read_bytes()
    file.write_bytes(good[:-1] + b"\1")
    with pytest.raises(ArtifactCorrupt, match=r"model\.onnx\.data"):
        open_folder(tmp_path / "m")
    _edit(tmp_path / "m", lambda told: told.pop(digests.KEY))
    file.write_bytes(good[:-1])
    with pytest.raises(InvalidValue, match=r"model\.onnx does not open"):
        open_folder(tmp_path / "m")
    file.write_bytes(good)
    file, chance = tmp_path / "m" / "model.onnx", random.Random(7)
    data, refused = file.read_bytes(), 0
    for _ in range(60):
        at = chance.randrange(len(data))
        for damaged in (data[:at], data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]):
            file.write_bytes(damaged)
            try:
                ask = open_folder(tmp_path / "m").predictor()
            except InvalidValue:
                refused += 1
                continue
            with suppress(Fail, InvalidArgument, InvalidValue):  # a graph that no longer fits its rows
                ask.predict(ROWS)
    assert refused > 60
