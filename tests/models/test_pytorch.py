"""PyTorch: what consists of its own layers comes back from data alone; the rest is pickled, and MLflow opens all of it."""

from __future__ import annotations

import importlib.util
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import pytest
import yaml

from prefect_ledger.errors import ArtifactCorrupt, InvalidValue, MissingExtra, UntrustedModel
from prefect_ledger.models import digests, flavors
from prefect_ledger.models.opening import open_folder
from prefect_ledger.models.saving import ModelWarning, save_model

if importlib.util.find_spec("torch") is None:
    pytest.skip("PyTorch is in none of our locks: make test-torch", allow_module_level=True)

import torch
from torch import nn

from tests.interop.conftest import mlflow, mlflow_python  # noqa: F401  # fixtures
from tests.interop.mlflow_side import MLflow

ROWS = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
IMAGES = np.random.default_rng(1).normal(size=(2, 3, 12, 12)).astype("float32")
WORDS = np.random.default_rng(2).integers(0, 20, (3, 5))


class Net(nn.Module):  # type: ignore[misc]  # where PyTorch is not installed, as mypy has it
    """A module of the caller's."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(8, 4), nn.Linear(4, 2)

    def forward(self, rows: Any, scale: float = 1.0) -> Any:
        """Two layers."""
        return self.last(torch.relu(self.first(rows))) * scale


def _trained(module: Any) -> Any:
    """With running means that are not those of the beginning."""
    with torch.no_grad():
        for one in module.buffers():
            if one.is_floating_point():
                one.add_(0.25)
    return module


LAYERS: dict[str, tuple[Callable[[], Any], Any]] = {
    "perceptron": (lambda: nn.Sequential(nn.Linear(8, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 2, bias=False)), ROWS),
    "one layer": (lambda: nn.Linear(8, 1), ROWS),
    "doubles": (lambda: nn.Sequential(nn.Linear(8, 3), nn.Softmax(dim=1)).double(), ROWS),
    "brain floats": (lambda: nn.Linear(8, 3).bfloat16(), ROWS),
    "images": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 6, 3, padding="same", padding_mode="reflect"), nn.GroupNorm(2, 6), nn.SiLU(), nn.MaxPool2d(2),
            nn.ConvTranspose2d(6, 2, (2, 3), stride=2), nn.AdaptiveAvgPool2d((4, None)), nn.Flatten(), nn.LeakyReLU(0.2),
        ),
        IMAGES,
    ),
    "words": (lambda: nn.Sequential(nn.Embedding(20, 6, padding_idx=0), nn.LayerNorm(6), nn.Sequential(nn.GELU("tanh"))), WORDS),
    "LSTM": (lambda: nn.LSTM(8, 4, num_layers=2, bidirectional=True, proj_size=2), ROWS),
    "GRU": (lambda: nn.GRU(8, 4, bias=False), ROWS),
    "RNN": (lambda: nn.RNN(8, 4, nonlinearity="relu"), ROWS),
}  # fmt: skip


def _asked(model: Any, data: Any) -> Any:
    weight = next(model.parameters())
    given = torch.from_numpy(data)
    with torch.no_grad():
        return model.eval()(given.to(weight.dtype) if given.is_floating_point() else given)


def _flat(answer: Any) -> list[Any]:
    if isinstance(answer, list | tuple):
        return [part for one in answer for part in _flat(one)]
    return [answer.float().numpy() if isinstance(answer, torch.Tensor) and answer.dtype is torch.bfloat16 else np.asarray(answer)]


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@pytest.mark.parametrize("name", LAYERS)
def test_pytorchs_own_layers_come_back_without_running_code(name: str, tmp_path: Path) -> None:
    """With their arguments, the types of their weights and the means they have seen; nobody has to answer for them."""
    make, data = LAYERS[name]
    model = _trained(make()).train()
    saved = save_model(model, tmp_path / "m", flavor="pytorch:layers", input_example=data)
    assert model.training
    assert "torch==" in (tmp_path / "m" / "requirements.txt").read_text()
    assert saved.flavors["pytorch"]["layers"] == "data/layers.json"
    opened = open_folder(tmp_path / "m")
    assert repr(opened.model) == repr(model)
    assert not opened.model.training
    for ours, theirs in zip(_flat(opened.predictor().predict(data)), _flat(_asked(model, data)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def _tied() -> Any:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model[0].weight = model[1].weight
    return model


def _hooked() -> Any:
    model = nn.Sequential(nn.Linear(8, 8))
    model[0].register_forward_hook(lambda *_: None)
    return model


def _changed() -> Any:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    model[1].forward = torch.tanh
    return model


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (Net, "it holds a .*Net, which is not one of PyTorch's plain layers"),
        (_tied, "share their weights"),
        (_hooked, "it has hooks"),
        (_changed, "a ReLU has a 'forward' of its own"),
    ],
)
def test_what_is_more_than_layers_is_pickled_and_said(make: Callable[[], Any], why: str, tmp_path: Path) -> None:
    """Opened on somebody's word, and then the same; asked for as layers it is refused."""
    model = make()
    with pytest.warns(ModelWarning, match=f"{why}.*, so it is pickled: opening it runs code"):
        save_model(model, tmp_path / "m")
    with pytest.raises(UntrustedModel, match=r"a pickle \(data/model\.pth\)"):
        open_folder(tmp_path / "m")
    opened = open_folder(tmp_path / "m", trusted=True)
    np.testing.assert_array_equal(opened.predictor().predict(ROWS), _asked(model, ROWS))
    with pytest.raises(InvalidValue, match=why):
        save_model(model, tmp_path / "n", flavor="torch:layers")
    assert not (tmp_path / "n").exists()


def test_it_is_asked_with_frames_mappings_and_parameters(tmp_path: Path) -> None:
    """A frame's answer is a frame with its index; floats are brought to the type of the weights, and nothing is learnt."""
    model = Net()
    with pytest.warns(ModelWarning):
        save_model(model, tmp_path / "m", requirements=[])
    ask = open_folder(tmp_path / "m", trusted=True).predictor().predict
    expected = _asked(model, ROWS).numpy()
    frame = pd.DataFrame(ROWS.astype("float64"), index=range(10, 16))
    pd.testing.assert_frame_equal(ask(frame), pd.DataFrame(expected, index=frame.index))
    np.testing.assert_array_equal(ask({"rows": ROWS}), expected)
    np.testing.assert_array_equal(ask(ROWS.tolist()), expected)
    np.testing.assert_array_equal(ask(ROWS.astype("float64"), {"scale": 2.0}), 2 * expected)


def _edit(folder: Path, change: Callable[[Any], Any]) -> None:
    told = yaml.safe_load((folder / "MLmodel").read_text())
    told.pop(digests.KEY, None)
    change(told["flavors"]["pytorch"])
    (folder / "MLmodel").write_text(yaml.safe_dump(told))


@pytest.mark.parametrize(
    "layers",
    [
        {"class": "Linear", "given": {"in_features": 8, "out_features": 1, "device": "cpu"}},
        {"class": "Linear", "given": {"in_features": 8, "out_features": {"a": 1}}},
        {"class": "Linear", "given": {"in_features": 9, "out_features": 1}},
        {"class": "Linear"},
        {"class": "Module"},
        {"class": "__builtins__"},
        {"class": ["Linear"]},
        {"class": "LSTM", "given": {"input_size": 8, "hidden_size": 1, "num_layers": 10**9}},
        {"class": "Sequential", "layers": [["a.b", {"class": "ReLU"}]]},
        {"class": "Sequential", "layers": [["forward", {"class": "ReLU"}]]},
        {"class": "Sequential", "layers": [[str(number), {"class": "ReLU"}] for number in range(20_000)]},
        [],
        None,
    ],
)
def test_layers_that_are_none_are_refused(layers: Any, tmp_path: Path) -> None:
    """Other classes, arguments that are none, more layers than there are, and what does not fit the weights."""
    save_model(nn.Linear(8, 1), tmp_path / "m", requirements=[])
    _edit(tmp_path / "m", lambda entry: None)
    (tmp_path / "m" / "data" / "layers.json").write_text(json.dumps({"layers": layers, "weights": "model.safetensors"}))
    with pytest.raises(InvalidValue, match=r"layers\.json does not open as layers of PyTorch"):
        open_folder(tmp_path / "m", trusted=True)


def _safetensors(header: Any, body: bytes = bytes(36)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def _weights(dtype: Any = "F32", shape: Any = (1, 8), offsets: Any = (0, 32)) -> Any:
    return {
        "weight": {"dtype": dtype, "shape": shape, "data_offsets": offsets},
        "bias": {"dtype": "F32", "shape": [1], "data_offsets": [32, 36]},
    }


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff" * 8, b"\xff" * 100, _safetensors(b"{"), _safetensors([]), _safetensors({}), _safetensors(_weights("F99")),
        _safetensors(_weights(offsets=(0, 40))), _safetensors(_weights(offsets=(-32, 0))),
        _safetensors(_weights(shape=(2, 8))), _safetensors(_weights(shape=(-1, -8))), _safetensors(_weights(), bytes(20)),
        _safetensors({**_weights(), "more": _weights()["weight"]}), _safetensors(b"[" * 100_000),
    ],
    ids=len,
)  # fmt: skip
def test_weights_that_are_none_are_refused(data: bytes, tmp_path: Path) -> None:
    """Cut, longer than the file, of other shapes and types; by the digest where it is known."""
    save_model(nn.Linear(8, 1), tmp_path / "m", requirements=[])
    file = tmp_path / "m" / "data" / "model.safetensors"
    file.write_bytes(_safetensors(_weights()))
    with pytest.raises(ArtifactCorrupt, match=r"model\.safetensors"):
        open_folder(tmp_path / "m")
    _edit(tmp_path / "m", lambda entry: None)
    assert open_folder(tmp_path / "m").predictor().predict(ROWS).shape == (6, 1)
    file.write_bytes(data)
    with pytest.raises(InvalidValue, match="does not open as layers of PyTorch"):
        open_folder(tmp_path / "m", trusted=True)


@pytest.mark.parametrize(
    "change", [{"layers": "../x"}, {"layers": 3}, {"layers": None, "model_data": ".."}, {"layers": "", "model_data": 3}]
)
def test_files_outside_are_not_opened(change: dict[str, Any], tmp_path: Path) -> None:
    """And without its layers a model is the pickle that it always was."""
    save_model(nn.Linear(8, 1), tmp_path / "m", requirements=[])
    _edit(tmp_path / "m", lambda entry: entry.update(change))
    with pytest.raises(InvalidValue):
        open_folder(tmp_path / "m", trusted=True)
    _edit(tmp_path / "m", lambda entry: entry.update(layers=None, model_data="data"))
    with pytest.raises(UntrustedModel):
        open_folder(tmp_path / "m")


def test_without_pytorch_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no extra of ours for it: builds differ by machine."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"pip install torch, in the build"):
        flavors.named("pytorch").framework()


CODE = """
import sys, pathlib
sys.path.append(sys.argv[1])
import numpy as np, torch, mlflow, mlflow.pytorch
from mlflow.models import infer_signature
rows = np.load("rows.npy")
answer = {}
for path in sorted(pathlib.Path("ours").iterdir()):
    native = mlflow.pytorch.load_model(str(path))
    answer[path.name] = [mlflow.pyfunc.load_model(str(path)).predict(rows).tolist(), type(native).__name__]
model = torch.nn.Sequential(torch.nn.Linear(8, 3), torch.nn.ReLU()).eval()
said = model(torch.from_numpy(rows)).detach().numpy()
for form in ("pt2", "pickle"):
    mlflow.pytorch.save_model(model, f"theirs-{form}", signature=infer_signature(rows, said), input_example=rows, serialization_format=form,
      pip_requirements=[])
answer["theirs"] = said.tolist()
"""


def test_mlflow_and_we_open_each_others(mlflow: MLflow, tmp_path: Path) -> None:  # noqa: F811  # the fixture
    """MLflow, lent our PyTorch, opens layers, pickles and programs, and answers the same; and its programs and pickles open here."""
    models = {"layers": nn.Sequential(nn.Linear(8, 3), nn.Tanh()), "module": Net()}
    models["program"] = torch.export.export(models["module"].eval(), (torch.from_numpy(ROWS),))
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    (tmp_path / "ours").mkdir()
    np.save(tmp_path / "rows.npy", ROWS)
    try:
        save_model(models["layers"], tmp_path / "ours" / "layers", input_example=ROWS, requirements=[])
        for name in ("module", "program"):
            with pytest.warns(ModelWarning, match="opening it runs code"):
                save_model(models[name], tmp_path / "ours" / name, input_example=ROWS, requirements=[])
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    told = mlflow.ask(tmp_path, CODE, str(Path(torch.__file__).parent.parent))
    for name, kind in (("layers", "Sequential"), ("module", "Net"), ("program", "GraphModule")):
        opened = open_folder(tmp_path / "ours" / name, trusted=name != "layers")
        np.testing.assert_array_equal(opened.predictor().predict(ROWS), np.asarray(told[name][0], "float32"))
        assert told[name][1].endswith(kind)
    for form, says in (("pt2", "an exported program"), ("pickle", "a pickle")):
        with pytest.raises(UntrustedModel, match=says):
            open_folder(tmp_path / f"theirs-{form}")
        opened = open_folder(tmp_path / f"theirs-{form}", trusted=True)
        np.testing.assert_array_equal(opened.predictor().predict(ROWS), np.asarray(told["theirs"], "float32"))
